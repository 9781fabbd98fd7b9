extension AdaptivePolicy {
    /// ksmd scans, in passes one after the other.
    package struct Scanning: Sendable {
        package enum Kind: Equatable, Sendable {
            /// For new memory, or since the pass before it paid.
            case burst
            /// For memory that had changed when it was last looked at, and has had time to settle.
            case recheck
            /// Whether anything changed that no counter shows.
            case probe
            /// Because the operator asked.
            case request
        }

        /// Guests that began after ksmd had passed the place where they are linked.
        private struct Newcomers {
            var pages: Pages
            /// How many pages from the beginning of a pass they end, at most.
            var end: Pages
        }

        private var kind: Kind
        /// Whether smart_scan is off, so that what it passes over is compared as well.
        let isFull: Bool
        /// Passes that have ended.
        private(set) var passes = 0
        /// Whether KSM saw memory for the first time.
        private var foundNew = false
        /// Those whose memory the first pass did not come to. Hashed in the second, it is compared at the beginning of
        /// the third, and the rest of that pass has nothing to compare.
        private var newcomers: Newcomers?
        /// Whether ksmd sleeps, since no process has offered it memory. It wakes by itself when one does.
        private(set) var isStalled = false
        private var lastProgress: Instant
        private var meter: PassMeter
        private let start: ScanCounters
        private var last: (now: Instant, counters: ScanCounters)

        enum Next {
            case scan
            case rest
        }

        /// Begins a scan. The sample's counters must be those of its moment.
        init(
            _ kind: Kind, _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings,
            _ learned: inout Learned
        ) {
            self.kind = kind
            isFull = kind == .recheck
            start = sample.counters
            lastProgress = sample.now
            last = (sample.now, sample.counters)
            meter = PassMeter(sample.counters, after: learned.lastPass, visitedBefore: learned.stoppedBefore)
            learned.ledger.beginPass()
            learned.throttle.begin(share: share(at: sample.now, host, settings))
        }

        // MARK: What it needs and says

        func wants(at now: Instant, _ lastGuestLook: Instant?, _ ledger: GuestLedger) -> Wants {
            let pause = max(Parameters.guestStep, ledger.lookPause)
            let isDue = lastGuestLook.map { now - $0 >= pause } ?? true
            var wants: Wants = isDue ? [.counters, .guests, .cpuPressure] : .counters
            // What ended guests shared leaves the counters in one step, which must see it for itself.
            if ledger.hasEndedGuests || newcomers != nil { wants.insert(.allCounters) }
            return wants
        }

        var reason: Decision.Reason {
            if isStalled { return .nothingOffered }
            return switch kind {
            case .burst: .newMemory
            case .recheck: .settled
            case .probe: .probing
            case .request: .requested
            }
        }

        func pause(_ settings: Settings, _ ledger: GuestLedger) -> Duration {
            if isStalled { return max(settings.idleStep, ledger.lookPause) }
            return isGentle
                ? max(settings.burstStep, min(settings.idleStep, Parameters.gentleStep)) : settings.burstStep
        }

        /// How many pages from the beginning of a pass ksmd has come, at most.
        var visitedAtMost: Pages { meter.visitedAtMost }

        /// Whether it takes the share of a probe.
        private var isGentle: Bool { kind == .recheck || kind == .probe }

        private func share(at now: Instant, _ host: HostConditions, _ settings: Settings) -> Double {
            (isGentle ? settings.probeShare : settings.share) * host.partOfShare(at: now)
        }

        // MARK: A step

        /// - Returns: Whether it goes on, and the pass that ended with this sample.
        mutating func next(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) -> (Next, ended: ScanPass?) {
            if host.isRequested { kind = .request }
            noteProgress(sample)
            let pass = endPass(sample, settings, &learned)
            if let pass {
                guard anotherPassPays(after: pass, sample, settings, learned) else {
                    learnProbeInterval(sample, settings, &learned)
                    return (.rest, pass)
                }
                if isGentle { kind = .burst }
            } else if learned.ledger.unscanned < Parameters.leastGrowth {
                if let newcomers, haveMerged(newcomers) {
                    learnProbeInterval(sample, settings, &learned)
                    learned.endPass(with: newcomers.pages, at: sample.now)
                    return (.rest, nil)
                }
                if isStalled { return (.rest, nil) }
            }
            setPace(sample, host, settings, &learned)
            last = (sample.now, sample.counters)
            return (.scan, pass)
        }

        /// A host whose guests do not let KSM merge them has no passes: ksmd sleeps until one does, and is left to it.
        private mutating func noteProgress(_ sample: AdaptiveSample) {
            let (before, present) = (last.counters, sample.counters)
            let hasMoved =
                present.cpu != before.cpu || present.waited != before.waited || present.visited != before.visited
                || present.passes != before.passes
            // Where neither CPU time nor pages are counted nothing shows whether it has.
            let isCounted = present.cpu != nil || present.scanned > .zero
            if hasMoved || !isCounted { lastProgress = sample.now }
            isStalled = sample.now - lastProgress >= Parameters.stalledAfter
        }

        private func setPace(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) {
            var used: Duration?
            var waited = Duration.zero
            if let before = last.counters.cpu, let cpu = sample.counters.cpu {
                used = cpu - before
                waited = sample.counters.waited - last.counters.waited
            }
            learned.throttle.adjust(
                share: share(at: sample.now, host, settings), elapsed: sample.now - last.now, used: used, waited: waited
            )
        }

        // MARK: The end of a pass

        /// Takes the counters, and learns from the pass that ended with them, if one did.
        private mutating func endPass(
            _ sample: AdaptiveSample, _ settings: Settings, _ learned: inout Learned
        ) -> ScanPass? {
            let ended = meter.observe(sample.counters, forgivingLosses: learned.ledger.hasEndedGuests)
            guard var pass = ended else { return nil }
            passes += 1
            pass.hide(unmatched: (learned.lastPass?.fresh ?? .zero) - pass.gained, of: sample.counters.seen)
            if settings.bytes(pass.fresh) >= Parameters.leastGrowth.byteCount { foundNew = true }
            learned.learn(from: pass, isWhole: passes > 1 || kind != .burst, isFull: isFull, sample)
            // A new guest's memory comes right behind the place where ksmd stands, so the pass that a scan begins in
            // may end without having come to it; then what it saw says nothing, and the next pass counts.
            let seen = settings.kibibytes(pass.fresh)
            let expected = learned.ledger.expected
            if passes == 1, seen.count < expected.count / 10 * Parameters.leastSeenTenths {
                let pages = settings.pages(expected)
                newcomers = Newcomers(pages: pages, end: learned.stoppedBefore + pages)
                learned.ledger.seeAhead(seen)
            } else {
                learned.ledger.endPass(seen: seen)
            }
            learned.ledger.beginPass()
            learned.ledger.forgetEnded()
            return pass
        }

        /// Whether what a further pass can be expected to merge is worth its CPU time.
        private func anotherPassPays(
            after pass: ScanPass, _ sample: AdaptiveSample, _ settings: Settings, _ learned: Learned
        ) -> Bool {
            if passes >= Parameters.mostPasses { return false }
            // What the operator asked for has to be hashed and compared; and a pass that has not come to the newcomers
            // says nothing of them.
            if passes < Parameters.passesToMerge, kind == .request || newcomers != nil { return true }
            let fresh = min(pass.fresh, pass.left)
            // A probe that smart_scan let look at a part speaks for the whole.
            let part = kind == .probe ? max(pass.looked, Parameters.leastLooked) : 1
            let changed = Double((pass.left - fresh).count) / part
            let expected =
                settings.bytes(fresh) + learned.changedYield * changed * Double(settings.pageSize.count)
                + learned.ledger.unscanned.byteCount
            let cost = learned.passSeconds(isFull: isFull, sample.counters)
            return expected >= Parameters.leastChange.byteCount && settings.pays(bytes: expected, cpuSeconds: cost)
        }

        /// Whether ksmd has come to all newcomers with the pass that compares them, and they merged with what was
        /// shared before them as well as memory here does. If they did not, pages like theirs may be among those that
        /// were alone until now, which come later in the pass.
        private func haveMerged(_ newcomers: Newcomers) -> Bool {
            guard passes >= Parameters.passesToMerge, meter.visited >= newcomers.end else { return false }
            let usual = meter.savedShareAtStart
            return usual >= Parameters.leastUsualShare
                && Double(meter.gained.count) >= Parameters.usualPart * usual * Double(newcomers.pages.count)
        }

        private func learnProbeInterval(_ sample: AdaptiveSample, _ settings: Settings, _ learned: inout Learned) {
            if kind == .burst, foundNew {
                learned.expectSettling()
            } else if let began = start.cpu, let ended = sample.counters.cpu {
                let gained = settings.bytes(sample.counters.saved - start.saved)
                let hasPaid = settings.pays(bytes: gained, cpuSeconds: (ended - began).seconds)
                learned.learn(fromScanThatPaid: hasPaid, isProbe: kind == .probe)
            }
        }
    }
}
