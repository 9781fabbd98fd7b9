internal import Glibc
internal import KSMPolicy

/// The kernel's thread that scans, `ksmd`, and the CPU time it took.
package struct KSMThread {
    private let schedstat: KernelFile

    /// Looks for the thread among all processes. It is there since boot and stays.
    ///
    /// - Returns: `nil` where it cannot be seen: in a pid namespace of its own, or a tree without it.
    /// - Throws: ``KernelFileError`` where a process could not be looked at, which may be the one.
    package init?(_ paths: HostPaths) throws(KernelFileError) {
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
        schedstat = KernelFile("\(paths.proc)/\(found)/schedstat", isHeld: !paths.isStandIn)
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

/// Finds the thread when it is asked for, and looks again where the look failed: once a minute, since a look at all
/// processes has its price.
final class KSMThreadFinder {
    private static var pause: Duration { .seconds(60) }

    private let paths: HostPaths
    private var thread: KSMThread?
    /// When the next look is due; `nil` where none is needed.
    private var due: Instant? = Instant(nanoseconds: 0)

    init(_ paths: HostPaths) {
        self.paths = paths
    }

    /// - Parameter now: The time by the monotonic clock.
    /// - Returns: `nil` where there is none, or none could be found yet.
    func find(at now: Instant) -> KSMThread? {
        guard let due, now >= due else { return thread }
        do throws(KernelFileError) {
            thread = try KSMThread(paths)
            self.due = nil
        } catch {
            self.due = now + Self.pause
        }
        return thread
    }
}
