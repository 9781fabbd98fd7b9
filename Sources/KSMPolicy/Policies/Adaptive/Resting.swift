extension AdaptivePolicy {
    /// ksmd does not scan, since no pass would pay.
    package struct Resting: Sendable {
        /// Whether a scan may begin with the next sample, which must hold the counters of its moment.
        var needsCounters: Bool
        /// Whether no look at the guests' activity has been taken since the last scan: the next one counts from it.
        private var needsActivityStart = true

        init(needsCounters: Bool) {
            self.needsCounters = needsCounters
        }

        enum Next {
            case rest
            /// Until guests have filled their memory.
            case wait
            case scan(Scanning.Kind)
        }

        func wants(at now: Instant, _ learned: Learned) -> Wants {
            var wants = Wants.guests
            if needsActivityStart || learned.isActivityLookDue(at: now) { wants.insert(.activity) }
            // What guests did is counted from one look to the next, so a probe must be able to begin with this one.
            if needsCounters || wants.contains(.activity) { wants.insert(.allCounters) }
            return wants
        }

        /// While the classic rule would not scan.
        mutating func keepStill(_ sample: AdaptiveSample) {
            if sample.isCounted { needsCounters = false }
            if sample.activity != nil { needsActivityStart = false }
        }

        mutating func next(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) -> Next {
            if sample.isCounted { needsCounters = false }
            if host.isRequested { return .scan(.request) }
            let isShort = host.isMemoryShort(at: sample.now)
            let rested = sample.now - learned.lastPassEnd
            let patience =
                (1 + min(rested, Parameters.longestPatience).seconds / Parameters.patience.seconds)
                * (isShort ? Parameters.shortageWorth : 1)
            let grown = learned.ledger.unscanned
            // New memory is hashed by one pass and compared by another.
            let passes = Double(Parameters.passesToMerge)
            let burst = passes * learned.passSeconds(isFull: false, sample.counters) / patience
            if grown >= Parameters.leastGrowth, settings.pays(bytes: grown.byteCount, cpuSeconds: burst) {
                return host.growth.isFilling && !isShort ? .wait : .scan(.burst)
            }
            let changed = settings.bytes((learned.lastPass?.left ?? .zero) + (learned.lastPass?.hidden ?? .zero))
            let recheck = learned.passSeconds(isFull: true, sample.counters) / patience
            if changed >= Parameters.leastChange.byteCount, rested >= Parameters.patience,
                settings.pays(bytes: learned.changedYield * changed + grown.byteCount, cpuSeconds: recheck)
            {
                return .scan(.recheck)
            }
            return sample.activity.map { next(after: $0, sample, &learned) } ?? .rest
        }

        /// Whether guests did so much that a pass may find something which no counter shows.
        private mutating func next(
            after activity: GuestActivity, _ sample: AdaptiveSample, _ learned: inout Learned
        ) -> Next {
            learned.noteActivityLook(at: sample.now)
            guard !needsActivityStart else {
                needsActivityStart = false
                return .rest
            }
            if learned.takeSettling() {
                let isAlive =
                    activity.busiest >= Parameters.aliveShare || activity.brokenMerges >= Parameters.aliveWrites
                return isAlive ? .scan(.recheck) : .rest
            }
            let manyWrites = max(
                Pages(rounding: Double(sample.counters.saved.count) * Parameters.busyWrites),
                Parameters.leastBusyWrites)
            return activity.busiest >= Parameters.busyShare || activity.brokenMerges >= manyWrites
                ? .scan(.probe) : .rest
        }

        func pause(_ settings: Settings, _ ledger: GuestLedger) -> Duration {
            needsCounters ? .zero : max(settings.idleStep, ledger.lookPause)
        }
    }
}
