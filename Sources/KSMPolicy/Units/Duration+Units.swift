// Spans are values of the standard library's type, whose 128 bits hold the sum of any few numbers of 64 bits.

extension Duration {
    /// For ever, as far as 64 bits of nanoseconds go: 292 years.
    package static let endless = Duration.nanoseconds(Int64.max)

    /// A span of so many seconds, or the nearest that there is; what is not a number counts as none.
    package init(rounding seconds: Double) { self = .nanoseconds(Int64(saturating: seconds * 1e9)) }

    /// In whole nanoseconds, or the nearest number that 64 bits hold.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedSaturated(by: 1_000_000_000).addingSaturated(attoseconds / 1_000_000_000)
    }

    /// In whole microseconds.
    package var microseconds: Int64 { nanoseconds / 1000 }

    /// In whole milliseconds.
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// So many times as long, or the longest that there is. The standard library's own takes whole numbers of any kind
    /// through tables of types, which took a fortieth of a step of the daemon.
    package static func * (left: Duration, right: Int) -> Duration {
        .nanoseconds(left.nanoseconds.multipliedSaturated(by: Int64(right)))
    }

    /// In seconds.
    package var seconds: Double { Double(nanoseconds) / 1e9 }
}
