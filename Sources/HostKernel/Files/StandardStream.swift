internal import CLinux
internal import Glibc
internal import KSMPolicy

/// Standard output and standard error.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Opens those that are closed, on nothing: else the next file that is opened would take the place of one, and
    /// messages would be written into it. What is written there fails as before.
    package static func keepPlaces() {
        var status = stat()
        for number: Int32 in 0...2 where unsafe fstat(number, &status) < 0 {
            // The lowest free number is the one that is closed.
            _ = unsafe open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY)
        }
    }

    /// A pipe that takes anything takes this much at once (`PIPE_BUF`); see pipe(7).
    private static var mostAtOnce: Int { 4096 }

    /// Writes a line if nobody has to be waited for. One that may not fit is cut, and ends in `...`; where nothing fits, that
    /// is an error.
    package func writeAtOnce(_ line: String) throws(KernelFileError) {
        var entry = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&entry, 1, 0) != 0 else { throw KernelFileError(.write, name, errno: EAGAIN) }
        try write(line.cut(toBytes: Self.mostAtOnce - 1) + "\n")
    }

    package func write(_ text: String) throws(KernelFileError) {
        try FileDescriptor.writeAll(text.utf8.span, to: rawValue, path: name)
    }

    private var name: String { self == .output ? "standard output" : "standard error" }
}
