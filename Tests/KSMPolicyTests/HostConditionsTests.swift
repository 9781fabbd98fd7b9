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
        arguments: [(0, 1), (0.25, 1), (0.5, 0.75), (0.9, 0.35), (1, 0.25), (.nan, 1), (.infinity, 1)]
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

    @Test func `a request is kept until a scan takes it`() {
        var host = HostConditions()
        var sample = Self.sample(at: 1)
        sample.isRequested = true
        host.observe(sample)
        host.observe(Self.sample(at: 2))
        #expect(host.isRequested)
    }

    // MARK: Growth

    /// Whether one guest is seen to fill its memory, at looks a second apart at which it holds so many MiB.
    private static func filling(_ mebibytes: [Int64]) -> [Bool] {
        var ledger = GuestLedger()
        var growth = GuestGrowth()
        return mebibytes.enumerated().map { second, size in
            ledger.update([GuestMemory(id: 1, resident: KiB(size * 1024))])
            growth.observe(ledger, at: moment(Double(second)))
            return growth.isFilling
        }
    }

    @Test func `a guest that is found counts as filling if it is of any size`() {
        #expect(Self.filling([15]) == [false])
        #expect(Self.filling([16]) == [true])
        #expect(Self.filling([100, 100]) == [true, false])
    }

    @Test func `it fills its memory while it grows by 8 MiB per second and by a hundredth of all`() {
        #expect(Self.filling([100, 107]) == [true, false])
        #expect(Self.filling([100, 108]) == [true, true])
        #expect(Self.filling([2000, 2015]) == [true, false])
        #expect(Self.filling([2000, 2025]) == [true, true])
        #expect(Self.filling([2000, 1900]) == [true, false])
    }

    @Test func `it has filled it at less than a fifth of its fastest growth`() {
        #expect(Self.filling([100, 200, 221]) == [true, true, true])
        #expect(Self.filling([100, 200, 219]) == [true, true, false])
        // The fastest counts, not the last.
        #expect(Self.filling([100, 200, 250, 269]) == [true, true, true, false])
        // One that rested begins anew.
        #expect(Self.filling([100, 200, 201, 211]) == [true, true, false, true])
    }

    @Test func `growth is per second, and two looks at the same moment are one`() {
        var ledger = GuestLedger()
        var growth = GuestGrowth()
        func look(_ mebibytes: Int64, at seconds: Double) -> Bool {
            ledger.update([GuestMemory(id: 1, resident: KiB(mebibytes * 1024))])
            growth.observe(ledger, at: Self.moment(seconds))
            return growth.isFilling
        }
        #expect(look(100, at: 0))
        #expect(!look(114, at: 2))
        #expect(!look(900, at: 2), "nothing can be said of no time")
        #expect(!look(900, at: 1), "nor of a negative one")
        #expect(growth.lastLook == Self.moment(1))
        #expect(look(902, at: 1.2))
    }
}
