extension AdaptivePolicy {
    /// What a scan for memory that nobody has seen to change goes by, to be held against what it brings.
    struct Forecast: Sendable {
        /// Pages that can be expected to have changed.
        let drift: Pages
        /// Pages that can be expected to merge for other reasons.
        private let others: Pages
        /// Those of ``drift`` that guests are known to have given back and taken again. KSM counts them as saved until ksmd
        /// comes there, so that by its counters nothing is gained where they merge again.
        private let retaken: Pages
        private var visited = Pages.zero
        private var gained = Pages.zero
        /// What guests hold beyond what there is of it, when that was last known.
        private var shared: Pages?
        /// By how much that rose from one look to the next, all rises together. What guests give back meanwhile, or end
        /// with, takes what is shared of it along at one stroke, which says nothing of what merged.
        private var risen = Pages.zero

        init(drift: Pages, _ learned: Learned) {
            self.drift = drift
            retaken = min(learned.retaken, drift)
            let others = Pages(rounding: learned.changedYield * Double(learned.knownChanged.count))
            self.others = others + (learned.lastPass?.hashed ?? .zero)
        }

        /// Whether memory must be looked at to know what comes of it.
        var needsMemory: Bool { retaken > .zero }

        /// The part of ``drift`` that ksmd has come to, of so many pages in all.
        func seen(of known: Pages) -> Double { min(visited.share(of: known), 1) }

        /// A pass has ended.
        mutating func take(_ pass: ScanPass) {
            visited += pass.visited
            // What it has lost was lost before: ksmd learns of it when it comes there.
            gained += pass.gained.nonNegative
        }

        /// - Parameters:
        ///   - resident: What all guests hold.
        ///   - anonymous: What all processes hold, each page once.
        ///   - zero: What guests hold no more, since the kernel's zero page stands for it.
        mutating func note(resident: Pages, anonymous: Pages, zero: Pages) {
            let present = resident - anonymous + zero
            if let shared { risen += (present - shared).nonNegative }
            shared = present
        }

        /// The scan has ended after so many passes, where KSM knows of so many pages.
        func teach(_ learned: inout Learned, passes: Int, of known: Pages, _ settings: Settings) {
            let seen = seen(of: known)
            let merged = merged(seen) - others
            learned.learnDriftYield(gained: merged, of: Pages(rounding: seen * Double(drift.count)))
            // What ended since it brought nothing does not show what more passes would have brought.
            if settings.kibibytes(merged) >= Parameters.leastChange { learned.learnDriftPasses(passes) }
        }

        private func merged(_ seen: Double) -> Pages {
            guard shared != nil else { return gained }
            // Other processes come and go as well; what KSM cannot have miscounted is not believed of it.
            let most = gained + Pages(rounding: seen * Double(retaken.count))
            return min(max(risen, gained), most)
        }
    }
}
