/// Reads the numbers of the configuration file.
package enum DecimalInteger {
    package enum ParseError: Error, Equatable, Sendable {
        case notANumber
        /// With the text that would be right if decimal was meant.
        case leadingZero(meant: String)
        case hexadecimal
        case beyond64Bits
    }

    /// Reads a decimal integer with an optional sign; blanks around it do not count, as in the shell's arithmetic.
    package static func parse(_ text: String) throws(ParseError) -> Int64 {
        var digits = Array(text.utf8)[...]
        while let last = digits.last, last.isBlank { digits.removeLast() }
        while let first = digits.first, first.isBlank { digits.removeFirst() }
        var sign = ""
        if let first = digits.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            sign = first == UInt8(ascii: "-") ? "-" : ""
            digits.removeFirst()
        }
        guard let first = digits.first else { throw .notANumber }
        if first == UInt8(ascii: "0"), let second = digits.dropFirst().first {
            if second == UInt8(ascii: "x") || second == UInt8(ascii: "X") { throw .hexadecimal }
            guard digits.allSatisfy({ $0.isDigit }) else { throw .notANumber }
            let stripped = digits.drop { $0 == UInt8(ascii: "0") }
            throw .leadingZero(meant: sign + (stripped.isEmpty ? "0" : String(decoding: stripped, as: UTF8.self)))
        }
        guard digits.allSatisfy({ $0.isDigit }) else { throw .notANumber }
        guard let number = Int64(sign + String(decoding: digits, as: UTF8.self)) else { throw .beyond64Bits }
        return number
    }
}
