extension AdaptivePolicy {
    /// ksmd scans, in passes one after the other.
    package struct Scanning: Sendable {
        package enum Kind: Equatable, Sendable {
            /// For new memory, or since the pass before it paid.
            case burst
            /// For memory that has changed, or can be expected to have.
            case recheck
            /// For changes that no counter shows: no further than it takes to tell.
            case look
            /// Because the operator asked.
            case request
        }

        private var kind: Kind
        private var forecast: Forecast?
        /// The passes that it takes to merge what the scan is made for: that is what it was weighed by, and half of them
        /// would merge nothing.
        private var planned: Int
        /// Whether smart_scan is off, so that what it passes over is compared as well.
        private(set) var isFull: Bool
        /// Whether it began within a pass: what that pass had come to before, it comes to no more.
        private let beganWithinPass: Bool
        /// Passes that have ended.
        private(set) var passes = 0
        /// Whether the first pass did not come to the guests that it was made for, since they began after ksmd had passed
        /// the place where they are linked. Hashed in the second, their memory is compared in the third.
        private var hasMissedNewcomers = false
        /// Whether it is made to find out what KSM knows of the guests, and where ksmd stands.
        private let isFirst: Bool
        /// Whether a look came to memory that nobody knew of, for which the scan goes on.
        private var hasFoundUnknown = false
        /// Whether the second pass is the first one that is known to come to what the scan is made for.
        private var needsSecondPass: Bool { hasMissedNewcomers || isFirst }
        /// Of all passes that have ended.
        private var fresh = Pages.zero
        private var gained = Pages.zero
        /// Whether ksmd sleeps, since no process has offered it memory. It wakes by itself when one does.
        private(set) var isStalled = false
        private var lastProgress: Instant
        private var meter: PassMeter
        private let start: ScanCounters
        private var steps: ScanSteps

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
            isFull = kind == .recheck || kind == .look
            isFirst = learned.isAssumed
            planned = Self.plan(learned.ledger) + (isFirst ? 1 : 0)
            beganWithinPass = isFirst || Parameters.isPart(learned.stoppedBefore, of: sample.counters.seen)
            start = sample.counters
            lastProgress = sample.now
            steps = ScanSteps(sample)
            meter = PassMeter(sample.counters, after: learned.lastPass, visitedBefore: learned.stoppedBefore)
            if kind == .recheck { forecastDrift(learned.drift(at: sample.now, sample.counters), learned) }
            learned.ledger.beginPass()
            // After pages that were only passed over a batch is long, and these will be compared.
            let most = Self.mostOfBatch(sample.counters, settings, learned.ledger)
            learned.throttle.begin(
                share: share(at: sample.now, host, settings),
                most: kind == .look ? min(Parameters.firstBatchOfLook, most) : most)
        }

        // MARK: What it needs and says

        func wants(at now: Instant, _ lastGuestLook: Instant?, _ ledger: GuestLedger) -> Wants {
            let needsMemory = forecast?.needsMemory ?? false
            let pause = needsMemory ? ledger.lookPause : max(Parameters.guestStep, ledger.lookPause)
            let isDue = lastGuestLook.map { now - $0 >= pause } ?? true
            var wants: Wants = isDue ? [.counters, .guests, .cpuPressure] : .counters
            if isDue, needsMemory { wants.insert(.memory) }
            // What ended guests shared leaves the counters in one step, which must see it for itself; a step of a burst
            // tells where new memory lies; and where KSM knew next to nothing, a batch is as long as what it knows by now.
            if ledger.hasEndedGuests || kind != .recheck { wants.insert(.allCounters) }
            return wants
        }

        var reason: Decision.Reason {
            if isStalled { return .nothingOffered }
            return switch kind {
            case .burst: .newMemory
            case .recheck: .settled
            case .look: .probing
            case .request: .requested
            }
        }

        func pause(_ settings: Settings, _ ledger: GuestLedger) -> Duration {
            if isStalled { return max(settings.idleStep, ledger.lookPause) }
            return steps.next(settings)
        }

        /// Pages that ksmd has yet to come to before there is more to tell: to the end of the pass, of what a look takes, or
        /// of newcomers.
        ///
        /// The kernel links those right behind ksmd, so where it began to scan, one round ends with them. A step that ends
        /// there tells where they lie in a pass, and when the next round has compared them.
        private func pagesToNextEnd(
            _ counters: ScanCounters, _ settings: Settings, _ ledger: GuestLedger
        ) -> Pages {
            let ofPass = Self.pagesOfPass(counters, settings, ledger)
            // A pass that should have ended may do so at any time.
            var left = (ofPass - meter.visitedAtMost).nonNegative
            func end(in pages: Pages) { if pages > .zero { left = min(left, pages) } }
            if isLook { end(in: Parameters.pagesOfLook(of: counters.seen) - meter.visited) }
            if kind == .burst {
                end(in: ofPass - (fresh + meter.fresh) - (counters.visited - start.visited))
                end(in: meter.leftToCompare)
            }
            return left
        }

        /// Whether it takes the share of a look only: nobody knows yet whether it pays.
        private var isLook: Bool { kind == .look }

        /// How many pages from the beginning of a pass ksmd has come, at most.
        var visitedAtMost: Pages { meter.visitedAtMost }

        private func share(at now: Instant, _ host: HostConditions, _ settings: Settings) -> Double {
            (isLook ? settings.probeShare : settings.share) * host.partOfShare(at: now)
        }

        // MARK: A step

        /// - Returns: Whether it goes on, and the pass that ended with this sample.
        mutating func next(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) -> (Next, ended: ScanPass?) {
            if host.isRequested {
                chargeLook(sample, &learned)
                kind = .request
            }
            noteProgress(sample)
            noteMemory(sample, settings, learned.ledger)
            let pass = endPass(sample, settings, &learned)
            if let pass {
                let wasLook = isLook
                let goesOn = anotherPassPays(after: pass, sample, host, settings, learned)
                if wasLook {
                    let outcome: LookBudget.Outcome
                    if goesOn {
                        // One that goes on as a look is not through yet.
                        outcome = isLook ? .interrupted : .found
                    } else {
                        outcome = hasPaid(sample, settings) ? .found : .foundNothing
                    }
                    learned.looks.end(outcome, cpu: cpu(sample), at: sample.now)
                }
                guard goesOn else { return (.rest, pass) }
            } else if isLook {
                guard look(sample, host, settings, &learned) else { return (.rest, nil) }
            } else if learned.ledger.unscanned < Parameters.leastGrowth {
                if hasMergedNewMemory(settings, learned) {
                    learned.endWithinPass(at: sample.now)
                    return (.rest, nil)
                }
                if isStalled { return (.rest, nil) }
            }
            setPace(sample, host, settings, &learned)
            return (.scan, pass)
        }

        /// A host whose guests do not let KSM merge them has no passes: ksmd sleeps until one does, and is left to it.
        private mutating func noteProgress(_ sample: AdaptiveSample) {
            let (before, present) = (steps.last.counters, sample.counters)
            let hasMoved =
                present.cpu != before.cpu || present.waited != before.waited || present.visited != before.visited
                || present.passes != before.passes
            // Where neither CPU time nor pages are counted nothing shows whether it has.
            let isCounted = present.cpu != nil || present.scanned > .zero
            if hasMoved || !isCounted { lastProgress = sample.now }
            isStalled = sample.now - lastProgress >= Parameters.stalledAfter
        }

        /// What a scan for memory that was given back and taken again merges shows in the memory alone.
        private mutating func noteMemory(_ sample: AdaptiveSample, _ settings: Settings, _ ledger: GuestLedger) {
            guard sample.guests != nil, let anonymous = sample.anonymous else { return }
            forecast?.note(
                resident: settings.pages(ledger.resident), anonymous: settings.pages(anonymous),
                zero: sample.counters.zero)
        }

        private mutating func setPace(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) {
            let step = steps.end(sample, left: pagesToNextEnd(sample.counters, settings, learned.ledger))
            learned.throttle.adjust(
                share: share(at: sample.now, host, settings), elapsed: step.elapsed, used: step.used,
                waited: step.waited, most: Self.mostOfBatch(sample.counters, settings, learned.ledger))
        }

        /// Pages that a pass comes to: all that KSM knows, and what is new.
        private static func pagesOfPass(
            _ counters: ScanCounters, _ settings: Settings, _ ledger: GuestLedger
        ) -> Pages {
            counters.seen + settings.pages(ledger.unscanned)
        }

        /// Pages of a batch, at most.
        private static func mostOfBatch(
            _ counters: ScanCounters, _ settings: Settings, _ ledger: GuestLedger
        ) -> Pages {
            Pages(pagesOfPass(counters, settings, ledger).count / Parameters.batchesOfPass)
        }

        // MARK: The end of a pass

        /// Takes the counters, and learns from the pass that ended with them, if one did.
        private mutating func endPass(
            _ sample: AdaptiveSample, _ settings: Settings, _ learned: inout Learned
        ) -> ScanPass? {
            let ended = meter.observe(sample.counters, forgivingLosses: learned.ledger.hasEndedGuests || isFirst)
            guard var pass = ended else { return nil }
            passes += 1
            forecast?.take(pass)
            fresh += pass.fresh
            gained += pass.gained
            let compared = (learned.lastPass?.fresh ?? .zero) - pass.carried
            pass.hide(unmatched: compared - pass.gained, of: sample.counters.seen)
            pass.expect(settings.pages(learned.ledger.likely))
            let isWhole = passes > 1 || !beganWithinPass
            // What was passed over before it began, and not come to since, still counts as changed.
            if !isWhole, let before = learned.lastPass { pass.complete(before, start: start, end: sample.counters) }
            learned.learn(from: pass, isWhole: isWhole, isFull: isFull, sample, settings)
            if !isWhole, isFull {
                let changed = (sample.counters.volatile - start.volatile - pass.fresh - pass.zeroed).nonNegative
                learned.learnDrift(changed: changed, of: pass.visited, sample)
            }
            account(for: pass, isWhole: isWhole, settings, &learned.ledger)
            if passes >= Parameters.passesToMerge { learned.isAssumed = false }
            // What this pass hashed instead of the one before it is compared at the beginning of a further one.
            if settings.kibibytes(pass.carried) >= Parameters.leastGrowth { planned = max(planned, passes + 1) }
            return pass
        }

        /// Tells the ledger what a pass saw.
        ///
        /// A new guest's memory comes right behind the place where ksmd stands, so the pass that a scan begins in may end
        /// without having come to it; then what it saw says nothing, and the next pass counts.
        private mutating func account(
            for pass: ScanPass, isWhole: Bool, _ settings: Settings, _ ledger: inout GuestLedger
        ) {
            let expected = ledger.expected
            var seen = settings.kibibytes(pass.fresh)
            // What nobody knew of is none of what guests grow by meanwhile.
            if hasFoundUnknown || (isFirst && passes <= Parameters.passesToMerge) { seen = min(seen, expected) }
            let changed = settings.kibibytes((pass.left - pass.fresh - pass.carried).nonNegative)
            if passes == 1, !isFirst, expected >= Parameters.leastGrowth,
                seen.count < expected.count / 10 * Parameters.leastSeenTenths
            {
                hasMissedNewcomers = true
                planned += 1
            }
            if isWhole, !(passes == 1 && hasMissedNewcomers) {
                ledger.endPass(seen: seen, changed: changed)
            } else {
                ledger.seeAhead(seen, changed: changed)
            }
            ledger.beginPass()
            ledger.forgetEnded()
        }

        /// Whether what a further pass can be expected to merge is worth its CPU time, and if so, which kind of pass.
        private mutating func anotherPassPays(
            after pass: ScanPass, _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings,
            _ learned: Learned
        ) -> Bool {
            if passes >= Parameters.mostPasses { return false }
            // What the operator asked for has to be hashed and compared; and a pass that has not come to the newcomers
            // says nothing of them.
            if passes < Parameters.passesToMerge, kind == .request || needsSecondPass { return true }
            let fresh = settings.bytes(pass.hashed) + learned.ledger.unscanned.byteCount
            var changed = learned.changedYield * settings.bytes(pass.changed)
            if let forecast {
                let part = 1 - forecast.seen(of: sample.counters.seen)
                changed += part * learned.driftYield * settings.bytes(forecast.drift)
            }
            let saved = settings.bytes(sample.counters.saved)
            func pays(_ gain: Double, isFull: Bool) -> Bool {
                let cost = learned.passSeconds(isFull: isFull, sample.counters)
                if passes < planned, settings.pays(bytes: gain, cpuSeconds: cost) { return true }
                let prospect = Prospect(gain: gain, cost: cost, wait: gain / max(host.growth.usual, 1))
                return gain >= Parameters.leastChange.byteCount
                    && prospect.verdict(
                        saved: saved, patience: 1, isUrgent: host.isMemoryShort(at: sample.now), settings) == .pays
            }
            // What changed and is old smart_scan would pass over; without it newcomers cost several times as much.
            let staysFull = isFull && pays(changed, isFull: true)
            guard staysFull || pays(fresh + changed, isFull: false) else {
                // A look that went on to the end of the pass was to come to all that had been passed over.
                return isLook && passes < Parameters.passesToMerge && beganWithinPass && learned.isDoubtful
            }
            isFull = staysFull
            if kind == .look { kind = .recheck }
            if !isFull, kind != .request { kind = .burst }
            return true
        }

        /// Whether ksmd has compared all new memory, and it merged with what was shared before as well as memory here
        /// does: then the rest of the pass has nothing to compare. If it did not, pages like these may be among those
        /// that were alone until now, which come later in the pass.
        private func hasMergedNewMemory(_ settings: Settings, _ learned: Learned) -> Bool {
            guard kind == .burst, passes >= (needsSecondPass ? Parameters.passesToMerge : 1),
                meter.hasComparedFresh,
                settings.kibibytes(meter.fresh) < Parameters.leastGrowth,
                settings.kibibytes(fresh) >= Parameters.leastGrowth,
                fresh.count >= (learned.lastPass?.hashed.count ?? 0) / 10 * Parameters.leastSeenTenths
            else { return false }
            let usual = start.saved.share(of: start.seen)
            return usual >= Parameters.leastUsualShare
                && Double((gained + meter.gained).count) >= Parameters.usualPart * usual * Double(fresh.count)
        }

        private static func plan(_ ledger: GuestLedger) -> Int {
            ledger.unscanned >= Parameters.leastGrowth ? Parameters.passesToMerge : 1
        }

        // MARK: A forecast

        private mutating func forecastDrift(_ drift: Pages, _ learned: Learned) {
            // Where new memory comes as well nobody knows later what merged for which.
            guard learned.ledger.unscanned < Parameters.leastGrowth else { return }
            forecast = Forecast(drift: drift, learned)
            planned = Parameters.passesToMerge
        }

        /// It has ended: learns from what became of its forecast.
        func learn(_ sample: AdaptiveSample, _ settings: Settings, _ learned: inout Learned) {
            forecast?.teach(&learned, passes: passes, of: sample.counters.seen, settings)
            // What looks find again and again, and what never merges, is within the budget of looks.
            if hasFoundUnknown, let cpu = cpu(sample), !hasPaid(sample, settings) {
                learned.looks.end(.interrupted, cpu: cpu, at: sample.now)
            }
        }

        // MARK: A look

        /// Does what comes of a look by now.
        ///
        /// - Returns: Whether it goes on, as a look or as a scan of another kind.
        private mutating func look(
            _ sample: AdaptiveSample, _ host: HostConditions, _ settings: Settings, _ learned: inout Learned
        ) -> Bool {
            guard !isStalled else {
                chargeLook(sample, &learned)
                return false
            }
            let finding = Look(start: start).finding(meter, sample, host, settings, learned)
            switch finding {
            case .nothingYet: break
            case .newMemory, .unknownMemory:
                chargeLook(sample, &learned)
                hasFoundUnknown = finding == .unknownMemory
                (kind, isFull) = (.burst, false)
                learned.ledger.beginPass()
                planned = Self.plan(learned.ledger)
            case .changes(let found):
                learned.looks.end(.found, cpu: cpu(sample), at: sample.now)
                kind = .recheck
                forecastDrift(found + learned.retaken, learned)
            case .nothing(let changed):
                learned.learnDrift(changed: changed, of: meter.visited, sample)
                learned.looks.end(.foundNothing, cpu: cpu(sample), at: sample.now)
                return false
            }
            return true
        }

        /// Where it is a look, and something else ends it or makes something else of it: what it took counts all the same.
        func chargeLook(_ sample: AdaptiveSample, _ learned: inout Learned) {
            if isLook { learned.looks.end(.interrupted, cpu: cpu(sample), at: sample.now) }
        }

        /// Whether what it merged was worth its time: what smart_scan passed over merges in the very pass that comes to it.
        private func hasPaid(_ sample: AdaptiveSample, _ settings: Settings) -> Bool {
            guard let cpu = cpu(sample) else { return false }
            return settings.pays(bytes: settings.bytes(gained + meter.gained), cpuSeconds: cpu.seconds)
        }

        /// CPU time since the scan began.
        private func cpu(_ sample: AdaptiveSample) -> Duration? {
            guard let began = start.cpu, let ended = sample.counters.cpu else { return nil }
            return ended - began
        }
    }
}
