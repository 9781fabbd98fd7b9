/// Adds up KSM's counters over a pass.
package struct PassMeter: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    private var start: ScanCounters
    private var last: ScanCounters
    /// Pages that may have been passed over in this pass before the first counters were taken.
    private let passedOverBefore: Pages
    /// Pages that ksmd may have come to in this pass before the first counters were taken.
    private let visitedBefore: Pages
    /// Pages of the pass before for which the kernel's zero page stands.
    private let zeroedBefore: Pages
    /// Pages that were saved, and that KSM knew, for guests that ended.
    private var losses = Pages.zero
    private var vanished = Pages.zero
    /// Pages that were seen for the first time in the step in which the pass before ended, so by either of the two.
    private var freshBefore = Pages.zero
    /// How far from the beginning of the pass pages are seen for the first time, at most. Where they come few and far
    /// between they do not count.
    private var freshEnd = Pages.zero
    /// The same of the pass before: what that pass hashed, this one has compared when it is through with these pages.
    private var freshEndBefore = Pages.zero

    /// - Parameters:
    ///   - previous: The pass before.
    ///   - visitedBefore: Pages that ksmd may have come to already in the pass under way, at most.
    package init(_ counters: ScanCounters, after previous: ScanPass?, visitedBefore: Pages) {
        self.visitedBefore = visitedBefore
        zeroedBefore = previous?.zeroed ?? .zero
        start = counters
        last = counters
        // No more than the present pass has come to.
        passedOverBefore = min(previous?.passedOverAtEnd ?? .zero, visitedBefore)
    }

    /// Pages that ksmd came to since the step in which the pass began.
    package var visited: Pages { (last.visited - start.visited).nonNegative }

    /// Pages saved since the pass began, without what ended guests had shared.
    package var gained: Pages { last.saved - start.saved + losses }

    /// Pages seen for the first time since the pass began.
    package var fresh: Pages { (last.seen - start.seen + vanished).nonNegative }

    /// Pages that ksmd has yet to come to until all that the pass before saw for the first time has been compared.
    package var leftToCompare: Pages { (freshEndBefore - visited).nonNegative }

    /// Whether all that the pass before saw for the first time has been compared.
    package var hasComparedFresh: Bool { leftToCompare == .zero }

    /// Pages that ksmd may have come to since the pass began, at most.
    package var visitedAtMost: Pages { visited + visitedBefore }

    /// Takes the counters of this step.
    ///
    /// - Parameter forgivingLosses: Guests ended since the last pass. What they shared leaves the counters in the step
    ///   in which ksmd comes to them, which says nothing about the worth of this pass.
    /// - Returns: The pass, if it ended since the last step. Where several ended, its CPU time and what it passed over
    ///   are their mean.
    package mutating func observe(_ counters: ScanCounters, forgivingLosses: Bool) -> ScanPass? {
        if forgivingLosses {
            losses += (last.saved - counters.saved).nonNegative
            vanished += (last.seen - counters.seen).nonNegative
        }
        let passedOverAtEnd = (counters.skipped - last.skipped).nonNegative
        let visitedAtEnd = (counters.visited - last.visited).nonNegative
        var freshAtEnd = (counters.seen - last.seen).nonNegative
        last = counters
        if Double(freshAtEnd.count) > Parameters.leastFreshShare * Double(visitedAtEnd.count) {
            freshEnd = visitedAtMost
        } else {
            freshAtEnd = .zero
        }
        let ended = counters.passes.subtractingSaturated(start.passes)
        guard ended > 0 else { return nil }
        let skipped = Pages((counters.skipped - start.skipped).nonNegative.count / ended)
        // The kernel goes on to count those as volatile until the next pass.
        let zeroed = (counters.zero - start.zero).nonNegative
        let fresh = (counters.seen - zeroed - start.seen + zeroedBefore + vanished).nonNegative
        var pass = ScanPass(
            cpu: Self.cpu(from: start, to: counters).map { $0 / ended },
            gained: gained,
            fresh: fresh,
            // What was passed over is counted as changed. A page too many here would cost a pass for nothing, so what
            // may belong to either pass is taken off; but none is passed over that was seen for the first time.
            left: max(counters.volatile - skipped - passedOverBefore - zeroed, min(fresh, counters.volatile)),
            passedOverAtEnd: passedOverAtEnd,
            looked: 1 - min(skipped, counters.seen).share(of: counters.seen))
        pass.visited = visited
        pass.leftAtMost = max(counters.volatile - skipped - zeroed, pass.left)
        pass.zeroed = zeroed
        pass.carried = min(freshBefore, (pass.left - fresh).nonNegative)
        var next = PassMeter(counters, after: pass, visitedBefore: visitedAtEnd)
        next.freshBefore = freshAtEnd
        next.freshEnd = freshAtEnd > .zero ? visitedAtEnd : .zero
        next.freshEndBefore = freshEnd
        self = next
        return pass
    }

    private static func cpu(from start: ScanCounters, to end: ScanCounters) -> Duration? {
        guard let began = start.cpu, let ended = end.cpu else { return nil }
        return max(ended - began, .zero)
    }
}
