/// What one pass of ksmd over all mergeable memory brought, and what it cost.
package struct ScanPass: Equatable, Sendable {
    /// CPU time of ksmd, in seconds; `nil` where it cannot be told.
    package var cpu: Double?
    /// Pages that are saved now and were not before, net of those that were lost; negative where more were lost.
    package var gained: Int64
    /// Pages that KSM saw for the first time. It has hashed them, and compares them in the next pass.
    package var fresh: Int64
    /// Pages that were not compared since they had changed: what a further pass could still merge, ``fresh`` among
    /// them. Those that smart_scan passed over are not counted.
    package var left: Int64
    /// Pages passed over in the step in which it ended, by this pass or already by the next.
    package var passedOverAtEnd: Int64
    /// The share of the known pages that smart_scan let it look at.
    package var looked: Double
    /// Pages that it compared for the first time and that met no like, which may be among those passed over.
    package var hidden: Int64 = 0
}

extension ScanPass {
    /// - Parameters:
    ///   - unmatched: Pages that were new in the pass before and did not merge in this one.
    ///   - known: All pages that KSM knows.
    mutating func hide(unmatched: Int64, of known: Int64) {
        hidden = min(max(unmatched, 0), Int64((1 - looked) * Double(known)))
    }
}

/// Adds up KSM's counters over a pass.
package struct PassMeter: Sendable {
    private var start: ScanCounters
    private var last: ScanCounters
    /// Pages that may have been passed over in this pass before the first counters were taken.
    private let passedOverBefore: Int64
    /// Pages that ksmd came to in the step in which the pass began, before it or after.
    private let visitedBefore: Int64
    private var losses: Int64 = 0
    private var vanished: Int64 = 0

    /// - Parameters:
    ///   - previous: The pass before.
    ///   - standing: Pages that the pass may have come to already.
    package init(_ counters: ScanCounters, after previous: ScanPass?, standing: Int64) {
        visitedBefore = standing
        start = counters
        last = counters
        passedOverBefore = previous?.passedOverAtEnd ?? 0
    }

    /// CPU time of the present pass so far, in seconds.
    package var cpu: Double? { Self.cpu(from: start, to: last) }

    /// Pages that ksmd came to since the step in which the pass began.
    package var visited: Int64 { max(last.visited - start.visited, 0) }

    /// Pages saved since the pass began.
    package var gained: Int64 { last.saved - start.saved }

    /// The share of all known pages that was saved when the pass began.
    package var savedShareAtStart: Double { Double(start.saved) / Double(max(start.seen, 1)) }

    /// Pages that ksmd may have come to since the pass began.
    package var visitedAtMost: Int64 { visited + visitedBefore }

    /// Takes the counters of this step.
    ///
    /// - Parameter forgivingLosses: Guests ended since the last pass. What they shared leaves the counters at one
    ///   blow when ksmd comes to them, which says nothing about the worth of this pass.
    /// - Returns: The pass, if it ended since the last step. Where several ended, it is their mean.
    package mutating func observe(_ counters: ScanCounters, forgivingLosses: Bool) -> ScanPass? {
        if forgivingLosses {
            losses += max(last.saved - counters.saved, 0)
            vanished += max(last.seen - counters.seen, 0)
        }
        let passedOverAtEnd = max(counters.skipped - last.skipped, 0)
        let visitedAtEnd = max(counters.visited - last.visited, 0)
        last = counters
        let ended = counters.passes - start.passes
        guard ended > 0 else { return nil }
        let skipped = max(counters.skipped - start.skipped, 0) / ended
        let fresh = max(counters.seen - start.seen + vanished, 0)
        let pass = ScanPass(
            cpu: Self.cpu(from: start, to: counters).map { $0 / Double(ended) },
            gained: counters.saved - start.saved + losses,
            fresh: fresh,
            // What was passed over is counted as changed. A page too many here would cost a pass for nothing, so what
            // may belong to either pass is taken off; but none is passed over that was seen for the first time.
            left: max(counters.volatile - skipped - passedOverBefore, min(fresh, counters.volatile)),
            passedOverAtEnd: passedOverAtEnd,
            looked: 1 - Double(min(skipped, counters.seen)) / Double(max(counters.seen, 1)))
        self = PassMeter(counters, after: pass, standing: visitedAtEnd)
        return pass
    }

    private static func cpu(from start: ScanCounters, to end: ScanCounters) -> Double? {
        guard let began = start.cpu, let ended = end.cpu else { return nil }
        return Double(max(ended - began, 0)) / 1e9
    }
}

/// What a pass will cost, by what it cost before.
package struct PassCost: Sendable {
    /// Time for a page that is merged already, and for one that is compared with the others, in seconds.
    static let merged = 0.4e-6
    static let compared = 6e-6

    /// This host's speed, and what smart_scan spares, against the times above.
    private var factor: Double

    package init(factor: Double) {
        self.factor = factor
    }

    /// CPU time of a pass over all that KSM knows, in seconds.
    package func estimate(_ counters: ScanCounters) -> Double {
        factor * Self.base(counters)
    }

    package mutating func learn(_ counters: ScanCounters, cpu: Double) {
        let observed = cpu / max(Self.base(counters), 1e-3)
        factor = (factor + observed) / 2
    }

    private static func base(_ counters: ScanCounters) -> Double {
        Double(counters.shared + counters.sharing) * merged + Double(counters.unshared + counters.volatile) * compared
    }
}
