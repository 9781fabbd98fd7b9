internal import Glibc
internal import KSMPolicy

/// The file that names the daemon to scripts and programs, as the original's did. What keeps a second daemon away is
/// ``DaemonLock``.
package struct PIDFile: ~Copyable {
    private let file: FileDescriptor
    private let path: String

    package enum Refusal: Error, Equatable, Sendable {
        case failed(KernelFileError)
        /// The file names a ksmtuned that runs: the original, or one whose lock was removed.
        case taken(path: String, by: Int32)
    }

    /// Puts a file with this process's pid in the place of what an earlier daemon left.
    package init(_ path: String, _ paths: HostPaths) throws(Refusal) {
        let named: Int32?
        do throws(KernelFileError) {
            try Self.requireFree(path)
            named = try Self.read(path)
        } catch {
            throw .failed(error)
        }
        if let pid = named, pid != getpid(), !paths.isStandIn,
            DaemonProcess.isDaemon(pid, of: geteuid(), paths)
        {
            throw .taken(path: path, by: pid)
        }
        do throws(KernelFileError) {
            file = try Self.create(path)
        } catch {
            throw .failed(error)
        }
        self.path = path
    }

    /// It is written beside its place first, so that it never is there half. A link in its place is not followed.
    private static func create(_ path: String) throws(KernelFileError) -> FileDescriptor {
        let aside = aside(path)
        // A daemon that was killed between the two steps has left it.
        if unsafe unlink(aside) != 0, errno == EISDIR { throw KernelFileError(.create, aside, errno: EISDIR) }
        let descriptor: Int32 = unsafe open(aside, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw KernelFileError(.create, path, errno: errno) }
        let file = FileDescriptor(adopting: descriptor)
        do throws(KernelFileError) {
            try file.writeAll("\(getpid())\n".utf8.span, path: path)
            // Whatever the umask, others may read it, as they could the original's.
            guard fchmod(file.number, 0o644) == 0, unsafe rename(aside, path) == 0 else {
                throw KernelFileError(.create, path, errno: errno)
            }
        } catch {
            _ = unsafe unlink(aside)
            throw error
        }
        return file
    }

    /// - Returns: The pid that a file names; `nil` where there is none, or it names none.
    package static func read(_ path: String) throws(KernelFileError) -> Int32? {
        guard let text = try HostFile.readText(path),
            let pid = DecimalField(text.span, at: 0).flatMap({ Int32(exactly: $0.value) }), pid > 0
        else { return nil }
        return pid
    }

    /// - Throws: ``KernelFileError`` where something else than a file with a pid is in its place: it may be somebody's, and
    ///   would be replaced now and removed at the end.
    private static func requireFree(_ path: String) throws(KernelFileError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw KernelFileError(.create, path, errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let what = status.st_mode & S_IFMT == S_IFLNK ? "a link is in its place" : "something else is in its place"
            throw KernelFileError(.create, path, errno: 0, detail: what + ", which is no file of ksmtuned")
        }
        let text = try HostFile.readText(path) ?? []
        guard text.allSatisfy({ $0.isDigit || $0.isBlank || $0 == UInt8(ascii: "\n") }) else {
            throw KernelFileError(
                .create, path, errno: 0,
                detail: "the file that is there holds more than a pid, so it is not ksmtuned's: name another one by "
                    + "PIDFILE=, or remove it")
        }
    }

    /// `/run/.ksmtune.pid.new`
    static func aside(_ path: String) -> String { HostFile.hiddenName(of: path) + ".new" }

    /// Removes the file, at the end of an orderly life.
    ///
    /// If somebody removed it before, the file of that name may be another daemon's, and stays.
    package borrowing func remove() {
        // A look that failed is taken again: nobody comes after this one.
        if file.isAt(path) || file.isAt(path) { _ = unsafe unlink(path) }
    }
}
