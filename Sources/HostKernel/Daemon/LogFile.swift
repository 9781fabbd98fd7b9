internal import Glibc

/// The file of debug lines that `LOGFILE=` names. It is appended to, and opened again on request for logrotate(8).
package struct LogFile: ~Copyable {
    private let path: String
    private var file: FileDescriptor?

    /// - Throws: ``KernelFileError`` where it cannot be opened. A pipe that nobody reads is not waited for, and a link is not
    ///   followed: what it names need not be the daemon's to write.
    package init(_ path: String) throws(KernelFileError) {
        self.path = path
        do throws(KernelFileError) {
            file = try FileDescriptor(
                opening: path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, mode: 0o644,
                for: .open)
        } catch {
            guard error.errno == ELOOP else { throw error }
            throw KernelFileError(.open, path, errno: 0, detail: "it is a link: name the file itself by LOGFILE=")
        }
    }

    /// Appends a line behind the time, in the form of date(1) in the C locale.
    package mutating func append(_ line: String) throws(KernelFileError) {
        try file?.writeAll((Self.date() + ": " + line + "\n").utf8.span, path: path)
    }

    /// `Sat Nov 21 02:24:13 UTC 2026`
    private static func date() -> String {
        var now = time(nil)
        var parts = unsafe tm()
        _ = unsafe localtime_r(&now, &parts)
        var text = [UInt8](repeating: 0, count: 64)
        let length = unsafe text.withUnsafeMutableBytes { text in
            unsafe strftime(text.baseAddress, text.count, "%a %b %e %H:%M:%S %Z %Y", &parts)
        }
        return String(decoding: text.prefix(length), as: UTF8.self)
    }
}
