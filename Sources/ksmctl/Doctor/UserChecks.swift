import HostInspection
import HostKernel
import KSMPolicy

/// Who offers memory to KSM beside the guests, and who loses by it.
extension Check {
    static let userChecks = [users, profit]

    // MARK: Who

    static let users = Check("ksm-users", "KSM's users") { check, facts in
        guard facts.ksm.isPresent else { return check.skip("there is no KSM to use") }
        if let failure = facts.processesFailure {
            return check.skip("the processes cannot be seen: \(failure)")
        }
        let others = facts.otherUsers
        guard !others.isEmpty else {
            guard facts.isRoot else {
                return check.skip("what other users' processes offer only root can see", remedy: "run it as root")
            }
            return check.ok(facts.processes.users.isEmpty ? "none: no process offers memory" : "guests alone")
                .seen("\(Words.count(facts.processes.users.count, "process offers", "processes offer")) memory")
        }
        let who = Words.count(others.count, "process that is no guest offers", "processes that are no guests offer")
        func answered(_ result: CheckResult) -> CheckResult { result.seen(facts.described(others)) }
        guard facts.isRunning else {
            if facts.ksm.isScanning { return answered(check.ok("\(who) memory, and KSM scans for them")) }
            return answered(
                check.warn(
                    "\(who) memory, and KSM does not scan",
                    remedy: "switch it on for them: ksmctl start; or have ksmtuned count them: "
                        + facts.patternRemedy(for: others)))
        }
        return answered(
            check.warn(
                "\(who) memory, and the daemon does not count them", remedy: facts.patternRemedy(for: others))
        ).seen("what they hold is no reason for the daemon to scan, and while it sees none ksmd rests for them, too")
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
                .seen(losers.map { facts.loss($0) })
        }
        guard profit < .zero else {
            return answered(
                check.ok(profit == .zero ? "neither profit nor loss" : "KSM saves \(KiB(profit)) more than it takes"))
        }
        if let passes = facts.ksm.fullScans, passes < DoctorFacts.firstPasses {
            return answered(check.skip("too early: KSM merges nothing before its second pass"))
                .seen("\(Words.count(Int(passes), "pass", "passes"))", in: facts.file(.fullScans))
        }
        let remedy =
            losers.isEmpty
            ? "stop it and give its memory back with ksmctl unmerge, or set KSM_POLICY=adaptive, which stops where "
                + "nothing is to be gained"
            : "leave out those that lose: \(Remedies.leaveOut); or set KSM_POLICY=adaptive, which stops where nothing is "
                + "to be gained; or give all its memory back with ksmctl unmerge"
        return answered(
            check.warn("KSM takes \(KiB(Bytes.zero - profit)) more than it saves" + facts.losersNamed, remedy: remedy))
    }
}

extension DoctorFacts {
    /// Those that offer memory and run no machine.
    var otherUsers: [ProcessSurvey.Process] {
        let machines = Set(processes.machines.map { $0.pid })
        return processes.users.filter { !machines.contains($0.pid) }
    }

    /// A line for each name: how many there are, where they belong, and what is merged of them.
    func described(_ processes: [ProcessSurvey.Process]) -> [String] {
        let names = processes.map { $0.comm }.uniqued
        return names.map { name in
            let own = processes.filter { $0.comm == name }
            let units = own.compactMap { $0.unit }.uniqued
            let merged = own.sum { $0.ksm?.mergingPages ?? .zero }
            return "\(name): \(Words.count(own.count, "process", "processes")) (\(Words.list(own.map { "\($0.pid)" })))"
                + (units.isEmpty ? "" : " of \(Words.list(units))") + ", \(amount(pages: merged)) merged"
        }
    }

    /// Has the daemon count processes of these names beside those that it counts.
    func patternRemedy(for processes: [ProcessSurvey.Process]) -> String {
        let pattern = GuestPattern.counting(processes.map { $0.comm }, beside: configuration)
        return "set KSM_GUEST_PATTERN='\(pattern)' in \(paths.configuration), then ksmctl reload"
    }

    // MARK: Losses

    /// Processes in which KSM takes more memory than it saves, the worst first.
    var losers: [ProcessSurvey.Process] {
        processes.users.filter { Self.profit($0) < .zero }.sorted { Self.profit($0) < Self.profit($1) }
    }

    private static func profit(_ process: ProcessSurvey.Process) -> Bytes { process.ksm?.profit ?? .zero }

    /// Behind what was found: who loses.
    var losersNamed: String { losers.isEmpty ? "" : ": " + Words.list(losers.map { name(of: $0) }) }

    /// A guest's own name, or that of the process.
    private func name(of process: ProcessSurvey.Process) -> String {
        "\(guests.first { $0.pid == process.pid }?.name ?? process.comm) (\(process.pid))"
    }

    /// The kernel keeps 64 bytes for each page that it tracks, so with more than 64 for each merged one of 4 KiB it
    /// takes more than it saves; see `Documentation/admin-guide/mm/ksm.rst`.
    func loss(_ process: ProcessSurvey.Process) -> String {
        let (items, merged) = (process.ksm?.items ?? 0, (process.ksm?.mergingPages ?? .zero).count)
        let ratio = merged > 0 ? ", \(items / merged) for each" : ""
        return "\(name(of: process)) loses \(KiB(Bytes.zero - Self.profit(process))): \(items) pages are tracked, "
            + "\(merged) of them merged\(ratio)"
    }
}

extension Array where Element: Hashable {
    /// Each element once, in the order in which it comes first.
    var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
