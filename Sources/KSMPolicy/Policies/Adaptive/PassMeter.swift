/// What one pass of ksmd over all mergeable memory brought, and what it cost.
package struct ScanPass: Equatable, Sendable {
    /// CPU time of ksmd; `nil` where it cannot be told.
    package var cpu: Duration?
    /// Pages that are saved now and were not before, net of those that were lost; negative where more were lost.
    package var gained: Pages
    /// Pages that KSM saw for the first time. It has hashed them, and compares them in the next pass.
    package var fresh: Pages
    /// Pages that were not compared since they had changed: what a further pass could still merge, ``fresh`` among
    /// them. Those that smart_scan passed over are not counted.
    package var left: Pages
    /// Pages passed over in the step in which it ended, by this pass or already by the next.
    package var passedOverAtEnd: Pages
    /// The share of the known pages that smart_scan let it look at.
    package var looked: Double
    /// Pages that it compared for the first time and that met no like, which may be among those passed over.
    package var hidden = Pages.zero
}

extension ScanPass {
    /// - Parameters:
    ///   - unmatched: Pages that were new in the pass before and did not merge in this one.
    ///   - known: All pages that KSM knows.
    mutating func hide(unmatched: Pages, of known: Pages) {
        hidden = min(unmatched.nonNegative, Pages(rounding: (1 - looked) * Double(known.count)))
    }
}

/// Adds up KSM's counters over a pass.
package struct PassMeter: Sendable {
    private var start: ScanCounters
    private var last: ScanCounters
    /// Pages that may have been passed over in this pass before the first counters were taken.
    private let passedOverBefore: Pages
    /// Pages that ksmd came to in the step in which the pass began, before it or after.
    private let visitedBefore: Pages
    private var losses = Pages.zero
    private var vanished = Pages.zero

    /// - Parameters:
    ///   - previous: The pass before.
    ///   - standing: Pages that the pass may have come to already.
    package init(_ counters: ScanCounters, after previous: ScanPass?, standing: Pages) {
        visitedBefore = standing
        start = counters
        last = counters
        passedOverBefore = previous?.passedOverAtEnd ?? .zero
    }

    /// Pages that ksmd came to since the step in which the pass began.
    package var visited: Pages { (last.visited - start.visited).nonNegative }

    /// Pages saved since the pass began.
    package var gained: Pages { last.saved - start.saved }

    /// The share of all known pages that was saved when the pass began.
    package var savedShareAtStart: Double { Double(start.saved.count) / Double(max(start.seen.count, 1)) }

    /// Pages that ksmd may have come to since the pass began.
    package var visitedAtMost: Pages { visited + visitedBefore }

    /// Takes the counters of this step.
    ///
    /// - Parameter forgivingLosses: Guests ended since the last pass. What they shared leaves the counters at one
    ///   blow when ksmd comes to them, which says nothing about the worth of this pass.
    /// - Returns: The pass, if it ended since the last step. Where several ended, it is their mean.
    package mutating func observe(_ counters: ScanCounters, forgivingLosses: Bool) -> ScanPass? {
        if forgivingLosses {
            losses += (last.saved - counters.saved).nonNegative
            vanished += (last.seen - counters.seen).nonNegative
        }
        let passedOverAtEnd = (counters.skipped - last.skipped).nonNegative
        let visitedAtEnd = (counters.visited - last.visited).nonNegative
        last = counters
        let ended = counters.passes.subtractingSaturated(start.passes)
        guard ended > 0 else { return nil }
        let skipped = Pages((counters.skipped - start.skipped).nonNegative.count / ended)
        let fresh = (counters.seen - start.seen + vanished).nonNegative
        let pass = ScanPass(
            cpu: Self.cpu(from: start, to: counters).map { $0 / ended },
            gained: counters.saved - start.saved + losses,
            fresh: fresh,
            // What was passed over is counted as changed. A page too many here would cost a pass for nothing, so what
            // may belong to either pass is taken off; but none is passed over that was seen for the first time.
            left: max(counters.volatile - skipped - passedOverBefore, min(fresh, counters.volatile)),
            passedOverAtEnd: passedOverAtEnd,
            looked: 1 - Double(min(skipped, counters.seen).count) / Double(max(counters.seen.count, 1)))
        self = PassMeter(counters, after: pass, standing: visitedAtEnd)
        return pass
    }

    private static func cpu(from start: ScanCounters, to end: ScanCounters) -> Duration? {
        guard let began = start.cpu, let ended = end.cpu else { return nil }
        return max(ended - began, .zero)
    }
}
