import HostInspection
import HostKernel
import KSMPolicy

/// The daemon, its configuration, and who else writes KSM's files.
extension Question {
    static let daemonQuestions = [configuration, daemon, decisions, knobs, otherWriters]

    static let configuration = Question("configuration", "Configuration") { question, facts in
        let remedy = "correct it, see ksmctl check-config, then ksmctl reload"
        let errors = facts.diagnostics.filter { $0.severity == .error }
        let found = facts.diagnostics.map { "\($0)" }
        if !errors.isEmpty {
            return question.fail(
                "\(Words.count(errors.count, "error")): the daemon does not take it", remedy: remedy
            ).seen(found)
        }
        guard found.isEmpty else {
            return question.warn("\(Words.count(found.count, "warning"))", remedy: remedy).seen(found)
        }
        return question.ok("no problem found").seen(
            "policy \(facts.configuration.policy.word)", in: facts.paths.configuration)
    }

    // MARK: The daemon

    static let daemon = Question("daemon", "Daemon") { question, facts in
        guard facts.ksm.isPresent else { return question.skip("there is no KSM to tune") }
        if let failure = facts.daemonFailure {
            let finding = "whether it runs cannot be told"
            let check =
                failure.isDenied && !facts.isRoot
                ? question.skip(finding, remedy: "run it as root")
                : question.warn(finding, remedy: "restart it: systemctl restart ksmtuned")
            return check.seen("\(failure)")
        }
        let pidFile = facts.paths.place(facts.configuration.pidFile)
        if case .running(let pid) = facts.daemon {
            return question.ok("ksmtuned runs").seen("process \(pid) holds its lock", in: pidFile)
        }
        if let other = facts.processes.writers.first(where: { $0.comm == OtherWriter.ksmtuned.rawValue }) {
            return question.warn(
                "another ksmtuned runs, which does not hold this one's lock",
                remedy: "see Other writers; or set PIDFILE= in \(facts.paths.configuration) as that one has it"
            ).seen("process \(other.pid)").seen("nobody holds the daemon's lock", in: pidFile)
        }
        let unmask = facts.maskedUnits.isEmpty ? "" : "systemctl unmask ksm ksmtuned && "
        let start = "\(unmask)systemctl enable --now ksmtuned"
        let check: Check
        switch (facts.ksm.run, facts.ksm.advisorMode) {
        case (1, .scanTime):
            check = question.warn("not running; the kernel's advisor alone sets KSM's pace", remedy: start)
        case (1, _):
            check = question.fail(
                "not running, while KSM scans and nobody watches", remedy: "\(start), or stop KSM: ksmctl stop")
        default: check = question.warn("not running, and KSM does not scan", remedy: start)
        }
        return facts.maskedUnits.reduce(check) { $0.seen("masked: systemd does not start it", in: $1) }
            .seen("nobody holds the daemon's lock", in: pidFile)
            .seen(facts.ksm.run.map { "\($0)" } ?? "it cannot be read", in: facts.file(.run))
    }

    // MARK: Its decisions

    /// A decision that is so many intervals late is not late: the daemon hangs. It decides once an interval, and a
    /// reading of many guests by KSM_PS_METRIC=pss can take seconds.
    private static let lateIntervals = 3.0
    /// In seconds, for intervals so short that a busy host makes it late.
    private static let leastLateness = 30.0

    static let decisions = Question("decisions", "Decisions") { question, facts in
        guard case .running(let pid) = facts.daemon else { return question.skip("ksmtuned does not run") }
        let source = facts.paths.state
        guard let state = facts.state, state.pid == pid else {
            return question.warn(
                "the daemon tells nothing of its decisions",
                remedy: "see journalctl -u ksmtuned for why it cannot write there"
            ).seen(facts.state.map { "of process \($0.pid)" } ?? "it is not there, or cannot be read", in: source)
        }
        guard let told = state.told else {
            return question.skip("none yet; the first comes after KSM_MONITOR_INTERVAL=").seen(
                "no decision", in: source)
        }
        let age = facts.now - told.time.secondsSince1970
        let pause = (told.pause ?? .zero).seconds
        let text = "the last one is \(Amount.duration(seconds: age)) old"
        // What is due in a year is not due at all.
        let isDue = pause > 0 && pause < 365 * 86400
        guard isDue, age > max(lateIntervals * pause, leastLateness) else {
            return question.ok(text).seen("\(told.decision.policy.word): \(told.sentence)", in: source)
        }
        return question.fail(
            "\(text), and one was due after \(Amount.duration(seconds: pause)): the daemon hangs",
            remedy: "systemctl restart ksmtuned; journalctl -u ksmtuned tells what came before"
        ).seen("\(told.decision.policy.word): \(told.sentence)", in: source)
    }

    // MARK: Knobs

    static let knobs = Question("knobs", "Knobs") { question, facts in
        guard facts.isRunning else { return question.skip("ksmtuned does not run") }
        guard facts.state?.told != nil else { return question.skip("the daemon has told of no decision") }
        let overwritten = facts.overwrittenKnobs
        let unset = facts.unsetKnobs
        if !overwritten.isEmpty {
            return question.warn(
                "something else writes KSM's files",
                remedy: "find it: virsh node-memory-tune, TuneD, a script; journalctl -u ksmtuned tells each time. "
                    + "The daemon's next decision writes its own values again"
            ).seen(overwritten + unset, in: facts.paths.ksm)
        }
        guard unset.isEmpty else {
            return question.warn(
                "not all are as configured",
                remedy:
                    "ksmctl reload writes them; merge_across_nodes and max_page_sharing change only while nothing is "
                    + "merged: KSM_ALLOW_UNMERGE=yes lets the daemon unmerge for them"
            ).seen(unset, in: facts.paths.ksm)
        }
        return question.ok("as the daemon wrote them").seen("compared with the last decision", in: facts.paths.state)
    }

    // MARK: Other writers

    static let otherWriters = Question("other-writers", "Other writers") { question, facts in
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
        if facts.advisorInterferes {
            add(
                "the kernel's advisor", "advisor_mode is scan-time: the kernel's advisor changes pages_to_scan",
                remedy: "echo none > \(facts.file(.advisorMode)), or set KSM_POLICY=advisor")
        }
        if found.isEmpty, let failure = facts.processesFailure {
            return question.skip("the processes cannot be seen: \(failure)")
        }
        guard !found.isEmpty else { return question.ok("none found").seen(harmless) }
        return question.warn(names.joined(separator: ", "), remedy: remedies.joined(separator: "; "))
            .seen(found + harmless)
    }
}

/// A program that writes KSM's files, by its `comm`.
enum OtherWriter: String, CaseIterable {
    case tuned
    case momd
    case vdsm
    case vdsmd
    case uksmd
    case throttler = "ksm-throttler"
    case harvester = "harvester-node-"
    case virtHandler = "virt-handler"
    /// The original, or another that does not share the lock of the pid file.
    case ksmtuned

    var deed: String {
        switch self {
        case .tuned: "its profile writes or switches off KSM"
        case .momd, .vdsm, .vdsmd: "oVirt sets KSM by a policy of its own"
        case .uksmd: "it switches KSM on at its start and unmerges at its end"
        case .throttler: "Kata's throttler sets KSM's pace"
        case .harvester: "Harvester sets KSM by a policy of its own"
        case .virtHandler: "KubeVirt sets KSM on nodes that it is configured for"
        case .ksmtuned: "another ksmtuned decides too"
        }
    }

    var remedy: String {
        switch self {
        case .tuned: "choose another profile with tuned-adm profile, or stop ksmtuned"
        case .momd: "systemctl disable --now mom-vdsm, or stop ksmtuned"
        case .vdsm, .vdsmd: "stop ksmtuned: oVirt's hosts are tuned by oVirt"
        case .uksmd: "systemctl disable --now uksmd"
        case .throttler: "systemctl disable --now kata-ksm-throttler"
        case .harvester: "leave this node's KSM to Harvester, or set its Ksmtuned resource to stop"
        case .virtHandler: "remove ksmConfiguration from the KubeVirt resource"
        case .ksmtuned: "end it, and keep the one that systemd runs"
        }
    }
}

extension DoctorFacts {
    /// Whether a process is the daemon itself, or a child that it has a slow write done by.
    func isOwn(_ process: ProcessSurvey.Process) -> Bool {
        guard case .running(let pid) = daemon else { return false }
        return process.pid == pid || process.parent == pid
    }

    /// While another policy scans, the advisor must be off. While nothing is scanned it changes nothing, and the daemon
    /// switches it off when it begins.
    var advisorInterferes: Bool {
        guard isRunning, ksm.advisorMode == .scanTime, let decision = state?.told?.decision else { return false }
        return decision.policy != .advisor && decision.action == .scan
    }

    /// Knobs that hold something else than the daemon's last decision says.
    var overwrittenKnobs: [String] {
        guard isRunning, let decision = state?.told?.decision else { return [] }
        let isScanning = decision.action == .scan
        var wanted: [(file: KSMFile, present: Int64?, wanted: Int64)] = [(.run, ksm.run, isScanning ? 1 : 0)]
        // The adaptive policy's change ten times a second and are told less often; the advisor's are the kernel's.
        if isScanning, decision.policy == .classic {
            wanted.append((.pagesToScan, ksm.pagesToScan, decision.pagesToScan))
            wanted.append((.sleepMilliseconds, ksm.sleepMilliseconds, decision.sleepMilliseconds))
        }
        return wanted.compactMap { file, present, wanted in
            present == nil || present == wanted
                ? nil : "\(file.name) is \(present ?? 0), the daemon wrote \(wanted)"
        }
    }

    /// Knobs that hold something else than the configuration asks for.
    var unsetKnobs: [String] {
        let present: [(Knob, Int64?)] = [
            (.mergeAcrossNodes, ksm.mergeAcrossNodes), (.maxPageSharing, ksm.maxPageSharing),
            (.useZeroPages, ksm.useZeroPages), (.smartScan, ksm.smartScan),
        ]
        return present.compactMap { knob, present in
            guard let present, let wanted = configuration.wanted(knob), present != wanted else { return nil }
            return "\(knob.file.name) is \(present), \(knob.setting.name)= asks for \(wanted)"
        }
    }
}
