/// The original's debug lines, word for word: scripts and people look for them.
///
/// The relations are those of the classic rule, and only it prints them: another policy says in its own sentence what
/// it compared.
///
/// The wording is an interface, and so is the order between lines and writes to the kernel: the sample and the
/// comparison come before the writes, and the line that names what was done comes after them.
package enum DebugLines {
    /// At start, and again after a reload. `proxmox` announces the metric first, as that variant does.
    package static func header(_ policy: ClassicPolicy, announcing metric: GuestMetric?) -> [String] {
        var lines: [String] = []
        if let metric {
            lines.append("using \(metric.word) metric")
        }
        lines.append("total \(policy.total.count)")
        lines.append("sleep \(policy.sleepMilliseconds)")
        lines.append("thres \(policy.threshold.count)")
        return lines
    }

    /// Before the kernel is written to.
    package static func beforeWriting(_ decision: Decision) -> [String] {
        let free = decision.memory.free.count
        var lines = ["committed \(decision.memory.committed.count) free \(free)"]
        guard decision.action == .scan, decision.policy == .classic else { return lines }
        // Said on every start path, even where free memory alone decided and the relation is false.
        lines.append("\(decision.committedWithThreshold.count) > \(decision.total.count), start ksm")
        let isShort = decision.reason == .shortage
        lines.append("\(free) \(isShort ? "<" : ">") \(decision.threshold.count), \(isShort ? "boost" : "decay")")
        return lines
    }

    /// A pass that ended, of the adaptive policy.
    package static func pass(_ pass: ScanPass) -> String {
        var text = TextBuffer(capacity: 128)
        text.append("pass ended")
        if let cpu = pass.cpu {
            text.append(" after ")
            text.append(cpu.milliseconds)
            text.append(" ms of ksmd's CPU time")
        }
        text.append(": ")
        text.append(pass.gained.count)
        text.append(" pages gained, ")
        text.append(pass.fresh.count)
        text.append(" new, ")
        text.append(pass.left.count)
        text.append(" not compared, ")
        text.append(Int64((1 - pass.looked) * 100))
        text.append(" % passed over, ")
        text.append(pass.passedOverAtEnd.count)
        text.append(" of them around its end")
        return text.string
    }

    /// After the kernel was written to.
    package static func afterWriting(_ decision: Decision) -> String {
        guard decision.policy == .classic else { return "\(decision.policy.word): \(decision.sentence)" }
        return switch decision.action {
        case .stop:
            "\(decision.committedWithThreshold.count) < \(decision.total.count) "
                + "and free > \(decision.threshold.count), stop ksm"
        case .scan:
            "KSMCTL start \(decision.pagesToScan) \(decision.sleepMilliseconds)"
        }
    }
}
