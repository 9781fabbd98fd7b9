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
        learned.learn(from: pass, isWhole: false, isFull: false, sample(at: 1000), settings)
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

    @Test(
        arguments: [(160, 160, true), (161, 159, false), (159, 161, true), (100, 190, false)]
            as [(Int64, Int64, Bool)])
    func `where half of it was hashed by the last pass, one more will do`(new: Int64, hashed: Int64, isScanned: Bool) {
        var learned = Self.learned(new: new)
        let pass = Self.pass(fresh: hashed * 256, left: hashed * 256)
        learned.learn(from: pass, isWhole: false, isFull: false, Self.sample(at: 1000), Self.settings)
        #expect(Self.outcome(at: 1000, learned) == (isScanned ? Self.scan(.burst) : Self.rest))
    }

    @Test func `new memory is weighed by what passes with smart_scan cost`() {
        var learned = Self.learned(new: 400)
        #expect(Self.outcome(at: 1000, learned) == Self.rest)
        var pass = Self.pass(left: 0)
        (pass.cpu, pass.looked) = (.zero, 0.89)
        learned.learn(from: pass, isWhole: true, isFull: false, Self.sample(at: 1000), Self.settings)
        // Of 3 s each from now on.
        #expect(Self.outcome(at: 1000, learned) == Self.scan(.burst))
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

    /// A host on which a guest grew by so many MiB in the last second.
    private static func growing(by mebibytes: Int64) -> HostConditions {
        var (host, ledger) = (HostConditions(), GuestLedger())
        ledger.update([GuestMemory(id: 1, resident: 1024)])
        host.growth.observe(ledger, at: sample(at: 999).now, passSeconds: 1)
        ledger.update([GuestMemory(id: 1, resident: KiB(1024 + mebibytes * 1024))])
        host.growth.observe(ledger, at: sample(at: 1000).now, passSeconds: 1)
        return host
    }

    @Test(arguments: [(610, false), (630, true)] as [(Int64, Bool)])
    func `guests that fill their memory faster than ksmd could follow are waited for, but for short memory`(
        mebibytes: Int64, isWait: Bool
    ) {
        // 95 % of a CPU, at 6 microseconds for 4 KiB.
        let learned = Self.learned(new: 30_000)
        var host = Self.growing(by: mebibytes)
        #expect(Self.outcome(at: 1000, learned, host) == (isWait ? Self.wait : Self.scan(.burst)))
        var pressure = Self.sample(at: 1000)
        pressure.isUnderPressure = true
        host.observe(pressure)
        #expect(Self.outcome(at: 1000, learned, host) == Self.scan(.burst))
    }

    // At 618 MiB/s ksmd goes through the larger one in 1294 s.
    @Test(
        arguments: [(4_000, 4.9, true), (4_000, 5, false), (800_000, 25.8, true), (800_000, 26, false)]
            as [(Int64, Double, Bool)])
    func `they are waited for 5 s, or a fiftieth of the time that ksmd would take`(
        mebibytes: Int64, waited: Double, isWait: Bool
    ) {
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: mebibytes))
        let host = Self.growing(by: 10_000)
        #expect(resting.next(Self.sample(at: 1000), host, Self.settings, &learned) == .wait)
        let next = resting.next(Self.sample(at: 1000 + waited), host, Self.settings, &learned)
        #expect(next == (isWait ? .wait : .scan(.burst)))
    }

    @Test func `it waits for more while that pays more, with its eyes on guests that fill their memory`() {
        // 1400 MiB, of which a sixth is worth a CPU: for 12 s twice that has to have waited for 4 s. What comes at
        // 360 MiB/s has come in less, and at 340 not.
        for (growth, isWait) in [(Int64(360), true), (340, false)] {
            var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: 1400))
            let next = resting.next(Self.sample(at: 1000), Self.growing(by: growth), Self.settings, &learned)
            #expect(next == (isWait ? .wait : .scan(.burst)))
            #expect(resting.pause(Self.settings, GuestLedger()) == .milliseconds(isWait ? 200 : 1000))
        }
    }

    @Test func `guests that fill their memory are not waited for while the classic rule keeps it still`() {
        var (resting, learned, host) = (Resting(needsCounters: false), Self.learned(new: 1400), Self.growing(by: 360))
        #expect(resting.next(Self.sample(at: 1000), host, Self.settings, &learned) == .wait)
        resting.keepStill(Self.sample(at: 1001), &host, &learned)
        #expect(resting.pause(Self.settings, GuestLedger()) == .seconds(1))
        #expect(!resting.isWaiting)
    }

    @Test(arguments: [(15, 1000), (16, 200)] as [(Int64, Int)])
    func `guests that grow by 16 MiB in a second fill their memory`(growth: Int64, milliseconds: Int) {
        // Where 80 GB are saved a little waits for more.
        var counters = ScanCounters()
        counters.sharing = 20_000_000
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: 1400))
        let sample = Self.sample(at: 1000, counters)
        #expect(resting.next(sample, Self.growing(by: growth), Self.settings, &learned) == .wait)
        #expect(resting.pause(Self.settings, GuestLedger()) == .milliseconds(milliseconds))
    }

    @Test func `a request comes before all`() {
        var host = HostConditions()
        host.isRequested = true
        #expect(Self.outcome(at: 1000, Self.learned(new: 700), host) == Self.scan(.request))
    }

    // MARK: Changed memory

    @Test(
        arguments: [
            // 390 MiB, of which a third is expected to merge, in one pass of 6 s.
            (1019, 100_000, 0, false), (1020, 100_000, 0, true), (1020, 50_000, 50_000, true),
            (1020, 50_000, 0, false),
            // Not sooner than after 5 s, whatever it pays.
            (1004, 1_000_000, 0, false), (1005, 1_000_000, 0, true),
            // Less than 4 MiB is never worth a pass.
            (100_000, 1023, 0, false), (100_000, 1024, 0, true),
        ] as [(Double, Int64, Int64, Bool)])
    func `changed memory is looked at again when a pass pays, after a while`(
        second: Double, left: Int64, hidden: Int64, isScanned: Bool
    ) {
        let outcome = Self.outcome(at: second, Self.learned(left: left, hidden: hidden))
        #expect(outcome == (isScanned ? Self.scan(.recheck) : Self.rest))
    }

    @Test(arguments: [100, 20_000] as [Int64])
    func `memory that changes in place is expected to have changed`(pages: Int64) {
        var learned = Self.learned()
        // In the 100 s before the pass that ended at 1100 so many pages changed; the last pass counts for three
        // quarters, and the next comes too soon to say anything.
        learned.learn(
            from: Self.pass(left: pages * 10), isWhole: true, isFull: true, Self.sample(at: 1100), Self.settings)
        learned.learn(from: Self.pass(left: 0), isWhole: true, isFull: true, Self.sample(at: 1102), Self.settings)
        let rate = Double(pages) / 10 * 3 / 4
        #expect(abs(Double(Self.drift(learned, at: 1112)) - rate * 10) <= 10)
        #expect(Self.drift(learned, at: 1_000_000) == 1_000_000, "no more than there are")
    }

    @Test(arguments: [(3071, .no), (3072, .pays)] as [(Int64, AdaptivePolicy.Prospect.Verdict)])
    func `what a look finds changed is worth a scan where 4 MiB merge`(
        pages: Int64, verdict: AdaptivePolicy.Prospect.Verdict
    ) {
        // A third of them is expected to merge.
        var counters = ScanCounters()
        counters.unshared = 3072
        let outlook = AdaptivePolicy.Outlook(
            Self.sample(at: 1010, counters), HostConditions(), Self.settings, Self.learned())
        #expect(outlook.ofChangedMemory(share: 1, of: Pages(pages)) == verdict)
    }

    // 2000 MiB of 6000 are expected to merge. Where 80 GB are saved already they have to wait for a minute or two; new
    // memory at 340 MiB/s is as much within seconds.
    @Test(arguments: [(0, .pays), (340, .wait)] as [(Int64, AdaptivePolicy.Prospect.Verdict)])
    func `changed memory waits for new memory that comes`(growth: Int64, verdict: AdaptivePolicy.Prospect.Verdict) {
        var counters = ScanCounters()
        counters.sharing = 20_000_000
        let outlook = AdaptivePolicy.Outlook(
            Self.sample(at: 1005, counters), Self.growing(by: growth), Self.settings, Self.learned(left: 1_536_000))
        #expect(outlook.ofChangedMemory == verdict)
    }

    @Test func `a look at a single page tells of all`() {
        var (learned, counters) = (Self.learned(), ScanCounters())
        counters.unshared = 100
        learned.learnDrift(changed: 1, of: 1, Self.sample(at: 1100, counters))
        // All have changed in 100 s, by a look at a hundredth of them: eight times that part of three.
        let weight = 3 * 8 * 0.01
        #expect(abs(learned.driftRate - weight / (1 + weight)) < 1e-9)
    }

    private static func drift(_ learned: AdaptivePolicy.Learned, at seconds: Double) -> Int64 {
        learned.drift(at: sample(at: seconds).now, counters).count
    }

    @Test func `new memory that pays by itself comes before what has changed`() {
        #expect(Self.outcome(at: 1010, Self.learned(new: 700, left: 1_000_000)) == Self.scan(.burst))
        #expect(Self.outcome(at: 1010, Self.learned(new: 3, left: 1_000_000)) == Self.scan(.recheck))
    }

    @Test func `what is expected to have changed counts for what scans for it brought`() {
        var learned = Self.learned()
        #expect(learned.driftYield == learned.changedYield, "as long as no scan has shown it")
        learned.learnDriftYield(gained: 100, of: 255)
        #expect(learned.driftYield == learned.changedYield, "too few to say anything")
        learned.learnDriftYield(gained: 1000, of: 12_000)
        #expect(abs(learned.driftYield - (1.0 / 3 + 3.0 / 12) / 4) < 1e-9)
        learned.learnDriftYield(gained: 10_000, of: 5000)
        #expect(learned.driftYield <= 1)
        for _ in 0..<20 { learned.learnDriftYield(gained: -10, of: 5000) }
        #expect(learned.driftYield == 1.0 / 256)
        #expect(learned.changedYield == 1.0 / 3)
    }

    @Test func `memory that guests took again is expected to have changed, until a whole pass has come by`() {
        for (retaken, left, outcome) in [(Pages(350_000), Int64(0), Self.scan(.recheck)), (5000, 0, Self.rest)] {
            let activity = GuestActivity(busiest: 0.5, retaken: retaken)
            #expect(Self.outcome(at: 1008, Self.learned(left: left), activity: activity) == outcome)
        }
        var learned = Self.learned()
        for _ in 0..<2 { learned.note(GuestActivity(retaken: 2000), at: Self.sample(at: 1010).now) }
        #expect(Self.drift(learned, at: 1011) == 4000)
        // What was found was known before, so it says nothing of a rate.
        learned.learn(from: Self.pass(left: 4000), isWhole: true, isFull: true, Self.sample(at: 1020), Self.settings)
        #expect(Self.drift(learned, at: 1100) == 0)
    }

    @Test func `of what is merged nothing changes in place, and yet it may have been taken again`() {
        var counters = ScanCounters()
        (counters.shared, counters.sharing, counters.unshared, counters.volatile) = (10, 10_000, 300, 20)
        var learned = Self.learned()
        learned.learn(from: Self.pass(left: 100_000), isWhole: true, isFull: true, Self.sample(at: 1020), Self.settings)
        #expect(learned.drift(at: Self.sample(at: 1100).now, counters) == 320)
        learned.note(GuestActivity(retaken: 4000), at: Self.sample(at: 1100).now)
        #expect(learned.drift(at: Self.sample(at: 1100).now, counters) == 4320)
        learned.note(GuestActivity(retaken: 40_000), at: Self.sample(at: 1100).now)
        #expect(learned.drift(at: Self.sample(at: 1100).now, counters) == 10_330, "no more than there are")
    }

    // At 1019 s 132 MiB are asked for, and a third of 390 MiB is less; at 1005 s 450 MiB by two passes.
    @Test(arguments: [(1019, 3, 100_000), (1005, 445, 7680)] as [(Double, Int64, Int64)])
    func `new memory helps to pay for a pass over what had changed`(second: Double, new: Int64, left: Int64) {
        #expect(Self.outcome(at: second, Self.learned(new: new)) == Self.rest)
        #expect(Self.outcome(at: second, Self.learned(left: left)) == Self.rest)
        #expect(Self.outcome(at: second, Self.learned(new: new, left: left)) == Self.scan(.recheck))
    }

    // At 1005 s one pass has to bring 225 MiB, and two 450; of what has changed a third counts.
    @Test(arguments: [(240, 250, true), (250, 240, false)] as [(Int64, Int64, Bool)])
    func `where more is new than has changed, two passes have to pay`(new: Int64, changed: Int64, isScanned: Bool) {
        let learned = Self.learned(new: new, left: changed * 256)
        #expect(Self.outcome(at: 1005, learned) == (isScanned ? Self.scan(.recheck) : Self.rest))
    }

    // MARK: Looks

    /// What comes of guests' activity at the second look at it, a minute after the first.
    private static func afterActivity(
        _ activity: GuestActivity, saved: Int64 = 0, known: Int64 = 1000, looked: Double = 1,
        lookCost: Duration = .zero, cpu: Duration? = nil, isFull: Bool = false
    ) -> String {
        var counters = ScanCounters()
        counters.sharing = Pages(saved)
        counters.unshared = Pages(known)
        var (resting, learned) = (Resting(needsCounters: false), learned())
        var pass = Self.pass(left: 0)
        (pass.looked, pass.cpu) = (looked, cpu)
        learned.learn(from: pass, isWhole: cpu != nil, isFull: isFull, Self.sample(at: 1000, counters), settings)
        learned.looks.end(.interrupted, cpu: lookCost, at: Self.sample(at: 1001).now)
        var sample = sample(at: 1001, counters)
        sample.activity = activity
        let first = "\(resting.next(sample, HostConditions(), settings, &learned))"
        #expect(first == rest, "nothing says how long the first look's activity took")
        sample.now = sample.now + .seconds(60)
        return "\(resting.next(sample, HostConditions(), settings, &learned))"
    }

    @Test(
        arguments: [(0, 0, 1, false), (0.001, 0, 1, true), (0, 1, 1, true), (0, 0, 0.89, true), (0, 0, 0.9, false)]
            as [(Double, Int64, Double, Bool)])
    func `ksmd looks where guests did anything, or where it has passed over much`(
        busiest: Double, broken: Int64, looked: Double, isLook: Bool
    ) {
        let outcome = Self.afterActivity(
            GuestActivity(busiest: busiest, brokenMerges: Pages(broken)), looked: looked)
        #expect(outcome == (isLook ? Self.scan(.look) : Self.rest))
    }

    // At 6 us for each of them a pass over 40,000 pages is worth a minute of what a look may cost.
    // Where half of all is saved it may be worth two and a half times as much.
    @Test(
        arguments: [
            (0, 0, 40_000, true), (0, 0, 41_000, false), (0.001, 0, 41_000, true), (0, 9000, 41_000, false),
            (0, 95_000, 95_000, true), (0, 100_000, 100_000, false),
        ] as [(Double, Int64, Int64, Bool)])
    func `what was passed over is looked at once that is paid for, or guests do anything`(
        busiest: Double, saved: Int64, pages: Int64, isLook: Bool
    ) {
        let outcome = Self.afterActivity(GuestActivity(busiest: busiest), saved: saved, known: pages, looked: 0.8)
        #expect(outcome == (isLook ? Self.scan(.look) : Self.rest))
    }

    @Test(arguments: [(true, false), (false, true)])
    func `it is paid for by what passes without smart_scan take`(isFull: Bool, isLook: Bool) {
        // Twice the usual time for 40,000 pages.
        let outcome = Self.afterActivity(
            GuestActivity(), known: 40_000, looked: 0.8, cpu: .milliseconds(480), isFull: isFull)
        #expect(outcome == (isLook ? Self.scan(.look) : Self.rest))
    }

    // A look that took 1.2 s is paid for in a minute where guests are busy, and in five where they are not.
    @Test(
        arguments: [
            (0.09, 0, 0, false), (0.1, 0, 0, true), (0, 255, 0, false), (0, 256, 0, true),
            // Two of a thousand pages that are saved.
            (0, 1999, 1_000_000, false), (0, 2000, 1_000_000, true),
        ] as [(Double, Int64, Int64, Bool)])
    func `a look at busy guests may cost more`(busiest: Double, broken: Int64, saved: Int64, isLook: Bool) {
        let outcome = Self.afterActivity(
            GuestActivity(busiest: busiest, brokenMerges: Pages(broken)), saved: saved, lookCost: .milliseconds(1200))
        #expect(outcome == (isLook ? Self.scan(.look) : Self.rest))
    }

    @Test func `where KSM knows nothing there is nothing to look at`() {
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: 1))
        for second in [1001.0, 1061] {
            var sample = Self.sample(at: second, ScanCounters())
            sample.activity = GuestActivity(busiest: 1)
            #expect(resting.next(sample, HostConditions(), Self.settings, &learned) == .rest)
        }
    }

    @Test func `activity is asked for once after a scan, and then every five seconds`() {
        var (resting, learned) = (Resting(needsCounters: false), Self.learned(new: 1))
        #expect(resting.wants(at: Self.sample(at: 1001).now, learned) == [.guests, .activity, .allCounters])
        var sample = Self.sample(at: 1001)
        sample.activity = GuestActivity()
        _ = resting.next(sample, HostConditions(), Self.settings, &learned)
        #expect(resting.wants(at: Self.sample(at: 1005.9).now, learned) == .guests)
        #expect(resting.wants(at: Self.sample(at: 1006).now, learned) == [.guests, .activity, .allCounters])
        // More seldom where there are many, also after a scan: a look at a thousand takes 30 ms.
        learned.ledger.update((0..<1000).map { GuestMemory(id: $0, resident: 1024) })
        for resting in [resting, Resting(needsCounters: false)] {
            #expect(resting.wants(at: Self.sample(at: 1100.9).now, learned) == .guests)
            #expect(resting.wants(at: Self.sample(at: 1101).now, learned) == [.guests, .activity, .allCounters])
        }
        // After a scan two are asked after a fifth of a second, as often as that is.
        learned.ledger.update((0..<2).map { GuestMemory(id: $0, resident: 1024) })
        let rested = Resting(needsCounters: false)
        #expect(rested.wants(at: Self.sample(at: 1001.19).now, learned) == .guests)
        #expect(rested.wants(at: Self.sample(at: 1001.2).now, learned) == [.guests, .activity, .allCounters])
        // Nobody is asked where there is nobody.
        learned.ledger.update([])
        #expect(resting.wants(at: Self.sample(at: 5000).now, learned) == .guests)
    }

    @Test func `what was seen while the classic rule kept it still is known afterwards`() {
        var (resting, learned, host) = (Resting(needsCounters: true), Self.learned(), HostConditions())
        var sample = Self.sample(at: 1010)
        sample.isCounted = false
        resting.keepStill(sample, &host, &learned)
        #expect(resting.needsCounters)
        #expect(resting.wants(at: sample.now, learned).contains(.activity))
        sample.isCounted = true
        sample.activity = GuestActivity()
        resting.keepStill(sample, &host, &learned)
        #expect(!resting.needsCounters)
        // What guests do is asked every 5 s.
        #expect(resting.wants(at: sample.now + .seconds(4), learned) == .guests)
        #expect(resting.wants(at: sample.now + .seconds(5), learned).contains(.activity))
    }

    @Test func `what is asked for while the classic rule keeps it still is answered with the counters`() {
        var (resting, learned, host) = (Resting(needsCounters: false), Self.learned(), HostConditions())
        var sample = Self.sample(at: 1010)
        sample.isCounted = false
        resting.keepStill(sample, &host, &learned)
        #expect(!resting.needsCounters)
        host.isRequested = true
        resting.keepStill(sample, &host, &learned)
        #expect(resting.needsCounters && host.isRequested)
        sample.isCounted = true
        resting.keepStill(sample, &host, &learned)
        #expect(!resting.needsCounters && !host.isRequested)
    }

    @Test func `it looks at its pace, at once where counters are wanted, and more seldom at many guests`() {
        var ledger = GuestLedger()
        #expect(Resting(needsCounters: true).pause(Self.settings, ledger) == .zero)
        #expect(Resting(needsCounters: false).pause(Self.settings, ledger) == .seconds(1))
        ledger.update((0..<200).map { GuestMemory(id: $0, resident: 1024) })
        #expect(Resting(needsCounters: false).pause(Self.settings, ledger) == .seconds(4))
    }

    // MARK: What is learnt

    private static func pass(gained: Int64 = 0, fresh: Int64 = 0, left: Int64) -> ScanPass {
        ScanPass(
            cpu: nil, gained: Pages(gained), fresh: Pages(fresh), left: Pages(left), passedOverAtEnd: 0, looked: 1)
    }

    @Test(
        arguments: [
            // Half of them merged: three times as much as the third that was expected before.
            (1000, 0, 500, 11.0 / 24), (1000, 0, 0, 1.0 / 12), (1000, 0, -100, 1.0 / 12), (1000, 0, 9000, 1),
            // New pages among them are no changed ones, and too few say nothing.
            (1000, 499, 1000, 5.0 / 6), (1000, 500, 1000, 1.0 / 3), (256, 0, 256, 1.0 / 3), (257, 0, 257, 5.0 / 6),
        ] as [(Int64, Int64, Int64, Double)])
    func `a pass shows what changed pages are worth`(left: Int64, fresh: Int64, gained: Int64, yield: Double) {
        var learned = Self.learned()
        learned.learn(
            from: Self.pass(fresh: fresh, left: left), isWhole: true, isFull: false, Self.sample(at: 1010),
            Self.settings)
        #expect(learned.changedYield == 1.0 / 3)
        learned.learn(
            from: Self.pass(gained: gained, left: 0), isWhole: true, isFull: false, Self.sample(at: 1020), Self.settings
        )
        #expect(abs(learned.changedYield - yield) < 1e-9)
    }

    @Test func `something is always expected of changed pages`() {
        var learned = Self.learned()
        for _ in 0..<20 {
            learned.learn(
                from: Self.pass(left: 1000), isWhole: true, isFull: false, Self.sample(at: 1010), Self.settings)
        }
        #expect(learned.changedYield == 1.0 / 256)
    }

    @Test(arguments: [true, false]) func `passes with smart_scan and without have costs of their own`(isFull: Bool) {
        var learned = Self.learned()
        var pass = Self.pass(left: 0)
        (pass.cpu, pass.looked) = (.seconds(12), 0.89)
        learned.learn(from: pass, isWhole: false, isFull: isFull, Self.sample(at: 1010), Self.settings)
        #expect(abs(learned.passSeconds(isFull: isFull, Self.counters) - 6) < 0.001, "a part says nothing of the cost")
        learned.learn(from: pass, isWhole: true, isFull: isFull, Self.sample(at: 1010), Self.settings)
        #expect(abs(learned.passSeconds(isFull: isFull, Self.counters) - 9) < 0.001)
        #expect(abs(learned.passSeconds(isFull: !isFull, Self.counters) - 6) < 0.001)
    }

    @Test(arguments: [true, false])
    func `a pass that passed over nothing tells what one without smart_scan costs`(isFull: Bool) {
        var learned = Self.learned()
        var pass = Self.pass(left: 0)
        (pass.cpu, pass.looked) = (.seconds(12), 0.9)
        learned.learn(from: pass, isWhole: true, isFull: isFull, Self.sample(at: 1010), Self.settings)
        #expect(abs(learned.passSeconds(isFull: true, Self.counters) - 9) < 0.001)
        #expect(abs(learned.passSeconds(isFull: false, Self.counters) - (isFull ? 6 : 9)) < 0.001)
    }

    @Test func `after a pass guests are left alone for eight seconds, and nothing is in doubt before the first`() {
        let learned = Self.learned()
        #expect(!learned.isLookDue(at: Self.sample(at: 1007.9).now, .busyGuests))
        #expect(learned.isLookDue(at: Self.sample(at: 1008).now, .busyGuests))
        #expect(!AdaptivePolicy.Learned().isDoubtful)
    }

    @Test(arguments: [(0.89, false), (0.9, true)])
    func `a pass that passed over much says nothing of how fast memory changes`(looked: Double, isLearnt: Bool) {
        var learned = Self.learned()
        var pass = Self.pass(left: 1000)
        pass.looked = looked
        learned.learn(from: pass, isWhole: true, isFull: false, Self.sample(at: 1010), Self.settings)
        #expect((learned.drift(at: Self.sample(at: 1020).now, Self.counters) > .zero) == isLearnt)
    }

    @Test func `new memory that merged within a pass is not left`() {
        var pass = Self.pass(left: 1000)
        (pass.fresh, pass.carried, pass.hidden) = (200, 100, 500)
        var learned = Self.learned()
        learned.learn(from: pass, isWhole: true, isFull: false, Self.sample(at: 1010), Self.settings)
        #expect(learned.knownChanged == 1200)
        learned.endWithinPass(at: Self.sample(at: 1100).now)
        #expect(learned.lastPass == Self.pass(left: 700))
        #expect(learned.lastPassEnd == Self.sample(at: 1100).now)
        learned.endWithinPass(at: Self.sample(at: 1200).now)
        #expect(learned.lastPass?.left == 700)
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
        #expect(learned.isAssumed)
        // Everything was unmerged since.
        learned.stoppedBefore = 7
        learned.forgetPasses(Self.sample(at: 60, counters))
        #expect(learned.ledger.unscanned == KiB(25_600 * 8))
        #expect(learned.stoppedBefore == .zero && !learned.isAssumed)
    }

    @Test(
        arguments: [
            (1, 1000, 0, 0, true), (1, 1000, 0, 1000, true), (1, 1000, 1, 0, false), (0, 1000, 0, 0, true),
            (0, 1000, 0, 1, false), (0, 0, 0, 0, false), (0, 0, 1, 0, false),
        ] as [(Int64, Int64, Int64, Int64, Bool)])
    func `passes that are counted anew tell that everything was unmerged, and in the first one the pages do`(
        passes: Int64, seen: Int64, passesLater: Int64, seenLater: Int64, isUnmerged: Bool
    ) {
        var learned = AdaptivePolicy.Learned()
        for (passes, seen) in [(passes, seen), (passesLater, seenLater)] {
            #expect(!learned.isUnmerged)
            var counters = ScanCounters()
            (counters.passes, counters.unshared) = (passes, Pages(seen))
            learned.note(counters)
        }
        #expect(learned.isUnmerged == isUnmerged)
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
