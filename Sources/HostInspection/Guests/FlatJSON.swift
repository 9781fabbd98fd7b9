internal import KSMPolicy

/// The strings, numbers and booleans that a JSON object has at its top; what lies deeper is passed over.
enum FlatJSON {
    /// - Returns: The members as `key=value` would say them, `on` and `off` for booleans; `nil` where the text is no
    ///   object.
    static func members(_ text: [UInt8]) -> [(key: String, value: String)]? {
        var scanner = Scanner(text: text)
        return scanner.members()
    }

    private struct Scanner {
        let text: [UInt8]
        var index = 0

        init(text: [UInt8]) { self.text = text }

        mutating func members() -> [(key: String, value: String)]? {
            var members: [(key: String, value: String)] = []
            guard take(UInt8(ascii: "{")) else { return nil }
            if take(UInt8(ascii: "}")) { return members }
            repeat {
                guard let key = string(), take(UInt8(ascii: ":")) else { return nil }
                switch next {
                case UInt8(ascii: "\""):
                    guard let value = string() else { return nil }
                    members.append((key, value))
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    guard skipNested() else { return nil }
                default:
                    let word = text[index...].prefix { !Self.ends($0) }
                    guard !word.isEmpty else { return nil }
                    index = word.endIndex
                    let value = String(decoding: word, as: UTF8.self)
                    if value != "null" {
                        members.append((key, value == "true" ? "on" : value == "false" ? "off" : value))
                    }
                }
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "}")) ? members : nil
        }

        private static func ends(_ byte: UInt8) -> Bool {
            byte.isBlank || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
                || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        }

        /// The next byte that is no blank.
        private var next: UInt8? {
            mutating get {
                while index < text.count,
                    text[index].isBlank || text[index] == UInt8(ascii: "\n") || text[index] == UInt8(ascii: "\r")
                {
                    index += 1
                }
                return index < text.count ? text[index] : nil
            }
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            index += 1
            return true
        }

        /// Passes over an object or an array, whatever is in it.
        private mutating func skipNested() -> Bool {
            var depth = 0
            repeat {
                switch next {
                case UInt8(ascii: "\""):
                    guard string() != nil else { return false }
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case nil: return false
                default: break
                }
                index += 1
            } while depth > 0
            return true
        }

        private mutating func string() -> String? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            var value: [UInt8] = []
            while index < text.count {
                let byte = text[index]
                index += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: value, as: UTF8.self) }
                guard byte == UInt8(ascii: "\\") else {
                    value.append(byte)
                    continue
                }
                guard index < text.count else { return nil }
                let escaped = text[index]
                index += 1
                switch escaped {
                case UInt8(ascii: "b"): value.append(8)
                case UInt8(ascii: "f"): value.append(12)
                case UInt8(ascii: "n"): value.append(UInt8(ascii: "\n"))
                case UInt8(ascii: "r"): value.append(UInt8(ascii: "\r"))
                case UInt8(ascii: "t"): value.append(UInt8(ascii: "\t"))
                case UInt8(ascii: "u"):
                    guard let scalar = unicodeScalar() else { return nil }
                    value.append(contentsOf: Array(String(Character(scalar)).utf8))
                default: value.append(escaped)
                }
            }
            return nil
        }

        /// Behind `\u`, with the second half of a surrogate pair.
        private mutating func unicodeScalar() -> Unicode.Scalar? {
            guard let first = codeUnit() else { return nil }
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard first < 0xdc00, index + 1 < text.count, text[index] == UInt8(ascii: "\\"),
                text[index + 1] == UInt8(ascii: "u")
            else { return "\u{fffd}" }
            index += 2
            guard let second = codeUnit() else { return nil }
            guard (0xdc00...0xdfff).contains(second) else { return "\u{fffd}" }
            return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        }

        /// Four hexadecimal digits.
        private mutating func codeUnit() -> UInt32? {
            guard text.count - index >= 4 else { return nil }
            var unit: UInt32 = 0
            for _ in 0..<4 {
                let byte = text[index]
                let digit: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
                default: return nil
                }
                unit = unit << 4 | UInt32(digit)
                index += 1
            }
            return unit
        }
    }
}
