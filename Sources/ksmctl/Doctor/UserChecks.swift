import HostInspection
import HostKernel
import KSMPolicy

/// Who offers memory to KSM beside the guests, and who loses by it.
extension Check {
    static let userChecks = [users, profit]

    // MARK: Who

    static let users = Check("ksm-users", "KSM's users") { check, facts in
        guard facts.ksm.isPresent else { return check.skip("there is no KSM to use") }
        if let failure = facts.guestsFailure { return check.skip("the processes cannot be seen: \(failure)") }
        if facts.isBlind { return check.blind }
        let others = facts.otherUsers
        let hidden = Words.count(facts.hiddenOthers, "process", "processes")
        let failed = facts.othersFailures.map { "\($0)" }
        guard !others.isEmpty else {
            guard failed.isEmpty else {
                let who = Words.count(failed.count, "process", "processes")
                return check.skip(
                    "what \(who) may offer could not be read",
                    remedy: remedy(forUnread: facts.othersFailures, else: "look again")
                ).seen(failed)
            }
            guard facts.hiddenOthers == 0 else {
                return check.skip("what \(hidden) may offer only root can see", remedy: "run it as root")
            }
            return check.ok(facts.guests.isEmpty ? "none: no process offers memory" : "guests alone")
                .seen("no process that is no guest offers memory")
        }
        let who = Words.count(others.count, "process that is no guest offers", "processes that are no guests offer")
        func answered(_ result: CheckResult) -> CheckResult {
            let result = result.seen(facts.described(others)).seen(failed)
            return facts.hiddenOthers == 0 ? result : result.seen("what \(hidden) may offer only root can see")
        }
        let remedy = facts.othersRemedy ?? ""
        guard facts.isRunning else {
            if facts.ksm.isScanning { return answered(check.ok("\(who) memory, and KSM scans for them")) }
            return answered(
                check.warn(
                    "\(who) memory, and KSM does not scan",
                    remedy: "switch it on for them: ksmctl start; or have ksmtuned count them: " + remedy))
        }
        return answered(check.warn("\(who) memory, and the daemon does not count them", remedy: remedy))
            .seen("what they hold is no reason for the daemon to scan, and while it sees none ksmd rests for them, too")
    }

    // MARK: Profit

    static let profit = Check("profit", "Profit") { check, facts in
        guard let profit = facts.ksm.generalProfit.map({ Bytes($0) }) else {
            return check.skip("this kernel has no general_profit: it came with Linux 6.4")
        }
        let source = facts.file(.generalProfit)
        let losers = facts.losers
        func answered(_ result: CheckResult) -> CheckResult {
            result.seen("\(profit.count) bytes: what is merged less the kernel's own records of all pages", in: source)
                .seen(losers.map { $0.text })
        }
        guard profit < .zero else {
            return answered(
                check.ok(profit == .zero ? "neither profit nor loss" : "KSM saves \(KiB(profit)) more than it takes"))
        }
        if let passes = facts.ksm.fullScans, passes < DoctorFacts.firstPasses {
            return answered(check.skip("too early: KSM merges nothing before its second pass"))
                .seen("\(Words.count(Int(passes), "pass", "passes"))", in: facts.file(.fullScans))
        }
        let names = losers.isEmpty ? "" : ": " + Words.list(losers.map { $0.name })
        let unknown =
            facts.hiddenLosers == 0
            ? "" : "; of \(Words.count(facts.hiddenLosers, "guest")) only root can see whether they lose"
        let adaptive = "set KSM_POLICY=adaptive, which stops where nothing is to be gained"
        let remedy =
            losers.isEmpty
            ? "stop it and give its memory back with ksmctl unmerge, or \(adaptive)"
            : "leave out those that lose: \(facts.howToLeaveOut); or \(adaptive); or give all its memory back with "
                + "ksmctl unmerge"
        return answered(
            check.warn("KSM takes \(KiB(Bytes.zero - profit)) more than it saves\(names)\(unknown)", remedy: remedy))
    }
}

extension DoctorFacts {
    /// Those that offer memory and run no machine.
    var otherUsers: [KSMProcess] {
        let machines = Set(processes.machines.map { $0.pid })
        return others.filter { !machines.contains($0.pid) }
    }

    /// A line for each name: how many there are, where they belong, and what is merged of them.
    func described(_ processes: [KSMProcess]) -> [String] {
        KSMProgram.programs(processes).map { program in
            let own = processes.filter { $0.comm == program.comm }
            let units = own.compactMap { $0.unit }.uniqued
            let pids = Words.list(own.map { "\($0.pid)" })
            return "\(program.comm): \(Words.count(own.count, "process", "processes")) (\(pids))"
                + (units.isEmpty ? "" : " of \(Words.list(units))") + ", \(program.merged) merged"
        }
    }

    /// Has the daemon count KSM's other users; `nil` where there are none.
    var othersRemedy: String? {
        let others = otherUsers
        return others.isEmpty ? nil : patternRemedy(for: others.map { $0.comm }) + whenScanned
    }

    /// Has the daemon count processes of these names beside those that it counts. By an expression it goes by names alone, so
    /// those that it counts since the kernel announced them are named too.
    func patternRemedy(for comms: [String]) -> String {
        let announced = processes.machines.filter { !$0.isNamed && $0.hasMachine == true }.map { $0.comm }
        let pattern = GuestPattern.counting(comms + announced, beside: configuration)
        let reload = isRunning ? ", then ksmctl reload" : ""
        return "set KSM_GUEST_PATTERN='\(pattern)' in \(paths.configuration)\(reload)"
    }

    /// Behind that: to be counted is not yet to be scanned.
    var whenScanned: String {
        guard configuration.policy == .classic else { return "" }
        return "; the classic policy then scans while memory is short, KSM_POLICY=adaptive wherever it pays"
    }

    // MARK: Losses

    /// A process in which KSM takes more memory than it saves, by the kernel's own account.
    struct Loser {
        /// With its pid.
        var name: String
        var profit: Bytes
        var items: Pages?
        /// The kernel keeps 64 bytes for each page that it tracks, so with more than 64 for each merged one of 4 KiB
        /// it takes more than it saves; see `Documentation/admin-guide/mm/ksm.rst`.
        var itemsPerMergedPage: Double?

        var text: String {
            var text = "\(name) loses \(KiB(Bytes.zero - profit))"
            guard let items else { return text }
            text += ": \(items.count) pages are tracked"
            guard let itemsPerMergedPage else { return text + ", and none is merged" }
            text += ", \(Amount.tenths(itemsPerMergedPage)) for each merged one"
            return itemsPerMergedPage > 64 ? text + "; above 64 it is better left out" : text
        }
    }

    /// The worst first.
    var losers: [Loser] {
        let guests = losingGuests.map { guest in
            Loser(
                name: "\(guest.name) (\(guest.pid))", profit: guest.profit ?? .zero, items: guest.items,
                itemsPerMergedPage: guest.itemsPerMergedPage)
        }
        let others = losingOthers.map { other in
            Loser(
                name: "\(other.comm) (\(other.pid))", profit: other.profit ?? .zero, items: other.items,
                itemsPerMergedPage: other.itemsPerMergedPage)
        }
        return (guests + others).sorted { $0.profit < $1.profit }
    }

    private var losingGuests: [GuestDetails] { guests.filter { $0.isLoss } }

    private var losingOthers: [KSMProcess] { otherUsers.filter { $0.profit ?? .zero < .zero } }

    /// Guests of which it is not known whether they lose.
    var hiddenLosers: Int { guests.count { $0.isHidden } }

    /// In the words of what started each.
    var howToLeaveOut: String {
        var ways = losingGuests.isEmpty ? [] : [GuestRemedy.text(.leaveOut, losingGuests)]
        let units = losingOthers.compactMap { $0.unit }.uniqued
        if !units.isEmpty { ways.append("MemoryKSM=no of \(Words.list(units))") }
        let programs = losingOthers.filter { $0.unit == nil }.map { $0.comm }.uniqued
        if !programs.isEmpty { ways.append("what has \(Words.list(programs)) offer memory (prctl, madvise)") }
        return ways.joined(separator: "; ")
    }
}

extension Array where Element: Hashable {
    /// Each element once, in the order in which it comes first.
    var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
