internal import CLinux
internal import Glibc
internal import KSMPolicy

/// An open file, closed when its owner is gone.
package struct FileDescriptor: ~Copyable {
    package let number: Int32

    /// - Parameter flags: As for open(2). `O_CLOEXEC` is added.
    package init(
        opening path: String, _ flags: Int32, mode: UInt32 = 0, for operation: KernelFileError.Operation = .open
    ) throws(KernelFileError) {
        number = unsafe open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else {
            let failure = errno
            // "No such device or address", of something that is there.
            if failure == ENXIO, let kind = HostFile.kind(path), kind == S_IFSOCK || kind == S_IFIFO {
                let detail = kind == S_IFSOCK ? "it is a socket" : "it is a pipe that nobody reads"
                throw KernelFileError(operation, path, errno: 0, detail: detail)
            }
            throw KernelFileError(operation, path, errno: failure)
        }
    }

    /// Opens a file to write to, and no link: what that names need not be this program's to write.
    ///
    /// - Parameters:
    ///   - flags: As for open(2). `O_CLOEXEC` and `O_NOFOLLOW` are added.
    ///   - advice: What to do about a link.
    package init(
        openingNoLink path: String, _ flags: Int32, mode: UInt32, for operation: KernelFileError.Operation,
        advice: String
    ) throws(KernelFileError) {
        do throws(KernelFileError) {
            try self.init(opening: path, flags | O_NOFOLLOW, mode: mode, for: operation)
        } catch {
            guard error.errno == ELOOP else { throw error }
            throw KernelFileError(operation, path, errno: 0, detail: "it is a link: \(advice)")
        }
    }

    /// - Parameter number: An open descriptor, which this value owns from now on.
    package init(adopting number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Reads from the present offset to the end.
    ///
    /// A kernel file may come in pieces, so only a read of nothing is the end.
    ///
    /// - Parameters:
    ///   - limit: As many bytes or more are an error, not a truncated value.
    ///   - path: The name for errors.
    package borrowing func readToEnd(limit: Int, path: String) throws(KernelFileError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while count < limit {
                let got = unsafe read(number, buffer.baseAddress! + count, limit - count)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                count += got
            }
            failure = EFBIG
        }
        guard failure == 0 else { throw KernelFileError(.read, path, errno: failure) }
        return bytes
    }

    /// Writes all of `bytes`, in one call where the file takes them in one.
    ///
    /// - Parameter patience: For how long whoever reads from it may keep all of it from being taken, where it was opened
    ///   not to wait.
    package borrowing func writeAll(
        _ bytes: Span<UInt8>, path: String, patience: Duration = .zero
    ) throws(KernelFileError) {
        try Self.writeAll(bytes, to: number, path: path, patience: patience)
    }

    /// Writes all of `bytes` to a descriptor that somebody else owns.
    ///
    /// A file that takes a part of it, at a limit or on a full disk, says why when it is given the rest.
    ///
    /// - Parameter start: Where in the file, or `nil` for its present offset.
    static func writeAll(
        _ bytes: Span<UInt8>, to number: Int32, at start: Int? = nil, path: String, patience: Duration = .zero
    ) throws(KernelFileError) {
        let deadline = patience > .zero ? Waiter.now + patience : .never
        var failure: Int32 = 0
        unsafe bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let (rest, count) = unsafe (buffer.baseAddress! + offset, buffer.count - offset)
                let put =
                    if let start { unsafe pwrite(number, rest, count, off_t(start + offset)) } else {
                        unsafe write(number, rest, count)
                    }
                if put < 0 && errno == EINTR { continue }
                if put < 0, errno == EAGAIN, deadline != .never {
                    var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                    let left = max(deadline - Waiter.now, .zero)
                    if unsafe poll(&entry, 1, Int32(clamping: left.nanoseconds / 1_000_000)) > 0 { continue }
                    failure = ETIMEDOUT
                    return
                }
                guard put > 0 else {
                    failure = put < 0 ? errno : EIO
                    return
                }
                offset += put
            }
        }
        guard failure == 0 else { throw KernelFileError(.write, path, errno: failure) }
    }
}
