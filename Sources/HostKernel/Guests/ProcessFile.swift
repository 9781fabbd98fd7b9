internal import Glibc

/// The files of one process, by a descriptor of `/proc`.
package enum ProcessFile {
    package static func open(_ folder: Int32, _ pid: Int32, _ name: String) -> Int32 {
        unsafe openat(folder, "\(pid)/\(name)", O_RDONLY | O_CLOEXEC)
    }

    package static func exists(_ folder: Int32, _ pid: Int32) -> Bool {
        unsafe faccessat(folder, "\(pid)", F_OK, 0) == 0
    }

    /// - Returns: `nil` where the process has ended, or the file may not be read or is longer than `limit`.
    package static func read(_ folder: Int32, _ pid: Int32, _ name: String, limit: Int) -> [UInt8]? {
        let number = open(folder, pid, name)
        guard number >= 0 else { return nil }
        return try? FileDescriptor(adopting: number).readToEnd(limit: limit, path: name)
    }
}
