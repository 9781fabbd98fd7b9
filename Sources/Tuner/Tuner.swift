package import HostKernel
package import KSMPolicy

/// One step of the daemon: sample, decide, apply, report.
package struct Tuner<Control: KSMControl>: ~Copyable {
    /// A batch of ksmd above this many pages can take longer than half a second, and a write to `run` waits for it.
    ///
    /// Comparing runs at 0.2 to 0.3 million pages per second.
    package static var longestBatch: Int64 { 100_000 }

    package private(set) var policy: ClassicPolicy
    /// The adaptive policy, while it decides.
    var adaptive: AdaptivePolicy?
    /// The advisor policy, while it decides.
    var advisor: AdvisorPolicy?
    package var control: Control
    /// A write that the kernel has not finished.
    package internal(set) var pending: ChildWrite?

    var configuration: Configuration
    let paths: HostPaths
    let memory: MemoryReader
    var guests: GuestTable
    private var pagesToScan: Int64 = 0
    /// What could be had without swapping when memory was last read.
    private(set) var available: KiB?
    var eyes: AdaptiveEyes
    var hasToldOfNoAdvisor = false
    var knobs = Knobs()
    var foreign = ForeignWrites()

    var memoryCondition = Condition(.memory)
    var guestsCondition = Condition(.guests)
    var metricCondition = Condition(.metric)
    var knobsCondition = Condition(.knobs)

    /// - Parameters:
    ///   - configuration: A configuration that fits this host.
    ///   - policy: Made from it.
    ///   - foundKnobs: What a daemon that crashed had found in the knobs that it changed.
    package init(
        _ paths: HostPaths, control: Control, configuration: Configuration, policy: ClassicPolicy,
        foundKnobs: KnobSettings = KnobSettings()
    ) throws(KernelFileError) {
        self.paths = paths
        self.control = control
        self.configuration = configuration
        self.policy = policy
        memory = MemoryReader(paths)
        guests = try GuestTable(paths, matcher: try NameMatcher(configuration))
        eyes = AdaptiveEyes(paths)
        knobs.found = foundKnobs
        choosePolicy()
    }

    /// Goes on by another configuration. The pages per scan are kept: a reload is not a restart.
    package mutating func adopt(_ configuration: Configuration, _ policy: ClassicPolicy) throws(KernelFileError) {
        let isMatchingAlike =
            configuration.profile.guests == self.configuration.profile.guests
            && configuration.guestPattern == self.configuration.guestPattern
        if !isMatchingAlike { guests.adopt(try NameMatcher(configuration)) }
        // What another metric could not read is no news of this one.
        if configuration.guestMetric != self.configuration.guestMetric { metricCondition = Condition(.metric) }
        self.configuration = configuration
        self.policy = policy
        knobs.forgetTold()
        choosePolicy()
    }

    private mutating func choosePolicy() {
        advisor = configuration.policy == .advisor ? AdvisorPolicy(configuration, classic: policy) : nil
        guard configuration.policy == .adaptive else {
            adaptive = nil
            // What it wanted of smart_scan ends with it.
            knobs.smartScan = nil
            return
        }
        let cpus = Host.cpus
        if adaptive == nil {
            adaptive = AdaptivePolicy(configuration, classic: policy, cpus: cpus, pageSize: Host.pageSize)
        } else {
            adaptive?.adopt(configuration, classic: policy, cpus: cpus)
        }
    }

    /// Looks at the host without deciding anything, so that what is wrong is known at once.
    package mutating func look(_ observer: inout some StepObserver & ~Copyable) {
        _ = sample(&observer)
    }

    /// Decides once, and makes the kernel follow.
    ///
    /// - Returns: The decision with the number of guests, or `nil` where the host could not be read or the kernel is
    ///   still busy with the last write. Then KSM stays as it is.
    package mutating func step(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard pending == nil else {
            // That a change of a knob is under way was told.
            if knobs.stage == .settled { observer.note(.stillWriting) }
            return nil
        }
        knobs.stage = .settled
        lookAtKnobs(at: now, &observer)
        switch configuration.policy {
        case .classic: return classicStep(&observer)
        case .adaptive: return adaptiveStep(at: now, &observer)
        case .advisor: return advisorStep(at: now, &observer)
        }
    }

    mutating func classicStep(
        _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard let (sample, guests) = sample(&observer) else { return nil }
        let decision = policy.decide(sample, previous: pagesToScan)
        pagesToScan = decision.pagesToScan
        let present = KnobValues(pace: control)
        for notice in foreign.check(present) { observer.note(notice) }
        observer.willApply(decision, guests: guests)
        apply(decision, over: present, &observer)
        observer.didApply(decision, guests: guests)
        return (decision, guests)
    }

    /// Takes the result of ``pending``, once it is there.
    package mutating func finishPending(_ observer: inout some StepObserver & ~Copyable) {
        guard let write = pending else { return }
        pending = nil
        var failure: KernelFileError?
        do throws(KernelFileError) {
            try write.finish()
        } catch {
            failure = error
            foreign.expected.run = nil
            if let notice = knobsCondition.settle(error) { observer.note(notice) }
        }
        goOnWithKnobs(after: failure, &observer)
    }

    /// The operator asks for a decision; by the adaptive policy that is a scan.
    package mutating func request() {
        eyes.isRequested = true
    }

    /// The kernel announces memory pressure.
    package mutating func memoryIsShort() {
        eyes.isUnderPressure = true
    }

    /// Hears of guests that the kernel announced.
    package mutating func machinesChanged(_ events: MachineEvents) {
        guests.announce(events)
    }

    mutating func sample(
        _ observer: inout some StepObserver & ~Copyable
    ) -> (memory: MemorySample, guests: Int)? {
        let info = readMemory(&observer)
        guard refreshGuests(&observer), let info else { return nil }
        let measured = guests.measure(by: configuration.guestMetric)
        if let notice = metricCondition.settle(measured.fallback) { observer.note(notice) }
        return (
            MemorySample(free: info.free(by: configuration.freeMetric), committed: measured.committed), measured.guests
        )
    }

    /// The host's memory, with every line that the configured metric needs; `nil` where it cannot be read.
    mutating func readMemory(_ observer: inout some StepObserver & ~Copyable) -> MemoryInfo? {
        var info: MemoryInfo?
        var failure: KernelFileError?
        do throws(KernelFileError) {
            info = try memory.read(for: configuration.freeMetric)
            available = info?.available
        } catch {
            failure = error
        }
        if let notice = memoryCondition.settle(failure) { observer.note(notice) }
        return info
    }

    /// Finds guests that came and forgets guests that went.
    ///
    /// - Returns: Whether the processes could be listed.
    mutating func refreshGuests(_ observer: inout some StepObserver & ~Copyable) -> Bool {
        var failure: KernelFileError?
        do throws(KernelFileError) {
            try guests.refresh()
        } catch {
            failure = error
        }
        if let notice = guestsCondition.settle(failure) { observer.note(notice) }
        return failure == nil
    }

    /// Writes pages, sleep, run, in the original's order, each every time. After a refusal nothing further is
    /// written, so that KSM never runs at a pace that was not decided.
    private mutating func apply(
        _ decision: Decision, over present: KnobValues, _ observer: inout some StepObserver & ~Copyable
    ) {
        let run: Int64 = decision.action == .scan ? 1 : 0
        var failure: KernelFileError?
        do throws(KernelFileError) {
            if decision.action == .scan {
                foreign.expected.pagesToScan = nil
                foreign.expected.sleepMilliseconds = nil
                if try control.setPace(decision) { observer.note(.displacedAdvisor) }
                expect(pagesToScan: decision.pagesToScan, sleepMilliseconds: decision.sleepMilliseconds)
            }
            foreign.expected.run = nil
            if max(present.pagesToScan ?? 0, decision.pagesToScan) > Self.longestBatch {
                pending = try control.beginWriting(run: run)
            } else {
                try control.write(String(run), to: .run)
            }
            if control.takesEffect { foreign.expected.run = run }
        } catch {
            failure = error
        }
        if let notice = knobsCondition.settle(failure) { observer.note(notice) }
    }

    mutating func expect(pagesToScan: Int64, sleepMilliseconds: Int64) {
        guard control.takesEffect else { return }
        foreign.expected.pagesToScan = pagesToScan
        foreign.expected.sleepMilliseconds = sleepMilliseconds
    }

    // MARK: The end

    /// Does what `KSM_ON_EXIT=` says, except for the write to `run`, which may take long.
    ///
    /// The advisor is put back whatever is said: it is the operator's, and the daemon only displaced it.
    ///
    /// - Parameter found: What the knobs held before the first decision.
    /// - Returns: The value to write to `run`, or `nil` to leave it.
    package mutating func leave(
        found: KnobValues, _ observer: inout some StepObserver & ~Copyable
    ) -> Int64? {
        do throws(KernelFileError) {
            try overrideSmartScan(nil)
            if configuration.onExit == .restore { try restorePace(found) }
            if found.advisorMode == .scanTime, try control.readAdvisorMode() == AdvisorMode.none {
                try control.write(AdvisorMode.scanTime.word, to: .advisorMode)
            }
        } catch {
            observer.note(.failed(.knobs, error))
        }
        let run: Int64? =
            switch configuration.onExit {
            // What adapts needs somebody who watches: ksmd is not left at the pace of a burst.
            case .keep: adaptive != nil && foreign.expected.run == 1 ? 0 : nil
            case .stop: 0
            case .restore: found.run
            case .unmerge: 2
            }
        if run == 2, let shortage = unmergeShortage() {
            observer.note(.unmergeDoesNotFit(needed: shortage.needed, available: shortage.available))
            return 0
        }
        return run
    }

    private mutating func restorePace(_ found: KnobValues) throws(KernelFileError) {
        if let advisor = found.advisor { try give(advisor) }
        if let sleep = found.sleepMilliseconds { try control.write(String(sleep), to: .sleepMilliseconds) }
        // Under the advisor the pages are the kernel's own, and it starts from its own again.
        guard found.advisorMode != .scanTime, let pages = found.pagesToScan else { return }
        if try control.readAdvisorMode() == .scanTime { try control.write(AdvisorMode.none.word, to: .advisorMode) }
        try control.write(String(pages), to: .pagesToScan)
    }

    /// What there is too little of to unmerge everything; `nil` where it fits.
    func unmergeShortage() -> (needed: KiB, available: KiB)? {
        saved.flatMap { ((try? memory.read()) ?? MemoryInfo()).shortage(toUnmerge: $0) }
    }

    /// What merging saves now.
    package var saved: KiB? {
        control.savedPages().map { $0.kibibytes(of: Host.pageSize) }
    }
}
