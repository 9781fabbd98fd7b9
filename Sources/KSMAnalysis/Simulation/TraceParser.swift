package import KSMPolicy

extension TraceFile {
    /// At most this number of errors is reported.
    package static let mostErrors = 20
    /// At most this number of samples is read: nearly two years of one a minute.
    package static let mostSamples = 1_000_000
    /// At most this number of bytes is read of a line; one with all columns has some 300.
    package static let longestLine = 65_536

    /// Reads a trace.
    ///
    /// - Parameters:
    ///   - name: Of the file, for errors.
    ///   - total: What `total_kib` is where the trace does not have it; `nil` where that is not known.
    ///   - most: More samples are an error.
    /// - Throws: ``BadTrace`` with all that is wrong.
    package static func parse(
        _ text: [UInt8], named name: String, total: KiB?, most: Int = mostSamples
    ) throws(BadTrace) -> Trace {
        var parser = TraceParser(name: name, total: total, most: most)
        parser.read(text)
        return try parser.trace()
    }
}

/// Reads a trace line by line.
private struct TraceParser {
    typealias Column = TraceFile.Column

    let name: String
    let total: KiB?
    let most: Int

    /// The columns in the order of the first line, `nil` for one that is not known; empty before that line.
    private var columns: [Column?] = []
    private var records: [HistoryRecord] = []
    private var diagnostics: [Diagnostic] = []
    private var line = 0
    private var lastTime: Int64?

    init(name: String, total: KiB?, most: Int) {
        self.name = name
        self.total = total
        self.most = most
    }

    /// A field without the blanks and quotes around it, and its column in bytes, from 1.
    private struct Field {
        var bytes: ArraySlice<UInt8>
        var place: Int

        /// For a message: not longer than a line bears.
        var shown: String { String(decoding: bytes, as: UTF8.self).cut(toBytes: 40) }

        /// Whether it is a word, byte by byte: to compare texts, Swift sorts the marks behind a letter, and a line has room
        /// for tens of thousands.
        func isEqual(to word: String) -> Bool { bytes.elementsEqual(word.utf8) }
    }

    // MARK: Lines

    mutating func read(_ text: [UInt8]) {
        var rest = text[...]
        // Spreadsheets begin a file with the mark of UTF-8.
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest.removeFirst(3) }
        while !rest.isEmpty, diagnostics.count < TraceFile.mostErrors {
            line += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var bytes = rest[..<end]
            rest = rest[min(end + 1, rest.endIndex)...]
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            guard let first = bytes.first(where: { !$0.isBlank }), first != UInt8(ascii: "#") else { continue }
            guard bytes.count <= TraceFile.longestLine else {
                diagnostics.append(
                    diagnostic(
                        1, "the line has \(bytes.count) bytes, more than \(TraceFile.longestLine)",
                        "write one sample on each line"))
                return
            }
            guard records.count < most else {
                diagnostics.append(
                    diagnostic(
                        1, "there are more than \(most) samples", "cut the trace into parts"))
                return
            }
            let fields = Self.fields(bytes)
            if columns.isEmpty {
                readNames(fields)
                // Without their names the fields of the other lines mean nothing.
                guard diagnostics.isEmpty else { return }
            } else {
                readRow(fields)
            }
        }
    }

    /// - Throws: ``BadTrace`` where anything is wrong, or there is no sample.
    func trace() throws(BadTrace) -> Trace {
        var diagnostics = diagnostics
        if diagnostics.isEmpty, records.isEmpty {
            diagnostics = [
                columns.isEmpty
                    ? diagnostic(1, "there is nothing in it", Self.headerHint)
                    : diagnostic(1, "there is no sample below the names of the columns", "write one line for each")
            ]
        }
        guard diagnostics.isEmpty else { throw BadTrace(diagnostics: diagnostics) }
        return Trace(
            records: records, hasActions: columns.contains(.action), hasPace: columns.contains(.pagesToScan))
    }

    private static func fields(_ line: ArraySlice<UInt8>) -> [Field] {
        var fields: [Field] = []
        var start = line.startIndex
        while true {
            let end = line[start...].firstIndex(of: UInt8(ascii: ",")) ?? line.endIndex
            var bytes = line[start..<end]
            trim(&bytes)
            if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
                bytes = bytes.dropFirst().dropLast()
                trim(&bytes)
            }
            let place = bytes.isEmpty ? start : bytes.startIndex
            fields.append(Field(bytes: bytes, place: place - line.startIndex + 1))
            guard end < line.endIndex else { return fields }
            start = end + 1
        }
    }

    private static func trim(_ bytes: inout ArraySlice<UInt8>) {
        while let first = bytes.first, first.isBlank { bytes.removeFirst() }
        while let last = bytes.last, last.isBlank { bytes.removeLast() }
    }

    // MARK: The first line

    private static let headerHint =
        "write the names of the columns in the first line, at least time_seconds,free_kib,committed_kib"

    private mutating func readNames(_ fields: [Field]) {
        for field in fields {
            let column = Column.allCases.first { field.isEqual(to: $0.rawValue) }
            if let column, columns.contains(column) {
                fail(field, "the column \(column.rawValue) stands here a second time", "name it once")
            }
            columns.append(column)
        }
        var missing: [String] = []
        for column in Column.required where !columns.contains(column) { missing.append(column.rawValue) }
        guard !missing.isEmpty else {
            if total == nil, !columns.contains(.total) {
                fail(
                    fields[0], "there is no column total_kib, and MemTotal of this host cannot be read",
                    "add total_kib with the memory of the host in KiB")
            }
            return
        }
        let hasSemicolon = fields.contains { $0.bytes.contains(UInt8(ascii: ";")) }
        fail(
            fields[0], "there is no column \(list(missing))",
            hasSemicolon ? "separate the columns by commas" : Self.headerHint)
    }

    private func list(_ names: [String]) -> String {
        var text = ""
        for name in names { text += text.isEmpty ? name : ", \(name)" }
        return text
    }

    // MARK: A sample

    private mutating func readRow(_ fields: [Field]) {
        guard fields.count == columns.count else {
            let place = fields.count > columns.count ? fields[columns.count] : fields[fields.count - 1]
            fail(
                place, "the line has \(fields.count) fields where the first one names \(columns.count) columns",
                "write \(columns.count) of them, empty where a value is not known")
            return
        }
        let before = diagnostics.count
        var record = HistoryRecord(
            time: WallTime(microseconds: 0), memory: MemorySample(free: .zero, committed: .zero), total: total ?? .zero)
        for (index, field) in fields.enumerated() {
            if let column = columns[index] { read(column, field, into: &record) }
        }
        guard diagnostics.count == before else { return }
        lastTime = record.time.microseconds
        records.append(record)
    }

    private mutating func read(_ column: Column, _ field: Field, into record: inout HistoryRecord) {
        guard !field.bytes.isEmpty else {
            switch column {
            case .time, .free, .committed: fail(field, "\(column.rawValue) is empty", "write its value")
            case .action: fail(field, "action is empty", "write stop or scan, or leave the whole column out")
            case .total where total == nil:
                fail(
                    field, "total_kib is empty, and MemTotal of this host cannot be read",
                    "write the memory of the host in KiB")
            default: break
            }
            return
        }
        switch column {
        case .time: readTime(field, into: &record)
        case .policy:
            guard let policy = PolicyKind.allCases.first(where: { field.isEqual(to: $0.word) }) else {
                return fail(field, "\(field.shown) is no policy", "write classic, adaptive or advisor")
            }
            record.policy = policy
        case .action:
            guard let action = Decision.Action.allCases.first(where: { field.isEqual(to: $0.word) }) else {
                return fail(field, "\(field.shown) is no action", "write stop or scan")
            }
            record.action = action
        case .reason:
            guard let reason = Decision.Reason.allCases.first(where: { field.isEqual(to: $0.word) }) else {
                return fail(
                    field, "\(field.shown) is no reason", "write \(list(Decision.Reason.allCases.map { $0.word }))")
            }
            record.reason = reason
        case .cpu:
            guard let cpu = decimal(field, column, places: 9, unit: "seconds") else { return }
            edit(&record.counters) { $0.cpu = .nanoseconds(cpu) }
        default:
            guard let number = integer(field, column) else { return }
            set(column, number, field, in: &record)
        }
    }

    private mutating func readTime(_ field: Field, into record: inout HistoryRecord) {
        guard let time = decimal(field, .time, places: 6, unit: "seconds", isSigned: true) else { return }
        // A step back is that of a clock, as at a reboot; see ``Timeline``.
        if time == lastTime {
            fail(field, "time_seconds does not rise: the sample before is of the same time", "write each time once")
        }
        record.time = WallTime(microseconds: time)
    }

    private mutating func set(_ column: Column, _ number: Int64, _ field: Field, in record: inout HistoryRecord) {
        switch column {
        case .time, .policy, .action, .reason, .cpu: break
        case .free: record.memory.free = KiB(number)
        case .committed: record.memory.committed = KiB(number)
        case .total:
            if number == 0 { fail(field, "total_kib is 0", "write the memory of the host in KiB") }
            record.total = KiB(number)
        case .available: record.available = KiB(number)
        case .guests: record.guests = number
        case .pagesToScan: record.pagesToScan = number
        case .sleep: record.sleepMilliseconds = number
        case .threshold: record.threshold = KiB(number)
        case .saved: record.saved = KiB(number)
        case .profit: record.profit = Bytes(number)
        case .fullScans: edit(&record.counters) { $0.passes = number }
        case .shared: edit(&record.counters) { $0.shared = Pages(number) }
        case .sharing: edit(&record.counters) { $0.sharing = Pages(number) }
        case .unshared: edit(&record.counters) { $0.unshared = Pages(number) }
        case .volatile: edit(&record.counters) { $0.volatile = Pages(number) }
        case .zero: edit(&record.counters) { $0.zero = Pages(number) }
        case .skipped: edit(&record.counters) { $0.skipped = Pages(number) }
        case .scanned: edit(&record.counters) { $0.scanned = Pages(number) }
        }
    }

    /// A counter that the trace has means that it has counters.
    private func edit(_ counters: inout ScanCounters?, _ change: (inout ScanCounters) -> Void) {
        var edited = counters ?? ScanCounters()
        change(&edited)
        counters = edited
    }

    // MARK: Numbers

    private mutating func integer(_ field: Field, _ column: Column) -> Int64? {
        let isSigned = column == .profit
        var digits = field.bytes
        let isNegative = isSigned && digits.first == UInt8(ascii: "-")
        if isNegative { digits.removeFirst() }
        guard !digits.isEmpty, digits.allSatisfy({ $0.isDigit }) else {
            fail(
                field, "\(column.rawValue)=\(field.shown) is no whole number" + (isSigned ? "" : " of 0 or more"),
                "write it in decimal digits, without a unit")
            return nil
        }
        guard let number = Self.number(digits, isNegative: isNegative) else {
            fail(field, "\(column.rawValue)=\(field.shown) is beyond 64 bits", "write a smaller number")
            return nil
        }
        return number
    }

    /// Digits with a point among them, in units of 10^-places. What stands behind the last place does not count.
    private mutating func decimal(
        _ field: Field, _ column: Column, places: Int, unit: String, isSigned: Bool = false
    ) -> Int64? {
        let isNegative = isSigned && field.bytes.first == UInt8(ascii: "-")
        let bytes = field.bytes.dropFirst(isNegative ? 1 : 0)
        let point = bytes.firstIndex(of: UInt8(ascii: "."))
        let whole = bytes[..<(point ?? bytes.endIndex)]
        let fraction = point.map { bytes[($0 + 1)...] } ?? []
        guard !whole.isEmpty, whole.allSatisfy({ $0.isDigit }), fraction.allSatisfy({ $0.isDigit }) else {
            fail(
                field, "\(column.rawValue)=\(field.shown) is no number of \(unit)",
                "write it in decimal digits, such as 60 or 60.5")
            return nil
        }
        var digits = Array(whole)
        for index in 0..<places {
            let place = fraction.startIndex + index
            digits.append(place < fraction.endIndex ? fraction[place] : UInt8(ascii: "0"))
        }
        guard let number = Self.number(digits[...], isNegative: isNegative) else {
            fail(field, "\(column.rawValue)=\(field.shown) is beyond 64 bits", "write a smaller number")
            return nil
        }
        return number
    }

    /// - Returns: `nil` beyond 64 bits.
    private static func number(_ digits: ArraySlice<UInt8>, isNegative: Bool) -> Int64? {
        Int64((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self))
    }

    // MARK: Errors

    private func diagnostic(_ column: Int, _ message: String, _ hint: String) -> Diagnostic {
        Diagnostic(.error, at: .file(name, line: max(line, 1), column: column), message, hint: hint)
    }

    private mutating func fail(_ field: Field, _ message: String, _ hint: String) {
        guard diagnostics.count < TraceFile.mostErrors else { return }
        diagnostics.append(diagnostic(field.place, message, hint))
    }
}
