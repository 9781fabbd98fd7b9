internal import Glibc
internal import HostKernel
internal import KSMPolicy

/// The files of the host's processes, for programs that look once.
///
/// Only a process that has ended, or a file that this kernel does not have, gives nothing; every other failure is
/// thrown, so that no process is left out in silence.
struct ProcessFiles {
    let folder: String
    private let isStandIn: Bool

    init(_ paths: HostPaths) {
        folder = paths.proc
        isStandIn = paths.isStandIn
    }

    func path(_ pid: Int32, _ name: String) -> String { "\(folder)/\(pid)/\(name)" }

    func exists(_ pid: Int32) -> Bool { unsafe access("\(folder)/\(pid)", F_OK) == 0 }

    /// People's accounts begin with this number; see login.defs(5).
    private static var firstPerson: UInt32 { 1000 }

    /// Whether a process is of one of the system's own accounts, as root's are and VDSM's; in a tree that stands for a host
    /// each may be.
    func isOfSystem(_ pid: Int32) -> Bool {
        if isStandIn { return true }
        var status = stat()
        // The owner of the folder is the process's effective user; see proc(5).
        return unsafe stat("\(folder)/\(pid)", &status) == 0 && status.st_uid < Self.firstPerson
    }

    /// - Parameter limit: A file of as many bytes or more is an error.
    func read(_ pid: Int32, _ name: String, limit: Int) throws(KernelFileError) -> [UInt8]? {
        do throws(KernelFileError) {
            return try HostFile.read(path(pid, name), limit: limit)
        } catch {
            if error.isVanished { return nil }
            throw error
        }
    }

    /// The process's own name, without the kernel's line break; the name may hold others.
    func comm(_ pid: Int32) throws(KernelFileError) -> [UInt8]? {
        try read(pid, "comm", limit: 64).map { ProcessFile.name($0) }
    }

    /// How long a process has lived; `nil` where that cannot be told.
    func age(_ pid: Int32) throws(KernelFileError) -> Duration? {
        guard let stat = try read(pid, "stat", limit: 2048), let uptime = try SmallFile.text("\(folder)/uptime"),
            let now = uptime.split(separator: " ").first.flatMap({ Double($0) }), now.isFinite,
            let name = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        // The 22nd field, in clock ticks since boot; the name, which may hold anything, is the second.
        let fields = stat[(name + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let start = DecimalField(Array(fields[19]).span, at: 0)?.value else { return nil }
        return Duration(rounding: now - Double(start) / Double(Host.ticksPerSecond))
    }

    /// The name of the program's file: the first word of the command line, without folders. It is text that the process
    /// may have written.
    ///
    /// - Returns: `nil` for the kernel's own threads, which have no command line.
    func program(_ pid: Int32) throws(KernelFileError) -> [UInt8]? {
        let path = path(pid, "cmdline")
        do throws(KernelFileError) {
            let file = try HostFile.openRegular(path)
            // No path of a file is longer.
            var piece = [UInt8](repeating: 0, count: 4096)
            let got = unsafe Glibc.read(file.number, &piece, piece.count)
            guard got >= 0 else { throw KernelFileError(.read, path, errno: errno) }
            guard got > 0 else { return nil }
            let word = piece.prefix(got).prefix { $0 != 0 }
            return Array(word[((word.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...])
        } catch {
            if error.isVanished { return nil }
            throw error
        }
    }

    /// Whether a process has a guest's name, by its `comm` or by its command line.
    func isNamed(_ pid: Int32, comm: [UInt8], _ matcher: borrowing NameMatcher) throws(KernelFileError) -> Bool {
        if matcher.matches(comm: comm.span) { return true }
        return matcher.needsCommandLine ? try hasGuestCommandLine(pid) : false
    }

    private func hasGuestCommandLine(_ pid: Int32) throws(KernelFileError) -> Bool {
        let path = path(pid, "cmdline")
        do throws(KernelFileError) {
            return try CommandLineMatcher.matches(HostFile.openRegular(path), path: path)
        } catch {
            if error.isVanished { return false }
            throw error
        }
    }
}
