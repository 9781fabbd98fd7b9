import KSMPolicy

/// Keeps messages that come too fast from filling the log: a program that writes KSM's files ten times a second with
/// ever other values, say.
struct Flood {
    /// The messages of one minute.
    static let most = 60
    static let span = Duration.seconds(60)

    private var began: Instant?
    private var count = 0

    enum Verdict: Equatable {
        case pass
        /// The first one that is too much.
        case last
        case drop
    }

    /// - Returns: What to do with the next message, and how many were left out in the minute before.
    mutating func hear(at now: Instant) -> (verdict: Verdict, leftOut: Int) {
        var leftOut = 0
        if began.map({ now - $0 >= Self.span }) ?? true {
            began = now
            leftOut = max(count - Self.most, 0)
            count = 0
        }
        count += 1
        let verdict: Verdict = count <= Self.most ? .pass : count == Self.most + 1 ? .last : .drop
        return (verdict, leftOut)
    }
}
