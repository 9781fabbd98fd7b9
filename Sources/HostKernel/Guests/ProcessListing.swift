internal import CLinux
internal import Glibc
internal import KSMPolicy

/// Lists the processes of `/proc`, and tells which are new since the last listing.
///
/// A listing of 10,000 processes costs milliseconds in the kernel, opening a file of each a multiple of that. So
/// nothing is opened here; of a process its number and its inode are kept, and both come with the listing. The inode
/// tells a process from an earlier one of the same number, since `/proc` gives each its own.
@safe package struct ProcessListing: ~Copyable {
    private let folder: FileDescriptor
    private let path: String
    private let records: UnsafeMutableRawBufferPointer
    private var counter: PIDCounter
    /// The number that was given last before the last listing, and the offset that leads to the last process up to it:
    /// whatever was started since stands behind.
    private var newest: Int32?
    private var mark: Int64 = 0
    /// Whether the last listing may have come before a process that had its number already.
    private var isUnsettled = false
    private var known = ProcessTable()
    /// What was listed last.
    private var present: [ProcessTable.Entry] = []

    package init(_ paths: HostPaths) throws(KernelFileError) {
        path = paths.proc
        folder = try Self.open(paths)
        unsafe records = .allocate(byteCount: 32768, alignment: 16)
        counter = PIDCounter(paths)
    }

    deinit {
        unsafe records.deallocate()
    }

    /// Opens `/proc`, and makes sure that it is one: the caller's own process is there for itself, whatever is hidden. A tree
    /// that stands for a host need not have any.
    package static func open(_ paths: HostPaths) throws(KernelFileError) -> FileDescriptor {
        let folder = try FileDescriptor(opening: paths.proc, O_RDONLY | O_DIRECTORY, for: .list)
        if paths.isStandIn { return folder }
        try requireProcesses(paths.proc)
        return folder
    }

    /// - Throws: ``KernelFileError`` also where it cannot be told, and may be another time.
    package static func requireProcesses(_ folder: String) throws(KernelFileError) {
        guard unsafe access("\(folder)/self", F_OK) < 0 else { return }
        let failure = KernelFileError(.list, folder, errno: errno)
        guard failure.isMissing else { throw failure }
        throw KernelFileError(.list, folder, errno: 0, detail: "there are no processes in it")
    }

    /// Whether `/proc` hides other users' processes from this one (`hidepid=`): a listing then lacks them, as if there
    /// were none. The first process is there for everybody, also in a pid namespace, unless it is hidden. The processes of
    /// a tree that stands for a host hide nothing.
    package static func isPartial(_ paths: HostPaths) -> Bool {
        !paths.isStandIn && !HostFile.canRead("\(paths.proc)/1/comm")
    }

    /// The descriptor of `/proc`, for files of a process.
    package var folderNumber: Int32 { folder.number }

    /// The number of processes in the last whole listing. Those that were started since may be many that have ended.
    package private(set) var count = 0

    /// Lists `/proc` once.
    ///
    /// - Parameter look: Called in ascending order of pids with each process that was not in the last listing, and
    ///   once more with each that was new in the last listing.
    /// - Throws: ``KernelFileError``; what was known stays known.
    package mutating func refresh(look: (Int32) -> Void) throws(KernelFileError) {
        newest = counter.last()
        mark = 0
        isUnsettled = true
        present.removeAll(keepingCapacity: true)
        // As many as the last time and some more, in one allocation.
        present.reserveCapacity(known.count + known.count / 8)
        do throws(KernelFileError) {
            try list()
        } catch {
            newest = nil
            throw error
        }
        count = present.count
        known.replace(with: &present, look)
    }

    /// Lists what was started since the last listing: the kernel gives rising numbers, and lists in their order. That costs
    /// next to nothing, however many processes there are. Those that have ended stay known until a whole listing, and one
    /// that asked the kernel for its number (clone3(2), `set_tid`) is found by that alone.
    ///
    /// - Parameter look: As ``refresh(look:)`` has it.
    /// - Returns: Whether that could be told; otherwise nothing was listed.
    package mutating func refreshNew(look: (Int32) -> Void) throws(KernelFileError) -> Bool {
        guard let before = newest, let last = counter.last(), last >= before else { return false }
        present.removeAll(keepingCapacity: true)
        if last > before || isUnsettled {
            newest = last
            isUnsettled = last > before
            do throws(KernelFileError) {
                try list(from: mark, through: last)
            } catch {
                newest = nil
                throw error
            }
        }
        known.add(present, look)
        return true
    }

    /// Whether what was started since the last listing can be told without a whole one.
    package var tellsNew: Bool { newest != nil }

    /// Has the next listing take every process for a new one.
    package mutating func forget() {
        known.forget()
        newest = nil
    }

    /// Whether the last listing had this process.
    package func contains(_ pid: Int32) -> Bool { known.contains(pid) }

    /// The bytes that are taken at a time of a listing that is to end soon: some 40 processes.
    private static var shortPiece: Int { 1024 }

    /// - Parameters:
    ///   - start: The offset of the first one.
    ///   - last: Behind this number it ends. What is there is as old as the last time that the numbers began again.
    private mutating func list(from start: Int64 = 0, through last: Int32 = .max) throws(KernelFileError) {
        guard lseek(folder.number, off_t(start), SEEK_SET) == start else {
            throw KernelFileError(.list, path, errno: errno)
        }
        var position = start
        var isAscending = true
        let piece = last == .max ? unsafe records.count : Self.shortPiece
        while present.last?.pid ?? 0 <= last {
            let length = unsafe linux_getdents64(folder.number, records.baseAddress, piece)
            if length < 0 && errno == EINTR { continue }
            guard length >= 0 else { throw KernelFileError(.list, path, errno: errno) }
            if length == 0 { break }
            unsafe collect(UnsafeRawBufferPointer(rebasing: records[..<length]), &position, &isAscending)
        }
        // The kernel lists in ascending order; a folder that stands for /proc need not.
        if !isAscending { present.sort { $0.pid < $1.pid } }
    }

    /// Takes the entries whose names are numbers. A record is described in getdents(2).
    ///
    /// - Parameter position: The offset that leads to the next record.
    private mutating func collect(
        _ records: UnsafeRawBufferPointer, _ position: inout Int64, _ isAscending: inout Bool
    ) {
        var offset = 0
        var last = present.last?.pid ?? 0
        while offset < records.count {
            let inode = unsafe records.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let next = unsafe records.loadUnaligned(fromByteOffset: offset + 8, as: Int64.self)
            let length = Int(unsafe records.loadUnaligned(fromByteOffset: offset + 16, as: UInt16.self))
            var pid: Int32 = 0
            var index = offset + 19
            var byte = unsafe records[index]
            while byte.isDigit, pid < 100_000_000 {
                pid = pid &* 10 &+ Int32(byte &- UInt8(ascii: "0"))
                index += 1
                byte = unsafe records[index]
            }
            if byte == 0, pid > 0 {
                if pid <= last { isAscending = false }
                last = pid
                present.append(ProcessTable.Entry(pid: pid, inode: inode))
                if let newest, pid <= newest { mark = position }
            }
            position = next
            offset += length
        }
    }
}
