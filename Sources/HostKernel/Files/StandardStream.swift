internal import CLinux
internal import Glibc

/// Standard output and standard error.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Opens those that are closed, on nothing: else the next file that is opened would take the place of one, and
    /// messages would be written into it.
    package static func keepPlaces() {
        var status = stat()
        for number: Int32 in 0...2 where unsafe fstat(number, &status) < 0 {
            // The lowest free number is the one that is closed.
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }

    /// Whether a line can be written at once: a pipe has room for 4096 bytes then (`PIPE_BUF`).
    package var takesMore: Bool {
        var entry = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&entry, 1, 0) != 0
    }

    package func write(_ text: String) throws(KernelFileError) {
        try FileDescriptor.writeAll(
            text.utf8.span, to: rawValue, path: self == .output ? "standard output" : "standard error")
    }
}
