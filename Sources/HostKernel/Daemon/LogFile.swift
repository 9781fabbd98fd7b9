internal import Glibc

/// The file of debug lines that `LOGFILE=` names. It is appended to, and opened again on request for logrotate(8).
package struct LogFile: ~Copyable {
    private let path: String
    private var file: FileDescriptor?

    /// - Throws: ``KernelFileError`` where it cannot be opened, or is a link. A pipe that nobody reads is not waited for.
    package init(_ path: String) throws(KernelFileError) {
        self.path = path
        let file = try FileDescriptor(
            openingNoLink: path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, mode: 0o644, for: .open,
            advice: "name the file itself by LOGFILE=")
        // It may be another user's: logrotate(8) makes one by its `create`.
        try file.requireSoleName(for: .open, path, advice: "name another one by LOGFILE=, or remove it")
        self.file = consume file
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
