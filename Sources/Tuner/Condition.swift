internal import HostKernel

/// Whether something works, reported only when it changes: a daemon that fails each minute says so once.
struct Condition {
    /// What was reported since it last worked; empty where it works. Several failures can take turns, and each is news
    /// once.
    private var reported: [KernelFileError] = []
    private let area: Notice.Area

    /// More failures of one condition tell no more.
    private static var mostReports: Int { 4 }

    init(_ area: Notice.Area) {
        self.area = area
    }

    /// - Parameter outcome: The error of this step, or `nil` where all went well.
    /// - Returns: What to report, if it is news.
    mutating func settle(_ outcome: KernelFileError?) -> Notice? {
        guard let outcome else {
            guard !reported.isEmpty else { return nil }
            reported = []
            return .recovered(area)
        }
        // Of many guests that refuse alike, one stands for all, whichever it is this time.
        let isOfAny = [.metric, .guestReadings, .guestActivity].contains(area)
        let isKnown = reported.contains { isOfAny ? $0.errno == outcome.errno : $0 == outcome }
        guard !isKnown, reported.count < Self.mostReports else { return nil }
        reported.append(outcome)
        return .failed(area, outcome)
    }
}
