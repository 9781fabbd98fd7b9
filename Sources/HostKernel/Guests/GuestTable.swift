internal import Glibc
package import KSMPolicy

/// The host's guests, and what they hold.
///
/// One descriptor of `statm` is held per guest. It stays bound to its process: a zombie reads zeros, and one that is
/// gone gives ESRCH, so a reused pid cannot be mistaken. A tick reads each once, without opening anything.
package struct GuestTable: ~Copyable {
    private struct Guest {
        var pid: Int32
        /// An open `statm`, or -1 where there were no descriptors left; then it is opened at each reading.
        var statm: Int32
    }

    /// What the guests hold together.
    package struct Measurement: Equatable, Sendable {
        package var committed = KiB.zero
        package var guests = 0
        /// The first file that the metric needs and that could not be read; that guest was counted by rsz.
        package var fallback: KernelFileError?
    }

    private var listing: ProcessListing
    private let matcher: NameMatcher
    private let proc: String
    private var guests: [Guest] = []

    package init(_ paths: HostPaths, matcher: consuming NameMatcher) throws(KernelFileError) {
        listing = try ProcessListing(paths)
        self.matcher = matcher
        proc = paths.proc
    }

    deinit {
        for guest in guests where guest.statm >= 0 { close(guest.statm) }
    }

    /// The processes of the last listing, for the curious.
    package var processes: Int { listing.count }

    /// Finds guests that came and forgets guests that went, by one listing of `/proc`.
    package mutating func refresh() throws(KernelFileError) {
        var looked: [(pid: Int32, isGuest: Bool)] = []
        let folder = listing.folderNumber
        let known = guests
        try listing.refresh { pid in
            let isGuest = Self.isGuest(pid, folder, matcher)
            // Nearly every process is no guest and never was: nothing of it is kept.
            if isGuest || known.contains(where: { $0.pid == pid }) { looked.append((pid, isGuest)) }
        }
        // A pid that is looked at again may have changed its name, or be another process than before.
        guests.removeAll { guest in
            let isGone = !listing.contains(guest.pid) || looked.contains { $0.pid == guest.pid }
            if isGone, guest.statm >= 0 { close(guest.statm) }
            return isGone
        }
        for (pid, isGuest) in looked where isGuest {
            guests.append(Guest(pid: pid, statm: Self.open(folder, pid, "statm")))
        }
    }

    /// Adds up what the guests hold.
    ///
    /// A guest that ends meanwhile counts nothing; that is normal.
    package mutating func measure(by metric: GuestMetric) -> Measurement {
        var sum = Measurement()
        for guest in guests {
            guard let resident = residentPages(guest) else { continue }
            var held = Self.kibibytes(pages: resident)
            if metric != .rsz {
                do throws(KernelFileError) {
                    held = try metric == .pss ? proportional(guest) : unmerged(guest, resident: resident)
                } catch {
                    if error.isVanished && !Self.exists(listing.folderNumber, guest.pid) { continue }
                    sum.fallback = sum.fallback ?? error
                }
            }
            sum.committed = sum.committed + held
            sum.guests += 1
        }
        return sum
    }

    /// Converts pages of the host's size, which is asked of the system and need not be 4 KiB.
    package static func kibibytes(pages: Int64) -> KiB {
        let (bytes, overflow) = pages.multipliedReportingOverflow(by: Int64(sysconf(Int32(_SC_PAGESIZE))))
        return overflow ? KiB(.max) : KiB(bytes: bytes)
    }

    // MARK: Looking at one process

    private static func isGuest(_ pid: Int32, _ folder: Int32, _ matcher: borrowing NameMatcher) -> Bool {
        guard var comm = read(folder, pid, "comm", limit: 64) else { return false }
        // The name itself may hold line breaks; only the last one is the kernel's.
        if comm.last == UInt8(ascii: "\n") { comm.removeLast() }
        if matcher.matches(comm: comm.span) { return true }
        return matcher.needsCommandLine && hasGuestCommandLine(folder, pid)
    }

    private static func hasGuestCommandLine(_ folder: Int32, _ pid: Int32) -> Bool {
        let number = open(folder, pid, "cmdline")
        guard number >= 0 else { return false }
        let file = FileDescriptor(adopting: number)
        var matcher = CommandLineMatcher()
        // The first piece is enough to tell nearly every process apart by its first letters.
        var piece = [UInt8](repeating: 0, count: 256)
        while matcher.verdict == .undecided {
            let got = unsafe Glibc.read(file.number, &piece, piece.count)
            guard got > 0 else { return false }
            matcher.feed(piece.span.extracting(first: got))
        }
        return matcher.verdict == .matches
    }

    /// The second number of `statm`; `nil` once the process has ended.
    private func residentPages(_ guest: Guest) -> Int64? {
        var number = guest.statm
        if number < 0 { number = Self.open(listing.folderNumber, guest.pid, "statm") }
        guard number >= 0 else { return nil }
        defer { if guest.statm < 0 { close(number) } }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let got = unsafe pread(number, buffer.baseAddress!, buffer.count, 0)
            guard got > 0 else { return nil }
            let text = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            // A process that ended and waits for its parent has no memory at all.
            guard let size = DecimalField(text, at: 0), size.value > 0, size.end < text.count else { return nil }
            return DecimalField(text, at: size.end + 1)?.value
        }
    }

    /// `Pss:` of `smaps_rollup`. The kernel walks the guest's page tables for it, 12 ms per GiB of 4 KiB pages, and
    /// shows it only to who may trace the guest.
    private func proportional(_ guest: Guest) throws(KernelFileError) -> KiB {
        let path = "\(proc)/\(guest.pid)/smaps_rollup"
        let text = try HostFile.read(path)
        var start = 0
        while start < text.count {
            let line = text[start...].prefix { $0 != UInt8(ascii: "\n") }
            if line.starts(with: "Pss:".utf8) {
                let blanks = line.dropFirst(4).prefix { $0.isBlank }.count
                if let field = DecimalField(text.span, at: start + 4 + blanks) { return KiB(field.value) }
            }
            start = line.endIndex + 1
        }
        throw KernelFileError(.understand, path, errno: 0, detail: "it has no Pss line")
    }

    /// Resident less `ksm_merging_pages`, which the kernel shows to the guest's owner only.
    private func unmerged(_ guest: Guest, resident: Int64) throws(KernelFileError) -> KiB {
        let path = "\(proc)/\(guest.pid)/ksm_merging_pages"
        let text = try HostFile.read(path, limit: 64)
        guard let merging = DecimalField(text.span, at: 0) else {
            throw KernelFileError(.understand, path, errno: 0, detail: "it holds no number")
        }
        return Self.kibibytes(pages: max(resident - merging.value, 0))
    }

    // MARK: Files of a process

    private static func open(_ folder: Int32, _ pid: Int32, _ name: String) -> Int32 {
        unsafe openat(folder, "\(pid)/\(name)", O_RDONLY | O_CLOEXEC)
    }

    private static func exists(_ folder: Int32, _ pid: Int32) -> Bool {
        unsafe faccessat(folder, "\(pid)", F_OK, 0) == 0
    }

    private static func read(_ folder: Int32, _ pid: Int32, _ name: String, limit: Int) -> [UInt8]? {
        let number = open(folder, pid, name)
        guard number >= 0 else { return nil }
        return try? FileDescriptor(adopting: number).readToEnd(limit: limit, path: name)
    }
}
