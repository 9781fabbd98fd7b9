internal import Glibc
package import HostKernel
internal import KSMPolicy

/// The daemon of this host, as other programs find it.
package enum RunningDaemon: Equatable, Sendable {
    case running(Int32)
    case none

    /// Asks who holds the lock of the pid file, which a daemon has for as long as it lives: a file alone may be left over,
    /// and its pid may be another process by now.
    ///
    /// - Parameter pidFile: Where the daemon's configuration says, under the host's root.
    /// - Throws: ``KernelFileError`` where the file is there and cannot be read, or names a process that is no ksmtuned.
    package static func find(_ paths: HostPaths, pidFile: String) throws(KernelFileError) -> RunningDaemon {
        let path = paths.place(pidFile)
        var text: [UInt8] = []
        do throws(KernelFileError) {
            let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK, for: .read)
            guard flock(file.number, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return .none }
            text = try file.readToEnd(limit: 64, path: path)
        } catch {
            if error.isMissing { return .none }
            throw error
        }
        guard let pid = DecimalField(text.span, at: 0).flatMap({ Int32(exactly: $0.value) }), pid > 0 else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it is locked, and holds no pid")
        }
        // A tree that stands for a host has no processes of its own.
        guard !paths.isStandIn else { return .running(pid) }
        let comm = try? HostFile.read("\(paths.proc)/\(pid)/comm", limit: 64)
        guard let comm, comm.span.isEqual(to: "ksmtuned\n") else {
            throw KernelFileError(
                .understand, path, errno: 0, detail: "it is locked, and process \(pid) that it names is no ksmtuned")
        }
        return .running(pid)
    }

    /// - Throws: ``KernelFileError`` with the refusal of kill(2).
    package static func signal(_ pid: Int32, _ signal: Int32) throws(KernelFileError) {
        guard kill(pid, signal) == 0 else { throw KernelFileError(.signal, "process \(pid)", errno: errno) }
    }
}
