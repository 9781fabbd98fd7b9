internal import Glibc

/// Whole files of the host, read and written at once.
package enum HostFile {
    /// Reads a file of the kernel to its end.
    ///
    /// - Throws: ``KernelFileError``; for a file that is missing, ``KernelFileError/isMissing`` is true.
    package static func read(_ path: String, limit: Int = 4096) throws(KernelFileError) -> [UInt8] {
        try FileDescriptor(opening: path, O_RDONLY, for: .read).readToEnd(limit: limit, path: path)
    }

    /// Gives a file of the kernel a new value, in one call: sysfs takes each write for a whole value.
    package static func write(_ text: String, to path: String) throws(KernelFileError) {
        let file = try FileDescriptor(opening: path, O_WRONLY | O_TRUNC | O_NONBLOCK, for: .write)
        try file.writeAll(text.utf8.span, path: path)
    }

    /// Creates a folder and those above it. That one exists already is fine.
    package static func createFolder(_ path: String) {
        var end = path.utf8.startIndex
        while let slash = path.utf8[path.utf8.index(after: end)...].firstIndex(of: UInt8(ascii: "/")) {
            _ = unsafe mkdir(String(path[..<slash]), 0o755)
            end = slash
        }
        _ = unsafe mkdir(path, 0o755)
    }

    /// Reads a text that an administrator wrote, which may be anything.
    ///
    /// - Returns: `nil` where there is no such file.
    /// - Throws: ``KernelFileError``; a folder, a pipe or a device in its place is one, and so is more than 1 MiB.
    package static func readText(_ path: String) throws(KernelFileError) -> [UInt8]? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            // Without O_NONBLOCK the open of a pipe would wait for a writer for ever.
            let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK, for: .read)
            var status = stat()
            guard unsafe fstat(file.number, &status) == 0 else { throw KernelFileError(.read, path, errno: errno) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw KernelFileError(.read, path, errno: 0, detail: "it is not a regular file")
            }
            guard status.st_size <= 1 << 20 else { throw KernelFileError(.read, path, errno: EFBIG) }
            return try file.readToEnd(limit: 1 << 20 | 1, path: path)
        }
    }
}
