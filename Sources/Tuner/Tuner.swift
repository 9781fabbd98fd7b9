package import HostKernel
package import KSMPolicy

/// One step of the daemon: sample and decide, then apply and report.
package struct Tuner<Control: KSMControl>: ~Copyable {
    /// A batch of ksmd above this many pages is not waited for.
    package static var longestBatch: Int64 { Applier<Control>.longestBatch }

    package private(set) var policy: Policy
    var configuration: Configuration
    private var sampler: Sampler
    var applier: Applier<Control>
    var knobs: KnobSettler
    /// Whether a start, a reload or the end asked for the knobs while the kernel was busy with another write.
    var areKnobsDue = false
    /// When the knobs were last compared with what they should be.
    var knobsLooked: Instant?
    /// The pages per scan that the classic rule decided last.
    private var pagesToScan: Int64 = 0
    private var hasReportedNoAdvisor = false
    /// What is counted here of ``tally``.
    private var counted = Tally()
    /// The host's memory when it was last reported.
    private var reportedTotal: KiB
    /// Whether ksmd may scan by the word of a daemon that was killed.
    private let mayHaveInheritedScan: Bool

    /// - Parameters:
    ///   - configuration: A configuration that fits this host.
    ///   - policy: Made from it.
    ///   - foundKnobs: What a daemon that crashed had found in the knobs that it changed.
    ///   - ksmd: What it had changed of ksmd's scheduling.
    ///   - isHeir: Whether there was one.
    package init(
        _ paths: HostPaths, control: Control, configuration: Configuration, policy: ClassicPolicy,
        foundKnobs: KnobSettings = KnobSettings(), ksmd: SchedulingChange? = nil, isHeir: Bool = false
    ) throws(KernelFileError) {
        self.configuration = configuration
        reportedTotal = policy.total
        mayHaveInheritedScan = isHeir
        self.policy = Policy(configuration, classic: policy, cpus: Host.cpus, pageSize: Host.pageSize)
        sampler = try Sampler(paths, configuration)
        applier = Applier(control, KsmdScheduler(configuration, inheriting: ksmd))
        knobs = KnobSettler(configuration, found: foundKnobs, takesEffect: control.takesEffect)
    }

    package var control: Control {
        get { applier.control }
        set { applier.control = newValue }
    }

    /// A write that the kernel has not finished.
    package var pending: ChildWrite? { applier.pending }

    /// Goes on by another configuration. The pages per scan are kept: a reload is not a restart.
    package mutating func adopt(_ configuration: Configuration, _ policy: ClassicPolicy) throws(KernelFileError) {
        try sampler.adopt(configuration)
        self.configuration = configuration
        reportedTotal = policy.total
        self.policy.adopt(configuration, classic: policy, cpus: Host.cpus, pageSize: Host.pageSize)
        knobs.adopt(configuration)
        applier.ksmd.adopt(configuration)
    }

    // MARK: Events

    /// The operator asks for a decision; by the adaptive policy that is a scan.
    package mutating func request() { sampler.isRequested = true }

    /// The kernel announces memory pressure.
    package mutating func memoryIsShort() {
        sampler.isUnderPressure = true
        counted.pressureEvents += 1
    }

    /// Hears of guests that the kernel announced.
    package mutating func machinesChanged(_ events: MachineEvents) { sampler.machinesChanged(events) }

    // MARK: A step

    /// Looks at the host without deciding anything, so that what is wrong is known at once.
    package mutating func look(_ observer: inout some StepObserver & ~Copyable) {
        _ = sampler.takeMemory(&observer)
    }

    /// Decides once. What the kernel holds is what is to be kept of it, until ``follow(_:guests:at:_:)``.
    ///
    /// - Returns: The decision with the number of guests, or `nil` where the host could not be read or the kernel is
    ///   still busy with the last write. Then KSM stays as it is.
    package mutating func decide(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard pending == nil else {
            // That a change of a knob is under way was reported.
            if knobs.stage == .settled { observer.report(.stillWriting) }
            return nil
        }
        lookAtKnobs(at: now, &observer)
        // The way is cleared for a knob: what comes of that is waited for, as above.
        guard pending == nil else { return nil }
        guard
            var sample = sampler.take(
                policy.needs(at: now), total: policy.classic.total, at: now, control, &observer)
        else { return nil }
        knobs.settle()
        followMemory(&observer)
        if policy.kind == .advisor, sample.advisor == nil, !hasReportedNoAdvisor {
            observer.report(.noAdvisor)
            hasReportedNoAdvisor = true
        }
        sample.previousPagesToScan = pagesToScan
        let decision = policy.decide(sample)
        if decision.policy == .classic { pagesToScan = decision.pagesToScan }
        return (decision, sample.guests)
    }

    /// Makes the kernel follow a decision.
    package mutating func follow(
        _ decision: Decision, guests: Int, at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) {
        applier.watch(decision, at: now, &observer)
        observer.willApply(decision, guests: guests)
        let refusals = applier.failedWrites
        applier.apply(decision, &knobs, &observer)
        observer.didApply(decision, guests: guests, isRefused: applier.failedWrites > refusals)
        counted.count(decision.action)
    }

    /// Memory can be added to a host that runs: then threshold and sleep follow.
    private mutating func followMemory(_ observer: inout some StepObserver & ~Copyable) {
        let before = policy.classic
        guard !configuration.profile.readsTotalOnce, let total = sampler.total, total > .zero, total != before.total
        else { return }
        let scaled = configuration.scaled(to: total)
        // Where the settings' arithmetic does not fit that much, what counted before goes on to count.
        guard let classic = try? ClassicPolicy(scaled, total: total) else { return }
        configuration = scaled
        policy.adopt(scaled, classic: classic, cpus: Host.cpus, pageSize: Host.pageSize)
        // A balloon or a hot-plugged device moves it in small steps, of which not each is worth a line.
        let change = KiB(Int64(clamping: (total - reportedTotal).count.magnitude))
        guard change * 100 >= reportedTotal else { return }
        observer.report(.memoryChanged(from: reportedTotal, classic))
        reportedTotal = total
    }

    /// Takes the result of ``pending``, once it is there.
    package mutating func finishPending(_ observer: inout some StepObserver & ~Copyable) {
        guard pending != nil else { return }
        let failure = applier.finish(&observer)
        goOnWithKnobs(after: failure, &observer)
    }

    // MARK: What it knows

    /// Whether ksmd scans by this daemon's word, or that of one that was killed and whose scan this one has not ended.
    var ownsScan: Bool {
        // Also while the kernel has not taken it yet.
        if applier.isScanning { return true }
        guard applier.hasStarted ?? mayHaveInheritedScan else { return false }
        // What cannot be read may be a scan.
        return ((try? control.read(.run)) ?? 1) == 1
    }

    /// What was counted since the start.
    package var tally: Tally {
        var tally = counted
        tally.foreignWrites = applier.foreignWrites
        tally.failedWrites = applier.failedWrites
        return tally
    }

    /// What merging saves now; `nil` where that is not known.
    package var saved: KiB? {
        control.savedPages().map { $0.kibibytes(of: Host.pageSize) }
    }

    /// The files of those that decide whether and how ksmd scans which hold something else than was decided. One that
    /// cannot be read is one of them.
    package func unfollowed(_ decision: Decision) -> [KSMFile] {
        func holds(_ file: KSMFile, _ wanted: Int64) -> Bool { (try? control.read(file)) == .some(wanted) }
        let isScan = decision.action == .scan
        var files: [KSMFile] = holds(.run, isScan ? 1 : 0) ? [] : [.run]
        guard isScan, !decision.policy.traits.leavesPaceToKernel else { return files }
        if !holds(.pagesToScan, decision.pagesToScan) { files.append(.pagesToScan) }
        if !holds(.sleepMilliseconds, decision.sleepMilliseconds) { files.append(.sleepMilliseconds) }
        return files
    }

    /// Why not everything is to be unmerged; `nil` where it fits.
    var objectionToUnmerging: UnmergeObjection? { sampler.objectionToUnmerging(control) }

    /// What the history keeps of a decision: with it what KSM had done by then.
    package func historyRecord(_ decision: Decision, guests: Int, time: WallTime) -> HistoryRecord {
        var record = HistoryRecord(decision, time: time, guests: guests)
        record.available = sampler.available
        // A record says less where something cannot be read now.
        record.profit = ((try? control.read(.generalProfit)) ?? nil).map { Bytes($0) }
        record.counters = sampler.recordedCounters(control)
        record.saved = record.counters?.saved.kibibytes(of: Host.pageSize)
        return record
    }
}
