/// What a pass will cost, learnt from what passes cost before.
package struct PassCost: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// This host's speed, and what smart_scan spares, against the times of ``AdaptivePolicy/Parameters``.
    private var factor = 1.0

    package init() {}

    /// CPU time of a pass over all that KSM knows, in seconds.
    package func seconds(_ counters: ScanCounters) -> Double {
        factor * Self.typicalSeconds(counters)
    }

    /// CPU time to hash a page and to compare it, in seconds.
    package var secondsPerNewPage: Double { max(factor, 0.1) * Parameters.secondsPerComparedPage }

    /// Takes what a pass cost. The last pass counts as much as all before it together, since guests change.
    ///
    /// What it merged, or saw for the first time, it had to do once, and the next pass will not.
    ///
    /// - Parameters:
    ///   - merged: Pages that it merged.
    ///   - fresh: Pages that it saw for the first time.
    package mutating func learn(_ counters: ScanCounters, cpu: Duration, merged: Pages, fresh: Pages) {
        let once =
            Double(merged.nonNegative.count) * Parameters.secondsPerComparedPage
            + Double(fresh.nonNegative.count) * Parameters.secondsPerHashedPage
        let observed = cpu.seconds / max(Self.typicalSeconds(counters) + once, Parameters.leastPassSeconds)
        factor = (factor + observed) / 2
    }

    private static func typicalSeconds(_ counters: ScanCounters) -> Double {
        Double((counters.shared + counters.sharing).count) * Parameters.secondsPerMergedPage
            + Double((counters.unshared + counters.volatile).count) * Parameters.secondsPerComparedPage
    }
}
