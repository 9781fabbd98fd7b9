internal import KSMPolicy

/// What stands behind an option of a virtual machine monitor: `q35,mem-merge=off`, or for some of QEMU's options one
/// JSON object, as libvirt writes them.
struct OptionValues {
    private var values: [(key: String, value: String)] = []

    init() {}

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
                values.append((key, Self.value(bytes, &index)))
            } else if isFirst {
                values.append((implied, Self.value(bytes, &index)))
            } else {
                // A key alone switches on.
                values.append((String(decoding: bytes[index..<end], as: UTF8.self), "on"))
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
        values = FlatJSON.members(Array(text.utf8)) ?? []
    }

    /// The value that counts: the last one of its key.
    subscript(key: String) -> String? { values.last { $0.key == key }?.value }

    /// - Returns: `nil` where the key is not there, or is neither on nor off.
    func isOn(_ key: String) -> Bool? {
        switch self[key] {
        case "on", "yes", "true", "y": true
        case "off", "no", "false", "n": false
        default: nil
        }
    }

    /// A number above zero.
    func count(_ key: String) -> Int? { self[key].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } }

    func size(_ key: String, unit: UInt64) -> KiB? { self[key].flatMap { MemorySize.parse($0, unit: unit) } }

    /// Adds what the same option says where it comes again.
    mutating func merge(_ other: OptionValues) { values += other.values }

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
