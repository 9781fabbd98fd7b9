package import HostKernel
package import KSMPolicy

/// What is known of the knobs that the operator fixes: what they held before, and how far a change has come.
///
/// Two of them the kernel changes only while nothing is merged. Where the operator allows it everything is unmerged
/// for that, in a child that may take seconds, so that a change has stages between which the daemon goes on waiting.
struct Knobs {
    enum Stage: Equatable {
        /// Nothing is under way.
        case settled
        /// A child writes to `run`: 2 to unmerge everything, or 0 to end a long scan that a change would wait for.
        case clearing(run: Int64)
        /// The child has ended, and KSM rests until the next decision.
        case cleared(run: Int64)
    }

    var stage = Stage.settled
    /// Whether a start, a reload or the end asked for them while the kernel was busy with another write.
    var isDue = false
    /// What each held before this daemon, or one before it that crashed, first changed it. Of those alone that are
    /// changed now.
    var found = KnobSettings()
    /// What the policy wants of `smart_scan` for now, where the operator has not said what it should be.
    var smartScan: Int64?
    /// Whether what was found is put back, whatever is configured.
    var isLeaving = false

    /// What each is known to hold, by this daemon's own hand.
    var written = KnobSettings()
    var toldForeign = KnobSettings()
    /// What was told of each last, so that what lasts is told once.
    var told: [Notice?] = Array(repeating: nil, count: Knob.allCases.count)
    /// When they were last compared with what they should be.
    var looked: Instant?

    /// Between two such looks. One costs a read for each knob that is set.
    static var lookPause: Duration { .seconds(10) }

    /// What a knob should hold; `nil` to leave it alone.
    func wanted(_ knob: Knob, by configuration: Configuration) -> Int64? {
        if isLeaving { return found[knob] }
        return configuration.wanted(knob) ?? (knob == .smartScan ? smartScan : nil) ?? found[knob]
    }

    /// The operator spoke: everything may be told again.
    mutating func forgetTold() {
        for index in told.indices { told[index] = nil }
    }
}

/// Why a knob that the kernel changes only while nothing is merged stays as it is.
package enum KnobObstacle: Equatable, Sendable {
    /// `KSM_ALLOW_UNMERGE=` is no.
    case notAllowed
    /// It may be unmerged for a start or a reload, not for each hand that changes it.
    case notNow
    /// Everything was unmerged, and something is merged all the same.
    case stillMerged
    /// Unmerging would need more memory than there is.
    case noRoom(needed: KiB, available: KiB)
}

extension Tuner {
    /// What the changed knobs held before, for the state file.
    package var foundKnobs: KnobSettings { knobs.found }

    /// Remembers what the knobs hold that are to be changed.
    ///
    /// - Returns: Whether there is something that was not remembered before. To lose nothing by a crash, it should be
    ///   in the state file before ``applyKnobs(_:)`` changes it.
    package mutating func rememberKnobs() -> Bool {
        guard control.takesEffect else { return false }
        let before = knobs.found
        for knob in Knob.allCases {
            guard let wanted = knobs.wanted(knob, by: configuration), knobs.found[knob] == nil,
                let present = (try? control.read(knob.file)) ?? nil, present != wanted
            else { continue }
            knobs.found[knob] = knobs.written[knob] ?? present
        }
        return knobs.found != before
    }

    /// Gives the knobs the values that the operator set, and those that are set no more what they held before.
    ///
    /// A change that needs everything unmerged is only begun here; it goes on when the child of ``pending`` has ended.
    package mutating func applyKnobs(_ observer: inout some StepObserver & ~Copyable) {
        guard pending == nil else {
            knobs.isDue = true
            return
        }
        knobs.isDue = false
        settleKnobs(mayClear: true, &observer)
    }

    /// Puts back what the knobs held before, as far as `KSM_ON_EXIT=` wants it.
    package mutating func putBackKnobs(_ observer: inout some StepObserver & ~Copyable) {
        guard configuration.onExit == .restore else { return }
        knobs.isLeaving = true
        knobs.forgetTold()
        applyKnobs(&observer)
    }

    /// Whether ``applyKnobs(_:)`` left KSM at rest, so that a decision has to say what it does next.
    package var isCleared: Bool {
        if case .cleared = knobs.stage { true } else { false }
    }

    /// What the policy wants of `smart_scan` until it says otherwise. What the operator set counts more.
    ///
    /// - Parameter wanted: `nil` for what was found.
    package mutating func overrideSmartScan(_ wanted: Bool?) throws(KernelFileError) {
        let value: Int64? = wanted.map { $0 ? 1 : 0 }
        guard knobs.smartScan != value else { return }
        if configuration.smartScan == nil, let wanted = value ?? knobs.found[.smartScan],
            let present = try control.read(.smartScan)
        {
            if present != wanted { try control.write(String(wanted), to: .smartScan) }
            if control.takesEffect { took(.smartScan, wanted, over: present) }
        }
        knobs.smartScan = value
        if value == nil, configuration.smartScan == nil { forget(.smartScan) }
    }

    /// Now and then: whether another hand changed a knob, and whether one that had to wait can be changed now.
    mutating func lookAtKnobs(at now: Instant, _ observer: inout some StepObserver & ~Copyable) {
        guard let looked = knobs.looked else {
            knobs.looked = now
            return
        }
        guard control.takesEffect, now - looked >= Knobs.lookPause else { return }
        knobs.looked = now
        for knob in Knob.allCases where knobs.written[knob] != nil {
            let present = (try? control.read(knob.file)) ?? nil
            var told = knobs.toldForeign[knob]
            let notice = ForeignWrites.check(knob.file, knobs.written[knob], present, &told)
            knobs.toldForeign[knob] = told
            if let notice { observer.note(notice) }
        }
        settleKnobs(mayClear: false, &observer)
    }

    /// Goes on with a change when the child has ended that cleared the way for it.
    mutating func goOnWithKnobs(
        after failure: KernelFileError?, _ observer: inout some StepObserver & ~Copyable
    ) {
        guard case .clearing(let run) = knobs.stage else {
            if knobs.isDue { applyKnobs(&observer) }
            return
        }
        knobs.stage = .cleared(run: run)
        knobs.isDue = false
        // All that was merged is to be merged anew.
        if run == 2, failure == nil { request() }
        // Pages can have been merged before the scan ended.
        settleKnobs(mayClear: run == 0 && failure == nil, hasFailed: failure != nil, &observer)
    }

    // MARK: One after the other

    private enum Outcome {
        case settled
        /// Merged pages are in the way.
        case isMerged(present: Int64, wanted: Int64)
        /// A change would wait until ksmd has finished a long batch.
        case isScanning
    }

    /// - Parameters:
    ///   - mayClear: Whether what is in the way may be cleared.
    ///   - hasFailed: Whether that was tried, and failed.
    private mutating func settleKnobs(
        mayClear: Bool, hasFailed: Bool = false, _ observer: inout some StepObserver & ~Copyable
    ) {
        var blocked: (knob: Knob, present: Int64, wanted: Int64)?
        var isScanning = false
        for knob in Knob.allCases {
            switch settle(knob, &observer) {
            case .settled: break
            case .isScanning: isScanning = true
            case .isMerged(let present, let wanted):
                let obstacle: KnobObstacle
                let isFirst = knobs.told[knob.rawValue] == nil
                if !configuration.allowsUnmerge {
                    obstacle = .notAllowed
                } else if knobs.stage == .cleared(run: 2), !hasFailed {
                    obstacle = .stillMerged
                } else if !mayClear {
                    // What was told when it was tried says more.
                    guard isFirst else { continue }
                    obstacle = .notNow
                } else if let shortage = unmergeShortage() {
                    obstacle = .noRoom(needed: shortage.needed, available: shortage.available)
                } else {
                    if blocked == nil { blocked = (knob, present, wanted) }
                    continue
                }
                forgetIfUnchanged(knob, present)
                tell(.knobWaits(knob, present: present, wanted: wanted, obstacle), of: knob, &observer)
            }
        }
        if let blocked {
            if control.takesEffect { observer.note(.unmergingFor(blocked.knob, saved ?? .zero)) }
            clear(writing: 2, &observer)
        } else if isScanning, mayClear {
            clear(writing: 0, &observer)
        }
    }

    /// Has a child write to `run`, and goes on at once where none is needed.
    private mutating func clear(writing run: Int64, _ observer: inout some StepObserver & ~Copyable) {
        do throws(KernelFileError) {
            foreign.expected.run = nil
            pending = try control.beginWriting(run: run)
            knobs.stage = .clearing(run: run)
            if pending == nil { goOnWithKnobs(after: nil, &observer) }
        } catch {
            if let notice = knobsCondition.settle(error) { observer.note(notice) }
        }
    }

    private mutating func settle(_ knob: Knob, _ observer: inout some StepObserver & ~Copyable) -> Outcome {
        guard let wanted = knobs.wanted(knob, by: configuration) else { return .settled }
        var present = wanted
        do throws(KernelFileError) {
            guard let value = try control.read(knob.file) else {
                if configuration.wanted(knob) != nil { tell(.noKnob(knob), of: knob, &observer) }
                return .settled
            }
            present = value
            if present != wanted {
                if knob.needsNothingMerged {
                    if !isClearedInDryRun, try control.read(.pagesShared) ?? 0 > 0 {
                        return .isMerged(present: present, wanted: wanted)
                    }
                    // The file and the batch are under one lock of the kernel's.
                    if !isCleared, try control.read(.run) == 1,
                        try control.read(.pagesToScan) ?? 0 > Self.longestBatch
                    {
                        return .isScanning
                    }
                }
                try control.write(String(wanted), to: knob.file)
            }
        } catch {
            if error.isBusy { return .isMerged(present: present, wanted: wanted) }
            forgetIfUnchanged(knob, present)
            tell(.knobFailed(knob, error), of: knob, &observer)
            return .settled
        }
        guard control.takesEffect else { return .settled }
        if present != wanted, knob != .smartScan || knobs.smartScan == nil || configuration.smartScan != nil {
            observer.note(.changedKnob(knob, from: present, to: wanted))
        }
        knobs.told[knob.rawValue] = nil
        took(knob, wanted, over: present)
        let isSet = !knobs.isLeaving && configuration.wanted(knob) != nil
        if !isSet, knob != .smartScan || knobs.smartScan == nil { forget(knob) }
        return .settled
    }

    /// A dry run has unmerged nothing, and goes on as if it had.
    private var isClearedInDryRun: Bool { !control.takesEffect && isCleared }

    private mutating func took(_ knob: Knob, _ value: Int64, over present: Int64) {
        // What was never changed held all the time what this daemon last saw it hold, whoever changed it since.
        if present != value { knobs.found[knob] = knobs.found[knob] ?? knobs.written[knob] ?? present }
        knobs.written[knob] = value
        forgetIfUnchanged(knob, value)
    }

    /// A knob that holds what it held before has nothing to be put back.
    private mutating func forgetIfUnchanged(_ knob: Knob, _ present: Int64) {
        if knobs.found[knob] == present { knobs.found[knob] = nil }
    }

    /// The knob holds what it held before, and is the operator's again.
    private mutating func forget(_ knob: Knob) {
        knobs.found[knob] = nil
        knobs.written[knob] = nil
        knobs.toldForeign[knob] = nil
    }

    private mutating func tell(_ notice: Notice, of knob: Knob, _ observer: inout some StepObserver & ~Copyable) {
        guard knobs.told[knob.rawValue] != notice else { return }
        knobs.told[knob.rawValue] = notice
        observer.note(notice)
    }
}
