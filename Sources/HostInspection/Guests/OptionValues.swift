internal import FoundationEssentials
internal import KSMPolicy

/// What stands behind an option of a virtual machine monitor: `q35,mem-merge=off`, or for some of QEMU's options one
/// JSON object, as libvirt writes them.
struct OptionValues {
    /// The value that counts of each key: the last one.
    private var values: [String: String] = [:]
    /// What was said elsewhere and counts before these values, the first of these first.
    private var overrides: [OptionValues] = []
    /// What was said elsewhere and counts where these values have nothing, the last of these first.
    private var defaults: [OptionValues] = []

    init() {}

    /// The same values with others before and behind them, which are not copied: thousands may share them.
    func with(overrides: OptionValues? = nil, defaults: [OptionValues] = []) -> OptionValues {
        var joined = self
        joined.overrides = overrides.map { [$0] } ?? []
        joined.defaults = defaults
        return joined
    }

    /// Reads `key=value,key=value`. A doubled comma is a comma of the value; see qemu(1), "Introduction".
    ///
    /// - Parameter implied: The key of a first value that stands without one.
    init(_ text: String, implied: String) {
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            let isFirst = index == 0
            let end = bytes[index...].firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ",") } ?? bytes.count
            if end < bytes.count && bytes[end] == UInt8(ascii: "=") {
                let key = String(decoding: bytes[index..<end], as: UTF8.self)
                index = end + 1
                values[key] = Self.value(bytes, &index)
            } else if isFirst {
                values[implied] = Self.value(bytes, &index)
            } else {
                // A key alone switches on.
                values[String(decoding: bytes[index..<end], as: UTF8.self)] = "on"
                index = end + 1
            }
        }
    }

    /// Reads one JSON object, where the text is one, else `key=value,key=value`.
    init(jsonOr text: String, implied: String) {
        guard text.utf8.first == UInt8(ascii: "{") else {
            self.init(text, implied: implied)
            return
        }
        self.init()
        let decoder = JSONDecoder()
        // QEMU takes strings in single quotes too.
        decoder.allowsJSON5 = true
        // What is no object says nothing.
        let members = (try? decoder.decode([String: JSONMember].self, from: Data(Self.withEscapesApart(text)))) ?? [:]
        values = members.compactMapValues { $0.text }
    }

    /// A JSON text with what its escapes of characters beyond ASCII stand for, taken ``Swift/String/apart`` as the rest of it
    /// is.
    private static func withEscapesApart(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\") else {
                plain.append(bytes[index])
                index += 1
                continue
            }
            var unit = codeUnit(bytes, at: index)
            var end = index + 6
            if let high = unit, 0xD800..<0xDC00 ~= high, let low = codeUnit(bytes, at: end), 0xDC00..<0xE000 ~= low {
                unit = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
                end += 6
            }
            if let scalar = unit.flatMap({ Unicode.Scalar($0) }), scalar.value >= 0x80 {
                plain += String(scalar).apart.utf8
            } else {
                // Behind a backslash that stands for itself begins no escape.
                end = min(index + 2, bytes.count)
                plain += bytes[index..<end]
            }
            index = end
        }
        return plain
    }

    /// What `\uXXXX` says; `nil` where there is no such escape.
    private static func codeUnit(_ bytes: [UInt8], at index: Int) -> UInt32? {
        guard index + 6 <= bytes.count, bytes[index...].starts(with: "\\u".utf8), bytes[index + 2] != UInt8(ascii: "+")
        else { return nil }
        return UInt32(String(decoding: bytes[(index + 2)..<(index + 6)], as: UTF8.self), radix: 16)
    }

    /// The value that counts.
    subscript(key: String) -> String? {
        get {
            overrides.lazy.compactMap { $0[key] }.first ?? values[key]
                ?? defaults.reversed().lazy.compactMap { $0[key] }.first
        }
        set { values[key] = newValue }
    }

    /// - Returns: `nil` where the key is not there, or is neither on nor off.
    func isOn(_ key: String) -> Bool? { self[key].flatMap { Bool(word: $0) } }

    /// A number above zero.
    func count(_ key: String) -> Int? { self[key].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } }

    func size(_ key: String, unit: UInt64) -> KiB? { self[key].flatMap { MemorySize.parse($0, unit: unit) } }

    /// Adds what the same option says where it comes again.
    mutating func merge(_ other: OptionValues) { values.merge(other.values) { $1 } }

    /// The text up to a single comma, and behind it.
    private static func value(_ bytes: [UInt8], _ index: inout Int) -> String {
        var value: [UInt8] = []
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: ",") {
                index += 1
                guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else { break }
            }
            value.append(bytes[index])
            index += 1
        }
        return String(decoding: value, as: UTF8.self)
    }
}

/// A member of a JSON object, as `key=value` would say it.
private struct JSONMember: Decodable {
    /// `nil` for null, an array or an object: no option that matters here is one.
    let text: String?

    init(from decoder: any Decoder) throws {
        guard let value = try? decoder.singleValueContainer() else {
            text = nil
            return
        }
        if let string = try? value.decode(String.self) {
            text = string
        } else if let bool = try? value.decode(Bool.self) {
            text = bool ? "on" : "off"
        } else {
            text = (try? value.decode(UInt64.self)).map { "\($0)" }
        }
    }
}
