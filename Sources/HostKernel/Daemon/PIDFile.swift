internal import Glibc
internal import KSMPolicy

/// The file that names the one daemon of the host, and keeps a second away.
///
/// The lock, not the file, says that a daemon runs: it ends with its process, whatever happens to the file.
package struct PIDFile: ~Copyable {
    private let file: FileDescriptor
    private let path: String

    package enum Refusal: Error, Equatable, Sendable {
        case failed(KernelFileError)
        /// With the pid of the daemon that runs, where the file names it.
        case taken(path: String, by: Int32?)
    }

    /// Takes the lock and writes the pid.
    package init(_ path: String) throws(Refusal) {
        var file = try Self.lock(path)
        // A daemon that ended meanwhile has removed the file that was opened: its lock would keep nobody away.
        while !Self.isAt(path, file.number) { file = try Self.lock(path) }
        let descriptor = file.number
        guard ftruncate(descriptor, 0) == 0 else { throw .failed(KernelFileError(.write, path, errno: errno)) }
        do throws(KernelFileError) {
            try file.writeAll("\(getpid())\n".utf8.span, path: path)
        } catch {
            throw .failed(error)
        }
        self.file = file
        self.path = path
    }

    private static func lock(_ path: String) throws(Refusal) -> FileDescriptor {
        let descriptor: Int32 = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw .failed(KernelFileError(.create, path, errno: errno)) }
        let file = FileDescriptor(adopting: descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw .failed(KernelFileError(.lock, path, errno: errno)) }
            let text = (try? file.readToEnd(limit: 64, path: path)) ?? []
            throw .taken(path: path, by: DecimalField(text.span, at: 0).map { Int32(clamping: $0.value) })
        }
        return file
    }

    /// Whether `path` still names the open file.
    private static func isAt(_ path: String, _ descriptor: Int32) -> Bool {
        var opened = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &opened) == 0, unsafe stat(path, &named) == 0 else { return false }
        return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
    }

    /// Removes the file, at the end of an orderly life. The lock goes with the process.
    ///
    /// If somebody removed it before, the file of that name may be another daemon's, and stays.
    package borrowing func remove() {
        if Self.isAt(path, file.number) { _ = unsafe unlink(path) }
    }
}
