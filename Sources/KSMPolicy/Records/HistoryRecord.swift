/// One decision of the daemon with all that it was made from: a record of the history, and a row of a trace.
///
/// A value that this kernel does not show is `nil`.
package struct HistoryRecord: Equatable, Sendable {
    /// When it was decided.
    package var time: WallTime
    /// The same by a clock that nobody sets; `nil` in records of older versions.
    package var bootTime: BootTime?
    package var policy = PolicyKind.classic
    package var action = Decision.Action.stop
    package var reason = Decision.Reason.plenty
    package var memory: MemorySample
    package var total: KiB
    package var threshold: KiB
    /// Memory that can be had without swapping, by the kernel's estimate.
    package var available: KiB?
    package var guests: Int64 = 0
    package var pagesToScan: Int64 = 0
    package var sleepMilliseconds: Int64 = 0
    /// What merging saved then.
    package var saved: KiB?
    /// `general_profit`, which can be negative.
    package var profit: Bytes?
    /// KSM's counters then, with ksmd's CPU time.
    package var counters: ScanCounters?

    package init(time: WallTime, memory: MemorySample, total: KiB, threshold: KiB = .zero) {
        self.time = time
        self.memory = memory
        self.total = total
        self.threshold = threshold
    }

    package init(_ decision: Decision, time: WallTime, guests: Int) {
        self.init(time: time, memory: decision.memory, total: decision.total, threshold: decision.threshold)
        policy = decision.policy
        action = decision.action
        reason = decision.reason
        self.guests = Int64(guests)
        pagesToScan = decision.pagesToScan
        sleepMilliseconds = decision.sleepMilliseconds
    }
}
