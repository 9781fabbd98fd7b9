import HostInspection
import HostKernel
import KSMPolicy

/// The daemon, its configuration, and who else writes KSM's files.
extension Check {
    static let daemonChecks = [configuration, daemon, decisions, knobs, otherWriters]

    static let configuration = Check("configuration", "Configuration") { check, facts in
        let remedy = "correct it, see ksmctl check-config, then ksmctl reload"
        let errors = facts.diagnostics.filter { $0.severity == .error }
        let found = facts.diagnostics.map { "\($0)" }
        if !errors.isEmpty {
            return check.fail(
                "\(Words.count(errors.count, "error")): the daemon does not take it", remedy: remedy
            ).seen(found)
        }
        guard found.isEmpty else {
            return check.warn("\(Words.count(found.count, "warning"))", remedy: remedy).seen(found)
        }
        return check.ok("no problem found").seen(
            "policy \(facts.configuration.policy.word)", in: facts.paths.configuration)
    }

    // MARK: The daemon

    static let daemon = Check("daemon", "Daemon") { check, facts in
        guard facts.ksm.isPresent else { return check.skip("there is no KSM to tune") }
        if let failure = facts.daemonFailure {
            let finding = "whether it runs is not known"
            let result =
                failure.isDenied && !facts.isRoot
                ? check.skip(finding, remedy: "run it as root")
                : check.warn(finding, remedy: "restart it: systemctl restart ksmtuned")
            return result.seen("\(failure)")
        }
        if case .running(let pid) = facts.daemon {
            return check.ok("ksmtuned runs").seen("process \(pid) holds its lock", in: facts.paths.lock)
        }
        if let other = facts.processes.writers.first(where: { $0.comm == OtherWriter.ksmtuned.rawValue }) {
            return check.warn(
                "another ksmtuned runs, which does not hold this one's lock",
                remedy: "see Other writers"
            ).seen("process \(other.pid)").seen("nobody holds the daemon's lock", in: facts.paths.lock)
        }
        let unmask = facts.maskedUnits.isEmpty ? "" : "systemctl unmask ksm ksmtuned && "
        let others = facts.otherUsers
        // A daemon that does not count them would switch off what works for them.
        let start =
            (facts.othersRemedy.map { "first have it count KSM's other users: \($0); then " } ?? "")
            + "\(unmask)systemctl enable --now ksmtuned"
        let result: CheckResult
        switch (facts.ksm.isScanning, facts.ksm.advisorMode) {
        case (true, .scanTime):
            result = check.warn("not running; the kernel's advisor alone sets KSM's pace", remedy: start)
        case (true, _) where !others.isEmpty && facts.processes.machines.isEmpty:
            let who = Words.count(others.count, "other process", "other processes")
            result = check.ok("not running, and no guest needs it: KSM scans for \(who)")
        case (true, _):
            result = check.fail(
                "not running, while KSM scans and nobody watches", remedy: "\(start), or stop KSM: ksmctl stop")
        default: result = check.warn("not running, and KSM does not scan", remedy: start)
        }
        return facts.maskedUnits.reduce(result) { $0.seen("masked: systemd does not start it", in: $1) }
            .seen("nobody holds the daemon's lock", in: facts.paths.lock)
            .seen(facts.ksm.run.map { "\($0)" } ?? "it cannot be read", in: facts.file(.run))
    }

    // MARK: Its decisions

    static let decisions = Check("decisions", "Decisions") { check, facts in
        guard facts.isRunning else { return check.skip("ksmtuned does not run") }
        let source = facts.paths.state
        guard let state = facts.state else {
            return check.warn(
                "the daemon publishes none of its decisions",
                remedy: "see journalctl -u ksmtuned for why it cannot write there"
            ).seen(facts.failures.first { $0.path == source }.map { "\($0)" } ?? "it is not there", in: source)
        }
        guard let last = state.report else {
            guard !facts.isFirstOverdue else {
                return check.fail(
                    "none yet, and the first one was due long ago: the daemon hangs or cannot make it",
                    remedy: "see journalctl -u ksmtuned for what it cannot read"
                ).seen("no decision", in: source)
            }
            return check.skip("none yet").seen("no decision", in: source)
        }
        let age = facts.now - last.time
        let text =
            age < .zero
            ? "the last one is of a time to come: the clock was set back"
            : "the last one is \(Amount.duration(age)) old"
        guard last.isOverdue(facts.now), let interval = last.pause else {
            return check.ok(text).seen("\(last.decision.policy.word): \(last.sentence)", in: source)
        }
        return check.fail(
            "\(text), and one was due after \(Amount.duration(interval)): the daemon hangs, cannot decide, or cannot "
                + "write its state",
            remedy: "see journalctl -u ksmtuned; where that says nothing, systemctl restart ksmtuned"
        ).seen("\(last.decision.policy.word): \(last.sentence)", in: source)
    }

    // MARK: Knobs

    static let knobs = Check("knobs", "Knobs") { check, facts in
        guard facts.leftBehind.isEmpty else {
            return check.warn(
                "a daemon that is gone has not put back what it had found",
                remedy: "the next one does: systemctl start ksmtuned"
            ).seen(facts.leftBehind, in: facts.paths.state)
        }
        guard facts.isRunning else { return check.skip("ksmtuned does not run") }
        guard facts.state?.report != nil else { return check.skip("the daemon has published no decision") }
        let (overwritten, unwritten) = (facts.overwrittenKnobs, facts.unwrittenKnobs)
        let unset = facts.unsetKnobs
        if let (_, excuse) = unwritten.first, overwritten.isEmpty {
            let evidence = unwritten.map { $0.text } + unset
            // That can take as long as an unmerging.
            guard excuse == .refused else { return check.skip(excuse.rawValue).seen(evidence, in: facts.paths.ksm) }
            return check.warn(
                excuse.rawValue,
                remedy: "journalctl -u ksmtuned says why; it tries again with its next decision"
            ).seen(evidence, in: facts.paths.ksm)
        }
        if !overwritten.isEmpty {
            return check.warn(
                "something else writes KSM's files",
                remedy: "find it: virsh node-memory-tune, TuneD, a script; journalctl -u ksmtuned shows each time; "
                    + overwritten.map { "\($0.difference.file.name): \($0.outlook)" }.joined(separator: ", ")
            ).seen(overwritten.map { $0.difference.text } + unset, in: facts.paths.ksm)
        }
        guard unset.isEmpty else {
            return check.warn(
                "not all are as configured",
                remedy:
                    "ksmctl reload writes them; merge_across_nodes and max_page_sharing change only while nothing is "
                    + "merged: KSM_ALLOW_UNMERGE=yes lets the daemon unmerge for them"
            ).seen(unset, in: facts.paths.ksm)
        }
        return check.ok("as the daemon wrote them").seen("compared with the last decision", in: facts.paths.state)
    }

    // MARK: Other writers

    static let otherWriters = Check("other-writers", "Other writers") { check, facts in
        var names: [String] = []
        var found: [String] = []
        var harmless: [String] = []
        var remedies: [String] = []
        func add(_ name: String, _ deed: String, remedy: String) {
            if !names.contains(name) { names.append(name) }
            if !remedies.contains(remedy) { remedies.append(remedy) }
            found.append(deed)
        }
        for process in facts.processes.writers where !facts.isOwn(process) {
            guard let writer = OtherWriter(rawValue: process.comm) else { continue }
            let who = "\(process.comm) runs (process \(process.pid))"
            guard writer == .tuned else {
                add(writer.rawValue, "\(who): \(writer.deed)", remedy: writer.remedy)
                continue
            }
            let profile = facts.tuned.map { "profile \($0.name)" } ?? "without a profile"
            if let mention = facts.tuned?.mention {
                add(writer.rawValue, "\(who), \(profile), which names KSM in \(mention)", remedy: writer.remedy)
            } else {
                harmless.append("\(who), \(profile), which does not name KSM")
            }
        }
        for writer in facts.bootWriters {
            guard facts.isOfDaemon(writer) else {
                harmless.append("\(writer.path): \(writer.line), which the daemon leaves alone")
                continue
            }
            guard facts.isRunning || facts.otherUsers.isEmpty else {
                harmless.append("\(writer.path): \(writer.line), which serves KSM's other users")
                continue
            }
            add(
                "\(writer.path) at boot", "\(writer.path): \(writer.line)",
                remedy: writer.file == KSMFile.run.name && writer.path == facts.paths.qemuSettings
                    ? "set KSM_ENABLED=0 in \(writer.path)"
                    : "remove the line from \(writer.path): the daemon sets it by its configuration")
        }
        if facts.advisorInterferes {
            add(
                "the kernel's advisor", "advisor_mode is scan-time: the kernel's advisor changes pages_to_scan",
                remedy: "echo none > \(facts.file(.advisorMode)), or set KSM_POLICY=advisor")
        }
        if found.isEmpty, let failure = facts.processesFailure {
            return check.skip("the processes cannot be seen: \(failure)")
        }
        guard !found.isEmpty else {
            let result = facts.isBlind ? check.blind : check.ok("none found")
            return result.seen(harmless)
        }
        return check.warn(names.joined(separator: ", "), remedy: remedies.joined(separator: "; "))
            .seen(found + harmless)
    }
}

extension DoctorFacts {
    /// Whether a process is the daemon itself, or a child that it has a slow write done by.
    func isOwn(_ process: ProcessSurvey.Process) -> Bool {
        guard case .running(let pid) = daemon else { return false }
        return process.pid == pid || process.parent == pid
    }

    /// Whether a line writes a file that the daemon writes too, or names none that is known.
    func isOfDaemon(_ writer: BootWriter) -> Bool {
        guard let name = writer.file else { return true }
        if let knob = Knob.allCases.first(where: { $0.file.name == name }) { return configuration.wanted(knob) != nil }
        let own: [KSMFile] = [.run, .pagesToScan, .sleepMilliseconds, .advisorMode]
        return own.contains { $0.name == name } || name.hasPrefix("advisor_")
    }

    /// While another policy scans, the advisor must be off. While nothing is scanned it changes nothing, and the daemon
    /// switches it off when it begins.
    var advisorInterferes: Bool {
        guard isRunning, ksm.advisorMode == .scanTime, let decision = state?.report?.decision else { return false }
        return !decision.policy.traits.leavesPaceToKernel && decision.action == .scan
    }

    /// Knobs that somebody else gave another value than the daemon's last decision says.
    var overwrittenKnobs: [(difference: KnobDifference, outlook: String)] {
        guard isRunning, let report = state?.report else { return [] }
        return ksm.differences(from: report.decision).filter { report.excuse(for: $0.file) == nil }
            .map { ($0, $0.outlook(report.decision)) }
    }

    /// Knobs that hold another value since the daemon's own was not taken, or not yet.
    var unwrittenKnobs: [(text: String, excuse: StateRecord.Report.Excuse)] {
        guard isRunning, let report = state?.report else { return [] }
        return ksm.differences(from: report.decision).compactMap { difference in
            report.excuse(for: difference.file).map { (difference.text, $0) }
        }
    }

    /// Knobs that hold something else than the configuration asks for.
    var unsetKnobs: [String] {
        let present: [(Knob, Int64?)] = [
            (.mergeAcrossNodes, ksm.mergeAcrossNodes), (.maxPageSharing, ksm.maxPageSharing),
            (.useZeroPages, ksm.useZeroPages), (.smartScan, ksm.smartScan),
        ]
        let knobs: [String] = present.compactMap { knob, present in
            guard let present, let wanted = configuration.wanted(knob), present != wanted else { return nil }
            return "\(knob.file.name) is \(present), \(knob.setting.name)= asks for \(wanted)"
        }
        return knobs + [unscheduled].compactMap { $0 }
    }

    /// A ksmd that scans and is not scheduled as the configuration asks for.
    private var unscheduled: String? {
        guard state?.report?.decision.action == .scan, ksm.isScanning, let present = ksm.scheduling,
            let wanted = configuration.ksmdScheduling.wanted(over: present), present != wanted
        else { return nil }
        return "ksmd has \(present), KSM_KSMD_SCHEDULING= asks for \(wanted): the daemon lacks CAP_SYS_NICE, something "
            + "else changed it, or ksmd got no CPU so; journalctl -u ksmtuned says which"
    }
}
