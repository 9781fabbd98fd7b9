/// An amount of memory in kibibytes, the unit of `/proc/meminfo` and of every threshold here.
///
/// Signed 64 bits, as the original's arithmetic was.
package struct KiB: Quantity {
    package var count: Int64

    @inlinable package init(_ count: Int64) { self.count = count }

    /// Converts whole bytes, rounding down.
    package init(_ bytes: Bytes) { self.init(bytes.count / 1024) }

    /// Converts whole bytes, rounding down.
    package init(bytes: Int64) { self.init(bytes / 1024) }

    /// The whole kibibytes in a number of bytes that was computed with a share or a rate.
    package init(ofBytes bytes: Double) { self.init(rounding: bytes / 1024) }

    /// In bytes; an absurd amount stops at the largest.
    package var bytes: Int64 { count.multipliedSaturated(by: 1024) }
}

extension KiB: CustomStringConvertible {
    /// For people, as ``TextBuffer/append(_:)-(KiB)`` writes it.
    package var description: String {
        var text = TextBuffer(capacity: 24)
        text.append(self)
        return text.string
    }
}
