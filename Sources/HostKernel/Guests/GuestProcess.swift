internal import Glibc
internal import KSMPolicy

/// A guest among the processes, and what is read of it.
///
/// Only a process that has ended counts nothing: ESRCH or ENOENT, or the zeros of one that waits for its parent. Whatever
/// else keeps it from being read is a failure, since a guest that was taken for none would make a wrong decision.
struct GuestProcess {
    /// Where its files are.
    struct Folder {
        /// The descriptor of `/proc`, and its path for errors.
        let number: Int32
        let path: String
    }

    let pid: Int32
    /// Which guest this is among all that its table ever had; another process of the same pid has another.
    let identity: Int64
    /// An open `statm`, or -1 where there are too few descriptors to hold one; then it is opened at each reading.
    let statm: Int32
    /// When the process started, in clock ticks since boot: of one whose `statm` is not held. It tells the process from
    /// a later one of the same pid.
    let start: Int64?
    /// Whether its name says that it is a guest.
    var isNamed: Bool
    /// The creator of each machine that was announced and that it still has.
    var machines: [Int32] = []
    /// Whether events were lost, so that it may have machines or not, whatever ``machines`` says.
    var isUncertain = false

    /// - Parameter mayHold: Whether an open descriptor may stay open.
    init(
        _ pid: Int32, identity: Int64, isNamed: Bool, in folder: Folder,
        mayHold: (Int32) -> Bool = DescriptorReserve.allowsHolding
    ) {
        self.pid = pid
        self.identity = identity
        self.isNamed = isNamed
        let number = ProcessFile.open(folder.number, pid, "statm")
        if number >= 0, !mayHold(number) {
            Glibc.close(number)
            statm = -1
        } else {
            statm = number
        }
        start = statm < 0 ? Self.start(pid, in: folder) : nil
    }

    func close() {
        if statm >= 0 { Glibc.close(statm) }
    }

    /// Whether the pid is still the process that it was, or that cannot be told now. A held descriptor pins the inode of
    /// its process's file, and another process has another.
    func isSame(in folder: Folder) -> Bool {
        guard statm >= 0 else { return start != nil && Self.start(pid, in: folder) == start }
        var held = Glibc.stat()
        var present = Glibc.stat()
        guard unsafe fstat(statm, &held) == 0 else { return false }
        guard unsafe fstatat(folder.number, "\(pid)/statm", &present, 0) == 0 else {
            return errno != ENOENT && errno != ESRCH
        }
        return held.st_ino == present.st_ino
    }

    enum Reading: Equatable {
        /// How much memory it holds, and what of it is neither a file's nor shared: KSM merges no other.
        case resident(Pages, anonymous: Pages)
        case ended
        case failed(KernelFileError)
    }

    /// The second number of `statm`, and the third, which is a part of it.
    func read(in folder: Folder) -> Reading {
        guard statm >= 0 else { return readAfresh(in: folder) }
        let reading = read(statm, folder)
        // A held file that fails may be at fault itself.
        guard case .failed = reading else { return reading }
        let afresh = readAfresh(in: folder)
        return if case .resident = afresh { afresh } else { reading }
    }

    private func readAfresh(in folder: Folder) -> Reading {
        let number = ProcessFile.open(folder.number, pid, "statm")
        guard number >= 0 else { return failed(errno, folder) }
        defer { Glibc.close(number) }
        return read(number, folder)
    }

    private func read(_ number: Int32, _ folder: Folder) -> Reading {
        unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let got = unsafe KernelFile.readText(into: buffer) { part, offset in
                unsafe pread(number, part.baseAddress, part.count, off_t(offset))
            }
            guard got >= 0 else { return failed(errno, folder) }
            let text = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            guard let size = DecimalField(text, at: 0) else { return failed(0, folder) }
            // A process that ended and waits for its parent has no memory at all.
            if size.value == 0 { return .ended }
            guard let resident = DecimalField(text, at: size.end + 1),
                let shared = DecimalField(text, at: resident.end + 1)
            else { return failed(0, folder) }
            let anonymous = Pages(resident.value) - Pages(shared.value)
            return .resident(Pages(resident.value), anonymous: anonymous.nonNegative)
        }
    }

    /// - Parameter errno: 0 where the text makes no sense.
    private func failed(_ errno: Int32, _ folder: Folder) -> Reading {
        if errno == ESRCH || errno == ENOENT { return .ended }
        return .failed(
            KernelFileError(
                errno == 0 ? .understand : .read, "\(folder.path)/\(pid)/statm", errno: errno,
                detail: errno == 0 ? "it does not begin with three numbers" : ""))
    }

    // MARK: What it did

    /// The CPU time of all its threads, in clock ticks, the 14th and 15th field of `stat`, their minor faults, the 10th,
    /// and its resident pages, the 24th.
    ///
    /// - Returns: `nil` where it has ended, or the text makes no sense.
    func work(in folder: Folder) throws(KernelFileError) -> GuestWork? {
        guard let stat = try ProcessFile.readIfThere(folder, pid, "stat", limit: 2048).map(ProcessStat.init),
            let faults = stat[10], let user = stat[14], let system = stat[15], let resident = stat[24]
        else { return nil }
        let ticks = user.addingSaturated(system)
        return GuestWork(
            time: .seconds(1) * ticks / Host.ticksPerSecond, faults: Pages(faults), resident: Pages(resident))
    }

    /// When the process started, the 22nd field of `stat`; `nil` where that cannot be told.
    static func start(_ pid: Int32, in folder: Folder) -> Int64? {
        guard let stat = (try? ProcessFile.readIfThere(folder, pid, "stat", limit: 2048)) ?? nil else { return nil }
        return ProcessStat(stat)[22]
    }
}
