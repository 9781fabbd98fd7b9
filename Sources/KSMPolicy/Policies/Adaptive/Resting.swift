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

        /// Whether a scan waits for guests that fill their memory this very moment.
        private var isFilling = false
        /// Since when a scan was to wait for more new memory at each look.
        private var waitsSince: Instant?

        /// Whether it was at the last look.
        var isWaiting: Bool { waitsSince != nil }

        enum Next: Equatable {
            case rest
            /// Until more new memory has come.
            case wait
            case scan(Scanning.Kind)
        }

        func wants(at now: Instant, _ learned: Learned) -> Wants {
            var wants = Wants.guests
            if learned.isActivityLookDue(at: now, isFirst: needsActivityStart) { wants.insert(.activity) }
            // What guests did is counted from one look to the next, so a look must be able to begin with this one.
            if needsCounters || wants.contains(.activity) { wants.insert(.allCounters) }
            return wants
        }

        /// While the classic rule would not scan.
        mutating func keepStill(_ sample: AdaptiveSample, _ host: inout HostConditions, _ learned: inout Learned) {
            // What was asked for is not done now; but where that was to merge anew what was unmerged, it is still to be.
            if sample.isCounted {
                needsCounters = false
                if host.isRequested, learned.isUnmerged { learned.forgetPasses(sample) }
                host.isRequested = false
            } else if host.isRequested {
                needsCounters = true
            }
            if let activity = sample.activity {
                needsActivityStart = false
                learned.note(activity, at: sample.now)
            }
            isFilling = false
            waitsSince = nil
        }

        mutating func next(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) -> Next {
            if sample.isCounted { needsCounters = false }
            isFilling = false
            if let activity = sample.activity { learned.note(activity, at: sample.now) }
            if host.isRequested { return .scan(.request) }
            if learned.isUnmerged, settings.start == .threshold || host.isMemoryShort(at: sample.now) {
                return .scan(.burst)
            }
            let outlook = Outlook(sample, host, settings, learned)
            let ofNewMemory = outlook.ofNewMemory(waited: waitsSince.map { sample.now - $0 } ?? .zero)
            // It comes first: what has changed can wait for the end of its passes, and without smart_scan theirs would
            // cost several times as much.
            if ofNewMemory == .pays { return .scan(.burst) }
            let hasRested = sample.now - learned.lastPassEnd >= Parameters.leastDriftTime
            if hasRested, !learned.isAssumed, outlook.ofChangedMemory == .pays { return .scan(.recheck) }
            guard ofNewMemory == .wait else {
                waitsSince = nil
                if learned.isAssumed { return .scan(.burst) }
                return sample.activity.map { next(after: $0, sample, &learned) } ?? .rest
            }
            waitsSince = waitsSince ?? sample.now
            isFilling = host.growth.present >= Parameters.leastGrowth.byteCount
            return .wait
        }

        /// Whether ksmd should look for what no counter shows.
        private mutating func next(
            after activity: GuestActivity, _ sample: AdaptiveSample, _ learned: inout Learned
        ) -> Next {
            guard !needsActivityStart else {
                needsActivityStart = false
                return .rest
            }
            let counters = sample.counters
            guard counters.seen > .zero else { return .rest }
            guard activity.busiest > 0 || activity.brokenMerges > .zero else {
                // Nothing changes: all that can be found is what passes have passed over, by a look at all of it.
                guard learned.isDoubtful else { return .rest }
                let passSeconds = learned.passSeconds(isFull: true, counters)
                let target = LookBudget.Target.hiddenPages(usual: counters.sharing.share(of: counters.seen))
                return Self.look(at: sample.now, target, passSeconds: passSeconds, &learned)
            }
            let manyWrites = max(
                Pages(rounding: Double(counters.saved.count) * Parameters.busyWrites),
                Parameters.leastBusyWrites)
            let isBusy = activity.busiest >= Parameters.busyShare || activity.brokenMerges >= manyWrites
            return Self.look(at: sample.now, isBusy ? .busyGuests : .quietGuests, &learned)
        }

        /// A look, where one is due.
        private static func look(
            at now: Instant, _ target: LookBudget.Target, passSeconds: Double = 0, _ learned: inout Learned
        ) -> Next {
            guard learned.isLookDue(at: now, target, passSeconds: passSeconds) else { return .rest }
            learned.looks.begin(target)
            return .scan(.look)
        }

        func pause(_ settings: Settings, _ ledger: GuestLedger) -> Duration {
            if needsCounters { return .zero }
            let step = isFilling ? min(Parameters.growthStep, settings.idleStep) : settings.idleStep
            return max(step, ledger.lookPause)
        }
    }
}
