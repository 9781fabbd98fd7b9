internal import CLinux
internal import Glibc

extension FileDescriptor {
    /// Whether `path` still names this file, and not another one or nothing.
    package borrowing func isAt(_ path: String) -> Bool { (try? isReplaced(at: path)) == false }

    /// Whether `path` names another file than this one, or nothing.
    ///
    /// - Throws: ``KernelFileError`` where that cannot be told.
    borrowing func isReplaced(at path: String) throws(KernelFileError) -> Bool {
        try Self.isReplaced(number, at: path)
    }

    /// The same of a descriptor that somebody else owns.
    static func isReplaced(_ number: Int32, at path: String) throws(KernelFileError) -> Bool {
        var opened = stat()
        var named = stat()
        guard unsafe fstat(number, &opened) == 0 else { throw KernelFileError(.read, path, errno: errno) }
        guard unsafe lstat(path, &named) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return true }
            throw KernelFileError(.read, path, errno: errno)
        }
        return opened.st_dev != named.st_dev || opened.st_ino != named.st_ino
    }

    /// - Throws: ``KernelFileError`` where this is a folder, a pipe or a device.
    package borrowing func requireRegular(
        for operation: KernelFileError.Operation, _ path: String
    ) throws(KernelFileError) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw KernelFileError(operation, path, errno: errno) }
        if operation == .read, status.st_mode & S_IFMT == S_IFDIR {
            throw KernelFileError(operation, path, errno: EISDIR)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KernelFileError(operation, path, errno: 0, detail: KernelFileError.notRegular)
        }
    }
}

extension FileDescriptor {
    /// - Throws: ``KernelFileError`` where this file has a name elsewhere, too (a hard link): it may be somebody's, and what
    ///   is done to it is done to that one.
    borrowing func requireSoleName(
        for operation: KernelFileError.Operation, _ path: String, advice: String
    ) throws(KernelFileError) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw KernelFileError(operation, path, errno: errno) }
        // None is that of a file which was removed since.
        guard status.st_mode & S_IFMT != S_IFREG || status.st_nlink <= 1 else {
            throw KernelFileError(
                operation, path, errno: 0, detail: "the file has another name, too (a hard link): \(advice)")
        }
    }

    /// - Throws: ``KernelFileError`` where this file is not the process's own.
    borrowing func requireOwn(
        for operation: KernelFileError.Operation, _ path: String, advice: String
    ) throws(KernelFileError) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw KernelFileError(operation, path, errno: errno) }
        guard status.st_uid == geteuid() else {
            throw KernelFileError(
                operation, path, errno: 0, detail: "it belongs to user \(status.st_uid): \(advice)")
        }
    }
}

/// The device that a file lies on.
package enum DeviceNumber {
    /// Its number as names in `/sys/dev/block` are, `MAJOR:MINOR`; `nil` where there is no such file. Some file systems
    /// have a number of their own, which is no device's.
    package static func text(ofFile path: String) -> String? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return "\(linux_major(status.st_dev)):\(linux_minor(status.st_dev))"
    }
}

extension KernelFileError {
    package static var notRegular: String { "it is not a regular file" }
}
