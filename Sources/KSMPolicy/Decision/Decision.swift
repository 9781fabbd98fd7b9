/// What KSM should do until the next sample, with everything that led to it.
///
/// The journal, `STATUS=`, the state file and the command-line tool all report a decision from this one value.
package struct Decision: Equatable, Sendable {
    package enum Action: CaseIterable, Equatable, Sendable {
        /// Stop scanning. Pages that are merged stay merged.
        case stop
        /// Scan ``Decision/pagesToScan`` pages, then sleep ``Decision/sleepMilliseconds``, again and again.
        case scan
    }

    package var action: Action
    package var reason: Reason
    /// The corresponding file is `pages_to_scan`. A stop keeps the value, so that scanning resumes at the speed at
    /// which it left off.
    package var pagesToScan: Int64
    /// The corresponding file is `sleep_millisecs`.
    package var sleepMilliseconds: Int64
    /// What was compared.
    package var memory: MemorySample
    package var total: KiB
    package var threshold: KiB
    /// The pages per scan before this decision.
    package var previousPagesToScan: Int64
    /// The time until the next decision; `nil` for the configured interval.
    package var pause: Duration?
    /// What the adaptive policy goes by; `nil` for the others.
    package var scan: ScanReport?
    /// What the kernel's advisor is given; `nil` for the other policies, and while it does not scan.
    package var advisor: AdvisorPolicy.Order?

    /// Who decided.
    package var policy = PolicyKind.classic

    package init(
        action: Action, reason: Reason, pagesToScan: Int64, sleepMilliseconds: Int64, memory: MemorySample, total: KiB,
        threshold: KiB, previousPagesToScan: Int64
    ) {
        self.action = action
        self.reason = reason
        self.pagesToScan = pagesToScan
        self.sleepMilliseconds = sleepMilliseconds
        self.memory = memory
        self.total = total
        self.threshold = threshold
        self.previousPagesToScan = previousPagesToScan
    }

    /// What the guests would hold if the reserve were theirs too. It is compared with the total.
    package var committedWithThreshold: KiB {
        memory.committed + threshold
    }
}
