internal import HostKernel
package import KSMPolicy

extension Tuner {
    /// What the history keeps of a decision: with it what KSM had done by then.
    ///
    /// - Parameter time: In microseconds since 1970.
    package func historyRecord(_ decision: Decision, guests: Int, time: Int64) -> HistoryRecord {
        var record = HistoryRecord(decision, time: time, guests: guests)
        record.available = available
        record.profit = (try? control.read(.generalProfit)) ?? nil
        var counters = ScanCounters()
        guard (try? readProgress(&counters)) != nil, (try? readPages(&counters)) != nil else { return record }
        counters = counters.bounded
        record.counters = counters
        record.saved = GuestTable.kibibytes(pages: counters.saved)
        return record
    }
}
