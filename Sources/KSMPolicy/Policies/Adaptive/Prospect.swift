extension AdaptivePolicy {
    /// What a scan can be expected to bring, and what it costs.
    ///
    /// This is the law: a scan pays when it brings enough for its cost, and when waiting for more would lose more than
    /// it spares. A scan has a cost apart from what it merges, since ksmd goes over all that it knows. While mergeable
    /// memory comes at a steady rate *r*, and each scan costs *c*, scanning whenever *q* bytes have come takes the share
    /// *cr/q* of a CPU, and leaves *q/2* bytes unmerged on average. With a CPU's worth *W* in bytes that are saved, the sum
    /// *Wcr/q + q/2* is least at *q* = √(2*Wcr*): the economic lot size of Harris (1913). Where nothing more comes, the
    /// lot is nothing, and only ``Configuration/yieldMinimum`` counts.
    struct Prospect: Sendable {
        /// What it can be expected to merge, in bytes.
        var gain: Double
        /// The CPU time that ksmd takes for what it knows already, in seconds.
        var cost: Double
        /// How long it has waited, in seconds: as long as it takes to come at the present rate, or since the last pass.
        var wait: Double

        /// What comes of it.
        enum Verdict {
            /// It is not worth its cost.
            case no
            /// It is, and yet it pays to wait for what is coming.
            case wait
            case pays
        }

        /// - Parameters:
        ///   - saved: What merging saves on this host already, in bytes: the worth of a CPU goes by it.
        ///   - patience: How many times as much as at once it may cost by now.
        func verdict(saved: Double, patience: Double, isUrgent: Bool, _ settings: Settings) -> Verdict {
            guard settings.pays(bytes: gain * patience, cpuSeconds: cost) else { return .no }
            let worth = (max(saved, 0) + gain) / Parameters.processorsForAll
            return isUrgent || gain * wait >= 2 * worth * cost ? .pays : .wait
        }
    }

    /// What is known, at one moment, of what passes could merge.
    struct Outlook: Sendable {
        private let settings: Settings
        private let saved: Double
        private let isUrgent: Bool
        /// How many times as much as at once a scan may cost by now.
        private let patience: Double
        private let rested: Double
        /// New memory, in bytes, and that part of it which has not been hashed.
        private let fresh: Double
        private let unscanned: Double
        /// Whether new memory comes faster than ksmd could go through it: then it will all be there soon.
        private let isOutpaced: Bool
        /// What it takes ksmd to compare what has not been hashed, in seconds.
        private let unscannedSeconds: Double
        /// Memory that has changed, or can be expected to have, in bytes; and what of it can be expected to merge.
        private let changed: Double
        private let changedGain: Double
        /// Whether most of it has not been hashed as it is now, so that two passes are needed.
        private let isUnhashed: Bool
        /// How fast there is more of either, in bytes per second.
        private let freshRate: Double
        private let changedRate: Double
        private let driftYield: Double
        private let driftPasses: Double
        private let passCost: Double
        private let fullPassCost: Double

        init(_ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: Learned) {
            self.settings = settings
            let rested = max(sample.now - learned.lastPassEnd, .zero)
            self.rested = rested.seconds
            isUrgent = host.isMemoryShort(at: sample.now)
            patience =
                (1 + min(rested, Parameters.longestPatience).seconds / Parameters.patience.seconds)
                * (isUrgent ? Parameters.shortageWorth : 1)
            saved = settings.bytes(sample.counters.saved)
            let hashed = learned.lastPass?.hashed ?? .zero
            unscanned = learned.ledger.unscanned.byteCount
            fresh = unscanned + settings.bytes(hashed)
            freshRate = host.growth.rate
            let speed = settings.share * learned.bytesPerSecond(settings)
            isOutpaced = host.growth.present > speed
            unscannedSeconds = unscanned / speed
            let drift = learned.drift(at: sample.now, sample.counters)
            let known = settings.bytes(learned.knownChanged)
            driftYield = learned.driftYield
            driftPasses = learned.driftPasses
            changed = known + settings.bytes(drift)
            changedGain = learned.changedYield * known + driftYield * settings.bytes(drift)
            changedRate = driftYield * settings.bytes(Pages(rounding: learned.driftRate))
            isUnhashed = settings.bytes(drift) + fresh > known
            passCost = learned.passSeconds(isFull: false, sample.counters)
            fullPassCost = learned.passSeconds(isFull: true, sample.counters)
        }

        /// Of a scan for new memory: one pass hashes it, and another compares.
        ///
        /// - Parameter waited: How long guests that fill their memory have been waited for.
        func ofNewMemory(waited: Duration = .zero) -> Prospect.Verdict {
            guard fresh >= Parameters.leastGrowth.byteCount else { return .no }
            let passes = unscanned * 2 > fresh ? Double(Parameters.passesToMerge) : 1
            let verdict = verdict(prospect(fresh, cost: passes * passCost, rate: freshRate))
            let longestWait = max(Parameters.longestFillWait.seconds, Parameters.longestFillWaitPart * unscannedSeconds)
            let awaitsMore = isOutpaced && !isUrgent && waited.seconds < longestWait
            return verdict == .pays && awaitsMore ? .wait : verdict
        }

        /// Of a scan for memory that has changed, without smart_scan, which would pass over most of it. New memory is
        /// merged by it as well, and yet it has to be worth what it costs more by itself.
        var ofChangedMemory: Prospect.Verdict {
            guard changed >= Parameters.leastChange.byteCount else { return .no }
            let passes = isUnhashed ? driftPasses : 1
            let whole = prospect(changedGain + fresh, cost: passes * fullPassCost, rate: changedRate + freshRate)
            let verdict = verdict(whole)
            guard verdict == .pays else { return verdict }
            let more = prospect(changedGain, cost: passes * max(fullPassCost - passCost, 0), rate: changedRate)
            return self.verdict(more)
        }

        /// Of a scan for changed memory where this share of the known pages has changed.
        func ofChangedMemory(share: Double, of seen: Pages) -> Prospect.Verdict {
            let changed = driftYield * settings.bytes(Pages(rounding: share * Double(seen.count)))
            guard changed >= Parameters.leastChange.byteCount else { return .no }
            return verdict(
                prospect(changed, cost: driftPasses * fullPassCost, rate: changedRate))
        }

        private func prospect(_ gain: Double, cost: Double, rate: Double) -> Prospect {
            Prospect(gain: gain, cost: cost, wait: max(rested, gain / max(rate, 1)))
        }

        private func verdict(_ prospect: Prospect) -> Prospect.Verdict {
            prospect.verdict(saved: saved, patience: patience, isUrgent: isUrgent, settings)
        }
    }
}
