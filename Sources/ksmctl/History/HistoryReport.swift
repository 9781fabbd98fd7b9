import Charts
import KSMPolicy

/// The daemon's past decisions.
struct HistoryReport: Report {
    static let command = "history"

    /// The ring.
    let path: String
    /// From the oldest to the newest.
    let records: [Entry]

    init(_ rows: [HistoryRow], path: String) {
        self.path = path
        records = rows.map { Entry($0) }
    }

    struct Entry: Encodable {
        /// Since 1970.
        let timeSeconds: Double
        let policy: String
        let action: String
        let reason: String
        let guests: Int64
        let totalBytes: Int64
        let freeBytes: Int64
        let committedBytes: Int64
        let thresholdBytes: Int64
        let availableBytes: Int64?
        let savedBytes: Int64?
        let profitBytes: Int64?
        let pagesToScan: Int64
        let sleepMillisecs: Int64
        let ksmdCPUPercent: Double?
        let counters: Counters?

        init(_ row: HistoryRow) {
            let record = row.record
            timeSeconds = row.time
            policy = record.policy.word
            action = record.action.word
            reason = record.reason.word
            guests = record.guests
            totalBytes = record.total.bytes
            freeBytes = record.memory.free.bytes
            committedBytes = record.memory.committed.bytes
            thresholdBytes = record.threshold.bytes
            availableBytes = record.available?.bytes
            savedBytes = record.saved?.bytes
            profitBytes = record.profit?.count
            pagesToScan = record.pagesToScan
            sleepMillisecs = record.sleepMilliseconds
            ksmdCPUPercent = row.ksmdCPUPercent
            counters = record.counters.map { Counters($0) }
        }
    }

    /// KSM's own, by the names of their files.
    struct Counters: Encodable {
        let fullScans: Int64
        let pagesShared: Int64
        let pagesSharing: Int64
        let pagesUnshared: Int64
        let pagesVolatile: Int64
        let ksmZeroPages: Int64
        let pagesSkipped: Int64
        let pagesScanned: Int64
        let ksmdCPUSeconds: Double?
        let ksmdWaitedSeconds: Double

        init(_ counters: ScanCounters) {
            fullScans = counters.passes
            pagesShared = counters.shared.count
            pagesSharing = counters.sharing.count
            pagesUnshared = counters.unshared.count
            pagesVolatile = counters.volatile.count
            ksmZeroPages = counters.zero.count
            pagesSkipped = counters.skipped.count
            pagesScanned = counters.scanned.count
            ksmdCPUSeconds = counters.cpu?.seconds
            ksmdWaitedSeconds = counters.waited.seconds
        }
    }

    /// A line for each decision, the newest last, as in a log. What is not known is `-`.
    func text(_ style: Style) -> String {
        guard !records.isEmpty else { return "" }
        var table = TextTable([
            .left("TIME"), .left("POLICY"), .left("ACTION"), .left("REASON"), .right("FREE"), .right("COMMITTED"),
            .right("THRESHOLD"), .right("SAVED"), .right("PAGES"), .right("SLEEP"), .right("KSMD CPU"),
            .right("GUESTS"),
        ])
        for entry in records {
            let isScanning = entry.action == Decision.Action.scan.word
            table.rows.append([
                TextTable.Cell(LocalTime.text(entry.timeSeconds)), TextTable.Cell(entry.policy),
                TextTable.Cell(entry.action) { isScanning ? $0.good($1) : $0.dim($1) }, TextTable.Cell(entry.reason),
                TextTable.Cell(Amount.text(bytes: entry.freeBytes)),
                TextTable.Cell(Amount.text(bytes: entry.committedBytes)),
                TextTable.Cell(Amount.text(bytes: entry.thresholdBytes)),
                TextTable.Cell(entry.savedBytes.map { Amount.text(bytes: $0) } ?? "-"),
                TextTable.Cell("\(entry.pagesToScan)"), TextTable.Cell("\(entry.sleepMillisecs) ms"),
                TextTable.Cell(entry.ksmdCPUPercent.map { "\(Amount.tenths($0)) %" } ?? "-"),
                TextTable.Cell("\(entry.guests)"),
            ])
        }
        return table.text(style)
    }
}
