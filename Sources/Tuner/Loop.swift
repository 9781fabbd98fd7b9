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
    /// Whether a second signal came to end: from then on nothing is waited for that takes long.
    private var isToldAgain = false
    /// Whether a write was left to itself for that reason.
    package private(set) var isGivenUp = false

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
                nextSign = min(nextSign, after(host.watchdogPeriod))
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

    // MARK: The end

    /// Waits for a last write to the kernel, giving signs of life; a second signal to end stops the waiting soon, a third
    /// one at once.
    ///
    /// - Returns: Whether the write came to its end.
    package mutating func runToEnd(of write: ChildWrite, _ host: inout some LoopHost & ~Copyable) -> Bool {
        while !isToldAgain {
            let wakeup = waitAtEnd(until: after(min(host.watchdogPeriod, .seconds(1))), or: write)
            if wakeup.contains(.written) { return true }
            if !isToldAgain { host.signOfLife() }
        }
        let end = after(Self.grace)
        while waiter.now < end {
            let wakeup = waitAtEnd(until: end, or: write)
            if wakeup.contains(.written) { return true }
            if wakeup.contains(.terminate) { break }
        }
        isGivenUp = true
        return false
    }

    /// Two signals to end may come at once, as timeout(1) sends them. A write that ksmd's batch does not hold up is
    /// through in this time all the same.
    private static var grace: Duration { .milliseconds(100) }

    /// The last write is tried this often in a child, with a pause between.
    private static var attempts: Int { 3 }
    private static var attemptPause: Duration { .seconds(1) }

    /// Makes the last write to `run`, in a child, since it may take long. One that fails is tried again, since nobody else
    /// does; but the kernel ends one that unmerges for want of memory, which it would want again. Where there are no
    /// processes or descriptors for a child, and none after a moment, the daemon writes itself: ksmd must not go on without
    /// it.
    ///
    /// - Returns: Whether the kernel has taken it; a second signal to end stops the waiting.
    package mutating func writeLast(
        run: Int64, _ host: inout some LoopHost & ~Copyable
    ) throws(KernelFileError) -> Bool {
        var attempt = 0
        while true {
            attempt += 1
            var hasBegun = false
            do throws(KernelFileError) {
                guard let write = try host.beginLastWrite(run: run) else { return true }
                hasBegun = true
                guard runToEnd(of: write, &host) else { return false }
                try write.finish()
                return true
            } catch {
                let mayTryAgain = attempt < Self.attempts && !(hasBegun && run == 2)
                if mayTryAgain, rest(&host) { continue }
                if hasBegun { throw error }
                try host.writeLast(run: run, after: error)
                return true
            }
        }
    }

    /// Waits a moment before something is tried again.
    ///
    /// - Returns: Whether it is to be: a second signal to end stops the waiting.
    private mutating func rest(_ host: inout some LoopHost & ~Copyable) -> Bool {
        let end = after(Self.attemptPause)
        repeat { _ = waitAtEnd(until: end, or: nil) } while !isToldAgain && waiter.now < end
        if !isToldAgain { host.signOfLife() }
        return !isToldAgain
    }

    /// Nothing but the write and a second signal to end counts any more.
    private mutating func waitAtEnd(until deadline: Instant, or write: ChildWrite?) -> Wakeup {
        let wakeup = waiter.wait(until: deadline, or: write)
        if wakeup.contains(.terminate) { isToldAgain = true }
        // Else the next wait would end at once.
        if wakeup.contains(.guests) { _ = waiter.takeMachineEvents() }
        return wakeup
    }

    private func after(_ pause: Duration) -> Instant { waiter.now + pause }
}
