internal import Glibc
internal import HostKernel
internal import KSMPolicy

/// The files of the host's processes, for programs that look once.
///
/// Only a process that has ended, or a file that this kernel does not have, gives nothing; every other failure is
/// thrown, so that no process is left out in silence.
///
/// For some of them the kernel takes the lock of the process's memory, which that can keep for ever. They are read in a child,
/// and ahead where there are many; a process that gives no answer is a failure like any other. See ``ChildRead``.
struct ProcessFiles {
    let folder: String
    private let isStandIn: Bool
    /// What was read ahead, by the names of the files.
    private var ahead: [String: [Int32: Ahead]] = [:]

    private enum Ahead {
        case answer(ChildRead.Answer)
        case failed(KernelFileError)
    }

    init(_ paths: HostPaths) {
        folder = paths.proc
        isStandIn = paths.isStandIn
    }

    /// Files that take the lock of the process's memory.
    private static let locked = ["cmdline", "ksm_stat"]
    /// In bytes: longer than nearly every command line.
    private static let longestAhead = 16384
    /// So many may give no answer until no more are asked: some seconds.
    private static let mostSilent = 8
    /// Whose gave none in the whole look, by the users' numbers.
    private let silence = Silence()

    private final class Silence {
        var users: [Int64?] = []
    }

    /// Reads one of those files of many processes.
    mutating func readAhead(_ name: String, of pids: [Int32]) {
        ahead[name] = ask(pids, for: name, upTo: Self.longestAhead, mostSilent: Self.mostSilent)
    }

    private func ask(_ pids: [Int32], for name: String, upTo size: Int, mostSilent: Int) -> [Int32: Ahead] {
        var known: [Int32: Ahead] = [:]
        do throws(KernelFileError) {
            let directory = try FileDescriptor(opening: folder, O_RDONLY | O_DIRECTORY, for: .list)
            let place = ChildRead.Folder(directory.number, isStandIn: isStandIn)
            // So many are all that a look waits for, but for users who have cost nothing yet.
            let isSpent = silence.users.count >= Self.mostSilent * 2
            var (asked, left): ([Int32], [Int32]) = ([], [])
            for pid in pids {
                let isLeft = isSpent && silence.users.contains(ProcessFile.user(directory.number, pid))
                if isLeft { left.append(pid) } else { asked.append(pid) }
            }
            var round = ChildRead.ask(asked, for: name, upTo: size, in: place, mostSilent: mostSilent)
            round.unasked += left
            for (pid, answer) in round.answers { known[pid] = .answer(answer) }
            for pid in round.silent {
                let user = ProcessFile.user(directory.number, pid)
                silence.users.append(user)
                known[pid] = .failed(ChildRead.silence(path(pid, name), of: user))
            }
            for pid in round.unasked { known[pid] = .failed(round.failure(ofUnasked: path(pid, name))) }
        } catch {
            for pid in pids { known[pid] = .failed(error) }
        }
        return known
    }

    /// The beginning of one of those files.
    ///
    /// - Parameter size: No more bytes are read.
    /// - Returns: `nil` where the process has ended, or has no such file.
    private func beginning(_ pid: Int32, _ name: String, upTo size: Int) throws(KernelFileError) -> [UInt8]? {
        var known = ahead[name]?[pid]
        if case .answer(.bytes(let bytes)) = known, bytes.count >= Self.longestAhead, size > bytes.count { known = nil }
        switch known ?? ask([pid], for: name, upTo: size, mostSilent: 1)[pid] {
        case .answer(.bytes(let bytes)): return bytes
        case .answer(.failed(let errno)):
            let error = KernelFileError(.read, path(pid, name), errno: errno)
            if error.isVanished { return nil }
            throw error
        case .failed(let error): throw error
        case nil: return nil
        }
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
        if Self.locked.contains(name) {
            let text = try beginning(pid, name, upTo: limit)
            if let text, text.count >= limit { throw KernelFileError(.read, path(pid, name), errno: EFBIG) }
            return text
        }
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
        // No path of a file is longer.
        guard let line = try beginning(pid, "cmdline", upTo: 4096), !line.isEmpty else { return nil }
        let word = line.prefix { $0 != 0 }
        return Array(word[((word.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...])
    }

    /// Whether a process has a guest's name, by its `comm` or by its command line.
    func isNamed(_ pid: Int32, comm: [UInt8], _ matcher: borrowing NameMatcher) throws(KernelFileError) -> Bool {
        if matcher.matches(comm: comm.span) { return true }
        guard matcher.needsCommandLine,
            let line = try beginning(pid, "cmdline", upTo: CommandLineMatcher.longest)
        else { return false }
        return CommandLineMatcher.matches(line)
    }
}
