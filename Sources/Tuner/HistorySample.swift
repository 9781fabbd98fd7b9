internal import HostKernel
package import KSMPolicy

extension Tuner {
    /// What the history keeps of a decision: with it what KSM had done by then.
    package func historyRecord(_ decision: Decision, guests: Int, time: WallTime) -> HistoryRecord {
        var record = HistoryRecord(decision, time: time, guests: guests)
        record.available = available
        record.profit = ((try? control.read(.generalProfit)) ?? nil).map { Bytes($0) }
        var counters = ScanCounters()
        guard (try? readProgress(&counters)) != nil, (try? readPages(&counters)) != nil else { return record }
        record.counters = counters
        record.saved = counters.saved.kibibytes(of: Host.pageSize)
        return record
    }
}
