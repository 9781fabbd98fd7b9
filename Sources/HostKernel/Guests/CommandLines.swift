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
        var due: Instant
        var pause: Duration
    }

    private let folder: GuestProcess.Folder
    private let place: ChildRead.Folder
    private let firstPause: Duration
    private var silent: [Silent] = []
    /// Those that were not asked for want of time.
    private var postponed: [Int32] = []
    /// Why the first that gave no answer is not known.
    var failure: KernelFileError? {
        silent.first.map { ChildRead.silence(path($0.pid), of: ProcessFile.user(folder.number, $0.pid)) }
    }

    /// - Parameter firstPause: Until one that gave no answer is asked again. It doubles each time.
    init(_ folder: GuestProcess.Folder, isStandIn: Bool, firstPause: Duration = .seconds(10)) {
        self.folder = folder
        place = ChildRead.Folder(folder.number, isStandIn: isStandIn)
        self.firstPause = firstPause
    }

    /// Each waits for as long as a process is given: so much of a listing is enough for those that give no answer.
    private static var mostSilent: Int { 2 }
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
        let undecided = ask(pids.filter { !isWaiting($0, at: now) }, upTo: Self.piece, Self.mostSilent, at: now, take)
        if undecided.isEmpty { return }
        _ = ask(undecided, upTo: CommandLineMatcher.longest, 1, at: now, take)
    }

    /// - Returns: Those whose answer goes on beyond `size`.
    private mutating func ask(
        _ pids: [Int32], upTo size: Int, _ mostSilent: Int, at now: Instant, _ take: (Int32, Answer) -> Void
    ) -> [Int32] {
        let round = ChildRead.ask(pids, for: "cmdline", upTo: size, in: place, mostSilent: mostSilent)
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

    private func path(_ pid: Int32) -> String { "\(folder.path)/\(pid)/cmdline" }

    // MARK: No answers

    private func isWaiting(_ pid: Int32, at now: Instant) -> Bool {
        guard let known = silent.first(where: { $0.pid == pid }) else { return false }
        return known.due > now && known.start == GuestProcess.start(pid, in: folder)
    }

    private mutating func keepSilent(_ pid: Int32, at now: Instant) {
        let start = GuestProcess.start(pid, in: folder)
        let known = silent.firstIndex { $0.pid == pid }
        var pause = firstPause
        if let known {
            if silent[known].start == start { pause = min(silent[known].pause * 2, Self.longestPause) }
            silent.remove(at: known)
        }
        silent.append(Silent(pid: pid, start: start, due: now + pause, pause: pause))
    }
}
