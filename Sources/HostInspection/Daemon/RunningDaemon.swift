internal import Glibc
package import HostKernel
internal import KSMPolicy

/// The daemon of this host, as other programs find it.
package enum RunningDaemon: Equatable, Sendable {
    case running(Int32)
    case none

    /// Asks who holds the daemon's lock, without taking one. Whoever is not root cannot ask that, and goes by the pid file.
    ///
    /// - Parameter pidFile: Where the daemon's configuration says, under the host's root.
    /// - Throws: ``KernelFileError`` where that cannot be told, or the lock is held by what is no ksmtuned.
    package static func find(_ paths: HostPaths, pidFile: String) throws(KernelFileError) -> RunningDaemon {
        let holder: Int32?
        do throws(KernelFileError) {
            holder = try DaemonLock.holder(paths)
        } catch {
            guard error.isDenied else { throw error }
            return try named(by: paths.place(pidFile), paths, orElse: error)
        }
        guard let holder else { return .none }
        // The kernel names nobody of another pid namespace.
        guard let pid = try holder > 0 ? holder : PIDFile.read(paths.place(pidFile)) else {
            throw KernelFileError(
                .understand, paths.lock, errno: 0,
                detail: "it is locked by a process that cannot be seen here, and \(paths.place(pidFile)) names none")
        }
        // A tree that stands for a host has no processes of its own.
        guard paths.isStandIn || DaemonProcess.isDaemon(pid, of: 0, paths) else {
            _ = try ProcessListing.open(paths)
            throw KernelFileError(
                .understand, paths.lock, errno: 0, detail: "process \(pid), which locked it, is no ksmtuned of root's")
        }
        return .running(pid)
    }

    /// For whoever may not open the lock, which is there: an orderly end removes it, a crash leaves it.
    ///
    /// - Returns: The process that the pid file names, where it is a ksmtuned of root's; none where that process is gone.
    /// - Throws: `denial` where neither can be told: the file names none, or a process that /proc hides (`hidepid=`).
    static func named(
        by pidFile: String, _ paths: HostPaths, orElse denial: KernelFileError
    ) throws(KernelFileError) -> RunningDaemon {
        guard let pid = try PIDFile.read(pidFile) else { throw denial }
        if DaemonProcess.isDaemon(pid, of: 0, paths) { return .running(pid) }
        // Only the kernel knows of a process that is hidden.
        guard kill(pid, 0) != 0, errno == ESRCH else { throw denial }
        return .none
    }

    /// - Throws: ``KernelFileError`` with the refusal of kill(2).
    package static func signal(_ pid: Int32, _ signal: Int32) throws(KernelFileError) {
        guard kill(pid, signal) == 0 else { throw KernelFileError(.signal, "process \(pid)", errno: errno) }
    }
}
