import HostInspection
import HostKernel
import KSMPolicy

/// A knob that holds something else than the daemon's last decision says.
struct KnobDifference: Equatable {
    var file: KSMFile
    var present: Int64
    var decided: Int64

    var text: String { "\(file.name) is \(present), the daemon decided \(decided)" }

    /// Whether the daemon, which decided this, sees it and leaves it: a policy that rests need not undo an unmerging.
    func isLeft(by decision: Decision) -> Bool {
        file == .run && decided == 0 && KSMSnapshot.mode(present) == 2 && decision.policy.traits.leavesUnmerged
    }

    /// What becomes of it.
    func outlook(_ decision: Decision) -> String {
        isLeft(by: decision)
            ? "it stays so until the \(decision.policy.word) policy begins its next scan"
            : "the daemon's next decision writes its own value"
    }
}

extension StateRecord.Report {
    /// Why a file need not hold what was decided though nobody else has written it.
    enum Excuse: String {
        case refused = "the daemon could not write its own"
        case pending = "the kernel has not finished the daemon's own write"
    }

    /// - Returns: `nil` where only somebody else can have written it.
    func excuse(for file: KSMFile) -> Excuse? {
        if refused.contains(file.name) { return .refused }
        return isPending && file == .run ? .pending : nil
    }
}

extension KSMSnapshot {
    /// Set while memory goes offline, for as long as ksmd pauses. `KSM_RUN_OFFLINE` of the kernel
    private static let offline: Int64 = 4

    /// `run` as it was written, and as the daemon understands it.
    var mode: Int64? { run.map(Self.mode) }

    static func mode(_ run: Int64) -> Int64 { run & 3 }

    /// What `run` holds beside what was written to it; `nil` where that is all.
    var oddity: String? {
        guard let run, let mode, run != mode else { return nil }
        return run == mode | Self.offline
            ? "run is \(run): memory goes offline, and ksmd pauses until that is done"
            : "run is \(run), which means nothing known; it is taken for \(mode)"
    }

    /// Whether ksmd scans, or will go on as soon as memory is offline.
    var isScanning: Bool { mode == 1 }

    /// The knobs that hold something else than a decision says: those that it wrote.
    func differences(from decision: Decision) -> [KnobDifference] {
        let isScan = decision.action == .scan
        var found: [KnobDifference] = []
        if let run, let mode, mode != (isScan ? 1 : 0) {
            found.append(KnobDifference(file: .run, present: run, decided: isScan ? 1 : 0))
        }
        // A pace that changes more often than it is published, or that the kernel sets, need not be the one published.
        guard isScan, decision.policy.traits.reported == nil else { return found }
        for (file, present, decided) in [
            (KSMFile.pagesToScan, pagesToScan, decision.pagesToScan),
            (.sleepMilliseconds, sleepMilliseconds, decision.sleepMilliseconds),
        ] {
            if let present, present != decided {
                found.append(KnobDifference(file: file, present: present, decided: decided))
            }
        }
        return found
    }
}
