/// An amount of memory in kibibytes, the unit of `/proc/meminfo` and of every threshold here.
///
/// Signed 64 bits, as the original's arithmetic was. Sums stop at the largest value instead of wrapping: a host
/// file with an absurd number must neither end the daemon nor turn a large amount into a small one.
package struct KiB: Hashable, Comparable, Sendable {
    package var count: Int64

    package init(_ count: Int64) {
        self.count = count
    }

    package static let zero = KiB(0)

    /// Converts whole bytes, rounding down.
    package init(bytes: Int64) {
        count = bytes / 1024
    }

    /// The nearest whole amount below; an absurd one stops at the largest.
    package init(ofBytes bytes: Double) {
        let kibibytes = bytes / 1024
        count = kibibytes.isNaN ? 0 : kibibytes >= 0x1p63 ? .max : kibibytes <= -0x1p63 ? .min : Int64(kibibytes)
    }

    /// In bytes; an absurd amount stops at the largest.
    package var bytes: Int64 {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 1024)
        return overflow ? (count < 0 ? .min : .max) : bytes
    }

    package static func < (left: KiB, right: KiB) -> Bool {
        left.count < right.count
    }

    package static func + (left: KiB, right: KiB) -> KiB {
        let (sum, overflow) = left.count.addingReportingOverflow(right.count)
        return overflow ? KiB(left.count < 0 ? .min : .max) : KiB(sum)
    }

    package static func - (left: KiB, right: KiB) -> KiB {
        let (difference, overflow) = left.count.subtractingReportingOverflow(right.count)
        return overflow ? KiB(left.count < 0 ? .min : .max) : KiB(difference)
    }
}

extension KiB: CustomStringConvertible {
    /// For people, as ``TextBuffer/append(_:)-(KiB)`` writes it.
    package var description: String {
        var text = TextBuffer(capacity: 24)
        text.append(self)
        return text.string
    }
}
