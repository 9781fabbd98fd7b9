internal import Glibc
package import KSMPolicy

/// The host's guests, and what they hold.
///
/// A guest is a process with a guest's name, or one that has a virtual machine, as the kernel announced.
///
/// One descriptor of `statm` is held per guest. It stays bound to its process: a zombie reads zeros, and one that is
/// gone gives ESRCH, so a reused pid cannot be mistaken. A tick reads each once, without opening anything. Guests for
/// which there are no descriptors are opened, read and closed.
///
/// A guest that is there and cannot be read is never taken for none: whoever asks is given the failure instead of a sum.
package struct GuestTable: ~Copyable {
    /// What the guests hold together.
    package struct Measurement: Equatable, Sendable {
        package var committed = KiB.zero
        package var guests = 0
        /// Why this is not all: the first guest, or process that may be one, that is there and could not be read, and how
        /// many there are.
        package var failure: KernelFileError?
        package var unreadable = 0
        /// The first file that the metric needs and that could not be read; that guest was counted by rsz.
        package var fallback: KernelFileError?
    }

    /// More guests than these are not read: anybody may call a process like one, and the daemon has other work.
    package static var mostGuests: Int { 16_384 }

    var listing: ProcessListing
    var matcher: NameMatcher
    private let paths: HostPaths
    let folder: GuestProcess.Folder
    var guests: [GuestProcess] = []
    private var lastIdentity: Int64 = 0
    private let mostGuests: Int
    /// Processes whose name or command line could not be read, and threads that created a machine and whose process is
    /// not known: a guest may be among them.
    var unknown: [Int32] = []
    var unknownCreators: [Int32] = []
    /// Why the first of these is not known, or that there are too many guests, or that guests may be hidden.
    var blindness: KernelFileError?
    private var isFull = false
    var lines: CommandLines
    var isStandIn: Bool { paths.isStandIn }

    /// Why processes count that may be guests by their command lines as none, until they give an answer.
    package var silence: KernelFileError? { lines.failure }

    /// - Parameter firstPause: As ``CommandLines`` has it.
    package init(
        _ paths: HostPaths, matcher: consuming NameMatcher, mostGuests: Int = Self.mostGuests,
        firstPause: Duration = .seconds(10)
    ) throws(KernelFileError) {
        listing = try ProcessListing(paths)
        self.paths = paths
        self.matcher = matcher
        self.mostGuests = mostGuests
        folder = GuestProcess.Folder(number: listing.folderNumber, path: paths.proc)
        lines = CommandLines(folder, isStandIn: paths.isStandIn, firstPause: firstPause)
    }

    deinit {
        for guest in guests { guest.close() }
    }

    /// The processes of the last listing: what the next whole one will cost is in proportion.
    package var processes: Int { listing.count }

    /// Whether ``refresh(onlyNew:)`` can do without a whole listing.
    package var tellsNew: Bool { listing.tellsNew }

    /// Goes by other names from the next listing on, which looks at every process again.
    ///
    /// A guest that was announced stays one where announced ones count; a new table would not know it.
    package mutating func adopt(_ matcher: consuming NameMatcher) {
        self.matcher = matcher
        listing.forget()
        lines.forget()
    }

    /// Finds guests that came and forgets guests that went, by one listing of `/proc`.
    ///
    /// What could not be read of a process is asked again the next time, and until then ``measure(by:)`` says so.
    ///
    /// - Parameter onlyNew: Whether processes that were started since are enough. Guests that ended keep their place then,
    ///   and count nothing.
    package mutating func refresh(onlyNew: Bool = false) throws(KernelFileError) {
        if isFull { listing.forget() }
        // Both in the order of their pids, so that none is looked for among all.
        var looked: [(pid: Int32, isNamed: Bool)] = []
        let known = guests.map { $0.pid }.sorted()
        let now = Waiter.now
        var again = Set(unknown + lines.due(at: now)).sorted()
        var unnamed: [Int32] = []
        var asked: [Int32] = []
        var failure: KernelFileError?
        let folder = folder
        func answered(_ pid: Int32, _ isNamed: Bool) {
            // Nearly every process is no guest and never was: nothing of it is kept.
            if isNamed || known.hasSorted(pid) { looked.append((pid, isNamed)) }
        }
        func failed(_ pid: Int32, _ error: KernelFileError) {
            unnamed.append(pid)
            failure = failure ?? error
        }
        func look(_ pid: Int32, _ matcher: borrowing NameMatcher) {
            do throws(KernelFileError) {
                switch try Self.name(pid, folder, matcher) {
                case .guest: answered(pid, true)
                case .other: answered(pid, false)
                case .unsettled: asked.append(pid)
                }
            } catch {
                failed(pid, error)
            }
        }
        func lookOnce(_ pid: Int32, _ matcher: borrowing NameMatcher) {
            look(pid, matcher)
            if again.hasSorted(pid) { again.removeAll { $0 == pid } }
        }
        let isPart = onlyNew ? try listing.refreshNew { lookOnce($0, matcher) } : false
        if !isPart { try listing.refresh { lookOnce($0, matcher) } }
        for pid in again where listing.contains(pid) { look(pid, matcher) }
        lines.begin { listing.contains($0) }
        lines.ask(asked, at: now) { pid, answer in
            switch answer {
            case .matches: answered(pid, true)
            case .differs: answered(pid, false)
            case .failed(let error): failed(pid, error)
            }
        }
        for (pid, _) in looked { lines.settle(pid) }
        looked.sort { $0.pid < $1.pid }
        unknown = unnamed
        blindness = failure ?? hiding
        isFull = false
        // A pid that is looked at again may have changed its name, or be another process than before.
        var settled: [Int32] = []
        for index in guests.indices.reversed() {
            guard isPart || listing.contains(guests[index].pid) else {
                forget(index)
                continue
            }
            guard let isNamed = looked.name(of: guests[index].pid) else { continue }
            guests[index].isNamed = isNamed
            if guests[index].isSame(in: folder) && counts(guests[index]) {
                settled.append(guests[index].pid)
            } else {
                forget(index)
            }
        }
        settled.sort()
        for (pid, isNamed) in looked where isNamed && !settled.hasSorted(pid) { add(pid, isNamed: true) }
        resolveCreators()
    }

    /// That guests may be hidden; asked at each listing, since `/proc` may be mounted anew.
    private var hiding: KernelFileError? {
        guard ProcessListing.isPartial(paths) else { return nil }
        return KernelFileError(
            .list, folder.path, errno: 0,
            detail: "it hides other users' processes, guests among them (hidepid=, and no CAP_SYS_PTRACE here)")
    }

    mutating func add(_ pid: Int32, isNamed: Bool) {
        guard guests.count < mostGuests else {
            isFull = true
            blindness = KernelFileError(
                .list, folder.path, errno: 0,
                detail: "more than \(mostGuests) processes are guests by their names or their virtual machines")
            return
        }
        lastIdentity += 1
        guests.append(GuestProcess(pid, identity: lastIdentity, isNamed: isNamed, in: folder))
    }

    mutating func forget(_ index: Int) {
        guests.remove(at: index).close()
    }

    func counts(_ guest: GuestProcess) -> Bool {
        guest.isNamed || matcher.countsAnnounced && (!guest.machines.isEmpty || guest.isUncertain)
    }

    // MARK: Looking at one process

    /// No name of a process is longer; the kernel's own threads have the longest.
    private static var longestName: Int { 128 }

    /// What a process's name says.
    enum Name {
        case guest, other
        /// Its command line may be a guest's.
        case unsettled
    }

    static func name(
        _ pid: Int32, _ folder: GuestProcess.Folder, _ matcher: borrowing NameMatcher
    ) throws(KernelFileError) -> Name {
        guard let comm = try ProcessFile.readIfThere(folder, pid, "comm", limit: longestName) else { return .other }
        if matcher.matches(comm: ProcessFile.name(comm).span) { return .guest }
        return matcher.needsCommandLine ? .unsettled : .other
    }

    /// Whether one process has a guest's name.
    mutating func isNamed(_ pid: Int32) throws(KernelFileError) -> Bool {
        switch try Self.name(pid, folder, matcher) {
        case .guest: return true
        case .other: return false
        case .unsettled: break
        }
        var given = CommandLines.Answer.differs
        lines.ask([pid], at: Waiter.now) { given = $1 }
        if case .failed(let error) = given { throw error }
        return given == .matches
    }
}

extension [Int32] {
    /// Whether an array in ascending order has a number.
    fileprivate func hasSorted(_ number: Int32) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == number
    }
}

extension [(pid: Int32, isNamed: Bool)] {
    /// Whether a process of an array in the order of pids has a guest's name; `nil` for one that is not in it.
    fileprivate func name(of pid: Int32) -> Bool? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].pid < pid { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].pid == pid ? self[low].isNamed : nil
    }
}
