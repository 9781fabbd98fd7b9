internal import HostKernel
internal import KSMPolicy

/// Gives the knobs the values that the operator set, and those that are set no more what they held before.
///
/// Two of them the kernel changes only while nothing is merged. Where the operator allows it everything is unmerged
/// for that, in a child that may take seconds, so that a change has stages between which the daemon goes on waiting.
///
/// A value without any call to the system. ``begin(_:mayClear:hasFailed:)`` takes what the kernel shows; ``next()`` says
/// what is to be done, one thing at a time, until it says ``Action/rest``; and whoever does it says what came of it.
struct KnobSettler {
    enum Stage: Equatable {
        /// Nothing is under way.
        case settled
        /// A child writes to `run`: 2 to unmerge everything, or 0 to end a long scan that a change would wait for.
        case clearing(run: Int64)
        /// The child has ended, and KSM rests until the next decision.
        case cleared(run: Int64)
    }

    /// What is to be done next.
    enum Action: Equatable {
        /// Write, then say ``wrote(_:)``.
        case write(Knob, Int64)
        case report(Notice)
        /// Have a child write this to `run`; when it has ended, ``childEnded()``.
        case clear(run: Int64)
        /// Nothing, for now.
        case rest
    }

    /// What the kernel shows when the knobs are to be settled.
    struct View {
        /// What each knob holds that is to have a value; `nil` where this kernel does not have it.
        var present: [Knob: Result<Int64?, KernelFileError>] = [:]
        var isAnythingMerged: Result<Bool, KernelFileError> = .success(false)
        /// Whether ksmd is in the middle of a batch that may take long, for which a change would have to wait.
        var isInLongBatch: Result<Bool, KernelFileError> = .success(false)
        /// What merging saves.
        var saved = KiB.zero
        /// Why not everything is to be unmerged; `nil` where it fits.
        var objection: UnmergeObjection?
    }

    private(set) var stage = Stage.settled
    /// What the operator wants, and whether everything may be unmerged for it.
    private var wishes: KnobSettings
    private var allowsUnmerge: Bool
    /// What each held before this daemon, or one before it that crashed, first changed it. Of those alone that are
    /// changed now.
    private(set) var found: KnobSettings
    /// What the policy wants of `smart_scan` for now, where the operator has not said what it should be.
    private(set) var smartScanOfPolicy: Int64?
    /// Whether what was found is put back, whatever is configured.
    private var isLeaving = false
    /// Whether writes reach the kernel.
    private let takesEffect: Bool

    /// What each is known to hold, by this daemon's own hand.
    private(set) var written = KnobSettings()
    private var foreign: [Knob: ForeignWrites.ReportedValue] = [:]
    /// What was reported of each last, so that what lasts is reported once.
    private var reported: [Knob: Notice] = [:]

    /// One go through all knobs.
    private struct Pass {
        var view: View
        /// Whether what is in the way may be cleared.
        var mayClear: Bool
        /// Whether that was tried, and failed.
        var hasFailed: Bool
        var remaining = Knob.allCases[...]
        var writing: (knob: Knob, wanted: Int64, present: Int64)?
        /// Knobs that wait for everything to be unmerged.
        var blocked: [(knob: Knob, present: Int64)] = []
        /// Knobs that wait for the end of a long batch.
        var waiting: [(knob: Knob, present: Int64)] = []
    }

    private var pass: Pass?

    /// What is in the way is cleared.
    private struct Clearing {
        /// The knobs for which it is.
        var knobs: [(knob: Knob, present: Int64)]
        /// Whether it was told that everything is unmerged for them.
        var isAnnounced: Bool
        /// What the stage was before: KSM may rest by then, and wait for a decision.
        var stageBefore = Stage.settled
    }

    /// The last one.
    private var clearing: Clearing?
    /// Whether it could not be begun for want of something that others hold.
    private(set) var mayClearAgain = false
    private var due: [Action] = []

    init(_ configuration: Configuration, found: KnobSettings, takesEffect: Bool) {
        wishes = KnobSettings(configuration)
        allowsUnmerge = configuration.allowsUnmerge
        self.found = found
        self.takesEffect = takesEffect
    }

    /// The operator spoke: everything may be reported again.
    mutating func adopt(_ configuration: Configuration) {
        wishes = KnobSettings(configuration)
        allowsUnmerge = configuration.allowsUnmerge
        mayClearAgain = false
        reported = [:]
        // What another policy wanted ends with it.
        if configuration.policy != .adaptive { smartScanOfPolicy = nil }
    }

    /// From now on the knobs get what they held before.
    mutating func leave() {
        isLeaving = true
        mayClearAgain = false
        reported = [:]
    }

    /// What a knob should hold; `nil` to leave it alone.
    func wanted(_ knob: Knob) -> Int64? {
        if isLeaving { return found[knob] }
        return wishes[knob] ?? (knob == .smartScan ? smartScanOfPolicy : nil) ?? found[knob]
    }

    /// What the knobs held that the operator has set no more, and that could not be put back yet.
    var unwanted: KnobSettings {
        var settings = found
        for knob in Knob.allCases where wishes[knob] != nil { settings[knob] = nil }
        return settings
    }

    /// Whether the way was cleared, so that KSM rests until a decision says what it does next.
    var isCleared: Bool {
        if case .cleared = stage { true } else { false }
    }

    /// Whether a knob could not be read or written when it was last tried.
    var hasFailed: Bool { reported.values.contains { $0.isKnobFailure } }

    /// A decision says what KSM does from here on.
    mutating func settle() {
        stage = .settled
    }

    // MARK: A pass

    /// Begins to give each knob what it should hold.
    ///
    /// - Parameters:
    ///   - mayClear: Whether what is in the way may be cleared: at a start and after a reload, not for each hand that
    ///     changes a knob.
    ///   - hasFailed: Whether that was tried, and failed.
    mutating func begin(_ view: View, mayClear: Bool, hasFailed: Bool = false) {
        pass = Pass(view: view, mayClear: mayClear, hasFailed: hasFailed)
    }

    mutating func next() -> Action {
        while due.isEmpty {
            guard let knob = pass?.remaining.popFirst() else {
                close()
                break
            }
            consider(knob)
        }
        guard !due.isEmpty else { return .rest }
        let action = due.removeFirst()
        if case .clear(let run) = action {
            clearing?.stageBefore = stage
            stage = .clearing(run: run)
        }
        return action
    }

    private mutating func consider(_ knob: Knob) {
        guard let view = pass?.view, let wanted = wanted(knob) else { return }
        do throws(KernelFileError) {
            guard let present = try view.present[knob]?.get() ?? nil else {
                if wishes[knob] != nil { report(.noKnob(knob), of: knob) }
                return
            }
            guard present != wanted else { return settled(knob, wanted, over: present) }
            if knob.needsNothingMerged {
                // A dry run has unmerged nothing, and goes on as if it had.
                let isMerged = try view.isAnythingMerged.get()
                if isMerged, takesEffect || !isCleared { return obstruct(knob, wanted, over: present) }
                // The file and the batch are under one lock of the kernel's.
                let isInLongBatch = try view.isInLongBatch.get()
                if isInLongBatch, !isCleared {
                    pass?.waiting.append((knob, present))
                    return
                }
            }
            pass?.writing = (knob, wanted, present)
            due.append(.write(knob, wanted))
        } catch {
            report(failed(knob, error), of: knob)
        }
    }

    /// The write that was to be done is done, or was refused.
    mutating func wrote(_ failure: KernelFileError?) {
        guard let (knob, wanted, present) = pass?.writing else { return }
        pass?.writing = nil
        guard let failure else { return settled(knob, wanted, over: present) }
        if failure.isBusy, knob.needsNothingMerged { return obstruct(knob, wanted, over: present) }
        forgetIfUnchanged(knob, present)
        report(failed(knob, failure), of: knob)
    }

    private func failed(_ knob: Knob, _ failure: KernelFileError) -> Notice {
        isLeaving ? .knobNotPutBack(knob, failure) : .knobFailed(knob, failure)
    }

    /// Merged pages are in the way.
    private mutating func obstruct(_ knob: Knob, _ wanted: Int64, over present: Int64) {
        guard let pass else { return }
        let obstacle: KnobObstacle
        if !allowsUnmerge {
            obstacle = .notAllowed
        } else if stage == .cleared(run: 2), !pass.hasFailed {
            obstacle = .stillMerged
        } else if !pass.mayClear {
            // What was reported when it was tried says more.
            guard reported[knob] == nil else { return }
            obstacle = .notNow
        } else if let objection = pass.view.objection {
            obstacle = .noRoom(objection)
        } else {
            self.pass?.blocked.append((knob, present))
            return
        }
        forgetIfUnchanged(knob, present)
        report(
            isLeaving
                ? .knobKept(knob, present: present, found: wanted, obstacle)
                : .knobWaits(knob, present: present, wanted: wanted, obstacle), of: knob)
    }

    /// All knobs were looked at: what is in the way of one is cleared for all.
    private mutating func close() {
        guard let pass else { return }
        self.pass = nil
        let isAnnounced = mayClearAgain && clearing?.isAnnounced == true
        if pass.mayClear { mayClearAgain = false }
        if let blocked = pass.blocked.first?.knob {
            if takesEffect, !isAnnounced { due.append(.report(.unmergingFor(blocked, pass.view.saved))) }
            clearing = Clearing(knobs: pass.blocked + pass.waiting, isAnnounced: true)
            due.append(.clear(run: 2))
        } else if !pass.waiting.isEmpty, pass.mayClear {
            clearing = Clearing(knobs: pass.waiting, isAnnounced: false)
            due.append(.clear(run: 0))
        }
    }

    /// The child could not be begun; what may pass is tried again, where ``mayClearAgain`` is true. Say ``next()`` for what is
    /// to be reported.
    mutating func couldNotClear(_ failure: KernelFileError) {
        stage = clearing?.stageBefore ?? .settled
        mayClearAgain = failure.mayPass && !isLeaving
        failedToClear(failure)
    }

    /// What the child was to write was refused, or something ended it.
    mutating func failedToClear(_ failure: KernelFileError) {
        for (knob, present) in clearing?.knobs ?? [] {
            // At the end what is not put back is for the next daemon.
            if !isLeaving { forgetIfUnchanged(knob, present) }
            let notice: Notice =
                isLeaving
                ? .knobNotPutBack(knob, failure) : .knobNotCleared(knob, failure, isTriedAgain: mayClearAgain)
            report(notice, of: knob)
        }
        clearing?.knobs = []
    }

    /// The child has ended that cleared the way.
    ///
    /// - Returns: What it wrote to `run`; `nil` where it was another's child.
    mutating func childEnded() -> Int64? {
        guard case .clearing(let run) = stage else { return nil }
        stage = .cleared(run: run)
        return run
    }

    // MARK: What is known of each knob

    /// The knob holds what it should.
    private mutating func settled(_ knob: Knob, _ value: Int64, over present: Int64) {
        guard takesEffect else { return }
        let isPolicys = knob == .smartScan && smartScanOfPolicy != nil
        if present != value, !isPolicys || wishes[knob] != nil {
            due.append(.report(.changedKnob(knob, from: present, to: value)))
        } else if reported[knob]?.isFailure == true {
            due.append(.report(.knobRecovered(knob, value)))
        }
        reported[knob] = nil
        took(knob, value, over: present)
        let isSet = !isLeaving && wishes[knob] != nil
        if !isSet, !isPolicys { forget(knob) }
    }

    /// Remembers what a knob holds that is to be changed.
    mutating func remember(_ knob: Knob, present: Int64, wanted: Int64) {
        guard takesEffect, found[knob] == nil, present != wanted else { return }
        found[knob] = written[knob] ?? present
    }

    /// This daemon gave a knob a value.
    mutating func took(_ knob: Knob, _ value: Int64, over present: Int64) {
        // What was never changed held all the time what this daemon last saw it hold, whoever changed it since.
        if present != value { found[knob] = found[knob] ?? written[knob] ?? present }
        written[knob] = value
        forgetIfUnchanged(knob, value)
    }

    /// What to write to `smart_scan` where the policy wants this; `nil` to leave it as it is.
    func smartScan(wanted value: Int64?) -> Int64? {
        wishes[.smartScan] == nil ? value ?? found[.smartScan] : nil
    }

    mutating func setSmartScan(ofPolicy value: Int64?) {
        smartScanOfPolicy = value
        if value == nil, wishes[.smartScan] == nil { forget(.smartScan) }
    }

    /// Whether another hand changed a knob, as news.
    mutating func checkForeign(_ knob: Knob, present: Int64?) -> Notice? {
        foreign[knob, default: .init()].notice(knob.file, expected: written[knob], found: present)
    }

    /// A knob that holds what it held before has nothing to be put back.
    private mutating func forgetIfUnchanged(_ knob: Knob, _ present: Int64) {
        if found[knob] == present { found[knob] = nil }
    }

    /// The knob holds what it held before, and is the operator's again.
    private mutating func forget(_ knob: Knob) {
        found[knob] = nil
        written[knob] = nil
        foreign[knob] = nil
    }

    private mutating func report(_ notice: Notice, of knob: Knob) {
        guard reported[knob] != notice else { return }
        reported[knob] = notice
        due.append(.report(notice))
    }
}

extension Notice {
    fileprivate var isKnobFailure: Bool {
        if case .knobFailed = self { true } else { false }
    }

    fileprivate var isFailure: Bool {
        if case .knobNotCleared = self { true } else { isKnobFailure }
    }
}
