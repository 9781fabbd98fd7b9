import HostFixtures
import Testing

@testable import KSMPolicy

/// What is kept of the host from one sample to the next, with a row on each side of every comparison.
@Suite struct HostConditionsTests {
    private static func sample(at seconds: Double) -> AdaptiveSample {
        AdaptiveSample(
            now: Instant(nanoseconds: 0) + Duration(rounding: seconds),
            memory: MemorySample(free: .zero, committed: .zero), counters: ScanCounters())
    }

    private static func moment(_ seconds: Double) -> Instant { sample(at: seconds).now }

    @Test(arguments: [(0.04, true), (0.05, false), (0.5, false)] as [(Double, Bool)])
    func `memory is short below a twentieth of it`(available: Double, isShort: Bool) {
        var host = HostConditions()
        #expect(!host.isMemoryShort(at: 0))
        var sample = Self.sample(at: 100)
        sample.available = available
        host.observe(sample)
        #expect(host.isMemoryShort(at: Self.moment(100)) == isShort)
    }

    @Test func `an announced shortage lasts for ten seconds after it was last announced`() {
        var host = HostConditions()
        for second in [100.0, 105] {
            var sample = Self.sample(at: second)
            sample.isUnderPressure = true
            host.observe(sample)
        }
        host.observe(Self.sample(at: 106))
        #expect(host.isMemoryShort(at: Self.moment(114.9)))
        #expect(!host.isMemoryShort(at: Self.moment(115)))
    }

    @Test func `memory is looked at every two seconds`() {
        var host = HostConditions()
        #expect(host.isMemoryLookDue(at: 0))
        host.observe(Self.sample(at: 100))
        #expect(host.isMemoryLookDue(at: Self.moment(100)))
        var sample = Self.sample(at: 100)
        sample.available = 0.5
        host.observe(sample)
        #expect(!host.isMemoryLookDue(at: Self.moment(101.9)))
        #expect(host.isMemoryLookDue(at: Self.moment(102)))
    }

    @Test(
        arguments: [(0, 1), (0.25, 1), (0.5, 0.75), (0.9, 0.35), (1, 0.25), (1.2, 0.25), (.nan, 1), (.infinity, 1)]
            as [(Double, Double)])
    func `ksmd gives up what others wait for, above a quarter of the time and down to a quarter of its share`(
        pressure: Double, part: Double
    ) {
        var host = HostConditions()
        #expect(host.partOfShare(at: 0) == 1)
        var sample = Self.sample(at: 100)
        sample.cpuPressure = pressure
        host.observe(sample)
        // A sample without it changes nothing.
        host.observe(Self.sample(at: 101))
        #expect(abs(host.partOfShare(at: Self.moment(101)) - part) < 1e-9)
        sample.isUnderPressure = true
        host.observe(sample)
        #expect(host.partOfShare(at: Self.moment(101)) == 1, "short memory comes before busy CPUs")
    }

    @Test(arguments: [(0, 0.35), (400, 0.75), (650, 1), (2000, 1)] as [(Int64, Double)])
    func `ksmd's own waiting is no reason to take less`(waited: Int64, part: Double) {
        var host = HostConditions()
        for second in [100.0, 101] {
            var sample = Self.sample(at: second)
            sample.cpuPressure = 0.9
            sample.counters.waited = .seconds(7) + (second > 100 ? .milliseconds(waited) : .zero)
            host.observe(sample)
        }
        #expect(abs(host.partOfShare(at: Self.moment(101)) - part) < 1e-9)
    }

    @Test(arguments: [(30, 0.35), (30.1, 1)] as [(Double, Double)])
    func `what was measured long ago, or over a long time, says nothing of the present`(pause: Double, part: Double) {
        var host = HostConditions()
        var sample = Self.sample(at: 100)
        sample.cpuPressure = 0.9
        host.observe(sample)
        #expect(abs(host.partOfShare(at: Self.moment(100 + pause)) - part) < 1e-9)
        sample.now = Self.moment(100 + pause)
        host.observe(sample)
        #expect(abs(host.partOfShare(at: Self.moment(100 + pause)) - part) < 1e-9)
        sample.now = Self.moment(101 + pause)
        host.observe(sample)
        #expect(abs(host.partOfShare(at: Self.moment(101 + pause)) - 0.35) < 1e-9)
    }

    @Test func `a request is kept until a scan takes it`() {
        var host = HostConditions()
        var sample = Self.sample(at: 1)
        sample.isRequested = true
        host.observe(sample)
        host.observe(Self.sample(at: 2))
        #expect(host.isRequested)
    }

    // MARK: Growth

    /// The rates, in MiB per second, after looks at these seconds at which one guest holds so many MiB.
    private static func rates(
        _ looks: [(second: Double, size: Int64)], passSeconds: Double = 3
    ) -> (present: Double, usual: Double) {
        var ledger = GuestLedger()
        var growth = GuestGrowth()
        for look in looks {
            ledger.update([GuestMemory(id: 1, resident: KiB(look.size * 1024))])
            growth.observe(ledger, at: moment(look.second), passSeconds: passSeconds)
        }
        #expect(growth.lastLook == looks.last.map { moment($0.second) })
        #expect(growth.rate == max(growth.present, growth.usual))
        return (growth.present / 1_048_576, growth.usual / 1_048_576)
    }

    @Test func `what is there at first says nothing of how fast it came`() {
        #expect(Self.rates([(0, 1000)]) == (0, 0))
    }

    @Test func `growth is per second, and of the last look alone`() {
        #expect(Self.rates([(0, 100), (0.2, 160)]).present.rounded() == 300)
        #expect(Self.rates([(0, 100), (0.2, 160), (2, 160)]).present == 0)
        #expect(Self.rates([(0, 100), (1, 60)]).present == 0)
    }

    @Test func `the usual growth is that of half a minute`() {
        // 31 MiB in a second and nothing in the 29 before: one in each on average, and less when time goes by.
        #expect(Self.rates([(0, 100), (1, 131)]).usual == 1)
        #expect(Self.rates([(0, 100), (1, 131), (31, 131)]).usual == 0.5)
        let steady = Self.rates((0..<300).map { (Double($0), 100 + 10 * $0) }).usual
        #expect(abs(steady - 10) < 0.01)
    }

    @Test func `where a pass takes longer the usual growth is that of ten passes`() {
        #expect(Self.rates([(0, 100), (1, 502)], passSeconds: 40.1).usual == 1)
        #expect(Self.rates([(0, 100), (1, 131)], passSeconds: 2.9).usual == 1)
    }

    @Test func `two looks at the same moment are one`() {
        var ledger = GuestLedger()
        var growth = GuestGrowth()
        for (size, second) in [(Int64(100), 5.0), (900, 5), (900, 4)] {
            ledger.update([GuestMemory(id: 1, resident: KiB(size * 1024))])
            growth.observe(ledger, at: Self.moment(second), passSeconds: 1)
        }
        #expect(growth.present == 0 && growth.lastLook == Self.moment(5))
    }
}
