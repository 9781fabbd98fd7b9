import HostInspection
import HostKernel
import KSMPolicy

/// The guests: whether they are counted, can be merged, and fit the host.
extension Check {
    static let guestChecks = [guestsCounted, mergeable, balloon, vcpus]

    // MARK: Whether they are counted

    static let guestsCounted = Check("guests-counted", "Guests counted") { check, facts in
        if let failure = facts.processesFailure {
            return check.skip("the processes cannot be seen: \(failure)")
        }
        if facts.isBlind { return check.blind }
        guard facts.unreadableGuests.isEmpty else {
            let unreadable = facts.unreadableGuests
            let who =
                unreadable.contains { $0.comm != nil }
                ? Words.count(unreadable.count, "guest")
                : Words.count(unreadable.count, "process that may be a guest", "processes that may be guests")
            return check.warn(
                "\(who) could not be read, and \(unreadable.count == 1 ? "stands" : "stand") in no sum here",
                remedy: remedy(forUnread: unreadable.map { $0.failure })
            ).seen(unreadable.map { "process \($0.pid)\($0.comm.map { ", \($0)" } ?? ""): \($0.failure)" })
        }
        let processes = facts.processes
        guard processes.failures.isEmpty else {
            return check.warn(
                "\(Words.count(processes.failures.count, "process", "processes")) could not be looked at, and may be "
                    + (processes.failures.count == 1 ? "a guest" : "guests"),
                remedy: remedy(forUnread: processes.failures)
            ).seen(processes.failures.map { "\($0)" })
        }
        let named = processes.machines.filter { $0.isNamed }
        // A machine without a guest's name, or another that bears the name of a program that runs machines.
        let missed = processes.machines.filter { !$0.isNamed }
        let counted = Words.count(named.count, "process is", "processes are") + " taken for guests"
        guard !missed.isEmpty else {
            guard processes.hidden == 0 else {
                return check.skip(
                    (named.isEmpty ? "" : "all that have a guest's name; ")
                        + "who holds a virtual machine only root can see",
                    remedy: "run it as root"
                ).seen(counted).seen(
                    "the descriptors of \(Words.count(processes.hidden, "process", "processes")) are hidden")
            }
            return check.ok(named.isEmpty ? "no guest runs" : "all of them").seen(counted)
        }
        let who = missed.map {
            "process \($0.pid), \($0.comm)\($0.hasMachine == true ? ", holds a virtual machine" : "")"
        }
        // The kernel announces machines, so that a running daemon counts some without a guest's name.
        if let guests = facts.state?.report?.guests, facts.isRunning, guests >= Int64(processes.machines.count) {
            return check.ok("all of them").seen(who)
                .seen("the daemon counts \(guests) guests: the kernel announced them", in: facts.paths.state)
        }
        return check.warn(
            "\(Words.count(missed.count, "process looks", "processes look")) like a guest and "
                + (missed.count == 1 ? "is not counted" : "are not counted"),
            remedy: remedy(forMissed: missed, facts)
        ).seen(who).seen(counted)
    }

    /// What to do about processes that could not be read.
    static func remedy(
        forUnread failures: [KernelFileError],
        else other: String = "see whether ksmctl has descriptors, processes and memory enough (ulimit -a), and look "
            + "again"
    ) -> String {
        let silent =
            "see what the process that gives no answer waits for, in /proc/PID/task/*/stack: most often for a file system "
            + "of its user's (FUSE) that hangs. Have its user mend that, or end it: kill -9 PID. Until then whatever reads "
            + "its command line hangs, ps and top too"
        let isSilent = failures.contains { $0.cause == .silence || $0.cause == .silenceOfOthers }
        let isOther = failures.contains { $0.cause == .stated }
        return [isSilent ? silent : nil, isOther || !isSilent ? other : nil].compactMap { $0 }.joined(separator: "; ")
    }

    private static func remedy(forMissed missed: [ProcessSurvey.Process], _ facts: DoctorFacts) -> String {
        let configuration = facts.configuration
        if configuration.guestPattern == nil, ![Profile.union, .scaled].contains(configuration.profile) {
            return "remove KSM_PROFILE=\(configuration.profile.word) from \(facts.paths.configuration): its names are "
                + "those of one variant only"
        }
        return facts.patternRemedy(for: missed.map { $0.comm })
    }

    // MARK: Whether they can be merged

    static let mergeable = Check.ofAll("mergeable", "Mergeable memory") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        let excluded = facts.guests.filter { $0.isMergeable == false }
        let reasons = obstacles(facts.guests)
        if excluded.count == facts.guests.count {
            if facts.isBlind { return check.blind.seen(reasons) }
            return check.warn(
                "none: no guest offers memory to KSM", remedy: GuestRemedy.text(.offerMemory, excluded)
            ).seen(reasons)
        }
        let unknown = facts.guests.filter { $0.isMergeable == nil }
        // What KSM saves may be other processes' memory.
        guard excluded.count + unknown.count < facts.guests.count || !unknown.contains(where: { $0.isHidden }) else {
            return check.skip(
                "of \(Words.count(unknown.count, "guest")) only root can see whether they offer memory to KSM",
                remedy: "run it as root"
            ).seen(reasons)
        }
        let offered =
            "\(facts.guests.count - excluded.count - unknown.count) of \(Words.count(facts.guests.count, "guest"))"
            + (unknown.isEmpty ? "" : " (of \(unknown.count) it is not known)")
        guard let passes = facts.ksm.fullScans, let saved = facts.ksm.savedPages else {
            return check.skip("KSM's counters cannot be read").seen(reasons)
        }
        if saved > .zero { return check.ok("\(offered), and \(facts.amount(pages: saved)) saved").seen(reasons) }
        guard passes >= DoctorFacts.firstPasses else {
            return check.skip("nothing merged yet: KSM merges nothing before its second pass")
                .seen(Words.count(Int(passes), "pass", "passes"), in: facts.file(.fullScans)).seen(reasons)
        }
        let isHidden = facts.guests.contains { $0.isHidden && $0.isMergeable == nil }
        let withheld = facts.guests.filter { $0.isMergeable == false || !$0.obstacles.isEmpty }
        var result = check.warn(
            "nothing is merged after \(passes) passes",
            remedy: withheld.isEmpty
                ? "let guests of the same system run for a while; where they have nothing in common, ksmctl stop"
                : GuestRemedy.text(.offerMemory, withheld)
        ).seen(Words.count(Int(saved.count), "page"), in: facts.file(.pagesSharing)).seen(reasons)
        if let unshared = facts.ksm.pagesUnshared, unshared > 0 {
            result = result.seen(
                "\(facts.amount(pages: Pages(unshared))) was compared and is like no other",
                in: facts.file(.pagesUnshared))
        } else if facts.ksm.pagesVolatile ?? 0 == 0 {
            result = result.seen("no memory is offered to KSM", in: facts.paths.ksm)
        }
        return isHidden ? result.seen("what guests offer to KSM only root can see in full") : result
    }

    /// What keeps memory from KSM, and whose.
    private static func obstacles(_ guests: [GuestDetails]) -> [String] {
        var all: [GuestDetails.Obstacle] = []
        for obstacle in guests.flatMap({ $0.obstacles }) where !all.contains(obstacle) { all.append(obstacle) }
        let known = all.map { obstacle in
            "\(obstacle.rawValue): \(Words.list(guests.filter { $0.obstacles.contains(obstacle) }))"
        }
        let unexplained = guests.filter { $0.isMergeable == false && $0.obstacles.isEmpty }
        return known + (unexplained.isEmpty ? [] : ["not offered to KSM: \(Words.list(unexplained))"])
    }

    // MARK: Balloon

    static let balloon = Check.ofAll("balloon", "Balloon") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        let known = facts.guests.filter { $0.balloon != nil }
        guard !known.isEmpty else { return check.skip("no guest's command line names one") }
        let without = known.filter { $0.balloon == GuestDetails.Balloon.none }
        let manual = known.filter { $0.balloon == .manual }
        guard !without.isEmpty || !manual.isEmpty else {
            return check.ok("all that are known deflate by themselves")
                .seen("\(known.count) of \(Words.count(facts.guests.count, "guest"))")
        }
        let evidence = [("no balloon", without), ("deflate-on-oom off", manual)]
            .filter { !$0.1.isEmpty }.map { "\($0): \(Words.list($1))" }
        let found = [
            without.isEmpty ? nil : "\(Words.count(without.count, "guest has", "guests have")) none",
            manual.isEmpty
                ? nil : "\(Words.count(manual.count, "guest's stays", "guests' stay")) inflated when memory runs out",
        ].compactMap { $0 }
        return check.warn(
            found.joined(separator: ", "),
            remedy: GuestRemedy.text([(.addBalloon, without), (.deflateBalloon, manual)])
        ).seen(evidence)
    }

    // MARK: CPUs

    static let vcpus = Check.ofAll("vcpus", "vCPUs") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        guard let cpus = facts.topology.cpus else { return check.skip("the host's CPUs cannot be counted") }
        let known = facts.guests.filter { $0.vcpus != nil }
        guard !known.isEmpty else { return check.skip("no guest's command line names them") }
        let large = known.filter { $0.vcpus ?? 0 > cpus }
        let host = "the host has \(Words.count(cpus, "CPU"))"
        guard !large.isEmpty else {
            return check.ok("no guest has more than the host has CPUs").seen(host, in: facts.paths.onlineCPUs)
        }
        // A virtual CPU that holds a lock waits for one that does not run: no load makes up for that.
        return check.warn(
            "\(Words.count(large.count, "guest has", "guests have")) more than the host has CPUs",
            remedy: "give no guest more than \(Words.count(cpus, "vCPU")): its CPUs wait for one another"
        ).seen(large.map { "\($0.name) (\($0.pid)) has \($0.vcpus ?? 0)" }).seen(host, in: facts.paths.onlineCPUs)
    }
}
