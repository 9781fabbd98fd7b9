package import KSMPolicy

/// Samples of a host as text: CSV with the columns' names in the first line, so that it can be written by hand.
///
/// ```
/// time_seconds,free_kib,committed_kib
/// 0,9437184,4194304
/// 60,3145728,12582912
/// ```
///
/// The columns may stand in any order, and only those three are needed; see ``Column``. An empty field is a value that
/// is not known. Lines that begin with `#` and empty lines do not count, nor do blanks and quotes around a field, nor
/// columns of other names. Times rise from line to line; where one falls, the clock was set back, which ``Timeline``
/// takes for a gap. Where they begin does not matter.
package enum TraceFile {
    /// In the order in which they are written.
    package enum Column: String, CaseIterable, Sendable {
        /// Seconds since 1970, or since the beginning of the trace; counted to the microsecond. Below 0 where the daemon
        /// ran on while the clock was set to 1970.
        case time = "time_seconds"
        /// Memory that is free by `KSM_FREE_METRIC=cached`: MemFree + Buffers + Cached.
        case free = "free_kib"
        /// What the guests hold together.
        case committed = "committed_kib"
        /// `MemTotal`; without it, that of the host that reads the trace.
        case total = "total_kib"
        /// MemAvailable.
        case available = "available_kib"
        case guests
        /// Who decided: `classic`, `adaptive` or `advisor`.
        case policy
        /// What was decided: `stop` or `scan`. Where the column is there, every line has it.
        case action
        /// Why, as ``Decision/Reason/word`` has it.
        case reason
        case pagesToScan = "pages_to_scan"
        /// `sleep_millisecs`
        case sleep = "sleep_millisecs"
        case threshold = "threshold_kib"
        /// What merging saved then.
        case saved = "saved_kib"
        /// `general_profit`, which can be negative.
        case profit = "profit_bytes"
        case fullScans = "full_scans"
        case shared = "pages_shared"
        case sharing = "pages_sharing"
        case unshared = "pages_unshared"
        case volatile = "pages_volatile"
        case zero = "ksm_zero_pages"
        case skipped = "pages_skipped"
        case scanned = "pages_scanned"
        /// The time that ksmd has been on a CPU, since boot.
        case cpu = "ksmd_cpu_seconds"

        /// Without these there is nothing to decide by.
        package static let required: [Column] = [.time, .free, .committed]
    }

    // MARK: Writing

    /// The names of all columns, without a line break.
    package static var header: String {
        var text = ""
        for column in Column.allCases {
            if !text.isEmpty { text += "," }
            text += column.rawValue
        }
        return text
    }

    /// A line with all columns, without a line break.
    package static func row(_ record: HistoryRecord) -> String {
        var text = TextBuffer(capacity: 256)
        for column in Column.allCases {
            if column != .time { text.append(",") }
            append(column, of: record, to: &text)
        }
        return text.string
    }

    private static func append(_ column: Column, of record: HistoryRecord, to text: inout TextBuffer) {
        switch column {
        case .time: append(record.time.microseconds, places: 6, to: &text)
        case .policy: text.append(record.policy.word)
        case .action: text.append(record.action.word)
        case .reason: text.append(record.reason.word)
        case .cpu: if let cpu = record.counters?.cpu { append(cpu.nanoseconds, places: 9, to: &text) }
        default: if let number = number(column, of: record) { text.append(number) }
        }
    }

    private static func number(_ column: Column, of record: HistoryRecord) -> Int64? {
        switch column {
        case .time, .policy, .action, .reason, .cpu: nil
        case .free: record.memory.free.count
        case .committed: record.memory.committed.count
        case .total: record.total.count
        case .available: record.available?.count
        case .guests: record.guests
        case .pagesToScan: record.pagesToScan
        case .sleep: record.sleepMilliseconds
        case .threshold: record.threshold.count
        case .saved: record.saved?.count
        case .profit: record.profit?.count
        case .fullScans: record.counters?.passes
        case .shared: record.counters?.shared.count
        case .sharing: record.counters?.sharing.count
        case .unshared: record.counters?.unshared.count
        case .volatile: record.counters?.volatile.count
        case .zero: record.counters?.zero.count
        case .skipped: record.counters?.skipped.count
        case .scanned: record.counters?.scanned.count
        }
    }

    /// A number of units of 10^-places, with all its places.
    private static func append(_ number: Int64, places: Int, to text: inout TextBuffer) {
        var unit: Int64 = 1
        for _ in 0..<places { unit *= 10 }
        if number < 0 { text.append("-") }
        var rest = number.magnitude
        text.append(Int64(rest / UInt64(unit)))
        text.append(".")
        rest %= UInt64(unit)
        while unit > 1 {
            unit /= 10
            text.append(Int64(rest / UInt64(unit)))
            rest %= UInt64(unit)
        }
    }
}

/// A trace as it was read.
package struct Trace: Equatable, Sendable {
    /// From the oldest to the newest, at least one.
    package var records: [HistoryRecord]
    /// Whether the records hold what was decided. Without it, their action means nothing.
    package var hasActions: Bool
    /// Whether they hold at what pace KSM scanned.
    package var hasPace: Bool

    package init(records: [HistoryRecord], hasActions: Bool, hasPace: Bool) {
        self.records = records
        self.hasActions = hasActions
        self.hasPace = hasPace
    }

    /// The daemon's own history.
    package init(history: [HistoryRecord]) {
        self.init(records: history, hasActions: true, hasPace: true)
    }
}

/// A text that is no trace: everything that is wrong with it, as far as ``TraceFile/mostErrors``.
package struct BadTrace: Error, Equatable, Sendable {
    package var diagnostics: [Diagnostic]
}
