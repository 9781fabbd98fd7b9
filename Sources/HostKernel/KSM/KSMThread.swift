internal import CLinux
internal import Glibc
package import KSMPolicy

/// The kernel's thread that scans, `ksmd`: the CPU time it took, and how it is scheduled.
package struct KSMThread {
    package let pid: Int32
    private let schedstat: KernelFile
    private let stat: KernelFile

    /// Looks for the thread among all processes. It is there since boot and stays.
    ///
    /// - Parameter isHeld: Whether its times are read so often that their file is held open.
    /// - Returns: `nil` where it cannot be seen: in a pid namespace of its own, or a tree without it.
    /// - Throws: ``KernelFileError`` where a process could not be looked at, which may be the one.
    package init?(_ paths: HostPaths, isHeld: Bool = true) throws(KernelFileError) {
        var listing = try ProcessListing(paths)
        var found: Int32?
        var failure: KernelFileError?
        let folder = GuestProcess.Folder(number: listing.folderNumber, path: paths.proc)
        try listing.refresh { pid in
            guard found == nil else { return }
            do throws(KernelFileError) {
                if try Self.isThread(pid, folder) { found = pid }
            } catch {
                failure = failure ?? error
            }
        }
        guard let found else {
            if let failure { throw failure }
            return nil
        }
        pid = found
        schedstat = KernelFile("\(paths.proc)/\(found)/schedstat", isHeld: isHeld && !paths.isStandIn)
        stat = KernelFile("\(paths.proc)/\(found)/stat", isHeld: false)
    }

    /// Anybody may call a process ksmd, but only the kernel's have no memory.
    private static func isThread(_ pid: Int32, _ folder: GuestProcess.Folder) throws(KernelFileError) -> Bool {
        guard let comm = try ProcessFile.readIfThere(folder, pid, "comm", limit: 128), comm.span.isEqual(to: "ksmd\n")
        else { return false }
        return try ProcessFile.readIfThere(folder, pid, "statm", limit: 128)?.first == UInt8(ascii: "0")
    }

    /// The time on a CPU since boot, and the time ready to run without one; `nil` where this kernel does not
    /// account for them.
    package func times() throws(KernelFileError) -> (cpu: Duration, waited: Duration)? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let text = try schedstat.read(limit: 128)
            guard let cpu = DecimalField(text.span, at: 0), let waited = DecimalField(text.span, at: cpu.end + 1) else {
                return nil
            }
            return (.nanoseconds(cpu.value), .nanoseconds(waited.value))
        }
    }
}

extension KSMThread {
    /// How it is scheduled, and whether it runs or is ready to run; `nil` where the kernel does not say, or says what
    /// this program does not know.
    package func scheduling() throws(KernelFileError) -> (scheduling: Scheduling, isReady: Bool)? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in Self.scheduling(try stat.read(limit: 1024)) }
    }

    /// The processor that it runs on or waits for; `nil` where it sleeps, or the kernel does not say.
    package func processorWhileReady() throws(KernelFileError) -> Int32? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            Self.processorWhileReady(try stat.read(limit: 1024))
        }
    }

    static func scheduling(_ stat: [UInt8]) -> (scheduling: Scheduling, isReady: Bool)? {
        let fields = ProcessStat(stat)
        guard let isReady = fields.isReady, let nice = fields[19], Scheduling.niceValues.contains(nice),
            let policy = fields[41].flatMap({ Scheduling.Policy(rawValue: $0) })
        else { return nil }
        return (Scheduling(policy, nice: nice), isReady)
    }

    static func processorWhileReady(_ stat: [UInt8]) -> Int32? {
        let fields = ProcessStat(stat)
        guard fields.isReady == true else { return nil }
        return fields[39].flatMap { Int32(exactly: $0) }
    }

    /// What the daemon looks at; `nil` where some of it is not known.
    package func state() throws(KernelFileError) -> KsmdState? {
        guard let (scheduling, isReady) = try scheduling(), let times = try times() else { return nil }
        return KsmdState(scheduling: scheduling, isReady: isReady, cpu: times.cpu, waited: times.waited)
    }

    /// Gives it another scheduling, of those that are plain. The priorities of others need more than is put back.
    ///
    /// Not sched_setattr(2), which would do both at once: what it asks for lies in memory, where a filter of system
    /// calls cannot see whether it is real time.
    ///
    /// - Throws: ``KernelFileError/isDenied`` without CAP_SYS_NICE.
    package func schedule(_ wanted: Scheduling, over present: Scheduling) throws(KernelFileError) {
        if wanted.policy != present.policy, linux_set_policy(pid, Int32(wanted.policy.rawValue)) < 0 { throw failure }
        guard wanted.nice != present.nice, linux_set_nice(pid, Int32(wanted.nice)) < 0 else { return }
        let failure = failure
        // Half of it was not asked for.
        if wanted.policy != present.policy { _ = linux_set_policy(pid, Int32(present.policy.rawValue)) }
        throw failure
    }

    private var failure: KernelFileError { KernelFileError(.schedule, "ksmd (pid \(pid))", errno: errno) }
}

/// ksmd at one moment.
package struct KsmdState: Equatable, Sendable {
    package var scheduling: Scheduling
    /// Whether it runs or is ready to run.
    package var isReady: Bool
    /// Its time on a CPU since boot, and ready to run without one.
    package var cpu: Duration
    package var waited: Duration

    package init(scheduling: Scheduling, isReady: Bool = false, cpu: Duration = .zero, waited: Duration = .zero) {
        self.scheduling = scheduling
        self.isReady = isReady
        self.cpu = cpu
        self.waited = waited
    }
}

/// Finds the thread when it is asked for, and looks again where it was not found, or the look failed: once a minute, since a
/// look at all processes has its price. It is there since boot, but `/proc` may hide it.
final class KSMThreadFinder {
    private static var pause: Duration { .seconds(60) }

    private let paths: HostPaths
    private let isHeld: Bool
    private var thread: KSMThread?
    /// When the next look is due; `nil` where none is needed.
    private var due: Instant? = Instant(nanoseconds: 0)

    init(_ paths: HostPaths, isHeld: Bool = true) {
        self.paths = paths
        self.isHeld = isHeld
    }

    /// - Parameter now: The time by the monotonic clock.
    /// - Returns: `nil` where there is none, or none could be found yet.
    func find(at now: Instant) -> KSMThread? {
        guard let due, now >= due else { return thread }
        thread = try? KSMThread(paths, isHeld: isHeld)
        self.due = thread == nil ? now + Self.pause : nil
        return thread
    }
}
