internal import CLinux
internal import Glibc
internal import KSMPolicy

/// The lock that the one daemon of a host holds for as long as it lives.
///
/// It is a record lock (fcntl(2)) on a file that only root can open, so that nobody else can hold it or keep it from the
/// daemon. The kernel releases it with the process, however that ends; a child does not inherit it. Whoever wants to
/// know asks who holds it, and takes no lock for that.
package final class DaemonLock {
    private var file: FileDescriptor
    private let path: String

    package enum Refusal: Error, Equatable, Sendable {
        case failed(KernelFileError)
        /// With the pid of the daemon that runs, where the kernel names it.
        case taken(by: Int32?)
    }

    /// It is tried this often with a pause between: a daemon that is about to end has a second for that.
    private static let attempts = 20
    private static let pause = Duration.milliseconds(50)

    /// Creates the file in the folder of what the daemon reports, and takes the lock.
    package init(_ paths: HostPaths) throws(Refusal) {
        path = paths.lock
        do throws(KernelFileError) {
            try HostFile.createFolder(paths.runtime)
        } catch {
            throw .failed(error)
        }
        var holder: Int32?
        for attempt in 0..<Self.attempts {
            if attempt > 0 { linux_sleep(Self.pause.nanoseconds) }
            do throws(KernelFileError) {
                guard let file = try Self.take(path, &holder) else { continue }
                self.file = file
                return
            } catch {
                throw .failed(error)
            }
        }
        throw .taken(by: holder)
    }

    private static let advice = "remove it"

    /// - Parameter holder: Who has it; `nil` where the kernel does not name it.
    /// - Returns: The locked file, or `nil` where somebody has it.
    private static func take(_ path: String, _ holder: inout Int32?) throws(KernelFileError) -> FileDescriptor? {
        let file = try FileDescriptor(
            openingNoLink: path, O_RDWR | O_CREAT | O_NONBLOCK, mode: 0o600, for: .lock, advice: advice)
        try file.requireRegular(for: .lock, path)
        try file.requireSoleName(for: .lock, path, advice: advice)
        try file.requireOwn(for: .lock, path, advice: advice)
        // One that somebody else may open could be kept from the daemon.
        guard fchmod(file.number, 0o600) == 0 else { throw KernelFileError(.lock, path, errno: errno) }
        guard linux_lock_take(file.number) != 0 else {
            // A daemon that ended meanwhile has removed the file that was opened: its lock would keep nobody away.
            guard file.isAt(path) else { return nil }
            return file
        }
        guard errno == EAGAIN else { throw KernelFileError(.lock, path, errno: errno) }
        holder = try Self.holder(of: file, path).flatMap { $0 > 0 ? $0 : nil }
        return nil
    }

    /// Asks who holds the lock of a host.
    ///
    /// - Returns: The pid; 0 where the kernel does not name it, as for one in another pid namespace; `nil` for nobody.
    /// - Throws: ``KernelFileError``; it ``KernelFileError/isDenied`` for whoever is not root.
    package static func holder(_ paths: HostPaths) throws(KernelFileError) -> Int32? {
        let path = paths.lock
        do throws(KernelFileError) {
            let file = try FileDescriptor(
                openingNoLink: path, O_RDONLY | O_NONBLOCK, mode: 0, for: .lock, advice: advice)
            try file.requireRegular(for: .lock, path)
            return try holder(of: file, path)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    private static func holder(
        of file: borrowing FileDescriptor, _ path: String
    ) throws(KernelFileError) -> Int32? {
        var holder: Int32 = 0
        switch unsafe linux_lock_holder(file.number, &holder) {
        case 0: return nil
        case 1: return max(holder, 0)
        default: throw KernelFileError(.lock, path, errno: errno)
        }
    }

    /// What is where the lock should be.
    package enum Place: Equatable, Sendable {
        case own
        /// Its own, made anew.
        case restored
        /// That of another daemon, which was started after this one's was removed; with its pid, where the kernel names it.
        case another(Int32?)
    }

    /// Makes the file anew where somebody removed it, or gave it another name: the lock on it keeps nobody away then, and
    /// whoever asks who holds the lock would be told that nobody does.
    ///
    /// - Throws: ``KernelFileError`` where there is none now, or that cannot be told; it is to be tried again.
    package func restore() throws(KernelFileError) -> Place {
        // A second descriptor of the file that is held would take the lock with it when it is closed.
        guard try file.isReplaced(at: path) else { return .own }
        var holder: Int32?
        guard let file = try Self.take(path, &holder) else { return .another(holder) }
        self.file = file
        return .restored
    }

    /// Removes the file, at the end of an orderly life; the lock goes with the process.
    package func remove() {
        if file.isAt(path) { _ = unsafe unlink(path) }
    }
}
