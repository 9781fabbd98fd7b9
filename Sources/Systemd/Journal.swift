internal import CSystemd
internal import Glibc

/// How much a message matters; see syslog(3).
package enum Priority: Int32, Comparable, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    /// More urgent is less, as in syslog.
    package static func < (left: Priority, right: Priority) -> Bool { left.rawValue < right.rawValue }
}

/// The journal's native protocol; see sd_journal_sendv(3).
package enum Journal {
    /// One field of an entry; names are capital letters, digits and underscores.
    package struct Field: Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Whether standard error is connected to the journal; see `$JOURNAL_STREAM` in systemd.exec(5).
    package static func isStandardError() -> Bool {
        guard let stream = unsafe getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return unsafe String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }

    /// Where journald listens.
    private static let socket = "/run/systemd/journal/socket"

    /// Sends one entry.
    ///
    /// - Returns: Whether the journal took it; one that does not read is given a tenth of a second.
    package static func send(_ fields: [Field]) -> Bool {
        guard unsafe systemd_takes_messages(socket, 100) != 0 else { return false }
        // All fields stand in one buffer, since the vector below points into it.
        var text: [UInt8] = []
        var lengths: [Int] = []
        for field in fields {
            let start = text.count
            text += field.name.utf8
            text.append(UInt8(ascii: "="))
            text += field.value.utf8
            lengths.append(text.count - start)
        }
        return unsafe text.withUnsafeMutableBytes { bytes in
            var vectors: [iovec] = unsafe []
            var offset = 0
            for length in lengths {
                unsafe vectors.append(iovec(iov_base: bytes.baseAddress! + offset, iov_len: length))
                offset += length
            }
            return unsafe sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }
}
