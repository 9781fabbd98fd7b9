import HostFixtures
import Testing

@testable import KSMPolicy

/// Counters come from files, and none of them may end the daemon.
@Suite struct AbsurdCountersTests {
    private static let total = KiB(16 << 20)

    private static func policy() -> AdaptivePolicy {
        var configuration = Configuration()
        configuration.policy = .adaptive
        let classic = try! ClassicPolicy(configuration, total: total)
        return AdaptivePolicy(configuration, classic: classic, cpus: 4, pageSize: Bytes(4096))
    }

    /// Feeds counters one after the other, two steps each, and asks for scans.
    private static func feed(_ values: [Int64], resident: Int64) {
        var policy = policy()
        for file in 0..<9 {
            for (index, value) in values.enumerated() {
                var counters = ScanCounters()
                counters.cpu = .zero
                switch file {
                case 0: counters.passes = value
                case 1: counters.shared = Pages(value)
                case 2: counters.sharing = Pages(value)
                case 3: counters.unshared = Pages(value)
                case 4: counters.volatile = Pages(value)
                case 5: counters.zero = Pages(value)
                case 6: counters.skipped = Pages(value)
                case 7: counters.scanned = Pages(value)
                default: counters.cpu = .nanoseconds(value)
                }
                let step = Int64(file * values.count + index)
                var sample = AdaptiveSample(
                    now: Instant(nanoseconds: step * 1_000_000_000),
                    memory: MemorySample(free: total, committed: .zero), counters: counters)
                sample.guests = [1, 2].map { GuestMemory(id: $0, resident: KiB(resident)) }
                sample.isRequested = true
                sample.activity = GuestActivity(busiest: 1, brokenMerges: Pages(.max))
                let decision = policy.decide(sample)
                #expect((0...Int64(UInt32.max)).contains(decision.pagesToScan))
                #expect((0...Int64(UInt32.max)).contains(decision.sleepMilliseconds))
                _ = decision.sentence
            }
        }
    }

    @Test func `counters of the largest host that Linux knows, back and forth`() {
        // 64 PiB in pages.
        Self.feed([0, 1 << 44, 5, 1 << 44, 1, 0], resident: 8 << 20)
    }

    @Test func `counters that alternate between nothing and the greatest number, with two guests that hold it`() {
        Self.feed([0, .max, 0, .max, .min, .max, -1, .max], resident: .max)
    }

    @Test func `all counters at once at the greatest number, by the advisor policy`() throws {
        var configuration = Configuration()
        configuration.policy = .advisor
        var policy = AdvisorPolicy(configuration, classic: try ClassicPolicy(configuration, total: Self.total))
        for (step, value) in [Int64.max, 0, .max, .max, .min].enumerated() {
            var counters = ScanCounters()
            counters.passes = value
            counters.shared = Pages(value)
            counters.sharing = Pages(value)
            counters.unshared = Pages(value)
            counters.volatile = Pages(value)
            counters.zero = Pages(value)
            let sample = AdvisorPolicy.Sample(
                now: Instant(nanoseconds: Int64(step) * 20_000_000_000), counters: counters, isOn: step > 0,
                pagesToScan: value, sleepMilliseconds: value)
            let decision = policy.decide(MemorySample(free: .zero, committed: Self.total), sample)
            #expect(decision.action == .scan)
            #expect(!decision.sentence.isEmpty)
        }
    }

    @Test func `no memory, no time, and time that goes back`() {
        Self.feed([0, 0, 0, -1, 1], resident: 0)
        var policy = Self.policy()
        for now: Int64 in [0, 0, 0, 5, 3, 1_000_000_000, 0] {
            var counters = ScanCounters()
            counters.cpu = .nanoseconds(10 - now)
            var sample = AdaptiveSample(
                now: Instant(nanoseconds: now), memory: MemorySample(free: .zero, committed: .zero), counters: counters)
            sample.guests = []
            sample.isRequested = true
            sample.cpuPressure = now == 5 ? -5 : 1e300
            #expect((0...Int64(UInt32.max)).contains(policy.decide(sample).pagesToScan))
        }
    }
}
