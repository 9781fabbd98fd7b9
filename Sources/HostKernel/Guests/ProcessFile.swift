internal import Glibc
internal import KSMPolicy

/// The files of one process, by a descriptor of `/proc`.
package enum ProcessFile {
    /// Bytes of `status` that are too many. A line names all groups of the user, some thousands of which fit.
    package static let longestStatus = 1 << 16

    package static func open(_ folder: Int32, _ pid: Int32, _ name: String) -> Int32 {
        // In a tree that stands for a host it may be a pipe, whose writer would be waited for.
        unsafe openat(folder, "\(pid)/\(name)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }

    package static func exists(_ folder: Int32, _ pid: Int32) -> Bool {
        unsafe faccessat(folder, "\(pid)", F_OK, 0) == 0
    }

    /// The process's own name in the text of `comm`: without the kernel's line break. The name may hold others.
    package static func name(_ comm: [UInt8]) -> [UInt8] {
        comm.last == UInt8(ascii: "\n") ? comm.dropLast() : comm
    }

    /// Who started a process; `nil` where that cannot be told.
    ///
    /// The owner of its folder would be root for whoever has his process say so (`PR_SET_DUMPABLE`), and what it may do now
    /// can be root's, as in a program with the setuid bit.
    package static func user(_ folder: Int32, _ pid: Int32) -> Int64? {
        let number = open(folder, pid, "status")
        guard number >= 0 else { return nil }
        let file = FileDescriptor(adopting: number)
        guard let text = try? file.readToEnd(limit: longestStatus, path: "status") else { return nil }
        return NamedNumber.find(line: "Uid", in: text.span)
    }

    /// - Returns: `nil` where the process has ended, or has no such file; every other failure is thrown.
    static func readIfThere(
        _ folder: GuestProcess.Folder, _ pid: Int32, _ name: String, limit: Int
    ) throws(KernelFileError) -> [UInt8]? {
        do throws(KernelFileError) {
            let (number, path) = (open(folder.number, pid, name), "\(folder.path)/\(pid)/\(name)")
            guard number >= 0 else { throw KernelFileError(.read, path, errno: errno) }
            return try FileDescriptor(adopting: number).readToEnd(limit: limit, path: path)
        } catch {
            if error.isVanished { return nil }
            throw error
        }
    }
}
