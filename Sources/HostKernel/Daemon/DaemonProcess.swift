internal import Glibc
internal import KSMPolicy

/// A process that may be the daemon.
package enum DaemonProcess {
    /// The daemon's `comm`, which is also that of the original.
    private static let name: StaticString = "ksmtuned\n"

    /// Whether a process is a ksmtuned of that user: a pid alone may be another process's by now, and anybody may call a
    /// process so.
    ///
    /// - Returns: `false` also for a process that cannot be seen.
    package static func isDaemon(_ pid: Int32, of user: UInt32, _ paths: HostPaths) -> Bool {
        guard pid > 0 else { return false }
        var status = stat()
        // The owner of the folder is the process's effective user, whatever the owner of the files in it; see proc(5).
        guard unsafe stat("\(paths.proc)/\(pid)", &status) == 0, status.st_uid == user,
            let comm = try? HostFile.read("\(paths.proc)/\(pid)/comm", limit: 64)
        else { return false }
        return comm.span.isEqual(to: name)
    }

    /// Whether a process was sent SIGKILL and has not ended yet: it is in a call of the kernel's that does not return.
    package static func isBeingKilled(_ pid: Int32, _ paths: HostPaths) -> Bool {
        guard
            let status = try? HostFile.read("\(paths.proc)/\(pid)/status", limit: ProcessFile.longestStatus)
        else { return false }
        return String(decoding: status, as: UTF8.self).split(separator: "\n").contains { line in
            let words = line.split(separator: "\t")
            guard words.count == 2, ["SigPnd:", "ShdPnd:"].contains(words[0]), let signals = UInt64(words[1], radix: 16)
            else { return false }
            return signals & 1 << UInt64(SIGKILL - 1) != 0
        }
    }
}
