import HostFixtures
import Testing

@testable import KSMPolicy

/// The parts that ``AdaptivePolicy`` is made of.
@Suite struct AdaptivePartsTests {
    private static func guest(_ id: Int64, _ mebibytes: Int64) -> GuestMemory {
        GuestMemory(id: id, resident: KiB(mebibytes * 1024))
    }

    private static func mebibytes(_ count: Int64) -> KiB { KiB(count * 1024) }

    // MARK: Steps

    @Test func `a step has what ksmd took and waited in it, where that is known`() {
        func sample(at seconds: Int64, _ cpu: Duration?, waited: Duration) -> AdaptiveSample {
            var counters = ScanCounters()
            (counters.cpu, counters.waited) = (cpu, waited)
            return AdaptiveSample(
                now: Instant(nanoseconds: seconds * 1_000_000_000),
                memory: MemorySample(free: .zero, committed: .zero), counters: counters)
        }
        var steps = AdaptivePolicy.ScanSteps(sample(at: 10, .seconds(3), waited: .seconds(5)))
        let step = steps.end(sample(at: 11, .milliseconds(3250), waited: .milliseconds(5500)), left: .zero)
        #expect(step.elapsed == .seconds(1) && step.used == .milliseconds(250) && step.waited == .milliseconds(500))
        let unknown = steps.end(sample(at: 12, nil, waited: .seconds(6)), left: .zero)
        #expect(unknown.elapsed == .seconds(1) && unknown.used == nil && unknown.waited == .zero)
    }

    // MARK: The ledger

    /// A guest of 100 MiB, and a pass that saw so many new ones of it.
    private static func scanned(seen: Int64 = 100) -> GuestLedger {
        var ledger = GuestLedger()
        ledger.update([guest(1, 100)])
        ledger.beginPass()
        ledger.endPass(seen: mebibytes(seen), changed: .zero)
        return ledger
    }

    @Test func `one guest out and one in is new memory, though the sum stays`() {
        var ledger = GuestLedger()
        ledger.update([Self.guest(1, 100), Self.guest(2, 100)])
        ledger.beginPass()
        ledger.endPass(seen: Self.mebibytes(200), changed: .zero)
        #expect(ledger.unscanned == .zero)
        ledger.update([Self.guest(2, 100), Self.guest(3, 100)])
        #expect(ledger.unscanned == Self.mebibytes(100))
        #expect(ledger.hasEndedGuests)
        ledger.forgetEnded()
        #expect(!ledger.hasEndedGuests)
    }

    @Test func `what comes while a pass is under way is left to the next`() {
        var ledger = GuestLedger()
        ledger.update([Self.guest(1, 100)])
        ledger.beginPass()
        ledger.update([Self.guest(1, 160)])
        #expect(ledger.lastGrowth == Self.mebibytes(60))
        ledger.endPass(seen: Self.mebibytes(100), changed: .zero)
        #expect(ledger.unscanned == Self.mebibytes(60))
    }

    @Test(arguments: [true, false])
    func `what comes while a pass is under way, and it comes to, is no news`(isLookedAtBefore: Bool) {
        var ledger = GuestLedger()
        ledger.update([Self.guest(1, 300), Self.guest(2, 100)])
        ledger.beginPass()
        ledger.endPass(seen: Self.mebibytes(400), changed: .zero)
        ledger.update([Self.guest(1, 300), Self.guest(2, 150)])
        ledger.beginPass()
        // Of the 100 MiB that come meanwhile, the pass sees 60. The last look at the guests may have been before.
        let grown = [Self.guest(1, 320), Self.guest(2, 230)]
        if isLookedAtBefore { ledger.update(grown) }
        ledger.endPass(seen: Self.mebibytes(50 + 60), changed: .zero)
        ledger.update(grown)
        #expect(ledger.unscanned == Self.mebibytes(40))
        // What comes later is new.
        ledger.update([Self.guest(1, 320), Self.guest(2, 330)])
        #expect(ledger.unscanned == Self.mebibytes(140))
        ledger.beginPass()
        #expect(ledger.expected == Self.mebibytes(140))
    }

    @Test func `what KSM finds beyond what guests grew by is not set against what they grow by later`() {
        var ledger = Self.scanned(seen: 500)
        ledger.update([Self.guest(1, 100)])
        ledger.update([Self.guest(1, 200)])
        #expect(ledger.unscanned == Self.mebibytes(100))
    }

    @Test func `what was given back and comes again is new`() {
        var ledger = Self.scanned()
        ledger.update([Self.guest(1, 40)])
        #expect(ledger.unscanned == .zero)
        ledger.update([Self.guest(1, 100)])
        #expect(ledger.unscanned == Self.mebibytes(60))
    }

    @Test func `what a pass came to while it came is no new memory when it is given back and taken again`() {
        var ledger = Self.scanned()
        ledger.beginPass()
        ledger.endPass(seen: Self.mebibytes(60), changed: .zero)
        ledger.update([Self.guest(1, 160)])
        #expect(ledger.unscanned == .zero)
        ledger.update([Self.guest(1, 100)])
        ledger.update([Self.guest(1, 160)])
        ledger.beginPass()
        #expect(ledger.expected == .zero && ledger.expectedRefilled == Self.mebibytes(60))
    }

    @Test func `what was taken again before is no growth of the last look`() {
        var ledger = Self.scanned()
        ledger.update([Self.guest(1, 40)])
        for mebibytes in [60, 80] as [Int64] {
            ledger.update([Self.guest(1, mebibytes)])
            #expect(ledger.lastGrowth == Self.mebibytes(20))
        }
    }

    @Test func `growth that KSM never finds counts for less each time, but never for nothing`() {
        var ledger = GuestLedger()
        var size: Int64 = 100
        var last = Self.mebibytes(101)
        for _ in 0..<8 {
            ledger.update([Self.guest(1, size)])
            let unscanned = ledger.unscanned
            #expect(unscanned < last || unscanned == KiB(100 * 1024 / 8))
            last = unscanned
            ledger.beginPass()
            ledger.endPass(seen: .zero, changed: .zero)
            size += 100
        }
        // An eighth.
        #expect(last == KiB(100 * 1024 / 8))
    }

    @Test func `growth that KSM finds a part of counts for that part`() {
        // Half: once 1, and three times as much as that a half.
        var ledger = Self.scanned(seen: 50)
        ledger.update([Self.guest(1, 180)])
        #expect(ledger.unscanned == Self.mebibytes(50))
        ledger.beginPass()
        #expect(ledger.likely == Self.mebibytes(50))
        var refilled = Self.refilled(seen: 0, changed: 30)
        refilled.update([Self.guest(1, 20)])
        refilled.update([Self.guest(1, 100)])
        #expect(refilled.unscanned == Self.mebibytes(50))
        refilled.beginPass()
        #expect(refilled.likely == Self.mebibytes(50))
    }

    @Test func `less than a KiB that is likely to be mergeable is nothing`() {
        // Five eighths of what grows.
        var ledger = Self.scanned(seen: 50)
        ledger.update([GuestMemory(id: 1, resident: Self.mebibytes(100) + 4)])
        #expect(ledger.unscanned == 2 && ledger.lastGrowth == 2)
        ledger.beginPass()
        #expect(ledger.likely == 2)
    }

    /// A guest that gave back 60 of 100 MiB and has taken them again, and what a pass over it found.
    private static func refilled(seen: Int64, changed: Int64, again: Int64 = 100) -> GuestLedger {
        var ledger = scanned()
        ledger.update([guest(1, 40)])
        ledger.update([guest(1, again)])
        ledger.beginPass()
        ledger.endPass(seen: mebibytes(seen), changed: mebibytes(changed))
        return ledger
    }

    @Test(arguments: [(0, 60), (60, 0), (30, 30)] as [(Int64, Int64)])
    func `what was taken again is found, changed or as new, and so goes on to count`(seen: Int64, changed: Int64) {
        var ledger = Self.refilled(seen: seen, changed: changed)
        #expect(ledger.unscanned == .zero)
        ledger.update([Self.guest(1, 40)])
        ledger.update([Self.guest(1, 100)])
        #expect(ledger.unscanned == Self.mebibytes(60))
        #expect(ledger.lastGrowth == Self.mebibytes(60))
    }

    @Test func `what was taken again and found as new is not set against what comes later`() {
        var ledger = Self.refilled(seen: 60, changed: 0)
        ledger.update([Self.guest(1, 180)])
        #expect(ledger.unscanned == Self.mebibytes(80))
    }

    @Test func `what was taken again and never found counts for less, and new memory as before`() {
        var ledger = Self.refilled(seen: 0, changed: 0)
        ledger.update([Self.guest(1, 40)])
        ledger.update([Self.guest(1, 180)])
        // Once 1, and three times as much as that 0, of 60 MiB; and 80 MiB above all that it ever held.
        #expect(ledger.unscanned == Self.mebibytes(60 / 4 + 80))
        ledger.beginPass()
        #expect(ledger.expected == Self.mebibytes(80) && ledger.expectedRefilled == Self.mebibytes(60))
        #expect(ledger.likely == Self.mebibytes(95))
    }

    @Test func `what a part of a pass found counts for the next whole one`() {
        var ledger = Self.scanned()
        ledger.update([Self.guest(1, 40)])
        ledger.update([Self.guest(1, 100)])
        ledger.beginPass()
        ledger.seeAhead(.zero, changed: Self.mebibytes(50))
        #expect(ledger.unscanned == Self.mebibytes(60), "a part proves nothing")
        ledger.endPass(seen: .zero, changed: Self.mebibytes(10))
        ledger.update([Self.guest(1, 40)])
        ledger.update([Self.guest(1, 100)])
        #expect(ledger.unscanned == Self.mebibytes(60))
    }

    @Test(arguments: [(-1.0, 100), (0, 100), (0.25, 75), (1, 0), (7, 0)] as [(Double, Int64)])
    func `the work of a daemon before is a share of all`(share: Double, left: Int64) {
        var ledger = GuestLedger()
        ledger.update([Self.guest(1, 100)])
        ledger.assumeScanned(share: share)
        #expect(ledger.unscanned == Self.mebibytes(left))
        ledger.update([Self.guest(1, 130)])
        #expect(ledger.unscanned == Self.mebibytes(left + 30))
    }

    @Test func `new memory that a part of a pass saw is new to no later one`() {
        var ledger = Self.scanned()
        ledger.update([Self.guest(1, 160)])
        ledger.beginPass()
        ledger.seeAhead(Self.mebibytes(60), changed: .zero)
        ledger.endPass(seen: .zero, changed: .zero)
        ledger.update([Self.guest(1, 220)])
        // Had nothing of the 60 MiB been new, the next ones would count for a quarter.
        #expect(ledger.unscanned == Self.mebibytes(60))
    }

    // MARK: The throttle

    @Test(arguments: [0.01, 0.05, 0.5, 0.9, 1]) func `the first batch goes by the share`(share: Double) {
        var throttle = ScanThrottle()
        throttle.begin(share: share)
        let pace = throttle.pace
        #expect(AdaptivePolicy.Parameters.batchPages.contains(Double(pace.pagesToScan)))
        #expect(pace.sleepMilliseconds >= 1)
        throttle.adjust(share: share, elapsed: .seconds(1), used: nil, waited: .zero)
        #expect(throttle.pace == pace)
    }

    @Test func `too much makes batches shorter, too little longer, within bounds`() {
        for (used, isLonger) in [(Duration.milliseconds(100), false), (.zero, true)] {
            var throttle = ScanThrottle()
            throttle.begin(share: 0.5)
            var before = throttle.pace.pagesToScan
            for _ in 0..<60 {
                throttle.adjust(share: 0.5, elapsed: .milliseconds(100), used: used, waited: .zero)
                let pages = throttle.pace.pagesToScan
                #expect(isLonger ? pages >= before : pages <= before)
                #expect(AdaptivePolicy.Parameters.batchPages.contains(Double(pages)))
                before = pages
            }
        }
    }

    // MARK: The meter

    @Test func `a pass is what changed between its ends`() throws {
        var counters = ScanCounters()
        counters.cpu = .zero
        var meter = PassMeter(counters, after: nil, visitedBefore: 0)
        #expect(meter.observe(counters, forgivingLosses: false) == nil)
        counters.passes = 1
        counters.cpu = .seconds(2)
        counters.sharing = 50
        counters.volatile = 100
        let ended = meter.observe(counters, forgivingLosses: false)
        let pass = try #require(ended)
        #expect(pass.cpu == .seconds(2))
        #expect(pass.gained == 50)
        #expect(pass.fresh == 150)
        #expect(pass.left == 100)
        #expect(meter.observe(counters, forgivingLosses: false) == nil)
    }

    @Test func `what was passed over around a pass's beginning is no reason to leave new memory uncompared`() throws {
        var counters = ScanCounters()
        counters.unshared = 300_000
        var meter = PassMeter(counters, after: nil, visitedBefore: 0)
        // Most of the known pages were passed over in the step in which the pass before ended.
        counters.passes = 1
        counters.skipped = 104_000
        #expect(meter.observe(counters, forgivingLosses: false) != nil)
        counters.passes = 2
        counters.unshared = 299_000
        counters.volatile = 132_000
        let ended = meter.observe(counters, forgivingLosses: false)
        let pass = try #require(ended)
        #expect(pass.fresh == 131_000)
        #expect(pass.left == 131_000)
    }

    @Test(arguments: [true, false]) func `what ended guests shared is forgiven`(isForgiven: Bool) throws {
        var counters = ScanCounters()
        counters.sharing = 100
        var meter = PassMeter(counters, after: nil, visitedBefore: 0)
        counters.sharing = 40
        #expect(meter.observe(counters, forgivingLosses: isForgiven) == nil)
        counters.sharing = 60
        counters.passes = 1
        let ended = meter.observe(counters, forgivingLosses: isForgiven)
        let pass = try #require(ended)
        #expect(pass.gained == (isForgiven ? 20 : -40))
        #expect(pass.cpu == nil)
    }

    @Test func `the cost of a pass approaches what passes took`() {
        var counters = ScanCounters()
        counters.unshared = 1_000_000
        var cost = PassCost()
        for _ in 0..<20 { cost.learn(counters, cpu: .seconds(30), merged: 0, fresh: 0) }
        #expect(abs(cost.seconds(counters) - 30) < 0.1)
        counters.unshared = 500_000
        #expect(abs(cost.seconds(counters) - 15) < 0.1)
    }

    @Test func `a merged page costs less than one that is compared`() {
        var counters = ScanCounters()
        counters.shared = 1_000_000
        counters.sharing = 9_000_000
        #expect(abs(PassCost().seconds(counters) - 4) < 0.01)
        counters.volatile = 1_000_000
        #expect(abs(PassCost().seconds(counters) - 10) < 0.01)
    }

    @Test func `what a pass does once is no cost of the next`() {
        var counters = ScanCounters()
        counters.unshared = 1_000_000
        // 6 s for what is known, and as much again for a million that merged, or 0.7 s for one that was new.
        for (merged, fresh, seconds) in [(Int64(1_000_000), Int64(0), 12.0), (0, 1_000_000, 6.7), (-5, -5, 6)] {
            var cost = PassCost()
            cost.learn(
                counters, cpu: Duration(rounding: seconds), merged: Pages(merged), fresh: Pages(fresh))
            #expect(abs(cost.seconds(counters) - 6) < 0.01)
        }
    }

    // MARK: The kernel's advisor

    private static func advisor() -> AdvisorPolicy {
        let configuration = Configuration()
        return AdvisorPolicy(configuration, classic: try! ClassicPolicy(configuration, total: KiB(16 << 20)))
    }

    private static let short = MemorySample(free: .zero, committed: KiB(16 << 20))
    private static let plenty = MemorySample(free: KiB(16 << 20), committed: .zero)

    /// Looks at the advisor every ``AdvisorPolicy/step``, at `pages` and with this share of a CPU taken by ksmd.
    private static func orders(
        _ looks: Int, pages: Int64, known: Int64, share: Double, isOn: Bool = true, sleep: Int64 = 20
    ) -> [AdvisorPolicy.Order?] {
        var policy = advisor()
        return (0..<looks).map { look in
            var counters = ScanCounters()
            counters.unshared = Pages(known)
            counters.cpu = Duration(rounding: Double(look) * AdvisorPolicy.step.seconds * share)
            let sample = AdvisorPolicy.Sample(
                now: 0 + AdvisorPolicy.step * look, counters: counters, isOn: isOn, pagesToScan: pages,
                sleepMilliseconds: sleep)
            return policy.decide(short, sample).advisor
        }
    }

    @Test(arguments: [0, 1, 1_000_000, 100_000_000, .max, -5] as [Int64])
    func `bounds are in order and within the settings`(known: Int64) throws {
        let settings = Configuration()
        let order = try #require(Self.orders(1, pages: 500, known: known, share: 0)[0])
        #expect(order.pagesMinimum <= order.pagesMaximum)
        #expect(order.pagesMinimum >= settings.advisorPagesMinimum)
        #expect(order.pagesMaximum <= settings.advisorPagesMaximum)
    }

    @Test func `an advisor far below what is needed is started anew after some looks`() {
        let orders = Self.orders(AdvisorPolicy.mostSlowLooks * 2, pages: 10, known: 100_000_000, share: 0.01)
        let restarts = orders.map { $0?.restarts ?? false }
        let once = Array(repeating: false, count: AdvisorPolicy.mostSlowLooks - 1) + [true]
        #expect(restarts == once + once)
    }

    @Test(arguments: [(0, 5_000), (1, 5_000), (2, 10_000), (20, 100_000)] as [(Int64, Int64)])
    func `the pages needed go by the sleep between two scans`(sleep: Int64, pages: Int64) throws {
        // A pass in 200 s, over a thousand million pages.
        let order = try #require(Self.orders(1, pages: 500, known: 1_000_000_000, share: 0, sleep: sleep)[0])
        let least = try #require(Self.orders(1, pages: 500, known: pages * 200_000, share: 0, sleep: 1)[0])
        #expect(order.pagesMinimum == least.pagesMinimum && order.pagesMaximum == least.pagesMaximum)
    }

    @Test func `one at its CPU maximum, one that is off and one that is fast enough are left alone`() {
        let looks = AdvisorPolicy.mostSlowLooks * 3
        // Before the second look its CPU time is not known.
        let full = Self.orders(looks, pages: 10, known: 100_000_000, share: 0.7)
        let off = Self.orders(looks, pages: 10, known: 100_000_000, share: 0, isOn: false)
        let fast = Self.orders(looks, pages: 20_000, known: 100_000_000, share: 0)
        #expect(!(full + off + fast).contains { $0?.restarts ?? true })
    }

    @Test func `plenty of memory stops, and orders nothing`() {
        var policy = Self.advisor()
        let sample = AdvisorPolicy.Sample(
            now: 0, counters: ScanCounters(), isOn: true, pagesToScan: 10, sleepMilliseconds: 20)
        let decision = policy.decide(Self.plenty, sample)
        #expect(decision.action == .stop)
        #expect(decision.advisor == nil)
        #expect(decision.pause == AdvisorPolicy.step)
    }
}
