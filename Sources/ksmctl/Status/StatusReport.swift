import HostInspection
import HostKernel
import KSMPolicy

/// Is KSM running and why, does it pay, and what comes next.
struct StatusReport: Report {
    static let command = "status"

    /// What the kernel does: `scanning`, `stopped`, `unmerged`, `absent` where it has no KSM, or `unknown` where its
    /// `run` cannot be read.
    var state: String
    /// Whether that is what the daemon decided last; `nil` without a decision, or where ``state`` is not known.
    var isAsDecided: Bool?
    /// Where it is not.
    var disagreement: Disagreement?
    var daemon: Daemon
    var decision: DecisionReport?
    /// In seconds since 1970.
    var timeSeconds: Double
    var memory: Memory
    var savings: Savings?
    var ksmd: Thread?
    var knobs: Knobs?
    var counters: Counters?
    /// What could not be seen, and why.
    var notes: [String] = []

    /// What `run` holds against the daemon's last decision.
    struct Disagreement: Encodable {
        var run: Int64
        var decidedRun: Int64
        /// Programs and files of this host that may have written it; a person or a script leaves no trace.
        var mayHaveWritten: [String]
        /// Whether the daemon could not write what it decided, so that nobody else need have written anything.
        var isRefused: Bool
        /// Whether the kernel had not finished the daemon's write.
        var isPending: Bool
    }

    struct Daemon: Encodable {
        /// `nil` where that is not known.
        var isRunning: Bool?
        var pid: Int32?
        /// Whether its state can be read, and is its own.
        var isPublishing = false
        /// Whether its first decision is so late that it hangs or cannot make it.
        var isFirstOverdue = false

        enum CodingKeys: CodingKey {
            case isRunning, pid
        }
    }

    struct Memory: Encodable {
        var totalBytes: Int64?
        var availableBytes: Int64?
        /// By `KSM_FREE_METRIC`.
        var freeBytes: Int64?
        var swapFreeBytes: Int64?
    }

    struct Savings: Encodable {
        /// `pages_sharing` and `ksm_zero_pages`.
        var savedBytes: Int64
        var sharingBytes: Int64
        var zeroBytes: Int64
        /// `general_profit`; can be negative.
        var profitBytes: Int64?
    }

    struct Thread: Encodable {
        /// Of one CPU, since the last record of the history.
        var ksmdCPUPercent: Double?
        var pagesPerSecond: Double?
        /// The time that a pass over all that KSM knows takes at that speed.
        var passSeconds: Double?
        /// The time that the three were measured over.
        var windowSeconds: Double?
        var ksmdCPUSeconds: Double?
        /// How the kernel schedules it, and how it was scheduled before the daemon changed that.
        var ksmdPolicy: String?
        var ksmdNice: Int64?
        var foundKsmdPolicy: String?
        var foundKsmdNice: Int64?
        /// The two in words.
        var scheduling: String?

        enum CodingKeys: CodingKey {
            case ksmdCPUPercent, pagesPerSecond, passSeconds, windowSeconds, ksmdCPUSeconds
            case ksmdPolicy, ksmdNice, foundKsmdPolicy, foundKsmdNice
        }
    }

    struct Knobs: Encodable {
        var run: Int64?
        var pagesToScan: Int64?
        var sleepMillisecs: Int64?
        var advisorMode: String?
        var mergeAcrossNodes: Int64?
        var maxPageSharing: Int64?
        var useZeroPages: Int64?
        var smartScan: Int64?
    }

    struct Counters: Encodable {
        var fullScans: Int64?
        var pagesShared: Int64?
        var pagesSharing: Int64?
        var pagesUnshared: Int64?
        var pagesVolatile: Int64?
        var pagesScanned: Int64?
        var pagesSkipped: Int64?
        var ksmZeroPages: Int64?
        var stableNodeChains: Int64?
        var stableNodeDups: Int64?
    }
}

/// A decision as the daemon published it.
struct DecisionReport: Encodable {
    var policy: String
    var action: String
    var reason: String
    var sentence: String
    var ageSeconds: Double
    /// Until the next one if nothing else happens; left out where it comes on a signal only, and by the adaptive policy,
    /// which looks more often than it reports.
    var nextSeconds: Double?
    /// Between two looks at the host; left out where they come on signals only.
    var intervalSeconds: Double?
    /// Whether the next one is so late that the daemon hangs, cannot decide, or cannot say so.
    var isOverdue: Bool
    var guests: Int64
    var committedBytes: Int64
    var freeBytes: Int64
    var thresholdBytes: Int64
    var totalBytes: Int64
    var pagesToScan: Int64
    var sleepMillisecs: Int64

    init(_ last: StateRecord.Report, now: WallTime) {
        let decision = last.decision
        policy = decision.policy.word
        action = decision.action.word
        reason = decision.reason.word
        sentence = last.sentence
        let age = last.age(now)
        ageSeconds = age.seconds
        let interval = last.finitePause
        intervalSeconds = interval?.seconds
        nextSeconds = decision.policy == .adaptive ? nil : interval.map { max($0 - age, .zero).seconds }
        isOverdue = last.isOverdue(now)
        guests = last.guests
        committedBytes = decision.memory.committed.bytes
        freeBytes = decision.memory.free.bytes
        thresholdBytes = decision.threshold.bytes
        totalBytes = decision.total.bytes
        pagesToScan = decision.pagesToScan
        sleepMillisecs = decision.sleepMilliseconds
    }
}

extension StateRecord.Report {
    func age(_ now: WallTime) -> Duration { max(now - time, .zero) }

    /// ``pause`` where it ends: an interval of centuries is for ever.
    var finitePause: Duration? { pause.flatMap { $0 < .seconds(1_000_000_000) ? $0 : nil } }
}

extension StatusReport {
    private static func state(_ ksm: KSMSnapshot) -> String {
        guard ksm.isPresent else { return "absent" }
        return switch ksm.mode {
        case nil: "unknown"
        case 1: "scanning"
        case 2: "unmerged"
        default: "stopped"
        }
    }

    /// - Parameter before: KSM's counters at an earlier time, for speeds.
    init(_ host: HostView, now: WallTime, since before: ScanMoment?) {
        let ksm = host.ksm
        state = Self.state(ksm)
        switch host.daemon {
        case .running(let pid):
            daemon = Daemon(
                isRunning: true, pid: pid, isPublishing: host.state != nil, isFirstOverdue: host.isFirstOverdue)
        case .none: daemon = Daemon(isRunning: host.daemonFailure == nil ? false : nil)
        }
        timeSeconds = now.secondsSince1970
        decision = host.state?.report.map { DecisionReport($0, now: now) }
        memory = Memory(
            totalBytes: host.memory.total?.bytes, availableBytes: host.memory.available?.bytes,
            freeBytes: host.free?.bytes,
            swapFreeBytes: host.memory.swapFree?.bytes)
        notes = Self.notes(host, now)
        guard ksm.isPresent else { return }
        if decision != nil {
            var failures: [KernelFileError] = []
            let excuse = host.state?.report?.excuse(for: .run)
            disagreement = host.differences.first { $0.file == .run }.map {
                Disagreement(
                    run: $0.present, decidedRun: $0.decided,
                    mayHaveWritten: excuse == nil ? host.runWriters(&failures) : [], isRefused: excuse == .refused,
                    isPending: excuse == .pending)
            }
            notes += failures.map { "\($0), so others may have written it" }
            isAsDecided = ksm.mode.map { _ in disagreement == nil }
        }
        if let saved = host.savedBytes, let sharing = ksm.pagesSharing {
            savings = Savings(
                savedBytes: saved, sharingBytes: host.bytes(pages: sharing),
                zeroBytes: host.bytes(pages: ksm.zeroPages ?? 0), profitBytes: ksm.generalProfit)
        }
        ksmd = Thread(ksm, ScanMoment(ksm, at: now), since: before)
        ksmd?.add(ksm.scheduling, changed: host.state?.ksmd)
        knobs = Knobs(
            run: ksm.run, pagesToScan: ksm.pagesToScan, sleepMillisecs: ksm.sleepMilliseconds,
            advisorMode: ksm.advisorMode?.word, mergeAcrossNodes: ksm.mergeAcrossNodes,
            maxPageSharing: ksm.maxPageSharing, useZeroPages: ksm.useZeroPages, smartScan: ksm.smartScan)
        counters = Counters(
            fullScans: ksm.fullScans, pagesShared: ksm.pagesShared, pagesSharing: ksm.pagesSharing,
            pagesUnshared: ksm.pagesUnshared, pagesVolatile: ksm.pagesVolatile, pagesScanned: ksm.pagesScanned,
            pagesSkipped: ksm.pagesSkipped, ksmZeroPages: ksm.zeroPages, stableNodeChains: ksm.stableNodeChains,
            stableNodeDups: ksm.stableNodeDuplicates)
    }

    private static func notes(_ host: HostView, _ now: WallTime) -> [String] {
        var notes = host.unknown
        notes += host.ksm.failures.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value)" }
        if host.isDaemonAbsent {
            notes.append("the daemon does not run, so all of this is the live kernel's alone; guests are not counted")
            let left = host.leftBehind
            if !left.isEmpty {
                notes.append(
                    "a daemon that is gone had found \(left.joined(separator: ", ")) and has not put that back: the next one does, by "
                        + "\(host.paths.state)")
            }
        } else if host.daemonFailure == nil, host.stateFailure == nil, host.state?.report == nil {
            notes.append(
                host.isFirstOverdue
                    ? "the first decision is long due, and the daemon hangs or cannot make it: see journalctl -u ksmtuned"
                    : "the daemon has not decided yet")
        } else if host.state?.report?.isOverdue(now) == true {
            notes.append(
                "the next decision is long due: the daemon hangs, cannot decide, or cannot write \(host.paths.state): see "
                    + "journalctl -u ksmtuned")
        }
        notes += host.differences.map { difference in
            if let excuse = host.state?.report?.excuse(for: difference.file) {
                let next = excuse == .refused ? ", and tries again with its next decision" : ""
                return "\(difference.text): \(excuse.rawValue)\(next)"
            }
            let next = host.state?.report.map { "; \(difference.outlook($0.decision))" } ?? ""
            return "\(difference.text): something else wrote it since, or the daemon could not\(next)"
        }
        if host.ksm.mode == 2, let last = host.state?.report?.decision,
            host.differences.contains(where: { $0.file == .run })
        {
            notes.append(
                "what was merged has its own copies again"
                    + (last.policy == .adaptive && last.action == .stop
                        ? ", and the adaptive policy, which rests, merges it again only when a scan pays" : ""))
        }
        if let oddity = host.ksm.oddity { notes.append(oddity) }
        if let failure = host.configurationFailure { notes.append(failure) }
        return notes
    }
}

/// How far ksmd was at one time.
struct ScanMoment: Equatable {
    var time: WallTime
    var cpu: Duration?
    var scanned: Pages?

    init(_ ksm: KSMSnapshot, at time: WallTime) {
        self.time = time
        cpu = ksm.cpu
        scanned = ksm.pagesScanned.map { Pages($0) }
    }

    init?(_ record: HistoryRecord) {
        guard let counters = record.counters else { return nil }
        time = record.time
        cpu = counters.cpu
        scanned = counters.scanned > .zero ? counters.scanned : nil
    }
}

extension StatusReport.Thread {
    /// - Parameter change: What the daemon published of it; of no use where ksmd has something else by now.
    mutating func add(_ present: Scheduling?, changed change: SchedulingChange?) {
        guard let present else { return }
        ksmdPolicy = present.policy.word
        ksmdNice = present.nice
        scheduling = "\(present)"
        guard let change, change.given == present else { return }
        foundKsmdPolicy = change.found.policy.word
        foundKsmdNice = change.found.nice
        scheduling = "\(present) (was \(change.found))"
    }

    /// `nil` values where the two moments are not of one boot, or there is no earlier one.
    init(_ ksm: KSMSnapshot, _ now: ScanMoment, since before: ScanMoment?) {
        ksmdCPUSeconds = ksm.cpu?.seconds
        guard let before, now.time - before.time >= .milliseconds(100) else { return }
        let window = now.time - before.time
        if let began = before.cpu, let cpu = now.cpu, cpu >= began {
            ksmdCPUPercent = min((cpu - began) / window * 100, 100)
            windowSeconds = window.seconds
        }
        guard let began = before.scanned, let scanned = now.scanned, scanned >= began else { return }
        let speed = Double((scanned - began).count) / window.seconds
        pagesPerSecond = speed
        windowSeconds = window.seconds
        let known =
            [ksm.pagesShared, ksm.pagesSharing, ksm.pagesUnshared, ksm.pagesVolatile].sum { Pages($0 ?? 0) }
        if speed >= 1, ksm.isScanning, known > .zero { passSeconds = Double(known.count) / speed }
    }
}
