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
    /// The text as a message, a table or a label of one line shows it: with `?` for everything that would be acted on
    /// rather than shown.
    ///
    /// Names and values come from files and processes that anybody may have written: a line break in one must not forge
    /// a second message, an escape not move the cursor, and a mark of direction not turn the rest of the line around.
    package var printable: String {
        var shown = ""
        for scalar in unicodeScalars { shown.unicodeScalars.append(scalar.isInvisible ? "?" : scalar) }
        return shown
    }

    /// The text if it has at most `limit` bytes, else its beginning in whole characters and `...`.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let mark = "..."
        // A place within a character counts as its beginning.
        return self[..<utf8.index(startIndex, offsetBy: limit - mark.utf8.count)] + mark
    }
}

extension Unicode.Scalar {
    /// Whether it is a control character, a line break, a mark of direction, or another that has no form of its own.
    package var isInvisible: Bool {
        switch value {
        // C0, DEL and C1, of which a terminal takes U+009B for the beginning of a command.
        case 0..<0x20, 0x7f..<0xa0: true
        // Soft hyphen, marks of direction, breaks of lines and paragraphs, joiners, annotations, tags.
        case 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfff9...0xfffb,
            0xe0000...0xe007f:
            true
        default: false
        }
    }
}

extension Bool {
    /// Whether a word says on or off, in a setting, in an option of QEMU or in a file of the kernel.
    package init?(word: String) {
        switch word {
        case "yes", "on", "true", "1", "y", "Y": self = true
        case "no", "off", "false", "0", "n", "N": self = false
        default: return nil
        }
    }
}
