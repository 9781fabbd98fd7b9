// Inlinable, since the readers of kernel files in another module ask them of every byte.

extension Span<UInt8> {
    @inlinable
    package func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where self[index] != text.byte(at: index) {
            return false
        }
        return true
    }

    @inlinable
    package func isEqual(to text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && hasPrefix(text)
    }
}

extension StaticString {
    /// The byte at `index`, which must be below `utf8CodeUnitCount`.
    @inlinable
    package func byte(at index: Int) -> UInt8 {
        unsafe utf8Start[index]
    }
}

extension UInt8 {
    @inlinable
    package var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    @inlinable
    package var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension String {
    /// The text with control characters and quotes made visible, for a message of one line.
    ///
    /// Values come from files that anybody may have written; a line break in one must not forge a second message.
    package var printable: String {
        var shown = ""
        for scalar in unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7f {
                shown += "?"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
