extension Decision {
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
        /// More new memory comes so fast that it pays to wait for it.
        case filling
        /// Memory came that no pass has seen, the last pass paid, or nothing says yet what KSM knows of the guests.
        case newMemory
        /// Enough memory has changed, or can be expected to have.
        case settled
        /// Whether anything changed that no counter shows.
        case probing
        /// The operator asked.
        case requested
        /// No process has offered memory to KSM: ksmd sleeps until one does.
        case nothingOffered
    }
}

extension Decision.Reason {
    /// How a decision for this reason is put into words.
    package enum Wording {
        /// By the numbers that were compared.
        case comparison
        /// By what is done, in place of the pace.
        case act(StaticString)
        /// By the pace, and why.
        case pace(StaticString)
    }

    /// All that is fixed for each reason: its word in the journal's `KSM_REASON`, in the state file and in traces; its
    /// number in the history; and its part of the sentence. Words and numbers never change; new ones are added.
    private var entry: (word: String, code: UInt8, wording: Wording) {
        switch self {
        case .plenty: ("plenty", 0, .comparison)
        case .shortage: ("shortage", 1, .comparison)
        case .easing: ("easing", 2, .comparison)
        case .nothingToGain: ("nothing-to-gain", 3, .act("not scanning, since a pass would not pay: "))
        case .filling: ("filling", 4, .act("waiting for more new memory: "))
        case .newMemory: ("new-memory", 5, .pace(""))
        case .settled: ("settled", 6, .pace("for memory that has changed; "))
        case .probing: ("probing", 7, .pace("to see whether guests have changed what they hold; "))
        case .requested: ("requested", 8, .pace("as asked; "))
        case .nothingOffered:
            ("nothing-offered", 9, .act("waiting, since no process has offered its memory to KSM: "))
        }
    }

    package var word: String { entry.word }

    package var code: UInt8 { entry.code }

    package var wording: Wording { entry.wording }

    /// The reason of a ``word``.
    package init?(word: String) {
        guard let reason = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = reason
    }

    /// The reason of a ``code``.
    package init?(code: UInt8) {
        guard let reason = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = reason
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

    /// Its number in the history, which never changes.
    package var code: UInt8 {
        switch self {
        case .stop: 0
        case .scan: 1
        }
    }

    /// The action of a ``word``.
    package init?(word: String) {
        guard let action = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = action
    }

    /// The action of a ``code``.
    package init?(code: UInt8) {
        guard let action = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = action
    }
}
