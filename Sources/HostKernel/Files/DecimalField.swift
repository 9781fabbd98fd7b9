internal import KSMPolicy

/// A run of digits in a text of the kernel.
package struct DecimalField {
    package let value: Int64
    /// The index behind the last digit.
    package let end: Int

    /// - Returns: `nil` where there is no digit at `start`, or the number is beyond 63 bits.
    package init?(_ text: Span<UInt8>, at start: Int) {
        var value: Int64 = 0
        var index = start
        while index < text.count, text[index].isDigit {
            guard let next = value.multipliedExactly(by: 10)?.addingExactly(Int64(text[index] - UInt8(ascii: "0")))
            else { return nil }
            value = next
            index += 1
        }
        guard index > start else { return nil }
        self.value = value
        end = index
    }
}
