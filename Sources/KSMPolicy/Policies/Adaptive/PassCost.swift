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
        Double((counters.shared + counters.sharing).count) * merged
            + Double((counters.unshared + counters.volatile).count) * compared
    }
}
