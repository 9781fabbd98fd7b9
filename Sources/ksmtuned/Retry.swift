import KSMPolicy

/// When something that failed is tried again: at a decision, and once a minute at most, so that a daemon that decides
/// ten times a second does not try that often.
struct Retry {
    static let pause = Duration.seconds(60)

    private var tried: Instant?

    /// Whether it is time to try, which then counts as tried.
    mutating func isDue(at now: Instant) -> Bool {
        if let tried, now - tried < Self.pause { return false }
        tried = now
        return true
    }

    /// Has the next attempt come as soon as it may.
    mutating func reset() { tried = nil }
}
