internal import CLinux
internal import Glibc
package import KSMPolicy

/// What ended a wait. Several can have come at once.
package struct Wakeup: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// TERM or INT.
    package static let terminate = Wakeup(rawValue: 1)
    /// HUP.
    package static let reload = Wakeup(rawValue: 2)
    /// USR1.
    package static let retune = Wakeup(rawValue: 4)
    /// A child that writes to the kernel has ended.
    package static let written = Wakeup(rawValue: 8)
    /// Virtual machines were created or destroyed.
    package static let guests = Wakeup(rawValue: 16)
    /// The host waits for memory.
    package static let pressure = Wakeup(rawValue: 32)
}

/// What a source of events has to report of itself. None of it keeps the daemon from its work: time and signals remain.
package enum SourceNotice: Equatable, Sendable {
    /// Virtual machines are not announced, or no more.
    case noMachineEvents(KernelFileError)
    case machineEventsAgain
    /// Machines are created and destroyed faster than the daemon hears of.
    case manyMachineEvents
    /// Memory pressure is not reported, or no more.
    case noPressure(KernelFileError)
    case pressureAgain
    /// The kernel refused the window that was asked for, and took another.
    case otherPressure(asked: PressureThreshold, inForce: PressureThreshold)
}

/// Waits for time, for signals, for a child that writes, for virtual machines, and for memory pressure; the only place
/// of the daemon that sleeps.
package protocol Waiting: ~Copyable {
    var now: Instant { get }

    /// Waits until something happens or the time has come, whichever is first.
    ///
    /// - Parameters:
    ///   - deadline: ``Instant/never`` waits for events alone. A deadline in the past still takes what has happened.
    ///   - write: A child to wait for as well.
    mutating func wait(until deadline: Instant, or write: ChildWrite?) -> Wakeup

    /// Takes what ``Wakeup/guests`` was about.
    mutating func takeMachineEvents() -> MachineEvents

    /// Waits for this much memory pressure from now on, `nil` for none. The same again changes nothing.
    mutating func watchPressure(_ threshold: PressureThreshold?)

    /// Takes what there is to report of the sources since the last call.
    mutating func takeNotices() -> [SourceNotice]
}

/// The real waiter, on ppoll(2) and signalfd(2).
///
/// The signals stay blocked for the daemon's whole life and are taken here as values, so none can interrupt a write
/// half-way, and none can be lost between two waits.
package struct Waiter: Waiting, ~Copyable {
    private let paths: HostPaths
    private let signals: FileDescriptor
    private var machines: MachineEventSource?
    private var machinesRetry = SourceRetry()
    private var heard = MachineEvents()
    /// Until when the machines are not listened to, after more of them than can be taken at one time.
    private var machinesRest: Instant?
    private var hasReportedStorm = false
    private var pressure: PressureTrigger?
    private var pressureRetry = SourceRetry()
    private var watched: PressureThreshold?
    private var notices: [SourceNotice] = []

    /// - Parameter paths: In a tree that stands for a host nothing but time and signals is waited for: the machine's own
    ///   guests and its own memory are not that host's.
    package init(_ paths: HostPaths) throws(KernelFileError) {
        self.paths = paths
        let numbers = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]
        let descriptor = unsafe linux_signals_open(numbers, Int32(numbers.count))
        guard descriptor >= 0 else { throw KernelFileError(.open, "signalfd", errno: errno) }
        signals = FileDescriptor(adopting: descriptor)
        // Before the first look at the processes, so that no machine comes between the two.
        if !paths.isStandIn { listenToMachines() }
    }

    package var now: Instant { Self.now }

    /// The clock, for whoever has no waiter.
    package static var now: Instant {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package mutating func wait(until deadline: Instant, or write: ChildWrite? = nil) -> Wakeup {
        let began = now
        if machinesRetry.isDue(at: began) { listenToMachines() }
        if pressureRetry.isDue(at: began) { setTrigger() }
        // The place for further descriptors: an entry here, a word in `Wakeup`.
        var entries = (
            pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: write?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: machinesRest == nil ? machines?.descriptor ?? -1 : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: pressure?.descriptor ?? -1, events: Int16(POLLPRI), revents: 0)
        )
        let deadline = min(
            deadline, machinesRest ?? .never, machinesRetry.due ?? .never, pressureRetry.due ?? .never)
        let timeout = deadline == .never ? -1 : max(deadline - began, .zero).nanoseconds
        let result = unsafe withUnsafeMutableBytes(of: &entries) { entries in
            let entries = unsafe entries.bindMemory(to: pollfd.self)
            return unsafe linux_wait(entries.baseAddress, UInt32(entries.count), timeout)
        }
        if result < 0, errno != EINTR {
            // The kernel takes no more entries than a process may have descriptors, and that can be lowered from outside. So
            // each is asked for by itself, but for the signals: to take them does not wait, and they are heard also where not
            // even one can be asked for.
            linux_sleep(min(max(deadline - now, .zero), Self.blindPause).nanoseconds)
            unsafe withUnsafeMutableBytes(of: &entries) { entries in
                let entries = unsafe entries.bindMemory(to: pollfd.self)
                for index in entries.indices.dropFirst() { _ = unsafe linux_wait(entries.baseAddress! + index, 1, 0) }
            }
            entries.0.revents = Int16(POLLIN)
        }
        var wakeup: Wakeup = []
        if entries.0.revents != 0 {
            let taken = linux_signals_take(signals.number)
            if taken & (1 << SIGTERM | 1 << SIGINT) != 0 { wakeup.insert(.terminate) }
            if taken & 1 << SIGHUP != 0 { wakeup.insert(.reload) }
            if taken & 1 << SIGUSR1 != 0 { wakeup.insert(.retune) }
        }
        if let rest = machinesRest, now >= rest { machinesRest = nil }
        if entries.1.revents != 0 { wakeup.insert(.written) }
        if entries.2.revents != 0 { hearMachines() }
        if !heard.isEmpty { wakeup.insert(.guests) }
        if entries.3.revents & Int16(POLLERR) != 0 {
            // It would be ready for ever. A reload may set it again.
            pressure = nil
            watched = nil
            notices.append(
                .noPressure(
                    KernelFileError(.read, paths.memoryPressure, errno: 0, detail: "the kernel dropped the trigger")))
        } else if entries.3.revents != 0 {
            // The poll itself took the event: the next one comes after a whole window.
            wakeup.insert(.pressure)
        }
        return wakeup
    }

    /// Between two looks at the signals where the kernel does not tell of them.
    private static var blindPause: Duration { .milliseconds(200) }

    // MARK: Virtual machines

    /// Between two takings of more events than one can take: ten thousand a second are heard, and no more.
    private static var stormRest: Duration { .milliseconds(100) }

    private mutating func listenToMachines() {
        do throws(KernelFileError) {
            machines = try MachineEventSource()
            guard machinesRetry.succeeded() else { return }
            heard.isLossy = true
            notices.append(.machineEventsAgain)
        } catch {
            if machinesRetry.failed(error, at: now) { notices.append(.noMachineEvents(error)) }
        }
    }

    /// Empties the socket at once, whoever is interested: one that stays readable would keep the daemon awake.
    private mutating func hearMachines() {
        do throws(KernelFileError) {
            guard try machines?.take(into: &heard) ?? false else { return }
            machinesRest = now + Self.stormRest
            guard !hasReportedStorm else { return }
            hasReportedStorm = true
            notices.append(.manyMachineEvents)
        } catch {
            machines = nil
            heard.isLossy = true
            if machinesRetry.failed(error, at: now) { notices.append(.noMachineEvents(error)) }
        }
    }

    package mutating func takeMachineEvents() -> MachineEvents {
        defer { heard = MachineEvents() }
        return heard
    }

    // MARK: Memory pressure

    package mutating func watchPressure(_ threshold: PressureThreshold?) {
        guard !paths.isStandIn, threshold != watched || pressureRetry.due != nil else { return }
        watched = threshold
        pressure = nil
        pressureRetry = SourceRetry()
        setTrigger()
    }

    private mutating func setTrigger() {
        guard let threshold = watched else { return }
        do throws(KernelFileError) {
            let trigger = try PressureTrigger(paths, threshold)
            if pressureRetry.succeeded() { notices.append(.pressureAgain) }
            if trigger.threshold != threshold {
                notices.append(.otherPressure(asked: threshold, inForce: trigger.threshold))
            }
            pressure = consume trigger
        } catch {
            if pressureRetry.failed(error, at: now) { notices.append(.noPressure(error)) }
        }
    }

    /// Waits for a trigger that somebody else has set.
    package mutating func watchPressure(_ trigger: consuming PressureTrigger) {
        pressure = consume trigger
    }

    // MARK: Notices

    package mutating func takeNotices() -> [SourceNotice] {
        defer { notices = [] }
        return notices
    }
}

extension SourceNotice: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noMachineEvents(let error):
            "\(error), so guests that start or end are seen at the next decision, not at once"
        case .manyMachineEvents:
            "more than \(MachineEventSource.mostMessages) virtual machines were created or destroyed within a tenth of a "
                + "second: some of that may be seen at the next decision, not at once"
        case .machineEventsAgain:
            "virtual machines are announced again, so guests that start or end are seen at once"
        case .noPressure(let error):
            error.isAbsent
                ? "this kernel has no pressure stall information at \(error.path) (CONFIG_PSI, psi=1), "
                    + "so memory pressure is seen at the next decision, not at once"
                : "\(error), so memory pressure is seen at the next decision, not at once"
        case .pressureAgain: "memory pressure is reported again, so it is seen at once"
        case .otherPressure(let asked, let inForce):
            "memory pressure counts from \(inForce.word) on, not \(asked.word): "
                + "without CAP_SYS_RESOURCE the kernel takes only windows that are a multiple of 2 s"
        }
    }
}
