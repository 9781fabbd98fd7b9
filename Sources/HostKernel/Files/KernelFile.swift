internal import Glibc

/// A file of the kernel that is read at each tick.
///
/// The kernel makes its text anew at each read from the beginning, so on a host one descriptor is held and opening it
/// again, which costs six times as much as reading it, is saved. In a tree that stands for a host the file may be
/// replaced by another at any time, so there it is opened each time.
package final class KernelFile {
    package let path: String
    private let isHeld: Bool
    private var descriptor: Int32 = -1
    /// Whether there are descriptors enough to hold this one.
    private var isKept = false
    /// What is taken for the text, doubled until it had room: few are as long as they may be, and to take and give back much
    /// at each reading costs more than the reading.
    private var room = 1024

    package init(_ path: String, isHeld: Bool) {
        self.path = path
        self.isHeld = isHeld
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// A text of several records comes in pieces of a page, each ended before the record that finds no room (seq_file). Records
    /// are lines, so a shorter piece that ends with a line is the last one, and most texts are one.
    private static let leastPart = 2048

    /// Reads a text of lines from its beginning to its end, or until there is no room: half a number is another one.
    ///
    /// - Parameter part: Reads into the buffer what lies at an offset, as pread(2) does.
    /// - Returns: How much there is; -1 where a part failed.
    static func readText(
        into buffer: UnsafeMutableRawBufferPointer, part: (UnsafeMutableRawBufferPointer, _ offset: Int) -> Int
    ) -> Int {
        var count = 0
        while count < buffer.count {
            let got = unsafe part(UnsafeMutableRawBufferPointer(rebasing: buffer[count...]), count)
            guard got > 0 else { return got < 0 ? -1 : count }
            count += got
            if got < leastPart, unsafe buffer[count - 1] == UInt8(ascii: "\n") { break }
        }
        return count
    }

    /// Reads the text as it is now.
    ///
    /// - Parameter limit: As many bytes or more are an error.
    /// - Throws: ``KernelFileError``; for a file that is missing, ``KernelFileError/isMissing`` is true.
    package func read(limit: Int) throws(KernelFileError) -> [UInt8] {
        guard isHeld else { return try HostFile.read(path, limit: limit) }
        if descriptor < 0 {
            descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { throw KernelFileError(.read, path, errno: errno) }
        }
        defer {
            // Asked again at the next reading only where there are too few.
            if descriptor >= 0, !isKept { isKept = DescriptorReserve.allowsHolding(descriptor) }
            if descriptor >= 0, !isKept {
                close(descriptor)
                descriptor = -1
            }
        }
        var failure: Int32 = 0
        var bytes: [UInt8] = []
        repeat {
            let size = min(room, limit)
            bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                let got = unsafe Self.readText(into: UnsafeMutableRawBufferPointer(buffer)) { part, offset in
                    unsafe pread(descriptor, part.baseAddress, part.count, off_t(offset))
                }
                if got < 0 { failure = errno }
                count = max(got, 0)
            }
            if bytes.count < size { break }
            if size == limit { failure = EFBIG }
            room *= 2
        } while failure == 0
        guard failure == 0 else {
            // Whatever it was, the next read begins afresh.
            close(descriptor)
            descriptor = -1
            isKept = false
            throw KernelFileError(.read, path, errno: failure)
        }
        return bytes
    }
}
