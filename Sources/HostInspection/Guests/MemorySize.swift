internal import KSMPolicy

/// Amounts of memory as virtual machine monitors take them on their command lines: `4096`, `4G`, `1.5G`, `4194304k`.
enum MemorySize {
    static let byte: UInt64 = 1
    static let mebibyte: UInt64 = 1 << 20

    /// - Parameter unit: What a number without a suffix counts, in bytes.
    /// - Returns: `nil` for a text that is no such amount, or one beyond 64 bits.
    static func parse(_ text: String, unit: UInt64) -> KiB? {
        var digits = Array(text.utf8)[...]
        var unit = unit
        if let last = digits.last, let suffix = multiplier(last) {
            unit = suffix
            digits.removeLast()
        }
        let whole = digits.prefix { $0.isDigit }
        guard !whole.isEmpty, var bytes = number(whole)?.multipliedExactly(by: unit) else { return nil }
        digits = digits[whole.endIndex...]
        if digits.first == UInt8(ascii: ".") {
            let fraction = digits.dropFirst()
            guard fraction.allSatisfy({ $0.isDigit }) else { return nil }
            guard let sum = bytes.addingExactly(part(fraction, of: unit)) else { return nil }
            bytes = sum
        } else if !digits.isEmpty {
            return nil
        }
        return KiB(Int64(bytes / 1024))
    }

    private static func multiplier(_ suffix: UInt8) -> UInt64? {
        switch suffix {
        case UInt8(ascii: "b"), UInt8(ascii: "B"): 1
        case UInt8(ascii: "k"), UInt8(ascii: "K"): 1 << 10
        case UInt8(ascii: "m"), UInt8(ascii: "M"): 1 << 20
        case UInt8(ascii: "g"), UInt8(ascii: "G"): 1 << 30
        case UInt8(ascii: "t"), UInt8(ascii: "T"): 1 << 40
        case UInt8(ascii: "p"), UInt8(ascii: "P"): 1 << 50
        case UInt8(ascii: "e"), UInt8(ascii: "E"): 1 << 60
        default: nil
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            guard let next = value.multipliedExactly(by: 10)?.addingExactly(UInt64(digit - UInt8(ascii: "0")))
            else { return nil }
            value = next
        }
        return value
    }

    /// Digits behind the point, as a part of a unit. The tenth and further ones do not matter.
    private static func part(_ digits: ArraySlice<UInt8>, of unit: UInt64) -> UInt64 {
        var numerator: UInt64 = 0
        var denominator: UInt64 = 1
        for digit in digits.prefix(9) {
            numerator = numerator * 10 + UInt64(digit - UInt8(ascii: "0"))
            denominator *= 10
        }
        return denominator.dividingFullWidth(unit.multipliedFullWidth(by: numerator)).quotient
    }
}
