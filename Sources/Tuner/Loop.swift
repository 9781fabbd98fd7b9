package import HostKernel
package import KSMPolicy

/// What the loop drives: the daemon, or a recorder in a test.
package protocol LoopHost: ~Copyable {
    var interval: Interval { get }
    /// The longest time between two signs of life, in nanoseconds; `Int64.max` where nobody watches.
    var watchdogPeriod: Int64 { get }
    var pendingWrite: ChildWrite? { get }

    mutating func decide()
    mutating func reload()
    mutating func finishWrite()
    mutating func signOfLife()
}

/// The daemon's life between start and end: waits in one place for time, signals and slow writes.
package struct Loop<W: Waiting & ~Copyable>: ~Copyable {
    private var waiter: W

    package init(_ waiter: consuming W) {
        self.waiter = waiter
    }

    /// Runs until a signal ends it.
    ///
    /// Each decision begins a whole new interval, whatever brought it about.
    package mutating func run(_ host: inout some LoopHost & ~Copyable) {
        var nextDecision = after(host.interval.nanoseconds)
        var nextSign = after(host.watchdogPeriod)
        while true {
            let wakeup = waiter.wait(until: min(nextDecision, nextSign), or: host.pendingWrite)
            if wakeup.contains(.terminate) { return }
            if wakeup.contains(.written) { host.finishWrite() }
            if wakeup.contains(.reload) { host.reload() }
            let isAsked = wakeup.contains(.reload) || wakeup.contains(.retune)
            if isAsked || waiter.now >= nextDecision {
                host.decide()
                nextDecision = after(host.interval.nanoseconds)
            }
            if waiter.now >= nextSign {
                host.signOfLife()
                nextSign = after(host.watchdogPeriod)
            }
        }
    }

    /// Waits for a last write to the kernel, giving signs of life; a second signal to end stops the waiting.
    ///
    /// - Returns: Whether the write came to its end.
    package mutating func runToEnd(of write: ChildWrite, _ host: inout some LoopHost & ~Copyable) -> Bool {
        while true {
            let wakeup = waiter.wait(until: after(min(host.watchdogPeriod, 1_000_000_000)), or: write)
            if wakeup.contains(.written) { return true }
            if wakeup.contains(.terminate) { return false }
            host.signOfLife()
        }
    }

    /// The monotonic time `nanoseconds` from now; `Int64.max` is never.
    private func after(_ nanoseconds: Int64) -> Int64 {
        let (time, overflow) = waiter.now.addingReportingOverflow(nanoseconds)
        return overflow ? .max : time
    }
}
