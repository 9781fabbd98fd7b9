/// Builds the texts that each tick needs in one allocation, where string interpolation would take one per piece.
package struct TextBuffer {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func append(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @_disfavoredOverload
    package mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// In decimal.
    package mutating func append(_ number: Int64) {
        // The digits come from the last to the first; Int64 has at most 19.
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = digits.count
            var rest = number.magnitude
            repeat {
                start -= 1
                unsafe digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if number < 0 {
                start -= 1
                unsafe digits[start] = UInt8(ascii: "-")
            }
            unsafe bytes.append(contentsOf: UnsafeMutableBufferPointer(rebasing: digits[start...]))
        }
    }

    /// For people: the largest unit of which there is at least one, with one decimal, rounded down.
    ///
    /// `511 KiB`, `1.5 MiB`, `23.5 GiB`. From 1 TiB on it stays GiB, so that two amounts of a host compare at a glance.
    package mutating func append(_ amount: KiB) {
        let magnitude = amount.count.magnitude
        guard magnitude >= 1024 else {
            append(amount.count)
            append(" KiB")
            return
        }
        if amount.count < 0 { append("-") }
        let unit: UInt64 = magnitude < 1 << 20 ? 1 << 10 : 1 << 20
        append(Int64(magnitude / unit))
        append(".")
        append(Int64(magnitude % unit * 10 / unit))
        append(magnitude < 1 << 20 ? " MiB" : " GiB")
    }

    package var string: String { String(decoding: bytes, as: UTF8.self) }
}
