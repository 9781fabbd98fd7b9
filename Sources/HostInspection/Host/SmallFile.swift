internal import HostKernel
internal import KSMPolicy

/// Small files of the kernel, for programs that look once: a file that is missing and one that may not be read both
/// give nothing.
enum SmallFile {
    /// The text without the line break at its end.
    static func text(_ path: String, limit: Int = 4096) -> String? {
        guard var bytes = try? HostFile.read(path, limit: limit) else { return nil }
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func number(_ path: String) -> Int64? { text(path, limit: 64).flatMap { Int64($0) } }

    /// A switch, which the kernel's files show as `Y` and `N` or as 1 and 0.
    static func isOn(_ path: String) -> Bool? {
        switch text(path, limit: 64) {
        case "Y", "1": true
        case "N", "0": false
        default: nil
        }
    }
}
