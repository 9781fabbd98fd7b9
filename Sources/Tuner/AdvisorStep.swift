internal import HostKernel
internal import KSMPolicy

extension Tuner {
    /// A step of the advisor policy: starts and stops KSM, and leaves the pace to the kernel.
    mutating func advisorStep(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard let (memory, guests) = sample(&observer), let counters = readCounters(&observer) else { return nil }
        let present = KnobValues(all: control)
        guard present.advisorMode != nil else {
            if !hasToldOfNoAdvisor { observer.note(.noAdvisor) }
            hasToldOfNoAdvisor = true
            return classicStep(&observer)
        }
        let sample = AdvisorPolicy.Sample(
            now: now, counters: counters, isOn: present.advisorMode == .scanTime,
            pagesToScan: present.pagesToScan ?? 0, sleepMilliseconds: present.sleepMilliseconds ?? 0)
        guard let decision = advisor?.decide(memory, sample) else { return nil }
        // The pages are the advisor's own to change.
        var watched = present
        watched.pagesToScan = nil
        for notice in foreign.check(watched) { observer.note(notice) }
        observer.willApply(decision, guests: guests)
        apply(decision, advisorIsOn: sample.isOn, &observer)
        observer.didApply(decision, guests: guests)
        return (decision, guests)
    }

    private mutating func apply(
        _ decision: Decision, advisorIsOn: Bool, _ observer: inout some StepObserver & ~Copyable
    ) {
        var failure: KernelFileError?
        do throws(KernelFileError) {
            if let order = decision.advisor {
                try give(order)
                if order.restarts, advisorIsOn {
                    try control.write(AdvisorMode.none.word, to: .advisorMode)
                    observer.note(.restartedAdvisor(pages: decision.pagesToScan, start: order.pagesMinimum))
                }
                if order.restarts || !advisorIsOn {
                    try control.write(AdvisorMode.scanTime.word, to: .advisorMode)
                }
            }
            let run: Int64 = decision.action == .scan ? 1 : 0
            foreign.expected.run = nil
            try control.write(String(run), to: .run)
            if control.takesEffect { foreign.expected.run = run }
        } catch {
            failure = error
        }
        if let notice = knobsCondition.settle(failure) { observer.note(notice) }
    }

    /// Writes what is another than the kernel has. The kernel refuses a minimum above its maximum, so the order
    /// depends on which way they go.
    mutating func give(_ order: AdvisorPolicy.Order) throws(KernelFileError) {
        try set(.advisorTargetScanTime, order.scanTime.components.seconds)
        try set(.advisorMaxCPU, order.cpuMaximumPercent)
        if let most = try control.read(.advisorMaxPagesToScan), order.pagesMinimum > most {
            try set(.advisorMaxPagesToScan, order.pagesMaximum)
            try set(.advisorMinPagesToScan, order.pagesMinimum)
        } else {
            try set(.advisorMinPagesToScan, order.pagesMinimum)
            try set(.advisorMaxPagesToScan, order.pagesMaximum)
        }
    }

    private mutating func set(_ file: KSMFile, _ value: Int64) throws(KernelFileError) {
        let present = try control.read(file)
        guard let present, present != value else { return }
        try control.write(String(value), to: file)
    }
}
