internal import KSMPolicy

/// The text of `/proc/PID/stat`: its fields, by their numbers in proc_pid_stat(5).
struct ProcessStat {
    private let text: [UInt8]
    /// The place behind the second field, a name that may hold anything: it ends with the last bracket.
    private let nameEnd: Int?

    init(_ text: [UInt8]) {
        self.text = text
        nameEnd = text.lastIndex(of: UInt8(ascii: ")")).map { $0 + 1 }
    }

    /// A number from the fourth field on; `nil` where the text has none there.
    subscript(field: Int) -> Int64? {
        guard let start = start(of: field) else { return nil }
        guard text[start] == UInt8(ascii: "-") else { return DecimalField(text.span, at: start)?.value }
        return DecimalField(text.span, at: start + 1).map { -$0.value }
    }

    /// Whether it runs or is ready to run, by the third field; `nil` where the text has none.
    var isReady: Bool? { start(of: 3).map { text[$0] == UInt8(ascii: "R") } }

    private func start(of wanted: Int) -> Int? {
        guard var index = nameEnd else { return nil }
        for _ in 3...wanted {
            while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
            index += 1
        }
        return index < text.count ? index : nil
    }
}
