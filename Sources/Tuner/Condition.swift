internal import HostKernel

/// Whether something works, reported only when it changes: a daemon that fails each minute says so once.
struct Condition {
    private var news = FailureNews()
    private let area: Notice.Area

    init(_ area: Notice.Area) {
        self.area = area
    }

    /// - Parameter outcome: The error of this step, or `nil` where all went well.
    /// - Returns: What to report, if it is news.
    mutating func settle(_ outcome: KernelFileError?) -> Notice? {
        guard let outcome else { return news.end() ? .recovered(area) : nil }
        // Of many guests that refuse alike, one stands for all, whichever it is this time.
        let isOfAny = [.metric, .guestReadings, .guestActivity, .commandLines].contains(area)
        return news.isNews(outcome) { isOfAny ? $0.isAlike($1) : $0 == $1 } ? .failed(area, outcome) : nil
    }
}

extension KernelFileError {
    /// Whether both are of one kind, whichever file they are of.
    fileprivate func isAlike(_ other: KernelFileError) -> Bool {
        errno == other.errno && (errno != 0 || detail == other.detail)
    }
}
