/// Scans when memory has come that no pass has seen, as hard as it may, and stops when nothing is left to gain.
///
/// Every merge takes two passes of ksmd: the first hashes a page, the second compares it. Their CPU time is about the
/// same whoever drives, so what a policy can win is the time before them, and the CPU time after them. Both come down
/// to one question, asked at the end of each pass and at each look between: would a pass pay? It does when what it
/// can be expected to merge is more than ``Configuration/yieldMinimum`` per second of ksmd's CPU time. What is
/// expected is learnt from the passes before.
///
/// A value without any call to the system: the same samples always give the same decisions.
package struct AdaptivePolicy: Sendable {
    /// The classic rule, for `KSM_ADAPTIVE_START=threshold` and for the amounts that a decision tells of.
    package private(set) var classic: ClassicPolicy
    private var settings: Settings

    package private(set) var phase = Phase.idle
    private var ledger = GuestLedger()
    private var meter: PassMeter?
    private var throttle = ScanThrottle()
    private var lastPass: ScanPass?
    /// The pass that ended with the present sample.
    private var ended: ScanPass?
    /// So many pages from the beginning of a pass, at most, ksmd stopped.
    private var standing = Pages.zero
    /// When the last pass ended.
    private var restedSince = Instant(nanoseconds: 0)
    private var lastStep: (now: Instant, counters: ScanCounters)?
    private var lastGuestLook: Instant?
    private var lastMemoryLook: Instant?
    /// Whether a scan would begin, whose account begins with the counters of its first moment.
    private var needsCounters = true
    /// Whether the operator asked, and no scan has begun since.
    private var isRequested = false
    /// When the kernel last announced memory pressure.
    private var lastShortage: Instant?
    private var isFilling = false
    /// The greatest growth since guests began to fill their memory, in KiB per second.
    private var fillingPeak = 0.0
    private var cpuPressure = 0.0
    private var pagesToScan: Int64 = 0
    private var sleepMilliseconds: Int64 = 0

    /// The share of changed pages that proved mergeable when they were compared, learnt.
    private var changedYield = Law.firstChangedYield
    /// What a pass costs with smart_scan, and without it.
    private var costOfPass = PassCost(factor: 1)
    private var costOfFullPass = PassCost(factor: 1)
    private var probeInterval = Law.firstProbe
    /// Whether guests filled new memory before the last scan, and may not have come to rest with it.
    private var isSettling = false
    /// Whether the activity of guests has yet to be noted from which the next is counted.
    private var needsActivityStart = true
    /// When it was last asked whether guests are busy.
    private var lastActivityLook = Instant(nanoseconds: 0)

    /// - Parameters:
    ///   - configuration: That of `classic`.
    ///   - cpus: How many the host has.
    ///   - pageSize: Of the host.
    package init(_ configuration: Configuration, classic: ClassicPolicy, cpus: Int, pageSize: Bytes) {
        self.classic = classic
        settings = Settings(configuration, cpus: cpus, pageSize: pageSize)
    }

    /// Goes on by other settings, with all that was learnt.
    package mutating func adopt(_ configuration: Configuration, classic: ClassicPolicy, cpus: Int) {
        self.classic = classic
        settings = Settings(configuration, cpus: cpus, pageSize: settings.pageSize)
    }

    // MARK: A step

    /// What the next sample should hold.
    package struct Wants: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// ``AdaptiveSample/guests``.
        package static let guests = Wants(rawValue: 1)
        /// ``AdaptiveSample/activity``.
        package static let activity = Wants(rawValue: 2)
        /// ``AdaptiveSample/cpuPressure``.
        package static let cpuPressure = Wants(rawValue: 4)
        /// All of ``AdaptiveSample/counters``, also where no pass has ended since the last sample.
        package static let allCounters = Wants(rawValue: 8)
        /// Those of ``AdaptiveSample/counters`` that tell of a pass under way: passes, pages visited, and times; all
        /// where a pass has ended.
        package static let counters = Wants(rawValue: 16)
        /// The host's memory: ``AdaptiveSample/memory`` and ``AdaptiveSample/available``.
        package static let memory = Wants(rawValue: 32)
    }

    /// What a sample at this time should hold: a steady step reads no more than it needs.
    package func wants(at now: Instant) -> Wants {
        var wants: Wants = []
        switch phase {
        case .idle:
            wants = .guests
            let isProbeDue = now - max(restedSince, lastActivityLook) >= probeInterval
            if needsActivityStart || isProbeDue && ledger.guests > 0 { wants.insert(.activity) }
            // What guests did is counted from one look to the next, so a probe must be able to begin with this one.
            if needsCounters || wants.contains(.activity) { wants.insert(.allCounters) }
        case .waiting: wants = [.guests, .allCounters]
        case .scanning(let scan):
            let pause = max(Law.guestStep, lookPause)
            let isDue = lastGuestLook.map { now - $0 >= pause } ?? true
            wants = isDue ? [.counters, .guests, .cpuPressure] : .counters
            // What ended guests shared leaves the counters at one blow, which each step must see for itself.
            if ledger.hasLost || scan.newcomers != nil { wants.insert(.allCounters) }
        }
        // A threshold is crossed at any time.
        let isMemoryDue = lastMemoryLook.map { now - $0 >= Law.memoryStep } ?? true
        if wants.contains(.guests), isMemoryDue || settings.start == .threshold { wants.insert(.memory) }
        return wants
    }

    /// Decides what KSM should do until the next sample.
    package mutating func decide(_ sample: AdaptiveSample) -> Decision {
        ended = nil
        takeIn(sample)
        let isPermitted = settings.start == .always || classic.decide(sample.memory, previous: 0).action == .scan
        let reason = isPermitted ? follow(sample) : keepStill(sample)
        lastStep = (sample.now, sample.counters)
        return decision(sample, reason)
    }

    private mutating func takeIn(_ sample: AdaptiveSample) {
        if sample.isUnderPressure { lastShortage = sample.now }
        if sample.isRequested { isRequested = true }
        if sample.isCounted { needsCounters = false }
        if let available = sample.available {
            lastMemoryLook = sample.now
            if available < Law.shortAvailable { lastShortage = sample.now }
        }
        if let pressure = sample.cpuPressure, pressure.isFinite { cpuPressure = pressure }
        guard let guests = sample.guests else { return }
        let isFirst = lastGuestLook == nil
        ledger.update(guests)
        if isFirst {
            // What ksmd knows already was the work of a daemon before this one, or of the boot's settings.
            let known = bytes(sample.counters.seen + sample.counters.zero) / 1024
            ledger.assumeScanned(share: known / Double(max(ledger.resident.count, 1)))
            // It may have been interrupted between hashing and comparing; and what smart_scan passed over counts as
            // changed, which one look too many will tell.
            lastPass = ScanPass(
                cpu: nil, gained: .zero, fresh: .zero, left: sample.counters.volatile.nonNegative, passedOverAtEnd: .zero,
                looked: 1)
            restedSince = sample.now
            lastActivityLook = sample.now
            isFilling = ledger.unscanned >= Law.leastGrowth
        } else if let last = lastGuestLook, sample.now > last {
            let rate = Double(ledger.lastGrowth.count) / (sample.now - last).seconds
            let least = max(Double(Law.fillingAmount.count), Double(ledger.resident.count) * Law.fillingShare)
            fillingPeak = rate >= least ? max(fillingPeak, rate) : 0
            isFilling = rate >= max(least, fillingPeak * Law.fillingEnd)
        }
        lastGuestLook = sample.now
    }

    /// While the classic rule would not scan.
    private mutating func keepStill(_ sample: AdaptiveSample) -> Decision.Reason {
        isRequested = false
        guard case .idle = phase else { return stop(sample, for: .plenty) }
        if sample.activity != nil { needsActivityStart = false }
        return .plenty
    }

    private mutating func follow(_ sample: AdaptiveSample) -> Decision.Reason {
        switch phase {
        case .idle: return rest(sample)
        case .waiting(let since):
            let isOver = !isFilling || isShort(sample.now) || sample.now - since >= Law.longestWait
            return isOver || isRequested ? begin(.burst, sample) : .filling
        case .scanning(let scan): return go(on: scan, sample)
        }
    }

    // MARK: At rest

    private mutating func rest(_ sample: AdaptiveSample) -> Decision.Reason {
        if isRequested { return begin(.request, sample) }
        let rested = sample.now - restedSince
        let patience =
            (1 + min(rested, Law.longestPatience).seconds / Law.patience.seconds) * (isShort(sample.now) ? Law.shortageWorth : 1)
        let grown = bytes(ledger.unscanned)
        if ledger.unscanned >= Law.leastGrowth, pays(grown, 2 * costOfPass.estimate(sample.counters) / patience) {
            guard isFilling, !isShort(sample.now) else { return begin(.burst, sample) }
            phase = .waiting(since: sample.now)
            return .filling
        }
        let candidates = bytes((lastPass?.left ?? .zero) + (lastPass?.hidden ?? .zero))
        let changed = changedYield * candidates
        if candidates >= bytes(Law.leastChange), rested >= Law.patience,
            pays(changed + grown, costOfFullPass.estimate(sample.counters) / patience)
        {
            return begin(.recheck, sample)
        }
        if let activity = sample.activity { return look(at: activity, sample) }
        return .nothingToGain
    }

    /// Whether guests did so much that a pass may find something which no counter tells of.
    private mutating func look(at activity: GuestActivity, _ sample: AdaptiveSample) -> Decision.Reason {
        lastActivityLook = sample.now
        guard !needsActivityStart else {
            needsActivityStart = false
            return .nothingToGain
        }
        if isSettling {
            isSettling = false
            probeInterval = Law.firstProbe
            let isAlive = activity.busiest >= Law.aliveShare || activity.brokenMerges >= Law.aliveWrites
            return isAlive ? begin(.recheck, sample) : .nothingToGain
        }
        let manyWrites = max(Pages(rounding: Double(sample.counters.saved.count) * Law.busyWrites), Law.leastBusyWrites)
        let isBusy = activity.busiest >= Law.busyShare || activity.brokenMerges >= manyWrites
        return isBusy ? begin(.probe, sample) : .nothingToGain
    }

    private mutating func begin(_ kind: Scan.Kind, _ sample: AdaptiveSample) -> Decision.Reason {
        guard sample.isCounted else {
            needsCounters = true
            return .nothingToGain
        }
        isRequested = false
        let scan = Scan(
            kind: kind, isFull: kind == .recheck, savedAtStart: sample.counters.saved, cpuAtStart: sample.counters.cpu,
            movedAt: sample.now)
        phase = .scanning(scan)
        meter = PassMeter(sample.counters, after: lastPass, standing: standing)
        lastStep = nil
        ledger.beginPass()
        setPace(for: scan, sample)
        return scan.kind.reason
    }

    // MARK: While ksmd scans

    private mutating func go(on scan: Scan, _ sample: AdaptiveSample) -> Decision.Reason {
        var scan = scan
        if isRequested { scan.kind = .request }
        isRequested = false
        noteStall(&scan, sample)
        if var pass = meter?.observe(sample.counters, forgivingLosses: ledger.hasLost) {
            pass.hide(unmatched: (lastPass?.fresh ?? .zero) - pass.gained, of: sample.counters.seen)
            scan.passes += 1
            if bytes(pass.fresh) >= bytes(Law.leastGrowth) { scan.foundNew = true }
            learn(from: pass, scan, sample)
            closePass(pass, &scan)
            lastPass = pass
            ended = pass
            restedSince = sample.now
            guard anotherPassPays(pass, scan, sample.counters) else {
                close(scan, sample)
                return stop(sample, for: .nothingToGain)
            }
            if scan.kind == .probe || scan.kind == .recheck { scan.kind = .burst }
        } else if let newcomers = scan.newcomers, scan.passes > 1, let meter, meter.visited >= newcomers.end,
            ledger.unscanned < Law.leastGrowth, haveMetTheirLike(newcomers.pages, meter)
        {
            close(scan, sample)
            if var pass = lastPass {
                pass.left = (pass.left - newcomers.pages).nonNegative
                pass.fresh = .zero
                pass.hidden = .zero
                lastPass = pass
            }
            restedSince = sample.now
            return stop(sample, for: .nothingToGain)
        } else if scan.isStalled, ledger.unscanned < Law.leastGrowth {
            return stop(sample, for: .nothingToGain)
        }
        phase = .scanning(scan)
        setPace(for: scan, sample)
        return scan.isStalled ? .nothingOffered : scan.kind.reason
    }

    /// A host whose guests do not let KSM merge them has no passes: ksmd sleeps until one does, and is left to it.
    private func noteStall(_ scan: inout Scan, _ sample: AdaptiveSample) {
        guard let before = lastStep?.counters else { return }
        let hasMoved =
            sample.counters.cpu != before.cpu || sample.counters.waited != before.waited
            || sample.counters.visited != before.visited || sample.counters.passes != before.passes
        // Where neither CPU time nor pages are counted it cannot be told.
        let isCounted = sample.counters.cpu != nil || sample.counters.scanned > .zero
        if hasMoved || !isCounted { scan.movedAt = sample.now }
        scan.isStalled = sample.now - scan.movedAt >= Law.stalledAfter
    }

    /// Whether newcomers merged with what was shared before them as well as memory here does. If they did not, their
    /// like may be among the pages that were alone until now, which come later in the pass.
    private func haveMetTheirLike(_ pages: Pages, _ meter: PassMeter) -> Bool {
        let usual = meter.savedShareAtStart
        return usual >= Law.leastUsualShare && Double(meter.gained.count) >= 0.9 * usual * Double(pages.count)
    }

    /// Keeps account of what the pass has seen.
    ///
    /// A new guest's memory comes right behind the place where ksmd stands, so the pass that a scan begins in may end
    /// without having come to it; then what it saw says nothing, and the next pass tells.
    private mutating func closePass(_ pass: ScanPass, _ scan: inout Scan) {
        let seen = KiB(ofBytes: bytes(pass.fresh))
        let expected = ledger.expected
        if scan.passes == 1, seen.count < expected.count / 10 * 9 {
            let pages = Pages(rounding: bytes(expected) / Double(settings.pageSize.count))
            scan.newcomers = (pages, end: standing + pages)
            ledger.seeAhead(seen)
        } else {
            ledger.endPass(seen: seen)
        }
        ledger.beginPass()
        ledger.forgetGone()
    }

    /// Whether what a further pass can be expected to merge is worth its CPU time.
    private func anotherPassPays(_ pass: ScanPass, _ scan: Scan, _ counters: ScanCounters) -> Bool {
        if scan.passes >= Law.mostPasses { return false }
        // What the operator asked for has to be hashed and compared.
        if scan.kind == .request && scan.passes < 2 { return true }
        // Nor did a pass say anything that has not come to the newcomers.
        if scan.newcomers != nil && scan.passes < 2 { return true }
        let fresh = min(pass.fresh, pass.left)
        // A probe that smart_scan let look at a part speaks for the whole.
        let changed = Double((pass.left - fresh).count) / (scan.kind == .probe ? max(pass.looked, 0.05) : 1)
        let expected =
            bytes(fresh) + changedYield * changed * Double(settings.pageSize.count) + bytes(ledger.unscanned)
        let cost = scan.isFull ? costOfFullPass : costOfPass
        return expected >= bytes(Law.leastChange) && pays(expected, cost.estimate(counters))
    }

    private mutating func learn(from pass: ScanPass, _ scan: Scan, _ sample: AdaptiveSample) {
        if let cpu = pass.cpu, scan.passes > 1 || scan.kind != .burst {
            if scan.isFull {
                costOfFullPass.learn(sample.counters, cpu: cpu.seconds)
            } else {
                costOfPass.learn(sample.counters, cpu: cpu.seconds)
            }
        }
        // What the pass before left and had not seen for the first time is what this one compared.
        guard let before = lastPass, before.left - before.fresh > max(before.fresh, Pages(256)) else { return }
        let yield = Double(pass.gained.nonNegative.count) / Double(before.left.count)
        changedYield = min(max((changedYield + 3 * yield) / 4, Law.leastChangedYield), 1)
    }

    /// A probe that led to something makes the next one come soon.
    private mutating func close(_ scan: Scan, _ sample: AdaptiveSample) {
        if scan.kind == .burst, scan.foundNew {
            isSettling = true
            probeInterval = Law.patience
            return
        }
        guard let began = scan.cpuAtStart, let ended = sample.counters.cpu else { return }
        let gained = bytes(sample.counters.saved - scan.savedAtStart)
        if pays(gained, (ended - began).seconds) {
            probeInterval = Law.firstProbe
        } else if scan.kind == .probe {
            probeInterval = min(probeInterval * 2, Law.longestProbe)
        }
    }

    private mutating func stop(_ sample: AdaptiveSample, for reason: Decision.Reason) -> Decision.Reason {
        phase = .idle
        standing = meter?.visitedAtMost ?? standing
        meter = nil
        lastActivityLook = max(lastActivityLook, restedSince)
        needsActivityStart = true
        return reason
    }

    private mutating func setPace(for scan: Scan, _ sample: AdaptiveSample) {
        var share = scan.isGentle ? settings.probeShare : settings.share
        if !isShort(sample.now) {
            // Whoever waits for a CPU goes first.
            share *= min(max(1.25 - cpuPressure, 0.25), 1)
        }
        let elapsed = lastStep.map { (sample.now - $0.now).seconds } ?? 0
        var used: Double?
        var waited = 0.0
        if let before = lastStep?.counters, let began = before.cpu, let cpu = sample.counters.cpu {
            used = (cpu - began).seconds
            waited = (sample.counters.waited - before.waited).seconds
        }
        let pace = throttle.pace(share: share, elapsed: elapsed, used: used, waited: waited)
        pagesToScan = pace.pagesToScan
        sleepMilliseconds = pace.sleepMilliseconds
    }

    // MARK: The decision

    private func decision(_ sample: AdaptiveSample, _ reason: Decision.Reason) -> Decision {
        var decision = Decision(
            action: .stop, reason: reason, pagesToScan: pagesToScan, sleepMilliseconds: sleepMilliseconds,
            memory: sample.memory, total: classic.total, threshold: classic.threshold,
            previousPagesToScan: pagesToScan)
        var report = ScanReport(unscanned: ledger.unscanned, changed: kibibytes(lastPass?.left ?? .zero))
        report.cpuShare = throttle.measured
        report.ended = ended
        switch phase {
        case .idle: decision.pause = needsCounters ? .zero : max(settings.idleStep, lookPause)
        case .waiting: decision.pause = max(min(Law.growthStep, settings.idleStep), lookPause)
        case .scanning(let scan):
            decision.action = .scan
            // A tenth of a CPU need not be watched as closely as all of one.
            decision.pause =
                scan.isStalled
                ? max(settings.idleStep, lookPause)
                : scan.isGentle ? max(settings.burstStep, min(settings.idleStep, Law.gentleStep)) : settings.burstStep
            report.pass = scan.passes + 1
            if settings.changesSmartScan { report.smartScan = scan.isFull ? false : nil }
        }
        decision.scan = report
        decision.policy = .adaptive
        return decision
    }

    /// A look at a guest takes 5 microseconds, and a thousandth of a CPU is enough for all of them.
    private var lookPause: Duration { .milliseconds(5) * ledger.guests }

    // MARK: Arithmetic

    private func pays(_ bytes: Double, _ cpuSeconds: Double) -> Bool {
        bytes >= settings.yieldMinimum * cpuSeconds
    }

    private func isShort(_ now: Instant) -> Bool {
        lastShortage.map { now - $0 < Law.shortageLasts } ?? false
    }

    private func bytes(_ pages: Pages) -> Double { Double(pages.count) * Double(settings.pageSize.count) }

    private func bytes(_ amount: KiB) -> Double { Double(amount.count) * 1024 }

    private func kibibytes(_ pages: Pages) -> KiB { KiB(ofBytes: bytes(pages)) }
}
