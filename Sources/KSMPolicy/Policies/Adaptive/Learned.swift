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
        /// The share of what was expected to have changed in place that scans for it merged.
        var driftYield: Double { learnedDriftYield ?? changedYield }
        private var learnedDriftYield: Double?
        /// The passes that scans for it took: one to hash and one to compare, but what is written with what was there
        /// before merges in the first.
        private(set) var driftPasses = Double(Parameters.passesToMerge)
        private var cost = PassCost()
        /// Without smart_scan, which spares a pass many pages.
        private var costOfFullPass = PassCost()
        /// How many pages change in place in a second.
        private(set) var driftRate = 0.0
        /// Pages that guests are known to have given back and taken again since then.
        private(set) var retaken = Pages.zero
        /// When ksmd had last come to all pages.
        private var lastWholePassEnd = Instant(nanoseconds: 0)
        var looks = LookBudget()
        /// Passes that KSM had counted when it was last asked, and pages that it knew.
        private var counted = (passes: Int64(0), seen: Pages.zero)
        /// Whether everything was unmerged, and nothing has been made of that since: KSM counts its passes anew, and knows no
        /// page.
        private(set) var isUnmerged = false
        /// Whether it is only assumed what of the guests KSM knows: its counters also hold what ended guests and other
        /// processes have, and nothing says which. Two passes tell, since ksmd may stand anywhere. They say nothing of what
        /// changed memory is worth: what they find or do not find is none of it.
        var isAssumed = false

        // MARK: Passes

        /// CPU time of a pass over all that KSM knows, in seconds.
        ///
        /// - Parameter isFull: Whether smart_scan is off.
        func passSeconds(isFull: Bool, _ counters: ScanCounters) -> Double {
            (isFull ? costOfFullPass : cost).seconds(counters)
        }

        /// How fast ksmd goes through new memory, on a CPU of its own.
        func bytesPerSecond(_ settings: Settings) -> Double {
            Double(settings.pageSize.count) / cost.secondsPerNewPage
        }

        mutating func note(_ counters: ScanCounters) {
            // Within the first pass since the boot there is none to be counted anew: then the pages tell.
            let hasForgottenFirst = counters.passes == 0 && counters.seen == .zero && counted.seen > .zero
            if counters.passes < counted.passes || hasForgottenFirst {
                isUnmerged = true
                // Nothing of what it left is known any more.
                lastPass = Self.passBefore(leaving: .zero)
            }
            counted = (counters.passes, counters.seen)
        }

        /// After everything was unmerged no pass before says what KSM knows.
        mutating func forgetPasses(_ sample: AdaptiveSample) {
            isUnmerged = false
            isAssumed = false
            stoppedBefore = .zero
            begin(sample, scanned: 0)
        }

        /// What KSM knows when the guests are first looked at was the work of a daemon before this one, or of the
        /// boot's settings.
        mutating func assumeEarlierPasses(_ sample: AdaptiveSample, _ settings: Settings) {
            let known = settings.kibibytes(sample.counters.seen + sample.counters.zero)
            isAssumed = known > .zero && ledger.resident >= Parameters.leastGrowth
            begin(sample, scanned: known.share(of: ledger.resident))
        }

        /// - Parameter share: That of all the guests' memory which counts as seen.
        private mutating func begin(_ sample: AdaptiveSample, scanned share: Double) {
            ledger.assumeScanned(share: share)
            // ksmd may have been interrupted between hashing and comparing. What smart_scan passed over counts as
            // changed too.
            lastPass = Self.passBefore(leaving: sample.counters.volatile.nonNegative)
            lastPassEnd = sample.now
            lastWholePassEnd = sample.now
            lastActivityLook = sample.now
            retaken = .zero
        }

        /// Of a pass that was not seen no more is known than what it left.
        private static func passBefore(leaving left: Pages) -> ScanPass {
            ScanPass(cpu: nil, gained: .zero, fresh: .zero, left: left, passedOverAtEnd: .zero, looked: 1)
        }

        /// Learns what a pass costs, and what changed pages are worth, from a pass that ended.
        ///
        /// - Parameters:
        ///   - isWhole: Whether it began with the scan or after: the cost of a part says nothing.
        ///   - isFull: Whether smart_scan was off.
        mutating func learn(
            from pass: ScanPass, isWhole: Bool, isFull: Bool, _ sample: AdaptiveSample, _ settings: Settings
        ) {
            if let cpu = pass.cpu, isWhole {
                func learn(_ cost: inout PassCost) {
                    cost.learn(sample.counters, cpu: cpu, merged: pass.gained, fresh: pass.fresh)
                }
                if !isFull { learn(&cost) }
                // One that passes over nothing costs what it costs without smart_scan.
                if isFull || pass.looked >= Parameters.wholeShare { learn(&costOfFullPass) }
            }
            // What the pass before left and had not seen for the first time is what this one compared.
            if !isAssumed, let before = lastPass, before.changed > max(before.hashed, Parameters.leastChangedSample) {
                changedYield = Self.yield(changedYield, gained: pass.gained, of: before.left)
            }
            if isWhole, pass.looked >= Parameters.wholeShare {
                if !isAssumed {
                    learnDrift(of: (pass.changed - retaken).nonNegative, since: lastWholePassEnd, at: sample.now)
                }
                lastWholePassEnd = sample.now
                retaken = .zero
            }
            lastPass = pass
            lastPassEnd = sample.now
        }

        /// A scan ended within a pass, since all that the pass before had hashed had merged in it.
        mutating func endWithinPass(at now: Instant) {
            if var pass = lastPass {
                pass.left = pass.changed
                pass.fresh = .zero
                pass.carried = .zero
                pass.expected = .zero
                pass.hidden = .zero
                lastPass = pass
            }
            lastPassEnd = now
        }

        // MARK: Memory that changes in place

        /// Pages that had changed when the last pass came to them, or may merge with some that it passed over.
        var knownChanged: Pages { (lastPass?.changed ?? .zero) + (lastPass?.hidden ?? .zero) }

        /// Pages that can be expected to have changed since ksmd last came to all of them.
        func drift(at now: Instant, _ counters: ScanCounters) -> Pages {
            let seconds = max(now - lastWholePassEnd, .zero).seconds
            // What is merged does not change in place, but what was given back of it still counts as merged.
            let inPlace = min(Pages(rounding: driftRate * seconds), counters.unshared + counters.volatile)
            return min(inPlace + retaken, counters.seen)
        }

        /// - Parameter part: That of all pages which were come to. What changes lies together, so a small part says little.
        private mutating func learnDrift(of changed: Pages, since: Instant, at now: Instant, part: Double = 1) {
            guard now - since >= Parameters.leastDriftTime else { return }
            let weight = Parameters.weightOfLastPass * min(part * Parameters.weightOfPart, 1)
            let rate = Double(changed.count) / (now - since).seconds
            driftRate = (driftRate + weight * rate) / (weight + 1)
        }

        /// A scan ended that was made for memory which was expected to have changed.
        ///
        /// The rate says how fast memory changes, in a straight line. Where guests write the same pages again and again
        /// there is an end to that, and where they write what they held before, ksmd merges it without having counted
        /// it as changed; so what such scans bring in the end is learnt by itself.
        ///
        /// - Parameters:
        ///   - expected: Pages that were expected to have changed, apart from those that were known to.
        ///   - gained: Pages that the scan merged, apart from those that others account for.
        mutating func learnDriftYield(gained: Pages, of expected: Pages) {
            guard expected >= Parameters.leastChangedSample else { return }
            learnedDriftYield = Self.yield(driftYield, gained: gained, of: expected)
        }

        /// A scan ended that was made for it, after so many passes.
        mutating func learnDriftPasses(_ passes: Int) {
            let weight = Parameters.weightOfLastPass
            driftPasses = (driftPasses + weight * Double(min(passes, Parameters.passesToMerge))) / (weight + 1)
        }

        /// A yield as it was known until now, and what it is seen to be.
        private static func yield(_ known: Double, gained: Pages, of pages: Pages) -> Double {
            let weight = Parameters.weightOfLastPass
            let seen = gained.nonNegative.share(of: pages)
            return min(max((known + weight * seen) / (weight + 1), Parameters.leastChangedYield), 1)
        }

        /// ksmd came to some pages, and found so many of them changed.
        mutating func learnDrift(changed: Pages, of visited: Pages, _ sample: AdaptiveSample) {
            let seen = sample.counters.seen
            let share = min(changed.share(of: visited), 1)
            learnDrift(
                of: Pages(rounding: share * Double(seen.count)), since: lastWholePassEnd, at: sample.now,
                part: visited.share(of: seen))
        }

        /// Whether guests should be asked whether they did anything since the last time.
        ///
        /// - Parameter isFirst: Whether nothing was asked since the last scan, so that the answer is a beginning.
        func isActivityLookDue(at now: Instant, isFirst: Bool) -> Bool {
            let pause = Parameters.activityPausePerGuest * ledger.guests
            if isFirst { return now - lastActivityLook >= pause }
            return ledger.guests > 0 && now - lastActivityLook >= max(Parameters.activityPause, pause)
        }

        /// Whether passes have passed over what may have changed.
        var isDoubtful: Bool { (lastPass?.looked ?? 1) < Parameters.wholeShare }

        /// Whether a look keeps within what looks in vain may cost.
        ///
        /// - Parameter passSeconds: What it will cost, in seconds, where it is known to go on to the end of the pass.
        func isLookDue(at now: Instant, _ target: LookBudget.Target, passSeconds: Double = 0) -> Bool {
            let pause = Duration(rounding: passSeconds / looks.share(target))
            return now - lastPassEnd >= max(Parameters.leastLookPause, pause) && looks.isPaid(at: now, target)
        }

        mutating func note(_ activity: GuestActivity, at now: Instant) {
            lastActivityLook = now
            retaken += activity.retaken.nonNegative
        }
    }
}
