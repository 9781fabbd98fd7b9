internal import HostKernel
internal import KSMPolicy

/// What the adaptive policy sees of the host, apart from what every policy sees.
struct AdaptiveEyes {
    private let thread: KSMThread?
    private let pressure: CPUPressure
    private let vmstat: MemoryCounters

    /// What is known from the last look at memory and guests, for the steps between.
    var memory = MemorySample(free: .zero, committed: .zero)
    var held: [GuestMemory] = []
    var counters: ScanCounters?
    /// When processes were last listed.
    var listed: Instant?
    /// When the guests were last counted by the configured metric.
    var measured: Instant?
    /// When it was last looked whether something else wrote the knobs.
    var watched: Instant?
    var isUnderPressure = false
    var isRequested = false

    private var waited: (at: Instant, time: Duration)?
    private var broken: Pages?
    private var activity: (at: Instant, times: [(identity: Int64, time: Duration)])?

    init(_ paths: HostPaths) {
        thread = KSMThread(paths)
        pressure = CPUPressure(paths)
        vmstat = MemoryCounters(paths)
    }

    func times() -> (cpu: Duration, waited: Duration)? { thread?.times() }

    /// The share of the time since the last call in which some task waited for a CPU.
    mutating func cpuPressure(at now: Instant) -> Double? {
        guard let time = pressure.waited() else { return nil }
        defer { waited = (now, time) }
        guard let waited, now > waited.at else { return nil }
        return (time - waited.time) / (now - waited.at)
    }

    /// What guests did since the last call.
    mutating func activity(of guests: borrowing GuestTable, at now: Instant) -> GuestActivity {
        var seen = GuestActivity()
        if let broken = vmstat.brokenMerges() {
            seen.brokenMerges = broken - (self.broken ?? broken)
            self.broken = broken
        }
        var times: [(identity: Int64, time: Duration)] = []
        let before = activity
        guests.activity { identity, time in
            times.append((identity, time))
            guard let before, now > before.at, let old = before.times.first(where: { $0.identity == identity }) else {
                return
            }
            seen.busiest = max(seen.busiest, (time - old.time) / (now - before.at))
        }
        activity = (now, times)
        return seen
    }
}

extension Tuner {
    /// A listing takes 0.35 microseconds per process, and half a thousandth of a CPU is enough for it.
    private static var listingPause: Duration { .microseconds(700) }
    /// While nothing is scanned, another that switches KSM on is noticed this late at most.
    private static var idleWatchPause: Duration { .seconds(5) }

    /// A step of the adaptive policy: ten in a second of a burst, so nothing is read that it does not ask for, and
    /// nothing is written that is there already.
    mutating func adaptiveStep(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard let wants = adaptive?.wants(at: now), var sample = adaptiveSample(wants, at: now, &observer) else {
            return nil
        }
        sample.isRequested = eyes.isRequested
        sample.isUnderPressure = eyes.isUnderPressure
        guard let decision = adaptive?.decide(sample) else { return nil }
        eyes.isRequested = false
        eyes.isUnderPressure = false
        let watchPause = decision.action == .scan ? .seconds(1) : Self.idleWatchPause
        if eyes.watched.map({ now - $0 >= watchPause }) ?? true {
            eyes.watched = now
            let present = KnobValues(pace: control)
            for notice in foreign.check(present) { observer.note(notice) }
            // Told once, and written over each time: what is not expected is written again.
            if foreign.differs(present) { foreign.expected = KnobValues() }
        }
        observer.willApply(decision, guests: eyes.held.count)
        applyChanges(decision, &observer)
        observer.didApply(decision, guests: eyes.held.count)
        return (decision, eyes.held.count)
    }

    private mutating func adaptiveSample(
        _ wants: AdaptivePolicy.Wants, at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> AdaptiveSample? {
        guard let counters = counters(wants, &observer) else { return nil }
        eyes.counters = counters
        if wants.contains(.guests) {
            guard listIfDue(at: now, &observer) else { return nil }
            lookAtGuests(at: now, &observer)
        }
        var sample = AdaptiveSample(now: now, memory: eyes.memory, counters: counters)
        sample.isCounted = !wants.isDisjoint(with: [.counters, .allCounters])
        if wants.contains(.guests) { sample.guests = eyes.held }
        if wants.contains(.memory) {
            guard let info = readMemory(&observer) else { return nil }
            eyes.memory.free = info.free(by: configuration.freeMetric)
            sample.memory = eyes.memory
            sample.available = info.available.map { Double($0.count) / Double(max(policy.total.count, 1)) }
        }
        if wants.contains(.cpuPressure) { sample.cpuPressure = eyes.cpuPressure(at: now) }
        if wants.contains(.activity) { sample.activity = eyes.activity(of: guests, at: now) }
        return sample
    }

    private mutating func counters(
        _ wants: AdaptivePolicy.Wants, _ observer: inout some StepObserver & ~Copyable
    ) -> ScanCounters? {
        guard let known = eyes.counters else { return readCounters(&observer) }
        if wants.contains(.allCounters) { return readCounters(&observer) }
        // Between two looks only the end of a pass is news, and how fast it comes nearer.
        return wants.contains(.counters) ? readCounters(since: known, &observer) : known
    }

    /// Reads what each guest holds.
    private mutating func lookAtGuests(at now: Instant, _ observer: inout some StepObserver & ~Copyable) {
        var held: [GuestMemory] = []
        held.reserveCapacity(eyes.held.count)
        var resident = KiB.zero
        guests.residents { _, identity, pages in
            let amount = pages.kibibytes(of: Host.pageSize)
            resident = resident + amount
            held.append(GuestMemory(id: identity, resident: amount))
        }
        eyes.held = held
        // Other metrics cost too much for every look, and only a threshold needs them.
        if configuration.guestMetric == .rsz || configuration.adaptiveStart == .always {
            eyes.memory.committed = resident
        } else if eyes.measured.map({ now - $0 >= configuration.monitorInterval }) ?? true {
            let measured = guests.measure(by: configuration.guestMetric)
            if let notice = metricCondition.settle(measured.fallback) { observer.note(notice) }
            eyes.memory.committed = measured.committed
            eyes.measured = now
        }
    }

    /// Guests that no event announced are found by listings, as often as their cost allows.
    private mutating func listIfDue(at now: Instant, _ observer: inout some StepObserver & ~Copyable) -> Bool {
        let pause = min(
            max(Self.listingPause * guests.processes, .seconds(1)), configuration.monitorInterval)
        if let listed = eyes.listed, now - listed < pause { return true }
        eyes.listed = now
        return refreshGuests(&observer)
    }

    /// - Parameter known: Counters that still hold, but for those of the way through a pass, unless a pass has ended
    ///   since.
    mutating func readCounters(
        since known: ScanCounters? = nil, _ observer: inout some StepObserver & ~Copyable
    ) -> ScanCounters? {
        var counters = known ?? ScanCounters()
        var failure: KernelFileError?
        do throws(KernelFileError) {
            try readProgress(&counters)
            if let known, known.passes == counters.passes { return counters }
            try readPages(&counters)
        } catch {
            failure = error
        }
        if let notice = knobsCondition.settle(failure) { observer.note(notice) }
        return failure == nil ? counters : nil
    }

    /// How far ksmd came.
    func readProgress(_ counters: inout ScanCounters) throws(KernelFileError) {
        counters.passes = max(try control.read(.fullScans) ?? 0, 0)
        counters.scanned = try pages(.pagesScanned)
        counters.skipped = try pages(.pagesSkipped)
        let times = eyes.times()
        counters.cpu = times?.cpu
        counters.waited = times?.waited ?? .zero
    }

    /// What it found.
    func readPages(_ counters: inout ScanCounters) throws(KernelFileError) {
        counters.shared = try pages(.pagesShared)
        counters.sharing = try pages(.pagesSharing)
        counters.unshared = try pages(.pagesUnshared)
        counters.volatile = try pages(.pagesVolatile)
        counters.zero = try pages(.zeroPages)
    }

    /// A counter; 0 where this kernel does not have it.
    private func pages(_ file: KSMFile) throws(KernelFileError) -> Pages {
        Pages(try control.read(file) ?? 0).nonNegative
    }

    // MARK: Writing

    private mutating func applyChanges(_ decision: Decision, _ observer: inout some StepObserver & ~Copyable) {
        var failure: KernelFileError?
        do throws(KernelFileError) {
            let isScanning = decision.action == .scan
            if isScanning {
                try overrideSmartScan(decision.scan?.smartScan)
                let isPaceKept =
                    foreign.expected.pagesToScan == decision.pagesToScan
                    && foreign.expected.sleepMilliseconds == decision.sleepMilliseconds
                if !isPaceKept {
                    foreign.expected.pagesToScan = nil
                    foreign.expected.sleepMilliseconds = nil
                    if try control.setPace(decision) { observer.note(.displacedAdvisor) }
                    expect(pagesToScan: decision.pagesToScan, sleepMilliseconds: decision.sleepMilliseconds)
                }
            }
            let run: Int64 = isScanning ? 1 : 0
            if foreign.expected.run != run {
                foreign.expected.run = nil
                try control.write(String(run), to: .run)
                if control.takesEffect { foreign.expected.run = run }
            }
            if !isScanning { try overrideSmartScan(nil) }
        } catch {
            failure = error
        }
        if let notice = knobsCondition.settle(failure) { observer.note(notice) }
    }
}
