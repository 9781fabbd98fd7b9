import HostKernel
import KSMPolicy
import Systemd

/// Shows other programs what the daemon does: the state file, and the service manager's status line.
struct Publisher: ~Copyable {
    private(set) var state: StateRecord
    private var file: PublishedFile
    private let folder: String
    private var hasFailed = false
    /// Whether the state file is written; a dry run writes none.
    private let isWriting: Bool
    private var published = DecisionNews()
    private let isManaged = Notifier.isManaged
    private var status: [UInt8] = []

    init(_ paths: HostPaths, _ state: StateRecord, isWriting: Bool) {
        self.state = state
        self.isWriting = isWriting
        folder = paths.runtime
        file = PublishedFile(paths.state)
    }

    /// Whether this decision is to be published: of a policy that looks often only what is news.
    func isDue(_ decision: Decision, at now: Instant) -> Bool {
        published.isDue(decision, at: now, decision.policy.traits.reported)
    }

    /// Publishes the next decision in any case.
    mutating func expectNews() { published = DecisionNews() }

    /// Publishes a decision.
    ///
    /// - Parameter remark: What stands before it in the status line.
    mutating func publish(
        _ report: StateRecord.Report, _ tally: Tally, foundKnobs: KnobSettings, ksmd: SchedulingChange?,
        at now: Instant,
        remark: String, _ log: Log
    ) {
        published.hear(report.decision, at: now)
        state.report = report
        state.firstDue = nil
        state.tally = tally
        publish(found: state.found, foundKnobs: foundKnobs, ksmd: ksmd, log)
        notify(report, remark)
    }

    /// What became of a write that the kernel had not finished when the decision was published; to be published with
    /// what was found.
    mutating func settle(refused: [String], _ tally: Tally) {
        state.report?.refused = refused
        state.report?.isPending = false
        state.tally = tally
    }

    /// What is published until there is a decision says when the first one is due.
    ///
    /// - Parameter pause: The time until then; without end where it comes on a signal only.
    mutating func expectFirst(in pause: Duration) {
        guard state.report == nil else { return }
        state.firstDue = pause == .endless ? nil : HostClock.uptime + pause
    }

    /// Publishes what the changed knobs and ksmd's scheduling were before.
    mutating func publish(found: KnobValues, foundKnobs: KnobSettings, ksmd: SchedulingChange?, _ log: Log) {
        state.found = found
        state.foundKnobs = foundKnobs
        state.ksmd = ksmd
        guard isWriting else { return }
        do throws(KernelFileError) {
            try write()
            if hasFailed { log.write(.notice, .recovered, "other programs can see the decisions again") }
            hasFailed = false
        } catch {
            if !hasFailed {
                log.write(.warning, .failed, "\(error), so other programs cannot see the decisions until that works")
            }
            hasFailed = true
        }
    }

    /// Publishes what is still to be put back, when all else is, for the next daemon.
    mutating func publishEnded(
        found: KnobValues, foundKnobs: KnobSettings, ksmd: SchedulingChange?, _ log: Log
    ) {
        state.isEnded = true
        publish(found: found, foundKnobs: foundKnobs, ksmd: ksmd, log)
    }

    /// Each decision that is published tries again, and where the folder is missing, that is created.
    private mutating func write() throws(KernelFileError) {
        let text = state.text
        do throws(KernelFileError) {
            try file.publish(text.span)
        } catch {
            guard error.isMissing else { throw error }
            try createFolder(after: error)
            try file.publish(text.span)
        }
    }

    private func createFolder(after failure: KernelFileError) throws(KernelFileError) {
        do throws(KernelFileError) {
            try HostFile.createFolder(folder)
        } catch {
            // That a folder is missing says less than why it cannot be made.
            throw error.isMissing ? failure : error
        }
    }

    /// Ends the publication.
    ///
    /// - Parameter isKept: Whether the state stays for the next daemon. It goes at an orderly end.
    borrowing func end(isKept: Bool) {
        guard isWriting else { return }
        if isKept { file.removeHidden() } else { file.remove() }
    }

    /// `STATUS=`, if it is another than before.
    private mutating func notify(_ report: StateRecord.Report, _ remark: String) {
        guard isManaged else { return }
        var text = TextBuffer(capacity: 256)
        text.append("STATUS=")
        text.append(remark)
        text.append(report.sentence)
        text.append("; ")
        text.append(report.guests)
        text.append(report.guests == 1 ? " guest" : " guests")
        if let saved = report.saved {
            text.append(", ")
            text.append(saved)
            text.append(" saved")
        }
        guard text.bytes != status else { return }
        status = text.bytes
        Notifier.notify(text.string.printable)
    }
}
