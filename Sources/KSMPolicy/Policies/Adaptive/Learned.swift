extension AdaptivePolicy {
    /// What the policy knows from one scan to the next, and keeps over a reload.
    struct Learned: Sendable {
        /// What each guest holds, and what of it a pass has seen.
        var ledger = GuestLedger()
        /// ksmd's pace, and this host's speed.
        var throttle = ScanThrottle()
        /// `nil` before the first look at the guests.
        private(set) var lastPass: ScanPass?
        private(set) var lastPassEnd = Instant(nanoseconds: 0)
        /// When it was last asked whether guests are busy.
        private var lastActivityLook = Instant(nanoseconds: 0)
        /// How many pages from the beginning of a pass ksmd stopped, at most.
        var stoppedBefore = Pages.zero
        /// The share of changed pages that proved mergeable when they were compared.
        private(set) var changedYield = Parameters.firstChangedYield
        private var cost = PassCost()
        /// Without smart_scan, which spares a pass many pages.
        private var costOfFullPass = PassCost()
        private var probeInterval = Parameters.firstProbe
        /// Whether guests filled new memory before the last scan, and may not have come to rest with it.
        private var isSettling = false

        // MARK: Passes

        /// CPU time of a pass over all that KSM knows, in seconds.
        ///
        /// - Parameter isFull: Whether smart_scan is off.
        func passSeconds(isFull: Bool, _ counters: ScanCounters) -> Double {
            (isFull ? costOfFullPass : cost).seconds(counters)
        }

        /// What KSM knows when the guests are first looked at was the work of a daemon before this one, or of the
        /// boot's settings.
        mutating func assumeEarlierPasses(_ sample: AdaptiveSample, _ settings: Settings) {
            let known = settings.bytes(sample.counters.seen + sample.counters.zero) / 1024
            ledger.assumeScanned(share: known / Double(max(ledger.resident.count, 1)))
            // ksmd may have been interrupted between hashing and comparing. What smart_scan passed over counts as
            // changed too; the worst that follows is one pass too many.
            lastPass = ScanPass(
                cpu: nil, gained: .zero, fresh: .zero, left: sample.counters.volatile.nonNegative,
                passedOverAtEnd: .zero, looked: 1)
            lastPassEnd = sample.now
            lastActivityLook = sample.now
        }

        /// Learns what a pass costs, and what changed pages are worth, from a pass that ended.
        ///
        /// - Parameters:
        ///   - isWhole: Whether it began with the scan or after: the cost of a part says nothing.
        ///   - isFull: Whether smart_scan was off.
        mutating func learn(from pass: ScanPass, isWhole: Bool, isFull: Bool, _ sample: AdaptiveSample) {
            if let cpu = pass.cpu, isWhole {
                if isFull {
                    costOfFullPass.learn(sample.counters, cpu: cpu)
                } else {
                    cost.learn(sample.counters, cpu: cpu)
                }
            }
            // What the pass before left and had not seen for the first time is what this one compared.
            if let before = lastPass, before.left - before.fresh > max(before.fresh, Parameters.leastChangedSample) {
                let yield = Double(pass.gained.nonNegative.count) / Double(before.left.count)
                let weight = Parameters.weightOfLastPass
                changedYield = min(
                    max((changedYield + weight * yield) / (weight + 1), Parameters.leastChangedYield), 1)
            }
            lastPass = pass
            lastPassEnd = sample.now
        }

        /// A scan ended within a pass, since all newcomers had merged in it.
        mutating func endPass(with newcomers: Pages, at now: Instant) {
            if var pass = lastPass {
                pass.left = (pass.left - newcomers).nonNegative
                pass.fresh = .zero
                pass.hidden = .zero
                lastPass = pass
            }
            lastPassEnd = now
        }

        // MARK: Probes

        /// Whether guests should be asked whether they were busy since the last time.
        func isActivityLookDue(at now: Instant) -> Bool {
            now - max(lastPassEnd, lastActivityLook) >= probeInterval && ledger.guests > 0
        }

        mutating func noteActivityLook(at now: Instant) {
            lastActivityLook = now
        }

        /// Whether guests had filled new memory before the last scan. Their first look after it counts, and no other.
        mutating func takeSettling() -> Bool {
            guard isSettling else { return false }
            isSettling = false
            probeInterval = Parameters.firstProbe
            return true
        }

        /// New memory was scanned: look soon whether its guests go on changing it.
        mutating func expectSettling() {
            isSettling = true
            probeInterval = Parameters.patience
        }

        /// A scan that paid makes the next probe come soon, and a probe that did not makes it come late.
        mutating func learn(fromScanThatPaid hasPaid: Bool, isProbe: Bool) {
            if hasPaid {
                probeInterval = Parameters.firstProbe
            } else if isProbe {
                probeInterval = min(probeInterval * 2, Parameters.longestProbe)
            }
        }
    }
}
