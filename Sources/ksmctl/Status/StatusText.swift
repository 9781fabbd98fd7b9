import Charts
import HostKernel
import KSMPolicy

extension StatusReport {
    func text(_ style: Style) -> String {
        title(style) + fields.text(style) + Output.notes(notes, style)
    }

    private func title(_ style: Style) -> String {
        let policy = decision.map { ", by the \($0.policy) policy" } ?? ""
        let (full, empty) = style.isUnicode ? ("●", "○") : ("*", "-")
        if let disagreement {
            let whose = disagreement.excuse.map { "since \($0.rawValue)" } ?? "which the daemon did not write"
            let why = "run is \(disagreement.run), \(whose)\n"
            switch (state, disagreement.decidedRun) {
            case ("scanning", _): return style.warning(full) + " KSM is scanning against the daemon's decision: " + why
            case ("unmerged", 0): return style.warning(empty) + " KSM is stopped and everything unmerged: " + why
            case ("unmerged", _):
                return style.warning(empty)
                    + " KSM is stopped and everything unmerged, against the daemon's decision: " + why
            case (_, 0): return style.warning(empty) + " KSM is not scanning: " + why
            default: return style.warning(empty) + " KSM is not scanning, against the daemon's decision: " + why
            }
        }
        switch state {
        case "absent": return style.bad(full) + " this kernel has no KSM\n"
        case "unknown": return style.warning(empty) + " whether KSM scans is not known\n"
        case "scanning": return style.good(full) + " KSM is scanning\(policy)\n"
        case "unmerged": return style.dim(empty) + " KSM is stopped, and everything is unmerged\(policy)\n"
        default: return style.dim(empty) + " KSM is not scanning\(policy); what is merged stays merged\n"
        }
    }

    private var fields: FieldList {
        var fields = FieldList()
        // A reason for what the kernel does not do would contradict the line above.
        fields.add(disagreement == nil ? "Reason" : "Decided", decision?.sentence)
        if let disagreement, disagreement.excuse == nil {
            fields.add("Writer", Self.writerText(disagreement.mayHaveWritten))
        }
        fields.add("Daemon", daemonText)
        fields.add(
            "Guests",
            decision.map { "\($0.guests), \(Amount.text(bytes: $0.committedBytes)) committed" })
        fields.add("Saved", savedText)
        fields.add("Profit", savings?.profitBytes.map { "\(Amount.text(bytes: $0)) (general_profit)" })
        fields.add("ksmd", threadText)
        fields.add("Memory", memoryText)
        fields.add("Knobs", lines: knobs.map { Self.lines($0.words) } ?? [])
        fields.add("Counters", lines: counters.map { Self.lines($0.words) } ?? [])
        return fields
    }

    private static func writerText(_ writers: [String]) -> String {
        writers.isEmpty
            ? "not known: virsh node-memory-tune, ksmctl, a script or a person"
            : "may be " + Words.list(writers)
    }

    private var daemonText: String {
        guard let pid = daemon.pid else { return daemon.isRunning == nil ? "not known" : "not running" }
        var text = "ksmtuned, pid \(pid)"
        guard let decision else { return text }
        text += ", decided \(Amount.duration(seconds: decision.ageSeconds)) ago, "
        if let next = decision.nextSeconds {
            text += "next in \(Amount.duration(seconds: next))"
        } else if let pause = decision.intervalSeconds {
            text += "looks every \(Amount.duration(seconds: pause))"
        } else {
            text += "next on a signal"
        }
        return text
    }

    private var savedText: String? {
        guard let savings else { return nil }
        var text = Amount.text(bytes: savings.savedBytes)
        if savings.zeroBytes > 0 {
            text +=
                " (\(Amount.text(bytes: savings.sharingBytes)) merged, \(Amount.text(bytes: savings.zeroBytes)) zero pages)"
        }
        return text
    }

    private var threadText: String? {
        guard let ksmd else { return nil }
        var parts: [String] = []
        if let percent = ksmd.ksmdCPUPercent { parts.append("\(Amount.percent(percent / 100)) of a CPU") }
        if let speed = ksmd.pagesPerSecond { parts.append("\(Int64(saturating: speed)) pages/s") }
        if let window = ksmd.windowSeconds, !parts.isEmpty {
            parts[parts.count - 1] += " in the last \(Amount.duration(seconds: window))"
        }
        if let seconds = ksmd.passSeconds { parts.append("a pass takes \(Amount.duration(seconds: seconds))") }
        if let seconds = ksmd.ksmdCPUSeconds { parts.append("\(Amount.tenths(seconds)) CPU s since boot") }
        if let scheduling = ksmd.scheduling { parts.append(scheduling) }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private var memoryText: String? {
        guard let total = memory.totalBytes else { return nil }
        var text = "\(Amount.text(bytes: total)) total"
        if let free = memory.freeBytes { text += ", \(Amount.text(bytes: free)) free" }
        if let available = memory.availableBytes { text += ", \(Amount.text(bytes: available)) available" }
        if let decision { text += ", \(Amount.text(bytes: decision.thresholdBytes)) threshold" }
        return text
    }

    /// Four to a line.
    private static func lines(_ words: [(String, String)]) -> [String] {
        stride(from: 0, to: words.count, by: 4).map { start in
            words[start..<min(start + 4, words.count)].map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        }
    }
}

extension StatusReport.Knobs {
    /// By the names of the kernel's files.
    fileprivate var words: [(String, String)] {
        let numbers: [(String, Int64?)] = [
            ("run", run), ("pages_to_scan", pagesToScan), ("sleep_millisecs", sleepMillisecs),
        ]
        let others: [(String, Int64?)] = [
            ("merge_across_nodes", mergeAcrossNodes), ("max_page_sharing", maxPageSharing),
            ("use_zero_pages", useZeroPages), ("smart_scan", smartScan),
        ]
        func text(_ values: [(String, Int64?)]) -> [(String, String)] {
            values.compactMap { value in value.1.map { (value.0, String($0)) } }
        }
        return text(numbers) + (advisorMode.map { [("advisor_mode", $0)] } ?? []) + text(others)
    }
}

extension StatusReport.Counters {
    fileprivate var words: [(String, String)] {
        let values: [(String, Int64?)] = [
            ("full_scans", fullScans), ("pages_shared", pagesShared), ("pages_sharing", pagesSharing),
            ("pages_unshared", pagesUnshared), ("pages_volatile", pagesVolatile), ("pages_scanned", pagesScanned),
            ("pages_skipped", pagesSkipped), ("ksm_zero_pages", ksmZeroPages),
            ("stable_node_chains", stableNodeChains), ("stable_node_dups", stableNodeDups),
        ]
        return values.compactMap { value in value.1.map { (value.0, String($0)) } }
    }
}

extension StatusReport.Disagreement {
    fileprivate var excuse: StateRecord.Report.Excuse? { isRefused ? .refused : isPending ? .pending : nil }
}
