internal import HostKernel
package import KSMPolicy

extension Tuner {
    /// What the history keeps of a decision: with it what KSM had done by then.
    ///
    /// - Parameter time: In microseconds since 1970.
    package func historyRecord(_ decision: Decision, guests: Int, time: Int64) -> HistoryRecord {
        var record = HistoryRecord(decision, time: time, guests: guests)
        func value(_ file: KSMFile) -> Int64? { (try? control.read(file)) ?? nil }
        record.available = available
        record.profit = value(.generalProfit)
        guard let sharing = value(.pagesSharing) else { return record }
        var counters = ScanCounters()
        counters.sharing = sharing
        counters.shared = value(.pagesShared) ?? 0
        counters.unshared = value(.pagesUnshared) ?? 0
        counters.volatile = value(.pagesVolatile) ?? 0
        counters.zero = value(.zeroPages) ?? 0
        counters.passes = value(.fullScans) ?? 0
        counters.scanned = value(.pagesScanned) ?? 0
        counters.skipped = value(.pagesSkipped) ?? 0
        let times = eyes.times()
        counters.cpu = times?.cpu
        counters.waited = times?.waited ?? 0
        record.counters = counters
        record.saved = GuestTable.kibibytes(pages: counters.saved)
        return record
    }
}
