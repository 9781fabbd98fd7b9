/// An amount in one unit, whose arithmetic stops at the largest and the smallest value.
///
/// Amounts come from files that the kernel, an administrator or nobody knows who wrote. A sum that wrapped would turn a
/// large amount into a small one, and a sum that trapped would end the daemon; one that saturates is merely as absurd
/// as what it was made of.
package protocol Quantity: Hashable, Comparable, ExpressibleByIntegerLiteral, Sendable {
    /// How many of the unit.
    var count: Int64 { get set }

    init(_ count: Int64)
}

extension Quantity {
    @inlinable package init(integerLiteral count: Int64) { self.init(count) }

    @inlinable package static var zero: Self { Self(0) }
    @inlinable package static var greatest: Self { Self(.max) }

    @inlinable package static func < (left: Self, right: Self) -> Bool { left.count < right.count }

    @inlinable package static func + (left: Self, right: Self) -> Self { Self(left.count.addingSaturated(right.count)) }

    @inlinable package static func - (left: Self, right: Self) -> Self {
        Self(left.count.subtractingSaturated(right.count))
    }

    @inlinable package static func += (left: inout Self, right: Self) { left = left + right }

    @inlinable package static func -= (left: inout Self, right: Self) { left = left - right }

    @inlinable package static func * (left: Self, right: Int64) -> Self {
        Self(left.count.multipliedSaturated(by: right))
    }

    /// The whole part of a number, for what was computed with a share or a rate.
    ///
    /// - Parameter number: What is not a number counts as 0.
    package init(rounding number: Double) { self.init(Int64(saturating: number)) }

    /// Itself, or 0 where it is below: an amount that there cannot be less than none of.
    @inlinable package var nonNegative: Self { count < 0 ? .zero : self }

    /// How much of another amount it is: 1 for all of it, and 0 where that is nothing.
    @inlinable package func share(of whole: Self) -> Double {
        whole.count > 0 ? Double(count) / Double(whole.count) : 0
    }
}

extension Sequence {
    /// The sum of what each element has of something.
    package func sum<Q: Quantity>(_ amount: (Element) -> Q) -> Q {
        reduce(.zero) { $0 + amount($1) }
    }
}

extension FixedWidthInteger {
    /// The sum; `nil` where it does not fit, for who refuses such a number rather than bounds it.
    @inlinable package func addingExactly(_ other: Self) -> Self? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }

    /// The product; `nil` where it does not fit.
    @inlinable package func multipliedExactly(by other: Self) -> Self? {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : product
    }

    /// The sum, or the nearest value that there is.
    @inlinable package func addingSaturated(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The difference, or the nearest value that there is.
    @inlinable package func subtractingSaturated(_ other: Self) -> Self {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }

    /// The product, or the nearest value that there is.
    @inlinable package func multipliedSaturated(by other: Self) -> Self {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}

extension Int64 {
    /// The whole part of a number, or the nearest value that there is. What is not a number counts as 0.
    package init(saturating number: Double) {
        self = number.isNaN ? 0 : number >= 0x1p63 ? .max : number <= -0x1p63 ? .min : Int64(number)
    }
}
