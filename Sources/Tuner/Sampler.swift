internal import HostKernel
internal import KSMPolicy

/// What the policies see of the host. It reads what they ask for, and reports what cannot be read.
struct Sampler: ~Copyable {
    private let memory: MemoryReader
    private let counters: CounterReader
    private let pressure: CPUPressure
    private let vmstat: MemoryCounters
    private var guests: GuestTable
    private var configuration: Configuration

    private var memoryCondition = Condition(.memory)
    private var guestsCondition = Condition(.guests)
    private var readingCondition = Condition(.guestReadings)
    private var activityCondition = Condition(.guestActivity)
    private var lineCondition = Condition(.commandLines)
    private var metricCondition = Condition(.metric)
    private var countersCondition = Condition(.counters)

    /// What could be had without swapping when memory was last read, and all that there was.
    private(set) var available: KiB?
    private(set) var total: KiB?
    /// Whether the operator asked for a decision, and whether the kernel announced memory pressure, since the last one.
    var isRequested = false
    var isUnderPressure = false

    // What is known from the last look, for a policy that does not ask for all of it each time.

    private var sample = MemorySample(free: .zero, committed: .zero)
    private var held: [GuestMemory] = []
    private var known: ScanCounters?
    /// When processes were last listed, and all of them.
    private var listed: Instant?
    private var listedAll: Instant?
    /// When the guests were last counted by the configured metric.
    private var measured: Instant?
    private var waited: (at: Instant, time: Duration)?
    private var faults: FaultCounts?
    private var activity: (at: Instant, guests: [(identity: Int64, work: GuestWork)])?

    init(_ paths: HostPaths, _ configuration: Configuration) throws(KernelFileError) {
        memory = MemoryReader(paths)
        counters = CounterReader(paths)
        pressure = CPUPressure(paths)
        vmstat = MemoryCounters(paths)
        guests = try GuestTable(paths, matcher: try NameMatcher(configuration))
        self.configuration = configuration
    }

    mutating func adopt(_ configuration: Configuration) throws(KernelFileError) {
        let isMatchingAlike =
            configuration.profile.guests == self.configuration.profile.guests
            && configuration.guestPattern == self.configuration.guestPattern
        if !isMatchingAlike {
            guests.adopt(try NameMatcher(configuration))
            (listed, listedAll, measured) = (nil, nil, nil)
        }
        // What another metric could not read is no news of this one.
        if configuration.guestMetric != self.configuration.guestMetric {
            metricCondition = Condition(.metric)
            measured = nil
        }
        self.configuration = configuration
    }

    /// Hears of guests that the kernel announced.
    mutating func machinesChanged(_ events: MachineEvents) {
        guests.announce(events)
    }

    // MARK: Samples

    /// Takes the sample that a policy needs.
    ///
    /// - Parameter total: The host's memory.
    /// - Returns: `nil` where the host cannot be read.
    mutating func take(
        _ needs: Policy.Needs, total: KiB, at now: Instant, _ control: some KSMControl,
        _ observer: inout some StepObserver & ~Copyable
    ) -> Policy.Sample? {
        let sample: Policy.Sample?
        switch needs {
        case .memory: sample = takeMemory(&observer)
        case .advisor: sample = takeAdvisor(at: now, control, &observer)
        case .adaptive(let wants): sample = takeAdaptive(wants, total: total, at: now, control, &observer)
        }
        guard let sample else { return nil }
        isRequested = false
        isUnderPressure = false
        return sample
    }

    /// Reads memory and guests.
    mutating func takeMemory(_ observer: inout some StepObserver & ~Copyable) -> Policy.Sample? {
        let info = readMemory(&observer)
        guard refreshGuests(&observer), let info else { return nil }
        guard let measured = measure(&observer) else { return nil }
        return Policy.Sample(
            MemorySample(free: info.free(by: configuration.freeMetric), committed: measured.committed),
            guests: measured.guests)
    }

    private mutating func takeAdvisor(
        at now: Instant, _ control: some KSMControl, _ observer: inout some StepObserver & ~Copyable
    ) -> Policy.Sample? {
        guard var sample = takeMemory(&observer) else { return nil }
        var failure: KernelFileError?
        do throws(KernelFileError) {
            let counters = try counters.read(control)
            if let mode = try control.readAdvisorMode() {
                sample.advisor = AdvisorPolicy.Sample(
                    now: now, counters: counters, isOn: mode == .scanTime,
                    pagesToScan: try control.read(.pagesToScan) ?? 0,
                    sleepMilliseconds: try control.read(.sleepMilliseconds) ?? 0)
            }
        } catch {
            failure = error
        }
        if let notice = countersCondition.settle(failure) { observer.report(notice) }
        return failure == nil ? sample : nil
    }

    /// What a step of the adaptive policy asks for: ten in a second of a burst, so nothing else is read.
    private mutating func takeAdaptive(
        _ wants: AdaptivePolicy.Wants, total: KiB, at now: Instant, _ control: some KSMControl,
        _ observer: inout some StepObserver & ~Copyable
    ) -> Policy.Sample? {
        guard let counters = readCounters(wants, control, &observer) else { return nil }
        if wants.contains(.guests) {
            guard listIfDue(at: now, &observer), readGuests(at: now, &observer) else { return nil }
        }
        var sample = AdaptiveSample(now: now, memory: self.sample, counters: counters)
        sample.isCounted = wants.hasCounters
        sample.isRequested = isRequested
        sample.isUnderPressure = isUnderPressure
        if wants.contains(.guests) { sample.guests = held }
        if wants.contains(.memory) {
            guard let info = readMemory(&observer) else { return nil }
            self.sample.free = info.free(by: configuration.freeMetric)
            sample.memory = self.sample
            sample.available = info.available.map { $0.share(of: total) }
            sample.anonymous = info.anonymous
        }
        if wants.contains(.cpuPressure) { sample.cpuPressure = readCPUPressure(at: now) }
        if wants.contains(.activity) {
            guard let activity = readActivity(at: now, &observer) else { return nil }
            sample.activity = activity
        }
        var whole = Policy.Sample(self.sample, guests: held.count)
        whole.adaptive = sample
        return whole
    }

    // MARK: Memory

    /// The host's memory, with every line that the configured metric needs; `nil` where it cannot be read.
    private mutating func readMemory(_ observer: inout some StepObserver & ~Copyable) -> MemoryInfo? {
        var info: MemoryInfo?
        var failure: KernelFileError?
        do throws(KernelFileError) {
            info = try memory.read(for: configuration.freeMetric)
            available = info?.available
            total = info?.total
        } catch {
            failure = error
        }
        if let notice = memoryCondition.settle(failure) { observer.report(notice) }
        return info
    }

    func objectionToUnmerging(_ control: some KSMControl) -> UnmergeObjection? {
        UnmergeObjection.find(control, memory)
    }

    // MARK: Guests

    /// Finds guests that came and forgets guests that went.
    ///
    /// - Returns: Whether the processes could be listed.
    private mutating func refreshGuests(
        onlyNew: Bool = false, _ observer: inout some StepObserver & ~Copyable
    ) -> Bool {
        var failure: KernelFileError?
        do throws(KernelFileError) {
            try guests.refresh(onlyNew: onlyNew)
        } catch {
            failure = error
        }
        if let notice = guestsCondition.settle(failure) { observer.report(notice) }
        if failure == nil, let notice = lineCondition.settle(guests.silence) { observer.report(notice) }
        return failure == nil
    }

    /// A whole listing takes 2 microseconds per process, and a thousandth of a CPU is enough for it.
    private static var pausePerProcess: Duration { .milliseconds(2) }
    /// Where new processes are told without one, it is to find those that the kernel's numbers do not tell of.
    private static var wholePause: Duration { .seconds(10) }
    /// Whoever is to become a guest should have its name by the second listing.
    private static var listingPause: Duration { .seconds(1) }

    /// Guests that no event announced are found by listings, as often as their cost allows.
    private mutating func listIfDue(at now: Instant, _ observer: inout some StepObserver & ~Copyable) -> Bool {
        if let listed, now - listed < Self.listingPause { return true }
        let least = guests.tellsNew ? Self.wholePause : Self.listingPause
        let pause = min(max(Self.pausePerProcess * guests.processes, least), configuration.monitorInterval)
        let isWholeDue = listedAll.map { now - $0 >= pause } ?? true
        guard isWholeDue || guests.tellsNew else { return true }
        guard refreshGuests(onlyNew: !isWholeDue, &observer) else {
            listedAll = nil
            return false
        }
        listed = now
        if isWholeDue { listedAll = now }
        return true
    }

    /// What the guests hold by the configured metric; `nil` where one of them could not be read: a sum without it would
    /// be decided by as if it held nothing.
    private mutating func measure(_ observer: inout some StepObserver & ~Copyable) -> GuestTable.Measurement? {
        let measured = guests.measure(by: configuration.guestMetric)
        guard settleReading(measured.failure, &observer) else { return nil }
        if let notice = metricCondition.settle(measured.fallback) { observer.report(notice) }
        return measured
    }

    /// - Returns: Whether every guest could be read.
    private mutating func settleReading(
        _ failure: KernelFileError?, _ observer: inout some StepObserver & ~Copyable
    ) -> Bool {
        if let notice = readingCondition.settle(failure) { observer.report(notice) }
        return failure == nil
    }

    /// A metric that costs much is measured once in an interval, and at least this often where that is long or endless.
    private static var longestMeasurePause: Duration { .seconds(600) }

    /// Reads what each guest holds.
    ///
    /// - Returns: Whether each could be read.
    private mutating func readGuests(at now: Instant, _ observer: inout some StepObserver & ~Copyable) -> Bool {
        var held: [GuestMemory] = []
        held.reserveCapacity(self.held.count)
        var resident = KiB.zero
        let failure = guests.residents { _, identity, pages, anonymous in
            resident += pages.kibibytes(of: Host.pageSize)
            held.append(GuestMemory(id: identity, resident: anonymous.kibibytes(of: Host.pageSize)))
        }
        guard settleReading(failure, &observer) else { return false }
        self.held = held
        // Other metrics cost too much for every look, and only a threshold needs them.
        if configuration.guestMetric == .rsz || configuration.adaptiveStart == .always {
            sample.committed = resident
        } else if isRequested || measured.map({ now - $0 >= measurePause }) ?? true {
            guard let measurement = measure(&observer) else { return false }
            sample.committed = measurement.committed
            measured = now
        }
        return true
    }

    private var measurePause: Duration { min(configuration.monitorInterval, Self.longestMeasurePause) }

    /// What guests did since the last call; `nil` where one of them could not be read.
    private mutating func readActivity(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> GuestActivity? {
        var seen = GuestActivity()
        var present: [(identity: Int64, work: GuestWork)] = []
        let before = activity
        var next = 0
        let failure = guests.activity { identity, work in
            present.append((identity, work))
            guard let before, now > before.at else { return }
            guard let place = before.guests.firstIndex(expectedAt: next, where: { $0.identity == identity }) else {
                return
            }
            let old = before.guests[place].work
            next = place + 1
            seen.busiest = max(seen.busiest, (work.time - old.time) / (now - before.at))
            // What it holds now and did not hold before it has touched as well.
            let grown = (work.resident - old.resident).nonNegative
            seen.retaken += (work.faults - old.faults - grown).nonNegative
        }
        if let notice = activityCondition.settle(failure) { observer.report(notice) }
        guard failure == nil else { return nil }
        activity = (now, present)
        explainFaults(&seen)
        return seen
    }

    /// Takes from the guests' faults those that are no memory taken again.
    private mutating func explainFaults(_ seen: inout GuestActivity) {
        guard let faults = (try? vmstat.faults()) ?? nil, let broken = faults.brokenMerges else {
            // Writes to merged pages cannot be told from it. What guests had of the CPUs still counts.
            seen.retaken = .zero
            return
        }
        let past = self.faults ?? faults
        self.faults = faults
        seen.brokenMerges = broken - (past.brokenMerges ?? broken)
        seen.retaken = (seen.retaken - seen.brokenMerges - (faults.hints - past.hints)).nonNegative
    }

    // MARK: KSM and the CPUs

    private mutating func readCounters(
        _ wants: AdaptivePolicy.Wants, _ control: some KSMControl, _ observer: inout some StepObserver & ~Copyable
    ) -> ScanCounters? {
        if let known, !wants.hasCounters { return known }
        var failure: KernelFileError?
        do throws(KernelFileError) {
            // Between two looks only the end of a pass is news, and how fast it comes nearer.
            if let known, !wants.contains(.allCounters) {
                self.known = try counters.read(since: known, control)
            } else {
                known = try counters.read(control)
            }
        } catch {
            failure = error
        }
        if let notice = countersCondition.settle(failure) { observer.report(notice) }
        return failure == nil ? known : nil
    }

    /// The share of the time since the last call in which some task waited for a CPU.
    ///
    /// - Returns: `nil` where the kernel does not account for it, or it cannot be read: then nobody is given way to.
    private mutating func readCPUPressure(at now: Instant) -> Double? {
        guard let time = (try? pressure.waited()) ?? nil else { return nil }
        defer { waited = (now, time) }
        guard let waited, now > waited.at else { return nil }
        return (time - waited.time) / (now - waited.at)
    }

    // MARK: Records

    /// KSM's counters for a record; `nil` where they cannot be read.
    func recordedCounters(_ control: some KSMControl) -> ScanCounters? {
        try? counters.read(control)
    }
}
