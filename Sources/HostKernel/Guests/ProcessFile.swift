internal import Glibc
package import KSMPolicy

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

    /// - Returns: `nil` where the process has ended, or has no such file; every other failure is thrown.
    static func readIfThere(
        _ folder: GuestProcess.Folder, _ pid: Int32, _ name: String, limit: Int
    ) throws(KernelFileError) -> [UInt8]? {
        do throws(KernelFileError) {
            return try openIfThere(folder, pid, name)?.readToEnd(limit: limit, path: "\(folder.path)/\(pid)/\(name)")
        } catch {
            if error.isVanished { return nil }
            throw error
        }
    }

    /// - Returns: `nil` where the process has ended, or has no such file.
    static func openIfThere(
        _ folder: GuestProcess.Folder, _ pid: Int32, _ name: String
    ) throws(KernelFileError) -> FileDescriptor? {
        let number = open(folder.number, pid, name)
        if number >= 0 { return FileDescriptor(adopting: number) }
        let error = KernelFileError(.read, "\(folder.path)/\(pid)/\(name)", errno: errno)
        if error.isVanished { return nil }
        throw error
    }
}

extension CommandLineMatcher {
    /// Whether an open `cmdline` is a guest's.
    ///
    /// - Parameter path: For the error.
    package static func matches(
        _ file: borrowing FileDescriptor, path: String
    ) throws(KernelFileError) -> Bool {
        var matcher = CommandLineMatcher()
        // The first piece is enough for nearly every process, and a line may be megabytes long.
        var piece = [UInt8](repeating: 0, count: 256)
        while matcher.verdict == .undecided {
            let got = unsafe read(file.number, &piece, piece.count)
            guard got >= 0 else { throw KernelFileError(.read, path, errno: errno) }
            if got == 0 { return false }
            matcher.feed(piece.span.extracting(first: got))
        }
        return matcher.verdict == .matches
    }
}
