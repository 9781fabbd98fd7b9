internal import CLinux
internal import Glibc
internal import KSMPolicy

/// Lists the processes of `/proc`, and tells which are new since the last listing.
///
/// A listing of 10,000 processes costs milliseconds in the kernel, opening a file of each a multiple of that. So
/// nothing is opened here; of a process its number and its inode are kept, and both come with the listing. The inode
/// tells a process from an earlier one of the same number, since `/proc` gives each its own.
@safe package struct ProcessListing: ~Copyable {
    /// A process as the listing shows it.
    private struct Entry {
        var pid: Int32
        var inode: UInt32
        /// First seen in the last listing: it may have been seen between fork and exec, under its parent's name.
        var isYoung: Bool { inode & Self.young != 0 }
        static let young: UInt32 = 1 << 31

        /// Half of the inode's bits are the kernel's counter's; losing one of them cannot matter.
        init(pid: Int32, inode: UInt64) {
            self.pid = pid
            self.inode = UInt32(truncatingIfNeeded: inode) & ~Self.young
        }
    }

    private let folder: FileDescriptor
    private let path: String
    private let records: UnsafeMutableRawBufferPointer
    private let counter: PIDCounter
    /// The number that was given last before the last listing, and the offset that leads to the last process up to it:
    /// whatever was started since stands behind.
    private var newest: Int32?
    private var mark: Int64 = 0
    private var known: [Entry] = []
    // The two arrays change places at each listing, so that a steady one allocates nothing.
    private var present: [Entry] = []

    package init(_ paths: HostPaths) throws(KernelFileError) {
        path = paths.proc
        folder = try FileDescriptor(opening: paths.proc, O_RDONLY | O_DIRECTORY, for: .list)
        unsafe records = .allocate(byteCount: 32768, alignment: 16)
        counter = PIDCounter(paths)
    }

    deinit {
        unsafe records.deallocate()
    }

    /// Whether `/proc` hides other users' processes from this one (`hidepid=`): a listing then lacks them, as if there
    /// were none. The first process is there for everybody, also in a pid namespace, unless it is hidden. The processes of
    /// a tree that stands for a host hide nothing.
    package static func isPartial(_ paths: HostPaths) -> Bool {
        !paths.isStandIn && !HostFile.canRead("\(paths.proc)/1/comm")
    }

    /// The descriptor of `/proc`, for files of a process.
    package var folderNumber: Int32 { folder.number }

    /// The number of processes in the last listing.
    package var count: Int { known.count }

    /// Lists `/proc` once.
    ///
    /// - Parameter look: Called in ascending order of pids with each process that was not in the last listing, and
    ///   once more with each that was new in the last listing.
    /// - Throws: ``KernelFileError``; what was known stays known.
    package mutating func refresh(look: (Int32) -> Void) throws(KernelFileError) {
        newest = counter.last
        mark = 0
        present.removeAll(keepingCapacity: true)
        // As many as the last time and some more, in one allocation.
        present.reserveCapacity(known.count + known.count / 8)
        do throws(KernelFileError) {
            try list()
        } catch {
            newest = nil
            throw error
        }
        var old = 0
        for index in present.indices {
            let pid = present[index].pid
            while old < known.count, known[old].pid < pid { old += 1 }
            let isKnown =
                old < known.count && known[old].pid == pid
                && known[old].inode & ~Entry.young == present[index].inode
            if !isKnown { present[index].inode |= Entry.young }
            if !isKnown || known[old].isYoung { look(pid) }
        }
        swap(&known, &present)
    }

    /// Lists what was started since the last listing: the kernel gives rising numbers, and lists in their order. That costs
    /// next to nothing, however many processes there are. Those that have ended stay known until a whole listing, and one
    /// that asked the kernel for its number (clone3(2), `set_tid`) is found by that alone.
    ///
    /// - Parameter look: As ``refresh(look:)`` has it.
    /// - Returns: Whether that could be told; otherwise nothing was listed.
    package mutating func refreshNew(look: (Int32) -> Void) throws(KernelFileError) -> Bool {
        guard let before = newest, let last = counter.last, last >= before else { return false }
        present.removeAll(keepingCapacity: true)
        if last > before {
            newest = last
            do throws(KernelFileError) {
                try list(from: mark)
            } catch {
                newest = nil
                throw error
            }
        }
        for index in known.indices where known[index].isYoung {
            known[index].inode &= ~Entry.young
            look(known[index].pid)
        }
        for entry in present { learn(entry, look) }
        return true
    }

    /// Takes a process that is listed, new or not.
    private mutating func learn(_ entry: Entry, _ look: (Int32) -> Void) {
        let place = place(of: entry.pid)
        var young = entry
        young.inode |= Entry.young
        if place < known.count, known[place].pid == entry.pid {
            guard known[place].inode != entry.inode else { return }
            known[place] = young
        } else {
            known.insert(young, at: place)
        }
        look(entry.pid)
    }

    /// Whether what was started since the last listing can be told without a whole one.
    package var tellsNew: Bool { newest != nil }

    /// Has the next listing take every process for a new one.
    package mutating func forget() {
        known.removeAll(keepingCapacity: true)
        newest = nil
    }

    /// Whether the last listing had this process.
    package func contains(_ pid: Int32) -> Bool {
        let place = place(of: pid)
        return place < known.count && known[place].pid == pid
    }

    /// Where a process is among the known, or would be.
    private func place(of pid: Int32) -> Int {
        var low = 0
        var high = known.count
        while low < high {
            let middle = (low + high) / 2
            if known[middle].pid < pid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func list(from start: Int64 = 0) throws(KernelFileError) {
        guard lseek(folder.number, off_t(start), SEEK_SET) == start else {
            throw KernelFileError(.list, path, errno: errno)
        }
        var position = start
        var isAscending = true
        while true {
            let length = unsafe linux_getdents64(folder.number, records.baseAddress, records.count)
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
                present.append(Entry(pid: pid, inode: inode))
                if let newest, pid <= newest { mark = position }
            }
            position = next
            offset += length
        }
    }
}
