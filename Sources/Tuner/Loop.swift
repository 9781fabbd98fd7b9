package import HostKernel
package import KSMPolicy

/// What the loop drives: the daemon, or a recorder in a test.
package protocol LoopHost: ~Copyable {
    /// The time until the next decision if nothing else happens, as it is after the last decision.
    var pause: Duration { get }
    /// Whether a guest that comes or goes is a reason to decide.
    var retunesOnGuests: Bool { get }
    /// The memory pressure that is a reason to decide; `nil` for none.
    var pressure: PressureThreshold? { get }
    /// The longest time between two signs of life; endless where nobody watches.
    var watchdogPeriod: Duration { get }
    var pendingWrite: ChildWrite? { get }

    mutating func decide()
    /// The operator asks, before the decision that follows.
    mutating func request()
    /// The kernel announces memory pressure, before the decision that follows.
    mutating func memoryIsShort()
    mutating func reload()
    /// - Returns: Whether a decision fell into the time of the write, and is due now.
    mutating func finishWrite() -> Bool
    /// Hears of guests, whether or not they are a reason to decide.
    mutating func machinesChanged(_ events: MachineEvents)
    mutating func report(_ notice: SourceNotice)
    mutating func signOfLife()

    /// Begins the last write to `run` in a child.
    ///
    /// - Returns: `nil` where it is done.
    mutating func beginLastWrite(run: Int64) throws(KernelFileError) -> ChildWrite?
    /// Makes the last write to `run` without a child.
    ///
    /// - Parameter failure: Why there is no child.
    mutating func writeLast(run: Int64, after failure: KernelFileError) throws(KernelFileError)
}

/// The daemon's life between start and end: waits in one place for time, signals, slow writes, guests and pressure.
package struct Loop<W: Waiting & ~Copyable>: ~Copyable {
    /// From the first guest that comes or goes to the decision: a host that starts a hundred guests
    /// decides once, and a guest that has just started has begun to fill its memory.
    package static var gathering: Duration { .seconds(1) }
    /// The least time from any decision to one that pressure brings about: what the last one did must
    /// have its effect.
    package static var pressureRest: Duration { .seconds(1) }

    private var waiter: W

    package init(_ waiter: consuming W) {
        self.waiter = waiter
    }

    /// Runs until a signal ends it.
    ///
    /// Each decision begins a whole new pause, whatever brought it about. Events can only bring the next one nearer.
    package mutating func run(_ host: inout some LoopHost & ~Copyable) {
        waiter.watchPressure(host.pressure)
        var lastDecision = waiter.now
        var nextDecision = after(host.pause)
        var nextSign = after(host.watchdogPeriod)
        while true {
            for notice in waiter.takeNotices() { host.report(notice) }
            let wakeup = waiter.wait(until: min(nextDecision, nextSign), or: host.pendingWrite)
            if wakeup.contains(.terminate) { return }
            if wakeup.contains(.retune) { host.request() }
            var isDue = wakeup.contains(.reload) || wakeup.contains(.retune)
            if wakeup.contains(.written), host.finishWrite() { isDue = true }
            if wakeup.contains(.reload) {
                host.reload()
                waiter.watchPressure(host.pressure)
            }
            if wakeup.contains(.guests) {
                host.machinesChanged(waiter.takeMachineEvents())
                if host.retunesOnGuests { nextDecision = min(nextDecision, after(Self.gathering)) }
            }
            if wakeup.contains(.pressure) {
                host.memoryIsShort()
                nextDecision = min(nextDecision, max(waiter.now, lastDecision + Self.pressureRest))
            }
            if isDue || waiter.now >= nextDecision {
                host.decide()
                lastDecision = waiter.now
                nextDecision = after(host.pause)
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
            let wakeup = waiter.wait(until: after(min(host.watchdogPeriod, .seconds(1))), or: write)
            if wakeup.contains(.written) { return true }
            if wakeup.contains(.terminate) { return false }
            host.signOfLife()
        }
    }

    /// The last write is tried this often in a child, with a pause between.
    private static var attempts: Int { 3 }
    private static var attemptPause: Duration { .seconds(1) }

    /// Begins the last write to `run`, in a child, since it may take long. Where there are no processes or descriptors for
    /// one, and none after a moment, the daemon writes itself: ksmd must not go on without it.
    ///
    /// - Returns: The child to wait for, or `nil` where the write is done.
    package mutating func beginLastWrite(
        run: Int64, _ host: inout some LoopHost & ~Copyable
    ) throws(KernelFileError) -> ChildWrite? {
        var attempt = 1
        while true {
            do throws(KernelFileError) {
                return try host.beginLastWrite(run: run)
            } catch {
                if attempt < Self.attempts, rest(&host) {
                    attempt += 1
                    continue
                }
                try host.writeLast(run: run, after: error)
                return nil
            }
        }
    }

    /// Waits a moment before something is tried again.
    ///
    /// - Returns: Whether it is to be: a second signal to end stops the waiting.
    package mutating func rest(_ host: inout some LoopHost & ~Copyable) -> Bool {
        guard !waiter.wait(until: after(Self.attemptPause), or: nil).contains(.terminate) else { return false }
        host.signOfLife()
        return true
    }

    private func after(_ pause: Duration) -> Instant { waiter.now + pause }
}
