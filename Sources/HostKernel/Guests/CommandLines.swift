internal import KSMPolicy

/// Asks processes whether their command lines are those of guests.
///
/// A process can keep its reader waiting for ever, whoever it belongs to; see ``ChildRead``. It says nothing then and counts
/// by what else is known of it: if it were a failure, its user would keep KSM from every decision.
struct CommandLines {
    enum Answer: Equatable {
        case matches, differs
        case failed(KernelFileError)
    }

    /// One that gave no answer.
    private struct Silent {
        let pid: Int32
        /// Tells it from a later one of the same pid; `nil` where that cannot be told.
        let start: Int64?
        /// Who started it; `nil` where that cannot be told.
        let user: Int64?
        var due: Instant
        var pause: Duration
    }

    private let folder: GuestProcess.Folder
    private let place: ChildRead.Folder
    private let firstPause: Duration
    private var silent: [Silent] = []
    private var allowance: SilenceAllowance
    /// Those that were not asked for want of time, and those of the listing before.
    private var postponed: [Int32] = []
    private var postponedBefore: [Int32] = []
    /// Why the first that gave no answer, or had no chance to give one, is not known.
    var failure: KernelFileError? {
        if let first = silent.first { return ChildRead.silence(path(first.pid), of: first.user) }
        return postponed.first.map { ChildRead.Round().failure(ofUnasked: path($0)) }
    }

    /// - Parameter firstPause: Until one that gave no answer is asked again, which doubles each time; and the time in which
    ///   a further one may give none.
    init(_ folder: GuestProcess.Folder, isStandIn: Bool, firstPause: Duration = .seconds(10)) {
        self.folder = folder
        place = ChildRead.Folder(folder.number, isStandIn: isStandIn)
        self.firstPause = firstPause
        allowance = SilenceAllowance(pause: firstPause)
    }

    private static var longestPause: Duration { .seconds(3600) }
    /// The first piece is enough for nearly every process, and a line may be megabytes long.
    private static var piece: Int { 256 }

    /// Those that are to be asked again by now: of those that gave no answer one, since it most likely gives none again.
    func due(at now: Instant) -> [Int32] {
        postponed + silent.filter { $0.due <= now }.prefix(1).map { $0.pid }
    }

    /// Begins with a listing, in which all that are ``due(at:)`` are asked.
    ///
    /// - Parameter isThere: Whether a process is still listed.
    mutating func begin(_ isThere: (Int32) -> Bool) {
        postponedBefore = postponed
        postponed = []
        silent.removeAll { !isThere($0.pid) }
    }

    /// Hears what a process counts as.
    mutating func settle(_ pid: Int32) {
        silent.removeAll { $0.pid == pid }
    }

    mutating func forget() {
        silent = []
        postponed = []
    }

    /// Asks each once.
    ///
    /// - Parameter take: Called for each that gives an answer.
    mutating func ask(_ pids: [Int32], at now: Instant, _ take: (Int32, Answer) -> Void) {
        let undecided = ask(pids.filter { !isWaiting($0, at: now) }, upTo: Self.piece, at: now, take)
        if undecided.isEmpty { return }
        _ = ask(undecided, upTo: CommandLineMatcher.longest, at: now, take)
    }

    /// - Returns: Those whose answer goes on beyond `size`.
    private mutating func ask(
        _ pids: [Int32], upTo size: Int, at now: Instant, _ take: (Int32, Answer) -> Void
    ) -> [Int32] {
        let round = ChildRead.ask(
            inTurn(pids, at: now), for: "cmdline", upTo: size, in: place, mostSilent: max(allowance.left, 1))
        var undecided: [Int32] = []
        for (pid, answer) in round.answers {
            switch answer {
            case .failed(let errno):
                let error = KernelFileError(.read, path(pid), errno: errno)
                settle(pid)
                take(pid, error.isVanished ? .differs : .failed(error))
            case .bytes(let bytes):
                var matcher = CommandLineMatcher()
                matcher.feed(bytes.span)
                if matcher.verdict == .undecided, bytes.count == size {
                    undecided.append(pid)
                } else {
                    settle(pid)
                    take(pid, matcher.verdict == .matches ? .matches : .differs)
                }
            }
        }
        for pid in round.silent { keepSilent(pid, at: now) }
        if round.failure != nil {
            // That is no process's doing: whoever is not asked may be a guest.
            for pid in round.unasked { take(pid, .failed(round.failure(ofUnasked: path(pid)))) }
        } else {
            postponed += round.unasked
        }
        return undecided
    }

    /// Has those come last whose users had silent ones lately, and of these those first that have waited; where no more may
    /// be silent by now, they are postponed.
    private mutating func inTurn(_ pids: [Int32], at now: Instant) -> [Int32] {
        allowance.refill(at: now)
        if allowance.isUnused { return pids }
        var trusted: [Int32] = []
        var suspects: Set<Int32> = []
        for pid in pids {
            if allowance.hasSpent(ProcessFile.user(folder.number, pid)) {
                suspects.insert(pid)
            } else {
                trusted.append(pid)
            }
        }
        let waiting = postponedBefore.filter { suspects.remove($0) != nil }
        let later = waiting + suspects.sorted()
        if allowance.left > 0 { return trusted + later }
        postponed += later
        return trusted
    }

    private func path(_ pid: Int32) -> String { "\(folder.path)/\(pid)/cmdline" }

    // MARK: No answers

    private func isWaiting(_ pid: Int32, at now: Instant) -> Bool {
        guard let known = silent.first(where: { $0.pid == pid }) else { return false }
        return known.due > now && known.start == GuestProcess.start(pid, in: folder)
    }

    private mutating func keepSilent(_ pid: Int32, at now: Instant) {
        let start = GuestProcess.start(pid, in: folder)
        let user = ProcessFile.user(folder.number, pid)
        let known = silent.firstIndex { $0.pid == pid }
        var pause = firstPause
        if let known {
            if silent[known].start == start { pause = min(silent[known].pause * 2, Self.longestPause) }
            silent.remove(at: known)
        }
        silent.append(Silent(pid: pid, start: start, user: user, due: now + pause, pause: pause))
        allowance.spend(user)
    }
}

/// How many processes may give no answer by now, each of which is waited for as long as a process is given.
///
/// Whoever starts such processes all the time has them waited for so often and no more: a user's first is paid for by all,
/// and his next ones wait their turn while nothing is left.
struct SilenceAllowance {
    /// In a listing that finds many, as the first one may.
    private static var most: Int { 2 }
    /// Users that are known to have had one; more of them than these need many accounts.
    private static var mostUsers: Int { 64 }

    private(set) var left = Self.most
    private let pause: Duration
    private var refilled: Instant?
    /// By number, the last one last.
    private var users: [Int64?] = []

    /// - Parameter pause: One more may be silent after each.
    init(pause: Duration) {
        self.pause = pause
    }

    /// Whether nobody has had one yet.
    var isUnused: Bool { users.isEmpty }

    func hasSpent(_ user: Int64?) -> Bool { users.contains(user) }

    mutating func refill(at now: Instant) {
        if let refilled, left < Self.most {
            guard now - refilled >= pause else { return }
            left += 1
        }
        refilled = now
    }

    mutating func spend(_ user: Int64?) {
        left = max(left - 1, 0)
        users.removeAll { $0 == user }
        users.append(user)
        if users.count > Self.mostUsers { users.removeFirst() }
    }
}
