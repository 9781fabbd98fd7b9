/// A moment of the wall clock, which an administrator may set: for people and for other programs, never to measure a
/// span by while the daemon runs.
package struct WallTime: Hashable, Comparable, Sendable {
    /// Since 1970.
    package var microseconds: Int64

    @inlinable package init(microseconds: Int64) { self.microseconds = microseconds }

    /// - Parameter seconds: Since 1970.
    package init(seconds: Int64) { self.init(microseconds: seconds.multipliedSaturated(by: 1_000_000)) }

    /// In seconds since 1970.
    package var secondsSince1970: Double { Double(microseconds) / 1e6 }

    /// Whole seconds since 1970, rounded down.
    package var wholeSeconds: Int64 { microseconds / 1_000_000 - (microseconds % 1_000_000 < 0 ? 1 : 0) }

    @inlinable package static func < (left: WallTime, right: WallTime) -> Bool {
        left.microseconds < right.microseconds
    }

    package static func + (left: WallTime, right: Duration) -> WallTime {
        WallTime(microseconds: left.microseconds.addingSaturated(right.microseconds))
    }

    package static func - (left: WallTime, right: Duration) -> WallTime {
        WallTime(microseconds: left.microseconds.subtractingSaturated(right.microseconds))
    }

    /// The span between two moments; negative where the left one is earlier.
    package static func - (left: WallTime, right: WallTime) -> Duration {
        .microseconds(left.microseconds.subtractingSaturated(right.microseconds))
    }
}
