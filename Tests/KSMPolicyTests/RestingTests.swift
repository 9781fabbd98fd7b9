import HostFixtures
import Testing

@testable import KSMPolicy

/// When a rest ends, and with what: each comparison from both sides. The counters are those of a host whose pass takes
/// 6 s, so that at first a pass pays that is expected to merge 300 MiB, by the 50 MiB per second of the default.
@Suite struct RestingTests {
    private typealias Resting = AdaptivePolicy.Resting

    private static let settings = AdaptivePolicy.Settings(Configuration(), cpus: 4, pageSize: 4096)

    private static var counters: ScanCounters {
        var counters = ScanCounters()
        counters.unshared = 1_000_000
        return counters
    }

    private static func sample(at seconds: Double, _ counters: ScanCounters = counters) -> AdaptiveSample {
        AdaptiveSample(
            now: Instant(nanoseconds: 0) + Duration(rounding: seconds),
            memory: MemorySample(free: .zero, committed: .zero), counters: counters)
    }

    /// A policy that knows of a pass which ended at the second 1000, and left so many pages; one guest has come since.
    private static func learned(
        new mebibytes: Int64 = 0, left: Int64 = 0, hidden: Int64 = 0
    ) -> AdaptivePolicy.Learned {
        var learned = AdaptivePolicy.Learned()
        learned.assumeEarlierPasses(sample(at: 1000, ScanCounters()), settings)
        learned.ledger.update([GuestMemory(id: 1, resident: KiB(mebibytes * 1024))])
        var pass = ScanPass(
            cpu: nil, gained: 0, fresh: 0, left: Pages(left), passedOverAtEnd: 0, looked: 1)
        pass.hidden = Pages(hidden)
        learned.learn(from: pass, isWhole: false, isFull: false, sample(at: 1000))
        return learned
    }

    private static func outcome(
        at seconds: Double, _ learned: AdaptivePolicy.Learned, _ host: HostConditions = HostConditions(),
        activity: GuestActivity? = nil
    ) -> String {
        var (resting, learned) = (Resting(needsCounters: false), learned)
        var sample = sample(at: seconds)
        sample.activity = activity
        return "\(resting.next(sample, host, settings, &learned))"
    }

    private static let rest = "rest"
    private static let wait = "wait"

    private static func scan(_ kind: AdaptivePolicy.Scanning.Kind) -> String { "\(Resting.Next.scan(kind))" }

    // MARK: New memory

    @Test(
        arguments: [
            // Two passes, by 50 MiB per second of their 12 s.
            (1000, 599, false), (1000, 601, true),
            // After 15 s they may cost twice as much, after 45 s four times.
            (1015, 299, false), (1015, 301, true), (1045, 149, false), (1045, 151, true),
            // After an hour it gets no more: 241 times.
            (4600, 15, false), (4600, 16, true), (40_000, 15, false),
        ] as [(Double, Int64, Bool)])
    func `new memory is scanned when two passes pay`(second: Double, mebibytes: Int64, isScanned: Bool) {
        #expect(Self.outcome(at: second, Self.learned(new: mebibytes)) == (isScanned ? Self.scan(.burst) : Self.rest))
    }

    @Test func `patience has an end`() {
        // A guest that has not grown by enough is never scanned for itself, and a pass over more pages not sooner.
        var counters = ScanCounters()
        counters.unshared = 100_000_000
        for (second, mebibytes, isScanned) in [(4600.0, Int64(250), true), (4600, 248, false), (90_000, 248, false)] {
            var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: mebibytes))
            let next = resting.next(Self.sample(at: second, counters), HostConditions(), Self.settings, &learned)
            #expect("\(next)" == (isScanned ? Self.scan(.burst) : Self.rest))
        }
    }

    @Test(arguments: [(149, false), (151, true)] as [(Int64, Bool)])
    func `while memory is short a pass may cost four times as much`(mebibytes: Int64, isScanned: Bool) {
        var host = HostConditions()
        var pressure = Self.sample(at: 1000)
        pressure.isUnderPressure = true
        host.observe(pressure)
        let outcome = Self.outcome(at: 1000, Self.learned(new: mebibytes), host)
        #expect(outcome == (isScanned ? Self.scan(.burst) : Self.rest))
    }

    @Test func `guests that fill their memory are waited for, but for short memory`() {
        let learned = Self.learned(new: 700)
        var host = HostConditions()
        host.growth.observe(learned.ledger, at: Self.sample(at: 999).now)
        #expect(Self.outcome(at: 1000, learned, host) == Self.wait)
        var pressure = Self.sample(at: 1000)
        pressure.isUnderPressure = true
        host.observe(pressure)
        #expect(Self.outcome(at: 1000, learned, host) == Self.scan(.burst))
    }

    @Test func `a request comes before all`() {
        var host = HostConditions()
        host.isRequested = true
        #expect(Self.outcome(at: 1000, Self.learned(new: 700), host) == Self.scan(.request))
    }

    // MARK: Changed memory

    @Test(
        arguments: [
            // 390 MiB, of which a quarter is expected to merge, in one pass of 6 s.
            (1030, 100_000, 0, false), (1032, 100_000, 0, true), (1032, 50_000, 50_000, true),
            (1032, 50_000, 0, false),
            // Not sooner than after 15 s, whatever it pays.
            (1014, 1_000_000, 0, false), (1015, 1_000_000, 0, true),
            // Less than 4 MiB is never worth a pass.
            (100_000, 1023, 0, false),
        ] as [(Double, Int64, Int64, Bool)])
    func `changed memory is looked at again when a pass pays, after a while`(
        second: Double, left: Int64, hidden: Int64, isScanned: Bool
    ) {
        let outcome = Self.outcome(at: second, Self.learned(left: left, hidden: hidden))
        #expect(outcome == (isScanned ? Self.scan(.recheck) : Self.rest))
    }

    @Test(arguments: [(1023, false), (1024, true)] as [(Int64, Bool)])
    func `4 MiB of changed memory are the least`(left: Int64, isScanned: Bool) {
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(left: left))
        let next = resting.next(
            Self.sample(at: 2000, ScanCounters()), HostConditions(), Self.settings, &learned)
        #expect("\(next)" == (isScanned ? Self.scan(.recheck) : Self.rest))
    }

    @Test func `new memory helps to pay for a pass over what had changed`() {
        // At 1030 s 100 MiB are asked for; a quarter of 390 MiB is less.
        #expect(Self.outcome(at: 1030, Self.learned(new: 3, left: 100_000)) == Self.scan(.recheck))
    }

    // MARK: Busy guests

    /// What comes of guests' activity at the second look.
    private static func afterActivity(
        _ activity: GuestActivity, saved: Int64 = 0, isSettling: Bool = false
    ) -> String {
        var counters = ScanCounters()
        counters.sharing = Pages(saved)
        var (resting, learned) = (Resting(needsCounters: false), learned())
        if isSettling { learned.expectSettling() }
        var sample = sample(at: 1001, counters)
        sample.activity = activity
        let first = "\(resting.next(sample, HostConditions(), settings, &learned))"
        #expect(first == rest, "nothing says how long the first look's activity took")
        sample.now = sample.now + .seconds(60)
        return "\(resting.next(sample, HostConditions(), settings, &learned))"
    }

    @Test(
        arguments: [
            (0.09, 0, 0, false), (0.1, 0, 0, true), (0, 255, 0, false), (0, 256, 0, true),
            // Two of a thousand pages that are saved.
            (0, 1999, 1_000_000, false), (0, 2000, 1_000_000, true),
        ] as [(Double, Int64, Int64, Bool)])
    func `busy guests are probed`(busiest: Double, broken: Int64, saved: Int64, isProbed: Bool) {
        let outcome = Self.afterActivity(GuestActivity(busiest: busiest, brokenMerges: Pages(broken)), saved: saved)
        #expect(outcome == (isProbed ? Self.scan(.probe) : Self.rest))
    }

    @Test(arguments: [(0.009, 0, false), (0.01, 0, true), (0, 63, false), (0, 64, true)] as [(Double, Int64, Bool)])
    func `after new memory guests that do anything are looked at again`(
        busiest: Double, broken: Int64, isScanned: Bool
    ) {
        let activity = GuestActivity(busiest: busiest, brokenMerges: Pages(broken))
        let outcome = Self.afterActivity(activity, saved: 1_000_000, isSettling: true)
        #expect(outcome == (isScanned ? Self.scan(.recheck) : Self.rest))
    }

    @Test func `activity is asked for once after a scan, and then a minute after it was last`() {
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: 1))
        #expect(resting.wants(at: Self.sample(at: 1001).now, learned) == [.guests, .activity, .allCounters])
        var sample = Self.sample(at: 1001)
        sample.activity = GuestActivity()
        _ = resting.next(sample, HostConditions(), Self.settings, &learned)
        #expect(resting.wants(at: Self.sample(at: 1060.9).now, learned) == .guests)
        #expect(resting.wants(at: Self.sample(at: 1061).now, learned) == [.guests, .activity, .allCounters])
        // Nobody is asked where there is nobody.
        learned.ledger.update([])
        #expect(resting.wants(at: Self.sample(at: 5000).now, learned) == .guests)
    }

    @Test func `what was seen while the classic rule kept it still is known afterwards`() {
        var resting = Resting(needsCounters: true)
        var sample = Self.sample(at: 1001)
        sample.isCounted = false
        resting.keepStill(sample)
        #expect(resting.needsCounters)
        #expect(resting.wants(at: sample.now, Self.learned()).contains(.activity))
        sample.isCounted = true
        sample.activity = GuestActivity()
        resting.keepStill(sample)
        #expect(!resting.needsCounters)
        #expect(resting.wants(at: sample.now, Self.learned()) == .guests)
    }

    @Test func `it looks at its pace, at once where counters are wanted, and more seldom at many guests`() {
        var ledger = GuestLedger()
        #expect(Resting(needsCounters: true).pause(Self.settings, ledger) == .zero)
        #expect(Resting(needsCounters: false).pause(Self.settings, ledger) == .milliseconds(500))
        ledger.update((0..<200).map { GuestMemory(id: $0, resident: 1024) })
        #expect(Resting(needsCounters: false).pause(Self.settings, ledger) == .seconds(1))
    }

    // MARK: What is learnt

    private static func isDue(_ learned: AdaptivePolicy.Learned, after seconds: Double) -> Bool {
        learned.isActivityLookDue(at: sample(at: 1000 + seconds).now)
    }

    @Test func `a probe in vain doubles the time to the next, up to an hour, and one that paid ends that`() {
        var learned = Self.learned(new: 1)
        for interval in [60.0, 120, 240, 480, 960, 1920, 3600, 3600] {
            #expect(!Self.isDue(learned, after: interval - 1) && Self.isDue(learned, after: interval))
            learned.learn(fromScanThatPaid: false, isProbe: false)
            #expect(Self.isDue(learned, after: interval), "another scan in vain says nothing of probes")
            learned.learn(fromScanThatPaid: false, isProbe: true)
        }
        learned.learn(fromScanThatPaid: true, isProbe: true)
        #expect(!Self.isDue(learned, after: 59) && Self.isDue(learned, after: 60))
    }

    @Test func `after new memory the first look comes soon, once`() {
        var learned = Self.learned(new: 1)
        learned.expectSettling()
        #expect(!Self.isDue(learned, after: 14) && Self.isDue(learned, after: 15))
        let taken = [learned.takeSettling(), learned.takeSettling()]
        #expect(taken == [true, false])
        #expect(!Self.isDue(learned, after: 59) && Self.isDue(learned, after: 60))
    }

    private static func pass(gained: Int64 = 0, fresh: Int64 = 0, left: Int64) -> ScanPass {
        ScanPass(
            cpu: nil, gained: Pages(gained), fresh: Pages(fresh), left: Pages(left), passedOverAtEnd: 0, looked: 1)
    }

    @Test(
        arguments: [
            // Half of them merged: three times as much as the quarter that was expected before.
            (1000, 0, 500, 0.4375), (1000, 0, 0, 0.0625), (1000, 0, -100, 0.0625), (1000, 0, 9000, 1),
            // New pages among them are no changed ones, and too few say nothing.
            (1000, 499, 1000, 0.8125), (1000, 500, 1000, 0.25), (256, 0, 256, 0.25), (257, 0, 257, 0.8125),
        ] as [(Int64, Int64, Int64, Double)])
    func `a pass shows what changed pages are worth`(left: Int64, fresh: Int64, gained: Int64, yield: Double) {
        var learned = Self.learned()
        learned.learn(from: Self.pass(fresh: fresh, left: left), isWhole: true, isFull: false, Self.sample(at: 1010))
        #expect(learned.changedYield == 0.25)
        learned.learn(from: Self.pass(gained: gained, left: 0), isWhole: true, isFull: false, Self.sample(at: 1020))
        #expect(learned.changedYield == yield)
    }

    @Test func `something is always expected of changed pages`() {
        var learned = Self.learned()
        for _ in 0..<20 {
            learned.learn(from: Self.pass(left: 1000), isWhole: true, isFull: false, Self.sample(at: 1010))
        }
        #expect(learned.changedYield == 1.0 / 256)
    }

    @Test(arguments: [true, false]) func `passes with smart_scan and without have costs of their own`(isFull: Bool) {
        var learned = Self.learned()
        var pass = Self.pass(left: 0)
        pass.cpu = .seconds(12)
        learned.learn(from: pass, isWhole: false, isFull: isFull, Self.sample(at: 1010))
        #expect(abs(learned.passSeconds(isFull: isFull, Self.counters) - 6) < 0.001, "a part says nothing of the cost")
        learned.learn(from: pass, isWhole: true, isFull: isFull, Self.sample(at: 1010))
        #expect(abs(learned.passSeconds(isFull: isFull, Self.counters) - 9) < 0.001)
        #expect(abs(learned.passSeconds(isFull: !isFull, Self.counters) - 6) < 0.001)
    }

    @Test func `newcomers that merged within a pass are not left`() {
        var learned = Self.learned(left: 1000, hidden: 500)
        learned.endPass(with: 300, at: Self.sample(at: 1100).now)
        #expect(learned.lastPass == Self.pass(left: 700))
        #expect(learned.lastPassEnd == Self.sample(at: 1100).now)
        learned.endPass(with: 900, at: Self.sample(at: 1200).now)
        #expect(learned.lastPass?.left == 0)
    }

    @Test func `what KSM knows already was the work of a daemon before`() {
        var counters = ScanCounters()
        counters.shared = 1000
        counters.sharing = 10_000
        counters.unshared = 7000
        counters.volatile = 2000
        counters.zero = 5600
        var learned = AdaptivePolicy.Learned()
        learned.ledger.update([GuestMemory(id: 1, resident: KiB(25_600 * 8))])
        learned.assumeEarlierPasses(Self.sample(at: 50, counters), Self.settings)
        // 25,600 pages of 4 KiB of the guest's 51,200.
        #expect(learned.ledger.unscanned == KiB(25_600 * 4))
        #expect(learned.lastPass == Self.pass(left: 2000))
        #expect(learned.lastPassEnd == Self.sample(at: 50).now)
    }

    // MARK: Waiting

    @Test func `a wait ends with the filling, short memory, a request, or after 15 s`() {
        let began = Self.sample(at: 1000).now
        let waiting = AdaptivePolicy.Waiting(since: began)
        var ledger = GuestLedger()
        ledger.update([GuestMemory(id: 1, resident: 1_048_576)])
        var filling = HostConditions()
        filling.growth.observe(ledger, at: began)
        #expect(!waiting.isOver(at: Self.sample(at: 1014.9).now, filling))
        #expect(waiting.isOver(at: Self.sample(at: 1015).now, filling))
        let now = Self.sample(at: 1001).now
        #expect(waiting.isOver(at: now, HostConditions()))
        var requested = filling
        requested.isRequested = true
        #expect(waiting.isOver(at: now, requested))
        var short = filling
        var pressure = Self.sample(at: 1001)
        pressure.isUnderPressure = true
        short.observe(pressure)
        #expect(waiting.isOver(at: now, short))
    }

    @Test func `a wait looks five times in a second, and more seldom at many guests or at a slower pace`() {
        var ledger = GuestLedger()
        let waiting = AdaptivePolicy.Waiting(since: 0)
        #expect(waiting.pause(Self.settings, ledger) == .milliseconds(200))
        var configuration = Configuration()
        configuration.idleStep = .milliseconds(50)
        let quick = AdaptivePolicy.Settings(configuration, cpus: 4, pageSize: 4096)
        #expect(waiting.pause(quick, ledger) == .milliseconds(50))
        ledger.update((0..<100).map { GuestMemory(id: $0, resident: 1024) })
        #expect(waiting.pause(Self.settings, ledger) == .milliseconds(500))
    }

    // MARK: Settings

    @Test(
        arguments: [
            (4, 95, 50, 0.95), (1, 95, 50, 0.5), (2, 95, 50, 0.95), (0, 95, 50, 0.5), (64, 200, 1, 0.64),
            (64, 100, 50, 1),
        ] as [(Int, Int64, Int64, Double)])
    func `ksmd takes the less of its part of one CPU and of all`(
        cpus: Int, ofOne: Int64, ofAll: Int64, share: Double
    ) {
        var configuration = Configuration()
        configuration.cpuMaximumPercent = ofOne
        configuration.hostCPUMaximumPercent = ofAll
        #expect(configuration.ksmdShare(cpus: cpus) == share)
        configuration.probeCPUPercent = 60
        let settings = AdaptivePolicy.Settings(configuration, cpus: cpus, pageSize: 4096)
        #expect(settings.share == share)
        #expect(settings.probeShare == min(share, 0.6), "a probe takes no more than a burst")
    }

    @Test func `what a policy may change and what pays follow from the settings`() {
        var configuration = Configuration()
        #expect(AdaptivePolicy.Settings(configuration, cpus: 1, pageSize: 4096).changesSmartScan)
        configuration.smartScan = .yes
        configuration.yieldMinimum = 1000
        let settings = AdaptivePolicy.Settings(configuration, cpus: 1, pageSize: 16_384)
        #expect(!settings.changesSmartScan)
        #expect(settings.pays(bytes: 2000, cpuSeconds: 2) && !settings.pays(bytes: 1999, cpuSeconds: 2))
        #expect(settings.bytes(3) == 49_152)
        #expect(settings.kibibytes(3) == 48)
        #expect(settings.pages(48) == 3 && settings.pages(47) == 2)
    }

    @Test func `what a sample can hold is told apart`() {
        let all: [AdaptivePolicy.Wants] = [.guests, .activity, .cpuPressure, .allCounters, .counters, .memory]
        for (index, one) in all.enumerated() {
            #expect(!one.isEmpty)
            for other in all[..<index] { #expect(one.isDisjoint(with: other)) }
        }
    }
}
