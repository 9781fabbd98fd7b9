internal import Glibc
package import KSMPolicy

/// The host's guests, and what they hold.
///
/// A guest is a process with a guest's name, or one that has a virtual machine, as the kernel announced.
///
/// One descriptor of `statm` is held per guest. It stays bound to its process: a zombie reads zeros, and one that is
/// gone gives ESRCH, so a reused pid cannot be mistaken. A tick reads each once, without opening anything.
package struct GuestTable: ~Copyable {
    private struct Guest {
        let pid: Int32
        /// Which guest this is among all that this table ever had; another process of the same pid has another.
        let identity: Int64
        /// An open `statm`, or -1 where there were no descriptors left; then it is opened at each reading.
        let statm: Int32
        /// Whether its name says that it is a guest.
        var isNamed: Bool
        /// The creator of each machine that was announced and that it still has.
        var machines: [Int32] = []
        /// Whether events were lost, so that it may have machines or not, whatever ``machines`` says.
        var isUncertain = false
    }

    /// What the guests hold together.
    package struct Measurement: Equatable, Sendable {
        package var committed = KiB.zero
        package var guests = 0
        /// The first file that the metric needs and that could not be read; that guest was counted by rsz.
        package var fallback: KernelFileError?
    }

    private var listing: ProcessListing
    private var matcher: NameMatcher
    private let proc: String
    private var guests: [Guest] = []
    private var lastIdentity: Int64 = 0

    package init(_ paths: HostPaths, matcher: consuming NameMatcher) throws(KernelFileError) {
        listing = try ProcessListing(paths)
        self.matcher = matcher
        proc = paths.proc
    }

    deinit {
        for guest in guests where guest.statm >= 0 { close(guest.statm) }
    }

    /// The processes of the last listing: what the next will cost is in proportion.
    package var processes: Int { listing.count }

    /// Goes by other names from the next listing on, which looks at every process again.
    ///
    /// A guest that was announced stays one where announced ones count; a new table would not know it.
    package mutating func adopt(_ matcher: consuming NameMatcher) {
        self.matcher = matcher
        listing.forget()
    }

    /// Finds guests that came and forgets guests that went, by one listing of `/proc`.
    package mutating func refresh() throws(KernelFileError) {
        var looked: [(pid: Int32, isNamed: Bool)] = []
        let folder = listing.folderNumber
        let known = guests
        try listing.refresh { pid in
            let isNamed = Self.isNamed(pid, folder, matcher)
            // Nearly every process is no guest and never was: nothing of it is kept.
            if isNamed || known.contains(where: { $0.pid == pid }) { looked.append((pid, isNamed)) }
        }
        // A pid that is looked at again may have changed its name, or be another process than before.
        for index in guests.indices.reversed() {
            guard listing.contains(guests[index].pid) else {
                forget(index)
                continue
            }
            guard let again = looked.firstIndex(where: { $0.pid == guests[index].pid }) else { continue }
            guests[index].isNamed = looked[again].isNamed
            if isSameProcess(guests[index]) && counts(guests[index]) {
                looked.remove(at: again)
            } else {
                forget(index)
            }
        }
        for (pid, isNamed) in looked where isNamed { add(pid, isNamed: true) }
    }

    private mutating func add(_ pid: Int32, isNamed: Bool) {
        lastIdentity += 1
        let statm = ProcessFile.open(listing.folderNumber, pid, "statm")
        guests.append(Guest(pid: pid, identity: lastIdentity, statm: statm, isNamed: isNamed))
    }

    private mutating func forget(_ index: Int) {
        let guest = guests.remove(at: index)
        if guest.statm >= 0 { close(guest.statm) }
    }

    private func counts(_ guest: Guest) -> Bool {
        guest.isNamed || matcher.countsAnnounced && (!guest.machines.isEmpty || guest.isUncertain)
    }

    // MARK: Announced machines

    /// Takes what the kernel announced: whoever creates a machine is a guest at once, without a listing.
    ///
    /// A guest with no guest's name is one while it has a machine. After lost events nobody knows that, so those that
    /// had one stay guests until they end.
    package mutating func announce(_ announced: MachineEvents) {
        if announced.isLossy {
            for index in guests.indices where !guests[index].machines.isEmpty { guests[index].isUncertain = true }
        }
        for event in announced.events {
            switch event.kind {
            case .create: created(by: event.creator)
            case .destroy: destroyed(by: event.creator)
            }
        }
    }

    private mutating func created(by creator: Int32) {
        // None if it has ended already.
        guard let pid = process(of: creator) else { return }
        var index = guests.firstIndex { $0.pid == pid }
        if let known = index, !isSameProcess(guests[known]) {
            forget(known)
            index = nil
        }
        if index == nil {
            let isNamed = Self.isNamed(pid, listing.folderNumber, matcher)
            guard isNamed || matcher.countsAnnounced else { return }
            add(pid, isNamed: isNamed)
        }
        guests[index ?? guests.endIndex - 1].machines.append(creator)
    }

    private mutating func destroyed(by creator: Int32) {
        // A machine that was there before this table: its creator is most often the first thread of its process.
        let index =
            guests.firstIndex { $0.machines.contains(creator) } ?? guests.firstIndex { $0.pid == creator }
        guard let index else { return }
        if let machine = guests[index].machines.firstIndex(of: creator) { guests[index].machines.remove(at: machine) }
        if !counts(guests[index]) || read(guests[index]) == .ended { forget(index) }
    }

    /// The pid of a thread's process.
    private func process(of thread: Int32) -> Int32? {
        guard let status = ProcessFile.read(listing.folderNumber, thread, "status", limit: 4096) else { return nil }
        return NamedNumber.find(line: "Tgid", in: status.span).flatMap { Int32(exactly: $0) }
    }

    /// Whether the guest's pid is still the process that it was. A held descriptor pins the inode of its process's
    /// file, and another process has another.
    private func isSameProcess(_ guest: Guest) -> Bool {
        var held = stat()
        var present = stat()
        guard guest.statm >= 0, unsafe fstat(guest.statm, &held) == 0,
            unsafe fstatat(listing.folderNumber, "\(guest.pid)/statm", &present, 0) == 0
        else { return false }
        return held.st_ino == present.st_ino
    }

    // MARK: What guests hold

    /// Reads how much memory each guest holds, merged pages included.
    ///
    /// - Parameter body: Called once for each guest that has not ended, with its pid and its identity: a number that no
    ///   other guest of this table ever had, so that a pid that came back as another guest can be told.
    package func residents(_ body: (_ pid: Int32, _ identity: Int64, _ pages: Pages) -> Void) {
        for guest in guests {
            if case .resident(let pages) = read(guest) { body(guest.pid, guest.identity, pages) }
        }
    }

    /// Reads how much CPU time each guest has had, all its threads together.
    ///
    /// - Parameter body: Called once for each guest that has not ended, with its identity as in ``residents(_:)``.
    package func activity(_ body: (_ identity: Int64, _ time: Duration) -> Void) {
        for guest in guests {
            guard let stat = ProcessFile.read(listing.folderNumber, guest.pid, "stat", limit: 2048),
                let ticks = Self.ticks(stat.span)
            else { continue }
            body(guest.identity, .seconds(1) * ticks / Host.ticksPerSecond)
        }
    }

    /// The 14th and 15th field of `stat`; see proc_pid_stat(5). The second is a name that may hold anything.
    private static func ticks(_ text: Span<UInt8>) -> Int64? {
        guard var index = text.indices.last(where: { text[$0] == UInt8(ascii: ")") }) else { return nil }
        var field = 2
        var sum: Int64 = 0
        while field < 15 {
            while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
            index += 1
            field += 1
            guard field >= 14 else { continue }
            guard let number = DecimalField(text, at: index) else { return nil }
            sum = sum.addingSaturated(number.value)
        }
        return sum
    }

    /// Forgets the guests that have ended, without a listing: one read for each guest.
    package mutating func forgetGone() {
        for index in guests.indices.reversed() where read(guests[index]) == .ended { forget(index) }
    }

    /// Adds up what the guests hold.
    ///
    /// A guest that ends meanwhile counts nothing; that is normal.
    package mutating func measure(by metric: GuestMetric) -> Measurement {
        var sum = Measurement()
        for guest in guests {
            guard case .resident(let resident) = read(guest) else { continue }
            var held = resident.kibibytes(of: Host.pageSize)
            do throws(KernelFileError) {
                switch metric {
                case .rsz: break
                case .pss: held = try number("Pss", in: "smaps_rollup", of: guest)
                case .unmerged: held = try unmerged(guest, resident: resident)
                case .residentAndSwap: held += try number("VmSwap", in: "status", of: guest)
                }
            } catch {
                if error.isVanished && !ProcessFile.exists(listing.folderNumber, guest.pid) { continue }
                sum.fallback = sum.fallback ?? error
            }
            sum.committed = sum.committed + held
            sum.guests += 1
        }
        return sum
    }

    // MARK: Looking at one process

    private static func isNamed(_ pid: Int32, _ folder: Int32, _ matcher: borrowing NameMatcher) -> Bool {
        guard let comm = ProcessFile.read(folder, pid, "comm", limit: 64) else { return false }
        if matcher.matches(comm: ProcessFile.name(comm).span) { return true }
        guard matcher.needsCommandLine else { return false }
        let number = ProcessFile.open(folder, pid, "cmdline")
        guard number >= 0 else { return false }
        // One that has ended meanwhile is none.
        return (try? CommandLineMatcher.matches(FileDescriptor(adopting: number), path: "cmdline")) ?? false
    }

    private enum Reading: Equatable {
        case resident(Pages)
        case ended
        /// It cannot be told now.
        case unknown
    }

    /// The second number of `statm`.
    private func read(_ guest: Guest) -> Reading {
        var number = guest.statm
        if number < 0 { number = ProcessFile.open(listing.folderNumber, guest.pid, "statm") }
        guard number >= 0 else { return errno == ENOENT ? .ended : .unknown }
        defer { if guest.statm < 0 { close(number) } }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let got = unsafe pread(number, buffer.baseAddress!, buffer.count, 0)
            guard got > 0 else { return got < 0 && errno == ESRCH ? .ended : .unknown }
            let text = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            guard let size = DecimalField(text, at: 0) else { return .unknown }
            // A process that ended and waits for its parent has no memory at all.
            if size.value == 0 { return .ended }
            guard size.end < text.count, let resident = DecimalField(text, at: size.end + 1) else { return .unknown }
            return .resident(Pages(resident.value))
        }
    }

    /// A line of one of the guest's files, in KiB.
    ///
    /// `Pss` of `smaps_rollup`: the kernel walks the guest's page tables for it, 12 ms per GiB of 4 KiB pages, and shows
    /// it only to who may trace the guest. `VmSwap` of `status` costs as little as `statm`, and is there for everybody.
    private func number(_ line: StaticString, in file: String, of guest: Guest) throws(KernelFileError) -> KiB {
        let path = "\(proc)/\(guest.pid)/\(file)"
        let text = try HostFile.read(path)
        guard let number = NamedNumber.find(line: line, in: text.span) else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it has no \(line) line")
        }
        return KiB(number)
    }

    /// Resident less `ksm_merging_pages`, which the kernel shows to the guest's owner only.
    private func unmerged(_ guest: Guest, resident: Pages) throws(KernelFileError) -> KiB {
        let path = "\(proc)/\(guest.pid)/ksm_merging_pages"
        let text = try HostFile.read(path, limit: 64)
        guard let merging = DecimalField(text.span, at: 0) else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it holds no number")
        }
        return (resident - Pages(merging.value)).nonNegative.kibibytes(of: Host.pageSize)
    }
}
