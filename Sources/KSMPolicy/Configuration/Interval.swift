/// The text of a time between two decisions, as sleep(1) reads it. ``Swift/Duration/endless`` means for ever.
package enum Interval {
    package static let shortest = Duration.milliseconds(100)

    package enum ParseError: Error, Equatable, Sendable {
        case notADuration
        case tooLong
        case tooShort
    }

    /// Reads words such as `60`, `0.5`, `30s`, `2m`, `1h`, `1d`, `infinity`, and takes their sum.
    ///
    /// - Throws: ``ParseError`` for other text, for more than 64 bits of nanoseconds, and for less than 0.1 s,
    ///   with which the daemon would be busy with itself.
    package static func parse(_ text: String) throws(ParseError) -> Duration {
        var sum: Int64 = 0
        var words = 0
        for word in text.utf8.split(whereSeparator: { $0.isBlank }) {
            words += 1
            let length = try nanoseconds(Array(word))
            // Only words that say so make it endless.
            if sum != .max, length != .max, length > .max - sum { throw .tooLong }
            sum = sum.addingSaturated(length)
        }
        guard words > 0 else { throw .notADuration }
        guard .nanoseconds(sum) >= shortest else { throw .tooShort }
        return .nanoseconds(sum)
    }

    private static func nanoseconds(_ word: [UInt8]) throws(ParseError) -> Int64 {
        var digits = word[...]
        var unit: Int64 = 1_000_000_000
        switch digits.last {
        case UInt8(ascii: "s"): digits.removeLast()
        case UInt8(ascii: "m"): (unit, digits) = (unit * 60, digits.dropLast())
        case UInt8(ascii: "h"): (unit, digits) = (unit * 3_600, digits.dropLast())
        case UInt8(ascii: "d"): (unit, digits) = (unit * 86_400, digits.dropLast())
        default: break
        }
        if digits.elementsEqual("infinity".utf8) || digits.elementsEqual("inf".utf8) { return .max }

        var length: Int64 = 0
        var hasDigit = false
        // What one digit behind the point is worth, or nil before the point.
        var fraction: Int64?
        for byte in digits {
            if byte == UInt8(ascii: "."), fraction == nil {
                fraction = unit
                continue
            }
            guard byte.isDigit else { throw .notADuration }
            hasDigit = true
            let digit = Int64(byte - UInt8(ascii: "0"))
            // Before the point each digit makes those before it worth ten times as much, behind it each is worth less.
            let shifted = fraction == nil ? length.multipliedExactly(by: 10) : length
            fraction = fraction.map { $0 / 10 }
            guard let sum = shifted?.addingExactly(digit * (fraction ?? unit)) else { throw .tooLong }
            length = sum
        }
        guard hasDigit else { throw .notADuration }
        return length
    }

    /// As the file would have it: `60 s`, `0.5 s`.
    package static func text(_ interval: Duration) -> String {
        guard interval < .endless else { return "infinity" }
        let milliseconds = interval.milliseconds
        let rest = milliseconds % 1000
        guard rest > 0 else { return "\(milliseconds / 1000) s" }
        var digits = String(rest + 1000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(milliseconds / 1000).\(digits) s"
    }
}
