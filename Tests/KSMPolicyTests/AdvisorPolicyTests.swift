import HostFixtures
import Testing

@testable import KSMPolicy

/// The bounds that the kernel's advisor gets, and when it is started anew: each comparison from both sides. By the
/// defaults a pass shall take 200 s, at most 70 % of a CPU, and bounds lie from 500 to 30,000 pages.
@Suite struct AdvisorPolicyTests {
    private static func policy() throws -> AdvisorPolicy {
        let configuration = Configuration()
        return AdvisorPolicy(configuration, classic: try ClassicPolicy(configuration, total: KiB(16 << 20)))
    }

    private static let short = MemorySample(free: .zero, committed: KiB(16 << 20))
    private static let plenty = MemorySample(free: KiB(16 << 20), committed: .zero)

    private static func sample(
        at seconds: Double = 0, known: Int64, pages: Int64 = 500, sleep: Int64 = 20, cpu: Double? = nil,
        isOn: Bool = true
    ) -> AdvisorPolicy.Sample {
        var counters = ScanCounters()
        counters.unshared = Pages(known)
        counters.cpu = cpu.map { Duration(rounding: $0) }
        return AdvisorPolicy.Sample(
            now: Instant(nanoseconds: 0) + Duration(rounding: seconds), counters: counters, isOn: isOn,
            pagesToScan: pages, sleepMilliseconds: sleep)
    }

    @Test(
        arguments: [
            // Ten million pages in 200 s, with 50 scans in a second: 1000 in each, and room for four times as many.
            (10_000_000, 20, 1000, 4000), (10_000_000, 40, 2000, 8000), (10_000_000, 0, 500, 500),
            (5_000_000, 20, 500, 2000), (0, 20, 500, 500), (100_000_000, 20, 10_000, 30_000),
            (500_000_000, 20, 30_000, 30_000), (.max, 20, 30_000, 30_000), (-5, 20, 500, 500),
        ] as [(Int64, Int64, Int64, Int64)])
    func `its bounds are drawn around what the known pages need`(
        known: Int64, sleep: Int64, least: Int64, most: Int64
    ) throws {
        var policy = try Self.policy()
        let decision = policy.decide(Self.short, Self.sample(known: known, pages: 777, sleep: sleep))
        let order = try #require(decision.advisor)
        #expect(order.pagesMinimum == least && order.pagesMaximum == most && !order.restarts)
        #expect(order.scanTime == .seconds(200) && order.cpuMaximumPercent == 70)
        #expect(
            decision.sentence.hasPrefix(
                "scanning at the pace of the kernel advisor, a pass in 200 s, at most 70 % of a CPU: "))
        // The kernel's own pace is what is told.
        #expect(decision.pagesToScan == 777 && decision.sleepMilliseconds == sleep)
        #expect(decision.pause == .seconds(10) && decision.policy == .advisor)
    }

    /// Whether three looks in a row start it anew.
    private static func restarts(_ sample: (Int) -> AdvisorPolicy.Sample) throws -> [Bool] {
        var policy = try policy()
        return (0..<3).map { policy.decide(short, sample($0)).advisor?.restarts ?? false }
    }

    @Test func `less than a quarter of its minimum is too slow`() throws {
        // Its minimum is 1000.
        let slow = try Self.restarts { Self.sample(at: Double($0) * 10, known: 10_000_000, pages: 249) }
        #expect(slow == [false, false, true])
        let enough = try Self.restarts { Self.sample(at: Double($0) * 10, known: 10_000_000, pages: 250) }
        #expect(enough == [false, false, false])
        let off = try Self.restarts { Self.sample(at: Double($0) * 10, known: 10_000_000, pages: 10, isOn: false) }
        #expect(off == [false, false, false])
    }

    @Test(arguments: [(0.34, true), (0.35, true), (0.36, false)] as [(Double, Bool)])
    func `one that takes more than half of its maximum is slow for want of it`(share: Double, restarts: Bool) throws {
        var policy = try Self.policy()
        // The first look says nothing of its share, so it is asked four times.
        let last = (0..<4).map { look in
            let sample = Self.sample(
                at: Double(look) * 10, known: 10_000_000, pages: 10, cpu: 100 + Double(look) * 10 * share)
            return policy.decide(Self.short, sample).advisor?.restarts ?? false
        }
        #expect(last.contains(true) == restarts)
    }

    @Test func `two looks at one moment say nothing of its share`() throws {
        let restarts = try Self.restarts { Self.sample(known: 10_000_000, pages: 10, cpu: 100 + Double($0)) }
        #expect(restarts == [false, false, true])
    }

    @Test func `looks that are not in a row do not add up`() throws {
        var policy = try Self.policy()
        var restarted: [Bool] = []
        for (look, pages) in [10, 10, 600, 10, 10, 10].enumerated() {
            let sample = Self.sample(at: Double(look) * 10, known: 10_000_000, pages: Int64(pages))
            restarted.append(policy.decide(Self.short, sample).advisor?.restarts ?? false)
        }
        #expect(restarted == [false, false, false, false, false, true])
        // Nor do those around a rest.
        var rested = try Self.policy()
        let slow = Self.sample(known: 10_000_000, pages: 10)
        for memory in [Self.short, Self.short, Self.plenty, Self.short, Self.short] {
            #expect(rested.decide(memory, slow).advisor?.restarts != true)
        }
        #expect(rested.decide(Self.short, slow).advisor?.restarts == true)
    }
}
