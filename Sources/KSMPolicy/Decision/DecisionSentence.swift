extension Decision {
    /// The decision and its reason as one sentence without a full stop, for people.
    ///
    /// It states the comparison that was made with the numbers that were compared, so that it can be checked.
    package var sentence: String {
        var text = TextBuffer(capacity: 192)
        appendSentence(to: &text)
        return text.string
    }

    /// ``sentence``, behind what `text` holds already.
    package func appendSentence(to text: inout TextBuffer) {
        if let scan, reason != .plenty {
            appendAdaptiveSentence(scan, to: &text)
        } else {
            appendClassicSentence(to: &text)
        }
    }

    private func appendClassicSentence(to text: inout TextBuffer) {
        guard action == .scan else {
            text.append("not scanning: ")
            appendCommitted(to: &text, comparison: " < ")
            text.append(", and ")
            text.append(memory.free)
            text.append(" free > threshold")
            return
        }
        appendPace(to: &text)
        if reason == .shortage {
            text.append(memory.free)
            text.append(" free < ")
            text.append(threshold)
            text.append(" threshold")
        } else if committedWithThreshold < total {
            text.append("free is exactly the ")
            text.append(threshold)
            text.append(" threshold")
        } else {
            appendCommitted(to: &text, comparison: " >= ")
            text.append(", but ")
            text.append(memory.free)
            text.append(" free is not below the threshold")
        }
    }

    /// `2.0 GiB committed + 4.7 GiB threshold < 23.5 GiB total`
    private func appendCommitted(to text: inout TextBuffer, comparison: StaticString) {
        text.append(memory.committed)
        text.append(" committed + ")
        text.append(threshold)
        text.append(" threshold")
        text.append(comparison)
        text.append(total)
        text.append(" total")
    }

    private func appendPace(to text: inout TextBuffer) {
        if let advisor {
            text.append("scanning at the pace of the kernel advisor, a pass in ")
            text.append(advisor.scanTime.components.seconds)
            text.append(" s, at most ")
            text.append(advisor.cpuMaximumPercent)
            text.append(" % of a CPU: ")
            return
        }
        text.append("scanning ")
        text.append(pagesToScan)
        text.append(" pages every ")
        text.append(sleepMilliseconds)
        text.append(" ms: ")
    }

    private func appendAdaptiveSentence(_ scan: ScanReport, to text: inout TextBuffer) {
        switch reason.wording {
        case .act(let words) where action == .stop || reason == .nothingOffered: text.append(words)
        case .pace(let why) where action == .scan:
            appendPass(scan, to: &text)
            text.append(why)
        case .act, .comparison: appendPass(scan, to: &text)
        case .pace: text.append("not scanning: ")
        }
        text.append(scan.unscanned)
        text.append(" new to KSM, ")
        text.append(scan.changed)
        text.append(" changed in the last pass")
    }

    private func appendPass(_ scan: ScanReport, to text: inout TextBuffer) {
        appendPace(to: &text)
        text.append("pass ")
        text.append(Int64(scan.pass))
        text.append(", ")
    }
}
