import KSMPolicy

/// A past decision, with what follows from the one before it.
struct HistoryRow: Sendable {
    let record: HistoryRecord
    /// The share of one CPU that ksmd took since the record before, in percent. `nil` for the first record, where the
    /// kernel did not say, and where the count began anew, as after a reboot.
    let ksmdCPUPercent: Double?

    /// In seconds since 1970.
    var time: Double { record.time.secondsSince1970 }

    /// - Parameter records: All there are, from the oldest to the newest.
    static func rows(_ records: [HistoryRecord]) -> [HistoryRow] {
        records.indices.map { index in
            HistoryRow(
                record: records[index],
                ksmdCPUPercent: index == 0 ? nil : share(from: records[index - 1], to: records[index]))
        }
    }

    private static func share(from previous: HistoryRecord, to record: HistoryRecord) -> Double? {
        guard let before = previous.counters?.cpu, let now = record.counters?.cpu, now >= before,
            record.time > previous.time
        else { return nil }
        return (now - before) / (record.time - previous.time) * 100
    }
}
