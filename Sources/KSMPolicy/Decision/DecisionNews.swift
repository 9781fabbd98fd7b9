/// What somebody has heard of the decisions, and so whether the next one is news.
///
/// A decision is another than the one before where its action or its reason is. A policy that looks ten times in a
/// second says the same most of the time; to repeat that as often would drown what matters.
package struct DecisionNews: Sendable {
    /// How soon a decision that says the same again is worth hearing.
    package struct Repetition: Equatable, Sendable {
        package var scanning: Duration
        package var resting: Duration
    }

    private var last: (action: Decision.Action, reason: Decision.Reason, at: Instant)?

    package init() {}

    /// What KSM was last said to do; `nil` where nothing was said yet.
    package var action: Decision.Action? { last?.action }

    /// Whether it is another than the last one heard.
    package func isChange(_ decision: Decision) -> Bool {
        guard let last else { return true }
        return last.action != decision.action || last.reason != decision.reason
    }

    /// Whether it is another, or the last one was heard long enough ago.
    ///
    /// - Parameter repetition: `nil` where each decision is worth hearing.
    package func isDue(_ decision: Decision, at now: Instant, _ repetition: Repetition?) -> Bool {
        guard let repetition, let last, !isChange(decision) else { return true }
        return now - last.at >= (decision.action == .scan ? repetition.scanning : repetition.resting)
    }

    /// The decision was heard.
    ///
    /// - Parameter now: For who asks ``isDue(_:at:_:)``.
    package mutating func hear(_ decision: Decision, at now: Instant = .never) {
        last = (decision.action, decision.reason, now)
    }
}
