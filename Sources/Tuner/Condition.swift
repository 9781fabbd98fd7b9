internal import HostKernel

/// Whether something works, reported only when it changes: a daemon that fails each minute says so once.
struct Condition {
    private var failure: KernelFileError?
    private let area: Notice.Area

    init(_ area: Notice.Area) {
        self.area = area
    }

    /// - Parameter outcome: The error of this step, or `nil` where all went well.
    /// - Returns: What to report, if it is news.
    mutating func settle(_ outcome: KernelFileError?) -> Notice? {
        defer { failure = outcome }
        guard let outcome else { return failure == nil ? nil : .recovered(area) }
        // Of many guests that refuse alike, one stands for all, whichever it is this time.
        let isSame = area == .metric ? outcome.errno == failure?.errno : outcome == failure
        return isSame && failure != nil ? nil : .failed(area, outcome)
    }
}
