package import KSMPolicy

/// A source of events that could not be had: when it is tried again, and whether that it is missing was told.
///
/// One failure for want of memory or descriptors, at a start or later, must not leave the daemon deaf for good.
package struct SourceRetry: Sendable {
    package static var pause: Duration { .seconds(60) }

    /// When it is tried again; `nil` where it is there, or not to be had at all.
    package private(set) var due: Instant?
    private var isTold = false

    package init() {}

    /// - Returns: Whether it is to be told: once until it is there again.
    package mutating func failed(_ error: KernelFileError, at now: Instant) -> Bool {
        due = error.mayPass ? now + Self.pause : nil
        defer { isTold = true }
        return !isTold
    }

    /// - Returns: Whether it was told that it was missing.
    package mutating func succeeded() -> Bool {
        defer { self = SourceRetry() }
        return isTold
    }

    package func isDue(at now: Instant) -> Bool { due.map { now >= $0 } ?? false }
}
