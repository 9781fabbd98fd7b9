package import KSMPolicy

/// What the knobs hold at one moment. `nil` is a file that this kernel does not have, or that could not be read.
package struct KnobValues: Equatable, Sendable {
    package var run: Int64?
    package var pagesToScan: Int64?
    package var sleepMilliseconds: Int64?
    package var advisorMode: AdvisorMode?
    /// What the kernel's advisor goes by.
    package var advisor: AdvisorPolicy.Order?

    package init(
        run: Int64? = nil, pagesToScan: Int64? = nil, sleepMilliseconds: Int64? = nil, advisorMode: AdvisorMode? = nil
    ) {
        self.run = run
        self.pagesToScan = pagesToScan
        self.sleepMilliseconds = sleepMilliseconds
        self.advisorMode = advisorMode
    }

    /// The numbers, as the kernel holds them now.
    package init(pace control: some KSMControl) {
        run = (try? control.read(.run)) ?? nil
        pagesToScan = (try? control.read(.pagesToScan)) ?? nil
        sleepMilliseconds = (try? control.read(.sleepMilliseconds)) ?? nil
    }

    /// All of them.
    package init(all control: some KSMControl) {
        self.init(pace: control)
        advisorMode = (try? control.readAdvisorMode()) ?? nil
        func value(_ file: KSMFile) -> Int64? { (try? control.read(file)) ?? nil }
        if let scanTime = value(.advisorTargetScanTime), let cpuMaximum = value(.advisorMaxCPU),
            let pagesMinimum = value(.advisorMinPagesToScan), let pagesMaximum = value(.advisorMaxPagesToScan)
        {
            advisor = AdvisorPolicy.Order(
                scanTime: .seconds(scanTime), cpuMaximumPercent: cpuMaximum, pagesMinimum: pagesMinimum, pagesMaximum: pagesMaximum)
        }
    }
}
