/// A moment of the monotonic clock, which does not count while the host is suspended.
package struct Instant: Hashable, Comparable, Sendable {
    /// Since an unknown moment before the host's boot.
    package let nanoseconds: Int64

    @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// A moment that never comes.
    package static let never = Instant(nanoseconds: .max)

    @inlinable package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment after this span; ``never`` where it is beyond the clock.
    package static func + (left: Instant, right: Duration) -> Instant {
        Instant(nanoseconds: left.nanoseconds.addingSaturated(right.nanoseconds))
    }

    /// The span between two moments; negative where the left one is earlier.
    package static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingSaturated(right.nanoseconds))
    }
}
