internal import Glibc

/// Whole files of the host, read and written at once.
package enum HostFile {
    /// Reads a file of the kernel to its end.
    ///
    /// - Throws: ``KernelFileError``; for a file that is missing, ``KernelFileError/isMissing`` is true. A folder, a
    ///   pipe or a device in its place is one too.
    package static func read(_ path: String, limit: Int = 4096) throws(KernelFileError) -> [UInt8] {
        try openRegular(path).readToEnd(limit: limit, path: path)
    }

    /// Opens a regular file for reading, and nothing else: whoever made a tree that stands for a host, or may write where
    /// an administrator's files are, must not keep the reader waiting.
    package static func openRegular(_ path: String) throws(KernelFileError) -> FileDescriptor {
        // Without O_NONBLOCK the open of a pipe would wait for a writer for ever.
        let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY, for: .read)
        try file.requireRegular(for: .read, path)
        return file
    }

    /// A hidden name beside a file, so that a program that reads all files of the folder leaves it alone: `.state` of
    /// `state`.
    package static func hiddenName(of path: String) -> String {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) } ?? path.startIndex
        return path[..<slash] + "." + path[slash...]
    }

    /// A path without links and `..`; `nil` where there is no such file, or it cannot be told.
    static func realPath(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// What a path leads to, as `S_IFSOCK`, see stat(2); `nil` where there is nothing, or it cannot be told.
    static func kind(_ path: String) -> mode_t? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// Whether this process may read a file or a folder, as far as that can be told without trying.
    package static func canRead(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    /// Gives a file of the kernel a new value, in one call: sysfs takes each write for a whole value.
    package static func write(_ text: String, to path: String) throws(KernelFileError) {
        let file = try FileDescriptor(opening: path, O_WRONLY | O_TRUNC | O_NONBLOCK, for: .write)
        try file.writeAll(text.utf8.span, path: path)
    }

    /// Creates a folder and those above it. That one exists already is fine.
    ///
    /// - Throws: ``KernelFileError`` for the first that could not be created, as on a file system that is read-only.
    package static func createFolder(_ path: String) throws(KernelFileError) {
        var status = stat()
        if unsafe stat(path, &status) == 0 { return }
        var end = path.utf8.startIndex
        while let slash = path.utf8[path.utf8.index(after: end)...].firstIndex(of: UInt8(ascii: "/")) {
            try makeFolder(String(path[..<slash]))
            end = slash
        }
        try makeFolder(path)
    }

    private static func makeFolder(_ path: String) throws(KernelFileError) {
        guard unsafe mkdir(path, 0o755) != 0 else { return }
        let failure = errno
        var status = stat()
        // Of one that exists a file system that is read-only says so too.
        if failure == EEXIST { return }
        if unsafe stat(path, &status) == 0 { return }
        throw KernelFileError(.create, path, errno: failure)
    }

    /// Reads a text that an administrator wrote, which may be anything.
    ///
    /// - Returns: `nil` where there is no such file.
    /// - Throws: ``KernelFileError``; a folder, a pipe or a device in its place is one, and so is more than 1 MiB.
    package static func readText(_ path: String) throws(KernelFileError) -> [UInt8]? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let file = try openRegular(path)
            var status = stat()
            guard unsafe fstat(file.number, &status) == 0 else { throw KernelFileError(.read, path, errno: errno) }
            guard status.st_size <= 1 << 20 else { throw KernelFileError(.read, path, errno: EFBIG) }
            return try file.readToEnd(limit: 1 << 20 | 1, path: path)
        }
    }
}
