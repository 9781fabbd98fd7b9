internal import Glibc

/// A file of the host that could not be used: what was tried, on which file, and why it failed.
package struct KernelFileError: Error, Equatable, Sendable {
    package enum Operation: String, Sendable {
        case open, read, write, create, list, lock, replace, understand, signal, schedule
    }

    package var operation: Operation
    package var path: String
    /// As in errno(3); 0 where the kernel refused nothing but the contents make no sense.
    package var errno: Int32
    /// What is wrong where that is 0, as with the contents for ``Operation/understand``; else what was tried.
    package var detail: String
    package var cause: Cause

    /// What is to be told apart without an errno.
    package enum Cause: Sendable {
        case stated
        /// The file does not lie in the tree that stands for a host.
        case outside
        /// The process whose file it is gives no answer; see ``ChildRead``.
        case silence
        /// It was not asked for, since others' processes gave no answer.
        case silenceOfOthers
    }

    package init(
        _ operation: Operation, _ path: String, errno: Int32, detail: String = "", cause: Cause = .stated
    ) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.detail = detail
        self.cause = cause
    }

    /// Whether the kernel or the file system says that this process may not.
    package var isDenied: Bool { errno == EACCES || errno == EPERM }

    /// Whether the same call may succeed in a moment: for want of something that others hold, or by an error of a device.
    package var mayPass: Bool {
        switch errno {
        case EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, ENOLCK, EAGAIN, EINTR, EIO, EBUSY, ETXTBSY, ETIMEDOUT, ESTALE: true
        default: false
        }
    }

    /// Whether what is there now is in the way.
    package var isBusy: Bool { errno == EBUSY }

    /// Whether a write was beyond the limit of the size of files: `RLIMIT_FSIZE`, see getrlimit(2).
    package var isBeyondLimit: Bool { operation == .write && errno == EFBIG }

    package var isReadOnly: Bool { errno == EROFS }

    /// Whether the kernel has this switched off, as pressure stall information with `psi=0`.
    package var isUnsupported: Bool { errno == EOPNOTSUPP }

    /// Whether the reader of a pipe has gone.
    package var isBrokenPipe: Bool { errno == EPIPE }

    package var isMissing: Bool { errno == ENOENT || errno == ENOTDIR }

    /// Whether this kernel does not have what the file tells of. What is switched off at boot may have its file all the
    /// same.
    package var isAbsent: Bool { isMissing || isUnsupported }

    /// What `read` gives; `nil` where the file or the folder that it reads is missing. Every other failure is thrown.
    package static func unlessMissing<T>(
        _ read: () throws(KernelFileError) -> T?
    ) throws(KernelFileError) -> T? {
        do throws(KernelFileError) {
            return try read()
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// Why a deed failed; `nil` where it did not.
    package static func caught(_ deed: () throws(KernelFileError) -> Void) -> KernelFileError? {
        do throws(KernelFileError) {
            try deed()
            return nil
        } catch {
            return error
        }
    }

    /// A process that ended while it was looked at.
    package var isVanished: Bool { errno == ESRCH || errno == ENOENT }
}

extension KernelFileError: CustomStringConvertible {
    /// `cannot write /sys/kernel/mm/ksm/run: Permission denied`
    package var description: String {
        let parts = [detail, errno == 0 ? "" : unsafe String(cString: strerror(errno))].filter { !$0.isEmpty }
        return "cannot \(operation.rawValue) \(path): \(parts.joined(separator: ": "))"
    }
}
