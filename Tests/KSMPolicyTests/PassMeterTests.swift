import HostFixtures
import Testing

@testable import KSMPolicy

/// What is read from KSM's counters at the ends of a pass.
@Suite struct PassMeterTests {
    private static func counters(
        passes: Int64 = 0, shared: Int64 = 0, sharing: Int64 = 0, unshared: Int64 = 0, volatile: Int64 = 0,
        zero: Int64 = 0, skipped: Int64 = 0, scanned: Int64 = 0, cpu: Duration? = nil
    ) -> ScanCounters {
        var counters = ScanCounters()
        counters.passes = passes
        counters.shared = Pages(shared)
        counters.sharing = Pages(sharing)
        counters.unshared = Pages(unshared)
        counters.volatile = Pages(volatile)
        counters.zero = Pages(zero)
        counters.skipped = Pages(skipped)
        counters.scanned = Pages(scanned)
        counters.cpu = cpu
        return counters
    }

    @Test func `what KSM knows, came to and saves are sums of its counters`() {
        let counters = Self.counters(
            shared: 1, sharing: 20, unshared: 300, volatile: 4000, zero: 50_000, skipped: 600_000, scanned: 7_000_000)
        #expect(counters.seen == 4321)
        #expect(counters.saved == 50_020)
        #expect(counters.visited == 7_600_000)
    }

    @Test func `a meter tells how far the pass has come`() {
        var meter = PassMeter(
            Self.counters(shared: 10, sharing: 30, unshared: 60, skipped: 100, scanned: 1000), after: nil,
            visitedBefore: 7)
        #expect(meter.visited == 0)
        _ = meter.observe(
            Self.counters(shared: 10, sharing: 35, unshared: 60, zero: 2, skipped: 110, scanned: 1500),
            forgivingLosses: false)
        #expect(meter.visited == 510)
        #expect(meter.visitedAtMost == 517)
        #expect(meter.gained == 7)
    }

    @Test func `a meter tells when what the pass before hashed has been compared`() {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 50)
        func step(passes: Int64 = 0, unshared: Int64 = 1000, volatile: Int64, scanned: Int64) -> ScanPass? {
            meter.observe(
                Self.counters(passes: passes, unshared: unshared, volatile: volatile, scanned: scanned),
                forgivingLosses: false)
        }
        // New memory at the visits 100 to 300; then a few pages here and there, and the pass ends 30 visits before a step.
        #expect(step(volatile: 0, scanned: 100) == nil)
        #expect(step(volatile: 150, scanned: 300) == nil)
        #expect(step(volatile: 156, scanned: 684) == nil)
        #expect(meter.fresh == 156)
        #expect(step(passes: 1, volatile: 156, scanned: 1080)?.fresh == 156)
        #expect(meter.fresh == 0)
        #expect(!meter.hasComparedFresh)
        #expect(step(passes: 1, unshared: 1100, volatile: 56, scanned: 1080 + 349) == nil)
        #expect(!meter.hasComparedFresh, "by up to 50 pages nobody knows where the pass began")
        #expect(step(passes: 1, unshared: 1156, volatile: 0, scanned: 1080 + 350) == nil)
        #expect(meter.hasComparedFresh)
    }

    @Test func `what came in the step in which a pass ended may be of the next`() throws {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 0)
        func step(passes: Int64, unshared: Int64 = 1000, volatile: Int64, scanned: Int64) -> ScanPass? {
            meter.observe(
                Self.counters(passes: passes, unshared: unshared, volatile: volatile, scanned: scanned),
                forgivingLosses: false)
        }
        #expect(step(passes: 0, volatile: 0, scanned: 900) == nil)
        let first = try #require(step(passes: 1, volatile: 200, scanned: 1300))
        #expect((first.fresh, first.carried, first.hashed) == (200, 0, 200))
        #expect(step(passes: 1, volatile: 200, scanned: 2200) == nil)
        #expect(!meter.hasComparedFresh, "had it been of the first pass, it would come last in the second")
        // The third has compared 20 of them by now.
        let second = try #require(step(passes: 2, unshared: 1020, volatile: 180, scanned: 2550))
        #expect((second.fresh, second.carried, second.hashed, second.changed) == (0, 180, 180, 0))
        #expect(step(passes: 2, unshared: 1020, volatile: 180, scanned: 2550 + 399) == nil)
        #expect(!meter.hasComparedFresh)
        #expect(step(passes: 2, unshared: 1200, volatile: 0, scanned: 2550 + 400) == nil)
        #expect(meter.hasComparedFresh)
        let third = try #require(step(passes: 3, unshared: 1200, volatile: 90, scanned: 3800))
        #expect((third.fresh, third.carried, third.changed) == (90, 0, 0))
    }

    @Test func `of what a pass left, what was new to it was not carried over`() throws {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 0)
        let first = meter.observe(
            Self.counters(passes: 1, unshared: 1000, volatile: 200, scanned: 400), forgivingLosses: false)
        #expect(first?.fresh == 200)
        // Of the 120 that it left, 50 were seen in it for the first time.
        let ended = meter.observe(
            Self.counters(passes: 2, unshared: 1130, volatile: 120, scanned: 1600), forgivingLosses: false)
        let second = try #require(ended)
        #expect((second.fresh, second.carried, second.hashed, second.changed) == (50, 70, 120, 0))
    }

    @Test func `pages that became the zero page have not changed, though the kernel counts them so`() throws {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 0)
        func end(_ counters: ScanCounters) throws -> ScanPass {
            let ended = meter.observe(counters, forgivingLosses: false)
            return try #require(ended)
        }
        let first = try end(Self.counters(passes: 1, unshared: 1000, volatile: 600))
        #expect((first.fresh, first.left, first.zeroed) == (600, 600, 0))
        // 500 of them are zeros, and 30 have changed.
        let second = try end(Self.counters(passes: 2, unshared: 1070, volatile: 530, zero: 500))
        #expect((second.fresh, second.left, second.leftAtMost, second.zeroed) == (0, 30, 30, 500))
        #expect(second.gained == 500)
        // They are gone, and 200 new ones have come.
        let third = try end(Self.counters(passes: 3, unshared: 1100, volatile: 200, zero: 500))
        #expect((third.fresh, third.left, third.changed) == (200, 200, 0))
        // Another scan goes on behind the second pass.
        var later = PassMeter(
            Self.counters(passes: 2, unshared: 1070, volatile: 530, zero: 500), after: second, visitedBefore: 0)
        let ended = later.observe(
            Self.counters(passes: 3, unshared: 1100, volatile: 200, zero: 500), forgivingLosses: false)
        #expect(ended?.fresh == 200)
        // Guests write to zeros again.
        let fourth = try end(Self.counters(passes: 4, unshared: 1300, volatile: 0, zero: 400))
        #expect((fourth.fresh, fourth.left, fourth.zeroed, fourth.gained) == (0, 0, 0, -100))
    }

    @Test func `where two passes saw nothing for the first time, nothing is left to compare`() {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 0)
        for passes in [1, 2] as [Int64] {
            let counters = Self.counters(passes: passes, unshared: 1000, scanned: passes * 1000)
            #expect(meter.observe(counters, forgivingLosses: false)?.fresh == 0)
        }
        #expect(meter.hasComparedFresh)
    }

    @Test(arguments: [(100, 0), (101, 101)] as [(Int64, Int64)])
    func `new pages that came few and far between as a pass ended are none of the next`(fresh: Int64, carried: Int64) {
        var meter = PassMeter(Self.counters(unshared: 100_000), after: nil, visitedBefore: 0)
        // One of 64 that it came to.
        let counters = Self.counters(passes: 1, unshared: 100_000, volatile: fresh, scanned: 6400)
        #expect(meter.observe(counters, forgivingLosses: false)?.fresh == Pages(fresh))
        let next = Self.counters(passes: 2, unshared: 100_000, volatile: fresh, scanned: 12_800)
        #expect(meter.observe(next, forgivingLosses: false)?.carried == Pages(carried))
    }

    @Test func `several passes in one step are their mean, but for what came`() throws {
        var meter = PassMeter(Self.counters(unshared: 100, cpu: .seconds(1)), after: nil, visitedBefore: 0)
        let ended = meter.observe(
            Self.counters(passes: 4, sharing: 40, unshared: 160, skipped: 80, cpu: .seconds(9)),
            forgivingLosses: false)
        let pass = try #require(ended)
        #expect(pass.cpu == .seconds(2))
        #expect(pass.gained == 40)
        #expect(pass.fresh == 100)
        // 20 of 200 were passed over in each.
        #expect(pass.looked == 0.9)
        #expect(pass.passedOverAtEnd == 80)
    }

    @Test func `what was passed over is not left`() throws {
        var meter = PassMeter(Self.counters(unshared: 1000), after: nil, visitedBefore: 0)
        _ = meter.observe(Self.counters(unshared: 800, volatile: 200, skipped: 90), forgivingLosses: false)
        let first = meter.observe(
            Self.counters(passes: 1, unshared: 800, volatile: 200, skipped: 120), forgivingLosses: false)
        let pass = try #require(first)
        #expect(pass.left == 80)
        #expect(pass.leftAtMost == 80)
        #expect(pass.looked == 0.88)
        #expect(pass.passedOverAtEnd == 30)
        // What was passed over in the step in which a pass ended may belong to the next one.
        let second = meter.observe(
            Self.counters(passes: 2, unshared: 800, volatile: 200, skipped: 220), forgivingLosses: false)
        #expect(second?.left == 70)
        #expect(second?.leftAtMost == 100)
    }

    @Test(arguments: [(200, 75), (25, 75), (10, 90), (0, 100)] as [(Int64, Int64)])
    func `what was passed over in the step of the end is not left, as far as the next pass had come`(
        visitedBefore: Int64, left: Int64
    ) throws {
        let before = ScanPass(
            cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 25, looked: 1)
        var meter = PassMeter(
            Self.counters(unshared: 100, volatile: 100), after: before, visitedBefore: Pages(visitedBefore))
        let ended = meter.observe(
            Self.counters(passes: 1, unshared: 100, volatile: 100), forgivingLosses: false)
        #expect(ended?.left == Pages(left))
    }

    @Test func `the next pass is measured from the end of the one before`() throws {
        var meter = PassMeter(
            Self.counters(unshared: 100, scanned: 100, cpu: .seconds(1)), after: nil, visitedBefore: 40)
        _ = meter.observe(Self.counters(unshared: 100, scanned: 180, cpu: .seconds(2)), forgivingLosses: false)
        #expect(meter.visitedAtMost == 120)
        let first = meter.observe(
            Self.counters(passes: 1, sharing: 10, unshared: 90, scanned: 230, cpu: .seconds(4)),
            forgivingLosses: false)
        #expect(first?.cpu == .seconds(3))
        // Of the 50 pages of the last step nobody knows which pass they were of.
        #expect(meter.visited == 0)
        #expect(meter.visitedAtMost == 50)
        let second = meter.observe(
            Self.counters(passes: 2, sharing: 25, unshared: 75, scanned: 330, cpu: .seconds(5)),
            forgivingLosses: false)
        #expect(second?.cpu == .seconds(1))
        #expect(second?.gained == 15)
    }

    @Test(arguments: [true, false]) func `pages of ended guests hide none that came`(isForgiven: Bool) throws {
        var meter = PassMeter(Self.counters(sharing: 50, unshared: 150), after: nil, visitedBefore: 0)
        _ = meter.observe(Self.counters(sharing: 20, unshared: 120), forgivingLosses: isForgiven)
        let ended = meter.observe(
            Self.counters(passes: 1, sharing: 20, unshared: 120, volatile: 70), forgivingLosses: isForgiven)
        let pass = try #require(ended)
        #expect(pass.fresh == (isForgiven ? 70 : 10))
        #expect(pass.gained == (isForgiven ? 0 : -30))
        // Losses of one pass are not forgiven in the next.
        let next = meter.observe(
            Self.counters(passes: 2, sharing: 25, unshared: 120, volatile: 70), forgivingLosses: false)
        #expect(next?.gained == 5)
        #expect(next?.fresh == 5)
    }

    @Test func `time that runs backwards is no time, and without its beginning none is known`() {
        var meter = PassMeter(Self.counters(cpu: .seconds(5)), after: nil, visitedBefore: 0)
        #expect(meter.observe(Self.counters(passes: 1, cpu: .seconds(3)), forgivingLosses: false)?.cpu == .zero)
        var unknown = PassMeter(Self.counters(), after: nil, visitedBefore: 0)
        let ended = unknown.observe(Self.counters(passes: 1, cpu: .seconds(3)), forgivingLosses: false)
        #expect(ended != nil && ended?.cpu == nil)
    }

    @Test(arguments: [(0.75, 400, 250), (0.75, 100, 100), (1, 100, 0), (0.75, -5, 0)] as [(Double, Int64, Int64)])
    func `what did not merge may be like pages that were passed over`(looked: Double, unmatched: Int64, hidden: Int64) {
        var pass = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: looked)
        pass.hide(unmatched: Pages(unmatched), of: 1000)
        #expect(pass.hidden == Pages(hidden))
    }

    @Test(arguments: [(5, 10), (10, 10), (15, 15), (20, 20), (25, 20)] as [(Int64, Int64)])
    func `of what was to be new to it so much is left as can be`(expected: Int64, left: Int64) {
        var pass = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 10, passedOverAtEnd: 0, looked: 1)
        pass.leftAtMost = 20
        pass.expect(Pages(expected))
        #expect(pass.left == Pages(left))
    }

    @Test(arguments: [(100, 30, 50), (100, 60, 60), (40, 30, 40), (100, 10, 50)] as [(Int64, Int64, Int64)])
    func `a pass that began in the midst leaves what the one before left, and what came since`(
        left: Int64, fresh: Int64, leaves: Int64
    ) {
        let previous = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 30, passedOverAtEnd: 0, looked: 1)
        var pass = ScanPass(cpu: nil, gained: 0, fresh: Pages(fresh), left: Pages(left), passedOverAtEnd: 0, looked: 1)
        pass.complete(previous, start: Self.counters(volatile: 10), end: Self.counters(volatile: 30))
        #expect(pass.left == Pages(leaves))
    }

    @Test(arguments: [(500, 0.75), (1000, 0.5), (1500, 0.5)] as [(Int64, Double)])
    func `of what lies before its beginning the pass before it tells how much was looked at`(
        visited: Int64, looked: Double
    ) {
        let previous = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 1)
        var pass = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 0.5)
        pass.visited = Pages(visited)
        pass.complete(previous, start: Self.counters(unshared: 1000), end: Self.counters(unshared: 1000))
        #expect(pass.looked == looked)
    }

    @Test func `merged pages cost a fraction of those that are compared`() {
        let cost = PassCost()
        let merged = cost.seconds(Self.counters(shared: 500_000, sharing: 500_000))
        let compared = cost.seconds(Self.counters(unshared: 500_000, volatile: 500_000))
        #expect(merged * 10 < compared)
        // By the shares of each kind: 6 s for a million that is compared, on a host whose speed was not learnt.
        #expect(abs(compared - 6) < 0.001)
        let mixed = cost.seconds(
            Self.counters(shared: 500_000, sharing: 500_000, unshared: 500_000, volatile: 500_000))
        #expect(abs(mixed - merged - compared) < 1e-9)
    }

    @Test func `however cheap passes are, a new page takes a tenth of the usual time`() {
        var cost = PassCost()
        for _ in 0..<9 { cost.learn(Self.counters(unshared: 1_000_000), cpu: .zero, merged: 0, fresh: 0) }
        #expect(abs(cost.secondsPerNewPage - 0.6e-6) < 1e-9)
    }

    @Test func `the last pass counts for as much as all before it`() {
        let counters = Self.counters(unshared: 1_000_000)
        var cost = PassCost()
        cost.learn(counters, cpu: .seconds(12), merged: 0, fresh: 0)
        #expect(abs(cost.seconds(counters) - 9) < 0.001)
        cost.learn(counters, cpu: .seconds(3), merged: 0, fresh: 0)
        #expect(abs(cost.seconds(counters) - 6) < 0.001)
        // A pass over nothing does not make the next one cost for ever.
        var idle = PassCost()
        idle.learn(ScanCounters(), cpu: .milliseconds(1), merged: 0, fresh: 0)
        #expect(abs(idle.seconds(counters) - 6) < 0.001)
    }
}
