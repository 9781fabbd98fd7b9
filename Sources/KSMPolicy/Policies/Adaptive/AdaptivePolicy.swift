/// Scans when memory has come that no pass has seen, as hard as it may, and stops when nothing is left to gain.
///
/// Every merge takes two passes of ksmd: the first hashes a page, the second compares it. Their CPU time is about the
/// same whoever drives, so what a policy can win is the time before them, and the CPU time after them. Both come down
/// to one question, asked at the end of each pass and at each look between: would a scan pay? ``Prospect`` answers it,
/// for new memory and for memory that has changed, by what each can be expected to bring; ``Learned`` learns that from
/// the passes before. `docs/adaptive.md` derives the rule.
///
/// A phase holds its own state, and ``Learned`` what outlives it. These are all edges; in each phase the first row
/// counts whose condition holds. The numbers are those of ``Parameters``, and the tests of the transitions are named
/// after the rows.
///
/// | Row | From | Condition | To | Reason |
/// |---|---|---|---|---|
/// | threshold | any | `KSM_ADAPTIVE_START=threshold`, and the classic rule would stop | resting | `plenty` |
/// | request | resting | the operator asked | scanning | `requested` |
/// | short and unmerged | resting | something unmerged everything, and memory is short: by the threshold, where there is one | scanning | `new-memory` |
/// | new memory | resting | a scan for new memory pays | scanning | `new-memory` |
/// | settled | resting | a scan for memory that has changed pays | scanning, without smart_scan | `settled` |
/// | filling | resting | it would, and yet it pays more to wait for what is coming | resting | `filling` |
/// | first | resting | it is only assumed what KSM knows of 16 MiB of guests or more | scanning, for two passes at least | `new-memory` |
/// | look | resting | guests did something, or smart_scan passed over much, and a look is due | scanning, by the share of a look | `probing` |
/// | rest | resting | none of these | resting | `nothing-to-gain` |
/// | unmerged | scanning | something unmerged everything: KSM counts its passes anew | as resting, with all memory new | |
/// | request in a scan | scanning | the operator asked | scanning, by the full share | `requested` |
/// | another pass | scanning | a pass ended, and another pays | scanning, by the full share | `new-memory`, `settled`, `requested` |
/// | end | scanning | a pass ended, and another does not pay | resting | `nothing-to-gain` |
/// | new memory in a look | scanning | a scan for new memory pays, or the look comes to what nobody knew of | scanning, by the full share | `new-memory` |
/// | changes found | scanning | what a look came to shows that it pays | scanning, by the full share | `settled` |
/// | looked | scanning | ksmd came to enough pages in a look, and they show that none pays | resting | `nothing-to-gain` |
/// | newcomers merged | scanning | ksmd is through with all new memory, and it merged as usual here | resting | `nothing-to-gain` |
/// | no offer | scanning | ksmd has done nothing for a while, though there is new memory | scanning | `nothing-offered` |
/// | no offer, no guests | scanning | ksmd has done nothing for a while, and there is no new memory | resting | `nothing-to-gain` |
/// | pass | scanning | none of these | scanning | as before |
///
/// What was unmerged at rest is left so until one of the rows begins a scan, which then takes all memory for new. Where the
/// unmerging was to be followed by a scan it is new at once, also while the classic rule forbids one.
///
/// A request in a scan only changes the kind of the scan: the rows behind it count in the same step. A scan begins with
/// counters of its first moment: where one is due and the sample does not hold them, the phase stays, and the next
/// sample, at once, is to hold them.
///
/// A value without any call to the system: the same samples always give the same decisions.
package struct AdaptivePolicy: Sendable {
    /// What ksmd is made to do.
    package enum Phase: Sendable {
        case resting(Resting)
        case scanning(Scanning)
    }

    /// The classic rule, for `KSM_ADAPTIVE_START=threshold` and for the amounts that a decision shows.
    package private(set) var classic: ClassicPolicy
    private var settings: Settings
    private var phase = Phase.resting(Resting(needsCounters: true))
    private var host = HostConditions()
    private var learned = Learned()

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

    /// What a sample at this time should hold: a steady step reads no more than it needs.
    package func wants(at now: Instant) -> Wants {
        var wants =
            switch phase {
            case .resting(let resting): resting.wants(at: now, learned)
            case .scanning(let scanning): scanning.wants(at: now, host.growth.lastLook, learned.ledger)
            }
        // A threshold is crossed at any time.
        let isMemoryDue = settings.start == .threshold || host.isMemoryLookDue(at: now)
        if wants.contains(.guests), isMemoryDue { wants.insert(.memory) }
        return wants
    }

    /// Decides what KSM should do until the next sample.
    package mutating func decide(_ sample: AdaptiveSample) -> Decision {
        observe(sample)
        guard settings.start == .always || classic.scans(sample.memory) else {
            keepStill(sample)
            return decision(sample, .plenty, ended: nil)
        }
        let (reason, ended) = step(sample)
        return decision(sample, reason, ended: ended)
    }

    private mutating func observe(_ sample: AdaptiveSample) {
        host.observe(sample)
        if sample.isCounted { learned.note(sample.counters) }
        guard let guests = sample.guests else { return }
        learned.ledger.update(guests)
        if host.growth.lastLook == nil { learned.assumeEarlierPasses(sample, settings) }
        let passSeconds = learned.passSeconds(isFull: false, sample.counters)
        host.growth.observe(learned.ledger, at: sample.now, passSeconds: passSeconds)
    }

    // MARK: The edges

    private mutating func step(_ sample: AdaptiveSample) -> (Decision.Reason, ended: ScanPass?) {
        if learned.isUnmerged, case .scanning(let scanning) = phase {
            scanning.chargeLook(sample, &learned)
            learned.forgetPasses(sample)
            if scanning.reason == .requested { host.isRequested = true }
            phase = .resting(Resting(needsCounters: false))
        }
        switch phase {
        case .resting(var resting):
            switch resting.next(sample, host, settings, &learned) {
            case .rest: phase = .resting(resting)
            case .wait:
                phase = .resting(resting)
                return (.filling, nil)
            case .scan(let kind):
                if sample.isCounted { return (begin(kind, sample), nil) }
                resting.needsCounters = true
                phase = .resting(resting)
            }
            return (resting.isWaiting ? .filling : .nothingToGain, nil)
        case .scanning(var scanning):
            let (next, ended) = scanning.next(sample, host, settings, &learned)
            host.isRequested = false
            switch next {
            case .scan:
                phase = .scanning(scanning)
                return (scanning.reason, ended)
            case .rest:
                learned.isAssumed = false
                scanning.learn(sample, settings, &learned)
                rest(after: scanning)
                return (.nothingToGain, ended)
            }
        }
    }

    /// Begins a scan, with a sample whose counters are of its moment.
    private mutating func begin(_ kind: Scanning.Kind, _ sample: AdaptiveSample) -> Decision.Reason {
        host.isRequested = false
        var kind = kind
        if learned.isUnmerged {
            learned.forgetPasses(sample)
            if kind != .request { kind = .burst }
        }
        let scanning = Scanning(kind, sample, host, settings, &learned)
        phase = .scanning(scanning)
        return scanning.reason
    }

    private mutating func rest(after scanning: Scanning) {
        learned.stoppedBefore = scanning.visitedAtMost
        phase = .resting(Resting(needsCounters: false))
    }

    /// While the classic rule would not scan.
    private mutating func keepStill(_ sample: AdaptiveSample) {
        switch phase {
        case .resting(var resting):
            resting.keepStill(sample, &host, &learned)
            phase = .resting(resting)
        case .scanning(let scanning):
            host.isRequested = false
            scanning.chargeLook(sample, &learned)
            rest(after: scanning)
        }
    }

    // MARK: The decision

    private func decision(_ sample: AdaptiveSample, _ reason: Decision.Reason, ended: ScanPass?) -> Decision {
        let pace = learned.throttle.pace
        var decision = Decision(
            action: .stop, reason: reason, pagesToScan: pace.pagesToScan, sleepMilliseconds: pace.sleepMilliseconds,
            memory: sample.memory, total: classic.total, threshold: classic.threshold,
            previousPagesToScan: pace.pagesToScan)
        var report = ScanReport(
            unscanned: learned.ledger.unscanned, changed: settings.kibibytes(learned.lastPass?.left ?? .zero))
        report.cpuShare = learned.throttle.measured
        report.ended = ended
        switch phase {
        case .resting(let resting): decision.pause = resting.pause(settings, learned.ledger)
        case .scanning(let scanning):
            decision.action = .scan
            decision.pause = scanning.pause(settings, learned.ledger)
            report.pass = scanning.passes + 1
            if settings.changesSmartScan { report.smartScan = scanning.isFull ? false : nil }
        }
        decision.scan = report
        decision.policy = .adaptive
        return decision
    }
}
