internal import KSMPolicy

/// A run of digits in a text of the kernel.
package struct DecimalField {
    package let value: Int64
    /// The index behind the last digit.
    package let end: Int

    /// - Returns: `nil` where there is no digit at `start`, the number is beyond 63 bits, or it is only the beginning of
    ///   another one: `0x10`, `1e6`, `1.5`.
    package init?(_ text: Span<UInt8>, at start: Int) {
        var value: Int64 = 0
        var index = start
        while index < text.count, text[index].isDigit {
            guard let next = value.multipliedExactly(by: 10)?.addingExactly(Int64(text[index] - UInt8(ascii: "0")))
            else { return nil }
            value = next
            index += 1
        }
        guard index > start, index == text.count || !text[index].continuesNumber else { return nil }
        self.value = value
        end = index
    }
}

extension UInt8 {
    /// Whether a number goes on with it that is written in another way.
    fileprivate var continuesNumber: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
