/// What KSM should do until the next sample, with everything that led to it.
///
/// The journal, `STATUS=`, the state file and the command-line tool all tell a decision from this one value.
package struct Decision: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        /// Stop scanning. Pages that are merged stay merged.
        case stop
        /// Scan ``Decision/pagesToScan`` pages, then sleep ``Decision/sleepMilliseconds``, again and again.
        case scan
    }

    /// Which branch of the rule decided.
    package enum Reason: CaseIterable, Equatable, Sendable {
        /// Committed and threshold together stay below the total, and free memory is above the threshold.
        case plenty
        /// Free memory is below the threshold: scan harder.
        case shortage
        /// The guests have committed the host, but free memory is not below the threshold: scan with less effort.
        case easing

        // The adaptive policy's.

        /// No pass would pay.
        case nothingToGain
        /// Guests still fill their memory: wait until it has settled.
        case filling
        /// Memory came that no pass has seen, or the last pass paid.
        case newMemory
        /// Memory that had changed has had time to settle.
        case settled
        /// Whether anything changed that no counter tells of.
        case probing
        /// The operator asked.
        case requested
        /// No process has offered memory to KSM: ksmd sleeps until one does.
        case nothingOffered
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

extension Decision.Action {
    /// The word for it in the journal's `KSM_ACTION` and in the state file.
    package var word: String {
        switch self {
        case .stop: "stop"
        case .scan: "scan"
        }
    }
}

extension Decision.Reason {
    /// The word for it in the journal's `KSM_REASON` and in the state file.
    package var word: String {
        switch self {
        case .plenty: "plenty"
        case .shortage: "shortage"
        case .easing: "easing"
        case .nothingToGain: "nothing-to-gain"
        case .filling: "filling"
        case .newMemory: "new-memory"
        case .settled: "settled"
        case .probing: "probing"
        case .requested: "requested"
        case .nothingOffered: "nothing-offered"
        }
    }
}

extension Decision.Action {
    /// The action of a ``word``.
    package init?(word: String) {
        switch word {
        case Self.stop.word: self = .stop
        case Self.scan.word: self = .scan
        default: return nil
        }
    }
}

extension Decision.Reason {
    /// The reason of a ``word``.
    package init?(word: String) {
        guard let reason = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = reason
    }
}
