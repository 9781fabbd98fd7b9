internal import CLinux
internal import Glibc

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
}

/// Waits for time, for signals, and for a child that writes; the only place of the daemon that sleeps.
package protocol Waiting: ~Copyable {
    /// Monotonic time in nanoseconds, which does not count while the host is suspended.
    var now: Int64 { get }

    /// Waits until something happens or the time has come, whichever is first.
    ///
    /// - Parameters:
    ///   - deadline: In the time of ``now``. A deadline in the past still takes what has happened.
    ///   - write: A child to wait for as well.
    mutating func wait(until deadline: Int64, or write: ChildWrite?) -> Wakeup
}

/// The real waiter, on ppoll(2) and signalfd(2).
///
/// The signals stay blocked for the daemon's whole life and are taken here as values, so none can interrupt a write
/// half-way, and none can be lost between two waits.
package struct Waiter: Waiting, ~Copyable {
    private let signals: FileDescriptor

    package init() throws(KernelFileError) {
        let numbers = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]
        let descriptor = unsafe linux_signals_open(numbers, Int32(numbers.count))
        guard descriptor >= 0 else { throw KernelFileError(.open, "signalfd", errno: errno) }
        signals = FileDescriptor(adopting: descriptor)
        // A reader of standard error or of a log pipe that went away must not end the daemon.
        _ = signal(SIGPIPE, SIG_IGN)
    }

    package var now: Int64 { Self.now }

    /// The clock, for whoever has no waiter.
    package static var now: Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    package mutating func wait(until deadline: Int64, or write: ChildWrite? = nil) -> Wakeup {
        // The place for further descriptors: an entry here, a word in `Wakeup`.
        var entries = (
            pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: write?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
        )
        let timeout = deadline == .max ? -1 : max(deadline - now, 0)
        _ = unsafe withUnsafeMutableBytes(of: &entries) { entries in
            unsafe linux_wait(entries.bindMemory(to: pollfd.self).baseAddress, 2, timeout)
        }
        var wakeup: Wakeup = []
        if entries.0.revents != 0 {
            let taken = linux_signals_take(signals.number)
            if taken & (1 << SIGTERM | 1 << SIGINT) != 0 { wakeup.insert(.terminate) }
            if taken & 1 << SIGHUP != 0 { wakeup.insert(.reload) }
            if taken & 1 << SIGUSR1 != 0 { wakeup.insert(.retune) }
        }
        if entries.1.revents != 0 { wakeup.insert(.written) }
        return wakeup
    }
}
