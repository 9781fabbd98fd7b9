extension AdaptivePolicy {
    /// What ksmd was sent to find out by coming to a part of all memory: whether a scan would pay for what no counter
    /// shows.
    struct Look: Sendable {
        /// The counters when it began.
        let start: ScanCounters

        enum Finding: Equatable {
            /// Too little has been come to, or only the end of the pass can tell.
            case nothingYet
            /// A scan for new memory pays, whatever the look would find.
            case newMemory
            /// Memory that no pass had seen, and that the ledger does not know of: what was offered late, or is no guest's.
            /// More lies behind it.
            case unknownMemory
            /// So many pages have changed since the last pass, of all, and a scan for them pays.
            case changes(Pages)
            /// No scan pays. So many of the pages that it came to had changed.
            case nothing(changed: Pages)
        }

        /// Judges it by the pages that ksmd has come to.
        ///
        /// - Parameter meter: Of the pass under way.
        func finding(
            _ meter: PassMeter, _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings,
            _ learned: Learned
        ) -> Finding {
            let outlook = Outlook(sample, host, settings, learned)
            if outlook.ofNewMemory() == .pays { return .newMemory }
            if hasComeToUnknown(meter, sample, settings, learned) { return .unknownMemory }
            let seen = sample.counters.seen
            let visited = meter.visited
            guard visited >= Parameters.pagesOfLook(of: seen) else { return .nothingYet }
            // Among the pages that it came to were such as counted as changed before. Where these are many, nothing can
            // be said before the pass ends: smart_scan counts what it passes over among them.
            let before = start.volatile.share(of: start.seen)
            let zeroed = (sample.counters.zero - start.zero).nonNegative
            let more = sample.counters.volatile - start.volatile - (seen - start.seen).nonNegative - zeroed
            let changed = max(more.share(of: visited) + before, 0)
            if outlook.ofChangedMemory(share: changed - before, of: seen) == .pays {
                return .changes(Pages(rounding: (changed - before) * Double(seen.count)))
            }
            if before > Parameters.doubtfulShare { return .nothingYet }
            return .nothing(changed: Pages(rounding: changed * Double(visited.count)))
        }

        private func hasComeToUnknown(
            _ meter: PassMeter, _ sample: AdaptiveSample, _ settings: Settings, _ learned: Learned
        ) -> Bool {
            let fresh = settings.kibibytes(meter.fresh)
            return fresh >= Parameters.leastGrowth + learned.ledger.unscanned
                && settings.pays(
                    bytes: fresh.byteCount, cpuSeconds: learned.passSeconds(isFull: false, sample.counters))
        }
    }
}
