internal import Glibc
package import KSMPolicy

/// The daemon's ring of past decisions, as ``HistoryFormat`` says: one write for each.
package struct HistoryWriter: ~Copyable {
    private let file: FileDescriptor
    private let path: String
    private var sequence: UInt64

    /// Whether the path still names the open ring: somebody may have removed it, or put another file in its place.
    ///
    /// - Returns: Yes where that cannot be told.
    package var isInPlace: Bool { (try? file.isReplaced(at: path)) != true }

    /// What somebody may have made of the file that is open.
    package enum Change: Sendable {
        case none
        /// It was removed, or another file put in its place.
        case replaced
        /// It was emptied, and the ring begun anew: what was written since lies behind a gap.
        case emptied
        /// It was written over, and is no ring any more.
        case overwritten
    }

    /// Looks at the file, and begins the ring anew where it was emptied.
    package func mend() throws(KernelFileError) -> Change {
        guard isInPlace else { return .replaced }
        let header = try HistoryReader.bytes(file, path, offset: 0, count: HistoryFormat.recordSize)
        if header.allSatisfy({ $0 == 0 }) {
            try FileDescriptor.writeAll(HistoryFormat.header().span, to: file.number, at: 0, path: path)
            return .emptied
        }
        return HistoryFormat.isHeader(header.span) ? .none : .overwritten
    }

    /// Opens the ring, or begins one.
    ///
    /// - Parameter setAside: Called with the new name of a file that is no ring of this version, which is kept.
    /// - Throws: ``KernelFileError``, also where something else than a file is in its place. A link is not followed: what
    ///   it names need not be the daemon's to write. Its folder may be one, as systemd's `DynamicUser=` has it.
    package init(_ path: String, setAside: (String) -> Void) throws(KernelFileError) {
        self.path = path
        var file = try Self.open(path)
        switch try Self.contents(file, path) {
        case .nothing:
            try Self.begin(file, path)
            sequence = 0
        case .foreign:
            let other = "\(path).\(time(nil))"
            guard unsafe rename(path, other) == 0 else { throw KernelFileError(.replace, path, errno: errno) }
            setAside(other)
            file = try Self.open(path)
            try Self.begin(file, path)
            sequence = 0
        case .ring: sequence = try HistoryReader.newest(file, path)
        }
        self.file = file
    }

    private enum Contents {
        case nothing, ring, foreign
    }

    private static func open(_ path: String) throws(KernelFileError) -> FileDescriptor {
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) {
            try HostFile.createFolder(String(path[..<slash]))
        }
        let file = try FileDescriptor(
            openingNoLink: path, O_RDWR | O_CREAT | O_NONBLOCK, mode: 0o644, for: .create,
            advice: "remove it, or link its folder instead")
        try file.requireRegular(for: .create, path)
        return file
    }

    private static func contents(_ file: borrowing FileDescriptor, _ path: String) throws(KernelFileError) -> Contents {
        let header = try HistoryReader.bytes(file, path, offset: 0, count: HistoryFormat.recordSize)
        if header.isEmpty { return .nothing }
        return HistoryFormat.isHeader(header.span) ? .ring : .foreign
    }

    private static func begin(_ file: borrowing FileDescriptor, _ path: String) throws(KernelFileError) {
        do throws(KernelFileError) {
            try FileDescriptor.writeAll(HistoryFormat.header().span, to: file.number, at: 0, path: path)
        } catch {
            // Half a header would be taken for somebody else's file the next time.
            _ = ftruncate(file.number, 0)
            throw error
        }
    }

    /// Adds a record in the place of the oldest one.
    package mutating func append(_ record: HistoryRecord) throws(KernelFileError) {
        let next = sequence + 1
        let slot = Int(next % UInt64(HistoryFormat.slots))
        let bytes = HistoryFormat.bytes(record, sequence: next)
        try FileDescriptor.writeAll(
            bytes.span, to: file.number, at: (slot + 1) * HistoryFormat.recordSize, path: path)
        sequence = next
    }
}

/// Reads the ring while the daemon goes on writing it.
package enum HistoryReader {
    /// Every record that is whole, from the oldest to the newest.
    ///
    /// - Returns: `nil` where there is no history.
    /// - Throws: ``KernelFileError`` for a file that cannot be read or is no ring of this version.
    package static func read(_ path: String) throws(KernelFileError) -> [HistoryRecord]? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            var found: [(sequence: UInt64, record: HistoryRecord)] = []
            let file = try open(path)
            try pieces(file, path) { piece in
                if let whole = HistoryFormat.record(piece) { found.append(whole) }
            }
            return found.sorted { $0.sequence < $1.sequence }.map { $0.record }
        }
    }

    /// The newest records that are whole, at most so many, from the oldest to the newest: without reading the others.
    ///
    /// - Returns: None where there is no history.
    /// - Throws: As ``read(_:)``.
    package static func last(_ count: Int, _ path: String) throws(KernelFileError) -> [HistoryRecord] {
        let newestFirst = try KernelFileError.unlessMissing { () throws(KernelFileError) in
            var found: [HistoryRecord] = []
            let file = try open(path)
            let newest = try newest(file, path)
            var sequence = newest
            while sequence > 0, newest - sequence < UInt64(min(count, HistoryFormat.slots)) {
                let offset = (Int(sequence % UInt64(HistoryFormat.slots)) + 1) * HistoryFormat.recordSize
                let piece = try bytes(file, path, offset: offset, count: HistoryFormat.recordSize)
                if let (own, record) = HistoryFormat.record(piece.span), own == sequence { found.append(record) }
                sequence -= 1
            }
            return found
        }
        return newestFirst?.reversed() ?? []
    }

    private static func open(_ path: String) throws(KernelFileError) -> FileDescriptor {
        let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK, for: .read)
        try file.requireRegular(for: .read, path)
        let header = try bytes(file, path, offset: 0, count: HistoryFormat.recordSize)
        // What is empty was begun this moment.
        guard header.isEmpty || HistoryFormat.isHeader(header.span) else {
            throw KernelFileError(
                .understand, path, errno: 0, detail: "it is no history of version \(HistoryFormat.version)")
        }
        return file
    }

    /// The greatest sequence number, also of a record that was torn; 0 for none.
    static func newest(_ file: borrowing FileDescriptor, _ path: String) throws(KernelFileError) -> UInt64 {
        var newest: UInt64 = 0
        var slot: UInt64 = 0
        try pieces(file, path) { record in
            let sequence = HistoryFormat.sequence(record)
            // What is not in its own place is no number.
            if sequence % UInt64(HistoryFormat.slots) == slot, sequence < 1 << 48 { newest = max(newest, sequence) }
            slot += 1
        }
        return newest
    }

    /// Reads so much at once, so that the daemon needs no memory for a whole ring.
    private static let records = 64

    /// Calls `body` with the bytes of each slot that is there.
    private static func pieces(
        _ file: borrowing FileDescriptor, _ path: String, _ body: (Span<UInt8>) -> Void
    ) throws(KernelFileError) {
        let size = HistoryFormat.recordSize
        var offset = size
        while offset < (HistoryFormat.slots + 1) * size {
            let piece = try bytes(file, path, offset: offset, count: records * size)
            guard piece.count >= size else { return }
            for start in stride(from: 0, through: piece.count - size, by: size) {
                body(piece.span.extracting(start..<start + size))
            }
            offset += piece.count
        }
    }

    /// As many as there are, up to a number: one call may bring a part of them.
    static func bytes(
        _ file: borrowing FileDescriptor, _ path: String, offset: Int, count: Int
    ) throws(KernelFileError) -> [UInt8] {
        var failure: Int32 = 0
        let number = file.number
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            while length < count {
                let got = unsafe pread(
                    number, buffer.baseAddress! + length, count - length, off_t(offset + length))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                length += got
            }
        }
        guard failure == 0 else { throw KernelFileError(.read, path, errno: failure) }
        return bytes
    }
}
