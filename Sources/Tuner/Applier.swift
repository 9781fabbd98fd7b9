internal import HostKernel
internal import KSMPolicy

/// Makes the kernel follow a decision.
///
/// It alone knows in which order the files are written, what they should hold since, and whether ksmd may be in the
/// middle of a batch that a write to `run` would have to wait for.
struct Applier<Control: KSMControl> {
    /// A batch of ksmd above this many pages can take longer than half a second, and a write to `run` waits for it.
    ///
    /// Comparing runs at 0.2 to 0.3 million pages per second.
    static var longestBatch: Int64 { 100_000 }

    var control: Control
    /// A write to `run` that the kernel has not finished.
    private(set) var pending: ChildWrite?
    var ksmd: KsmdScheduler
    private var foreign = ForeignWrites()
    /// Whether KSM can be controlled, and whether what it holds can be compared.
    private var writing = Condition(.knobs)
    private var reading = Condition(.knobValues)
    /// The first file that the last look could not read; `.none` where that was settled.
    private var looked: KernelFileError??
    /// Whether ``pending`` is a decision's, and not to clear the way for a knob.
    private var isDecisionPending = false
    /// Whether the last decision to scan was refused before `run`: a decision to stop, which writes no pace, does not
    /// show that this has ended.
    private var isPaceRefused = false
    /// Whether the advisor was switched off, and no look since found the pace as it was written: whoever switches it on again
    /// and again is reported once.
    private var isAdvisorDisplaced = false
    /// What something else wrote to the advisor's files, until it is reported.
    private var advisorFindings = ForeignWrites.Findings()
    /// When the knobs were last compared with what they should hold.
    private var watched: Instant?
    /// What `pages_to_scan` is known to hold.
    private var batch: Int64 = 0
    /// The pages of the longest batch that ksmd may be in the middle of. It takes a new value of `pages_to_scan` for its
    /// next batch only, and a write to `run` is what waits for the end of the present one.
    private var longestBatchUnderWay: Int64 = 0

    /// Looks that found something else's writes, and decisions that the kernel refused.
    private(set) var foreignWrites: Int64 = 0
    private(set) var failedWrites: Int64 = 0
    /// The files that were written to, or that a write was tried of: they need not hold what was found.
    private(set) var written = KSMFileSet()

    init(_ control: Control, _ ksmd: KsmdScheduler) {
        self.control = control
        self.ksmd = ksmd
    }

    mutating func write(_ text: String, to file: KSMFile) throws(KernelFileError) {
        written.insert(file)
        try control.write(text, to: file)
    }

    /// Whether what is to be written to `run`, or under its lock, might have to wait.
    var mayHaveToWait: Bool { longestBatchUnderWay > Self.longestBatch }

    /// Whether ksmd scans by this daemon's word, as far as is known.
    var isScanning: Bool { foreign.run.expected == 1 }
    /// Whether what this daemon last wrote to `run`, and the kernel took, was a 1; `nil` before.
    private(set) var hasStarted: Bool?

    // MARK: Other writers

    /// How often a policy that writes only changes looks whether something else wrote.
    private static var scanningPause: Duration { .seconds(1) }
    private static var restingPause: Duration { .seconds(5) }

    /// Reports what something else wrote since the last decision.
    mutating func watch(
        _ decision: Decision, at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) {
        // What a dry run would have written is in no file.
        guard control.takesEffect else { return }
        let traits = decision.policy.traits
        let pause = decision.action == .scan ? Self.scanningPause : Self.restingPause
        if traits.writesOnlyChanges, let watched, now - watched < pause { return }
        watched = now
        // What cannot be read is not compared: the writes that follow show whether KSM can be controlled.
        var failures: [KernelFileError] = []
        var present = KnobValues(paceOf: control, failures: &failures)
        looked = .some(failures.first)
        note(batch: present.pagesToScan)
        if traits.leavesPaceToKernel { present.pagesToScan = nil }
        if present.pagesToScan == foreign.pagesToScan.expected { isAdvisorDisplaced = false }
        let isLeftUnmerged = traits.leavesUnmerged && leaveUnmerged(present, decision, &observer)
        // Each is counted, and the same one again and again reported once.
        let findings = foreign.look(present)
        if findings.isNew || isLeftUnmerged { foreignWrites += 1 }
        for notice in findings.notices { observer.report(notice) }
        // Reported once, and written over each time: what is not expected is written again.
        if traits.writesOnlyChanges { foreign.expectNothing(but: present) }
    }

    /// A policy that rests has no reason to write 0 over the 2 of an operator who had everything unmerged: that is left
    /// until the next scan begins.
    ///
    /// - Returns: Whether that is news.
    private mutating func leaveUnmerged(
        _ present: KnobValues, _ decision: Decision, _ observer: inout some StepObserver & ~Copyable
    ) -> Bool {
        switch (foreign.run.expected, present.run) {
        case (0, 2) where decision.action == .stop:
            foreign.run.expected = 2
            observer.report(.leftUnmerged)
            return true
        // Whoever had it unmerged may take that back.
        case (2, 0): foreign.run.expected = 0
        default: break
        }
        return false
    }

    /// - Parameter pages: What `pages_to_scan` holds.
    private mutating func note(batch pages: Int64?) {
        guard let pages else { return }
        batch = pages
        longestBatchUnderWay = max(longestBatchUnderWay, pages)
    }

    // MARK: Writing

    /// Writes what the decision means: the pace, then `run`. After a refusal nothing further is written, so that KSM
    /// never runs at a pace that was not decided.
    mutating func apply(
        _ decision: Decision, _ knobs: inout KnobSettler, _ observer: inout some StepObserver & ~Copyable
    ) {
        var failure: KernelFileError?
        do throws(KernelFileError) {
            try write(decision, &knobs, &observer)
        } catch {
            failure = error
            failedWrites += 1
        }
        if decision.action == .scan {
            isPaceRefused = failure.map { $0.path.split(separator: "/").last != Substring(KSMFile.run.name) } ?? false
        }
        // What a write comes to that is under way is known when it has ended.
        isDecisionPending = pending != nil && failure == nil
        if isDecisionPending || failure == nil && isPaceRefused { return }
        if let notice = writing.settle(failure) { observer.report(notice) }
        // A file that cannot be written is reported; that it cannot be read either says no more.
        guard failure == nil, let looked else { return }
        if let notice = reading.settle(looked) { observer.report(notice) }
        self.looked = .none
    }

    private mutating func write(
        _ decision: Decision, _ knobs: inout KnobSettler, _ observer: inout some StepObserver & ~Copyable
    ) throws(KernelFileError) {
        let onlyChanges = decision.policy.traits.writesOnlyChanges
        switch decision.action {
        case .scan:
            try override(smartScan: decision.scan?.smartScan, &knobs)
            try writePace(decision, &observer)
            try write(run: 1, onlyIfChanged: onlyChanges, &observer)
        case .stop:
            releaseKsmd(&observer)
            try write(run: 0, onlyIfChanged: onlyChanges, &observer)
            try override(smartScan: nil, &knobs)
        }
    }

    private mutating func writePace(
        _ decision: Decision, _ observer: inout some StepObserver & ~Copyable
    ) throws(KernelFileError) {
        if decision.policy.traits.leavesPaceToKernel {
            // From here on they are the kernel's and the operator's: no later policy finds in them what it wrote.
            foreign.pagesToScan.expected = nil
            foreign.sleepMilliseconds.expected = nil
            guard let order = decision.advisor else { return }
            defer { reportAdvisor(&observer) }
            if try give(order) {
                observer.report(.restartedAdvisor(pages: decision.pagesToScan, start: order.pagesMinimum))
            }
            return
        }
        foreign.forgetAdvisor()
        let onlyChanges = decision.policy.traits.writesOnlyChanges
        func due(_ value: Int64, _ expected: Int64?) -> Int64? { onlyChanges && value == expected ? nil : value }
        let pages = due(decision.pagesToScan, foreign.pagesToScan.expected)
        let sleep = due(decision.sleepMilliseconds, foreign.sleepMilliseconds.expected)
        if pages != nil {
            if foreign.pagesToScan.expected == nil { note(batch: (try? control.read(.pagesToScan)) ?? nil) }
            foreign.pagesToScan.expected = nil
            written.insert(.pagesToScan)
            // It may have to be switched off for that.
            written.insert(.advisorMode)
        }
        if sleep != nil {
            foreign.sleepMilliseconds.expected = nil
            written.insert(.sleepMilliseconds)
        }
        let hasDisplaced = try control.setPace(pages: pages, sleep: sleep)
        if hasDisplaced, !isAdvisorDisplaced { observer.report(.displacedAdvisor) }
        isAdvisorDisplaced = isAdvisorDisplaced || hasDisplaced
        if control.takesEffect { note(batch: decision.pagesToScan) }
        foreign.pagesToScan.expected = decision.pagesToScan
        foreign.sleepMilliseconds.expected = decision.sleepMilliseconds
    }

    private mutating func write(
        run: Int64, onlyIfChanged: Bool, _ observer: inout some StepObserver & ~Copyable
    ) throws(KernelFileError) {
        let isStopped = run == 0 && foreign.run.expected == 2
        if onlyIfChanged, isStopped || foreign.run.expected == run { return }
        ksmd.release(&control, &observer, endsScan: run != 1)
        try write(run: run)
    }

    /// Writes to `run`, in a child where that may have to wait for ksmd.
    private mutating func write(run: Int64) throws(KernelFileError) {
        foreign.run.expected = nil
        written.insert(.run)
        if mayHaveToWait {
            pending = try control.beginWriting(run: run)
        } else {
            try write(String(run), to: .run)
        }
        if pending == nil { took(run: run) }
        foreign.run.expected = run
    }

    /// The kernel has taken a write to `run`, for which it has waited for the end of a batch.
    private mutating func took(run: Int64?) {
        longestBatchUnderWay = batch
        hasStarted = run == 1
    }

    /// Has a child write to `run` to clear the way for a knob; where none is needed it is done at once.
    mutating func begin(
        run: Int64, _ observer: inout some StepObserver & ~Copyable
    ) throws(KernelFileError) {
        releaseKsmd(&observer)
        // What comes of it is nobody's decision: the next one writes in any case.
        foreign.run.expected = nil
        isDecisionPending = false
        written.insert(.run)
        pending = try control.beginWriting(run: run)
        if pending == nil { took(run: run) }
    }

    /// Puts back ksmd's own scheduling, before a write that waits for its batch.
    mutating func releaseKsmd(_ observer: inout some StepObserver & ~Copyable) {
        ksmd.release(&control, &observer)
    }

    /// Takes the result of ``pending``, once it is there.
    ///
    /// - Returns: Its failure.
    mutating func finish(_ observer: inout some StepObserver & ~Copyable) -> KernelFileError? {
        guard let write = pending else { return nil }
        pending = nil
        do throws(KernelFileError) {
            try write.finish()
            took(run: foreign.run.expected)
            if isDecisionPending, !isPaceRefused, let notice = writing.settle(nil) { observer.report(notice) }
            return nil
        } catch {
            foreign.run.expected = nil
            failedWrites += 1
            // Of a knob's it is said what it means for the knob.
            if isDecisionPending, let notice = writing.settle(error) { observer.report(notice) }
            return error
        }
    }

    /// Gives smart_scan the value that a policy wants until it says otherwise. What the operator set counts more.
    ///
    /// - Parameter wanted: `nil` for what was found.
    mutating func override(smartScan wanted: Bool?, _ knobs: inout KnobSettler) throws(KernelFileError) {
        let value: Int64? = wanted.map { $0 ? 1 : 0 }
        guard knobs.smartScanOfPolicy != value else { return }
        if let target = knobs.smartScan(wanted: value), let present = try control.read(.smartScan) {
            if present != target { try write(String(target), to: .smartScan) }
            if control.takesEffect { knobs.took(.smartScan, target, over: present) }
        }
        knobs.setSmartScan(ofPolicy: value)
    }

    // MARK: The kernel's advisor

    /// Gives the advisor its bounds and switches it on.
    ///
    /// - Returns: Whether it was on and has begun anew.
    private mutating func give(_ order: AdvisorPolicy.Order) throws(KernelFileError) -> Bool {
        try set(order)
        note(batch: order.pagesMaximum)
        let isOn = try control.readAdvisorMode() == .scanTime
        if control.takesEffect { foreign.look(.advisorMode, isOn ? 1 : 0, &advisorFindings) }
        if isOn, order.restarts { try write(AdvisorMode.none.word, to: .advisorMode) }
        if !isOn || order.restarts { try write(AdvisorMode.scanTime.word, to: .advisorMode) }
        foreign.expect(.advisorMode, 1)
        return isOn && order.restarts
    }

    private mutating func reportAdvisor(_ observer: inout some StepObserver & ~Copyable) {
        if advisorFindings.isNew { foreignWrites += 1 }
        for notice in advisorFindings.notices { observer.report(notice) }
        advisorFindings = ForeignWrites.Findings()
    }

    /// Writes what is another than the kernel has.
    mutating func set(_ order: AdvisorPolicy.Order) throws(KernelFileError) {
        var values = AdvisorValues()
        values.scanTimeSeconds = order.scanTime.components.seconds
        values.cpuMaximumPercent = order.cpuMaximumPercent
        values.pagesMinimum = order.pagesMinimum
        values.pagesMaximum = order.pagesMaximum
        if let (_, failure) = set(values).first { throw failure }
    }

    /// The same of those that are known. The minimum is at no time above the maximum, which Linux 6.18 would take, so the
    /// order depends on which way they go. One that fails does not keep the others from being tried.
    ///
    /// - Returns: What failed.
    mutating func set(_ values: AdvisorValues) -> [(file: KSMFile, failure: KernelFileError)] {
        var failures: [(file: KSMFile, failure: KernelFileError)] = []
        func attempt(_ file: KSMFile, _ value: Int64?, _ applier: inout Applier) {
            guard let value else { return }
            do throws(KernelFileError) {
                try applier.set(file, value)
            } catch {
                failures.append((file, error))
            }
        }
        attempt(.advisorTargetScanTime, values.scanTimeSeconds, &self)
        attempt(.advisorMaxCPU, values.cpuMaximumPercent, &self)
        let most = (try? control.read(.advisorMaxPagesToScan)) ?? nil
        if let most, let least = values.pagesMinimum, least > most {
            attempt(.advisorMaxPagesToScan, values.pagesMaximum, &self)
            attempt(.advisorMinPagesToScan, values.pagesMinimum, &self)
        } else {
            attempt(.advisorMinPagesToScan, values.pagesMinimum, &self)
            attempt(.advisorMaxPagesToScan, values.pagesMaximum, &self)
        }
        return failures
    }

    private mutating func set(_ file: KSMFile, _ value: Int64) throws(KernelFileError) {
        guard let present = try control.read(file) else { return }
        if control.takesEffect { foreign.look(file, present, &advisorFindings) }
        if present != value { try write(String(value), to: file) }
        foreign.expect(file, value)
    }
}
