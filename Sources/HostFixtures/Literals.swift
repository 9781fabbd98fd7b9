package import KSMPolicy

// So that a test's times read as the script that they are.

extension Instant: ExpressibleByIntegerLiteral {
    /// Nanoseconds.
    package init(integerLiteral nanoseconds: Int64) { self.init(nanoseconds: nanoseconds) }
}

extension WallTime: ExpressibleByIntegerLiteral {
    /// Microseconds since 1970.
    package init(integerLiteral microseconds: Int64) { self.init(microseconds: microseconds) }
}
