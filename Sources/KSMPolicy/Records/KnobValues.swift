/// Who sets the pace of ksmd: since Linux 6.8 the kernel can do it itself.
package enum AdvisorMode: String, Sendable {
    case none
    case scanTime = "scan-time"

    package var word: String { rawValue }
}

/// What the files that say whether KSM scans, and how fast, hold at one moment. `nil` is a file that this kernel does
/// not have, or whose value is not known.
package struct KnobValues: Equatable, Sendable {
    package var run: Int64?
    package var pagesToScan: Int64?
    package var sleepMilliseconds: Int64?
    package var advisorMode: AdvisorMode?
    /// What the kernel's advisor goes by.
    package var advisor = AdvisorValues()

    package init(
        run: Int64? = nil, pagesToScan: Int64? = nil, sleepMilliseconds: Int64? = nil, advisorMode: AdvisorMode? = nil
    ) {
        self.run = run
        self.pagesToScan = pagesToScan
        self.sleepMilliseconds = sleepMilliseconds
        self.advisorMode = advisorMode
    }
}

/// What the files of the kernel's advisor hold, each by itself; `nil` as in ``KnobValues``.
package struct AdvisorValues: Equatable, Sendable {
    /// In seconds. `advisor_target_scan_time`
    package var scanTimeSeconds: Int64?
    /// Of one CPU. `advisor_max_cpu`
    package var cpuMaximumPercent: Int64?
    package var pagesMinimum: Int64?
    package var pagesMaximum: Int64?

    package init() {}
}
