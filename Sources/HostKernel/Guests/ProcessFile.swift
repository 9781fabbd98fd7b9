internal import Glibc
package import KSMPolicy

/// The files of one process, by a descriptor of `/proc`.
package enum ProcessFile {
    package static func open(_ folder: Int32, _ pid: Int32, _ name: String) -> Int32 {
        unsafe openat(folder, "\(pid)/\(name)", O_RDONLY | O_CLOEXEC)
    }

    package static func exists(_ folder: Int32, _ pid: Int32) -> Bool {
        unsafe faccessat(folder, "\(pid)", F_OK, 0) == 0
    }

    /// The process's own name in the text of `comm`: without the kernel's line break. The name may hold others.
    package static func name(_ comm: [UInt8]) -> [UInt8] {
        comm.last == UInt8(ascii: "\n") ? comm.dropLast() : comm
    }

    /// - Returns: `nil` where the process has ended, or the file may not be read or is longer than `limit`.
    package static func read(_ folder: Int32, _ pid: Int32, _ name: String, limit: Int) -> [UInt8]? {
        let number = open(folder, pid, name)
        guard number >= 0 else { return nil }
        return try? FileDescriptor(adopting: number).readToEnd(limit: limit, path: name)
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
