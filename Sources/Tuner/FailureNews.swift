package import HostKernel

/// Which failures of one thing are news: one that lasts is reported once, and another one too, while several can take turns.
package struct FailureNews {
    /// What was reported since it last worked; empty where it works.
    private var reported: [KernelFileError] = []

    /// More failures of one thing tell no more.
    private static var most: Int { 4 }

    package init() {}

    /// Hears of a failure.
    ///
    /// - Parameter isSame: Whether two failures say the same.
    /// - Returns: Whether it is to be reported.
    package mutating func isNews(
        _ failure: KernelFileError, _ isSame: (KernelFileError, KernelFileError) -> Bool = { $0 == $1 }
    ) -> Bool {
        guard reported.count < Self.most, !reported.contains(where: { isSame($0, failure) }) else { return false }
        reported.append(failure)
        return true
    }

    /// Hears that it works.
    ///
    /// - Returns: Whether that is news, since a failure was reported.
    package mutating func end() -> Bool {
        defer { reported = [] }
        return !reported.isEmpty
    }
}
