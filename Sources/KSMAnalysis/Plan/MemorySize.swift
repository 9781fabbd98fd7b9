package import KSMPolicy

/// Reads amounts of memory as QEMU, libvirt and people write them.
package enum MemorySize {
    package enum ParseError: Error, Equatable, Sendable {
        case notASize
        /// A number alone: bytes for one program, MiB for another.
        case noUnit
        /// `MB` and `GB`, which mean powers of 1000 to some and of 1024 to others.
        case ambiguousUnit
        /// More than 64 bits of bytes hold.
        case tooLarge

        /// A sentence's end, behind the value.
        package var text: String {
            switch self {
            case .notASize: "a size is a number with a unit, such as 512M, 1.5G or 2T"
            case .noUnit: "the unit is missing: K, M, G or T, in powers of 1024"
            case .ambiguousUnit: "write K, M, G or T, or KiB, MiB, GiB or TiB, which are powers of 1024"
            case .tooLarge: "it is more than 64 bits hold"
            }
        }
    }

    /// `512M`, `1G`, `1.5G`, `2T`, `512MiB`, `64k`: powers of 1024, in either case; what is below 1 KiB is dropped.
    ///
    /// A number alone is refused but for 0, of which every unit is the same.
    package static func parse(_ text: String) throws(ParseError) -> KiB {
        let bytes = Array(text.utf8)
        return try parse(bytes[...])
    }

    static func parse(_ text: ArraySlice<UInt8>) throws(ParseError) -> KiB {
        var rest = text
        guard let first = rest.first, first.isDigit else { throw .notASize }
        guard let whole = takeNumber(&rest) else { throw .tooLarge }
        var fraction: Int64 = 0
        var scale: Int64 = 1
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let before = rest.count
            guard let number = takeNumber(&rest), before > rest.count, before - rest.count <= 9 else {
                throw .notASize
            }
            fraction = number
            for _ in rest.count..<before { scale *= 10 }
        }
        if rest.isEmpty, whole == 0, fraction == 0 { return .zero }
        let unit = try unit(rest)
        // Behind the point at most nine digits of at most 2^30 KiB: far below 64 bits.
        let sum = KiB(whole) * unit + KiB(fraction * unit / scale)
        guard sum.count <= .max / 1024 else { throw .tooLarge }
        return sum
    }

    /// - Returns: Its size in KiB.
    private static func unit(_ text: ArraySlice<UInt8>) throws(ParseError) -> Int64 {
        guard let letter = text.first else { throw .noUnit }
        let unit: Int64
        switch letter | 0x20 {
        case UInt8(ascii: "k"): unit = 1
        case UInt8(ascii: "m"): unit = 1 << 10
        case UInt8(ascii: "g"): unit = 1 << 20
        case UInt8(ascii: "t"): unit = 1 << 30
        default: throw .notASize
        }
        let rest = text.dropFirst()
        guard let second = rest.first else { return unit }
        if rest.count == 1, second | 0x20 == UInt8(ascii: "b") { throw .ambiguousUnit }
        guard rest.count == 2, second | 0x20 == UInt8(ascii: "i"), rest.last! | 0x20 == UInt8(ascii: "b") else {
            throw .notASize
        }
        return unit
    }

    /// Takes the digits at the beginning, of which there may be none.
    ///
    /// - Returns: `nil` where the number is beyond 63 bits.
    static func takeNumber(_ text: inout ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        while let byte = text.first, byte.isDigit {
            text.removeFirst()
            guard let next = value.multipliedExactly(by: 10)?.addingExactly(Int64(byte - UInt8(ascii: "0")))
            else { return nil }
            value = next
        }
        return value
    }
}
