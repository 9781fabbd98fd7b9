import HostKernel
import KSMPolicy
import Systemd

/// Keeps the history: each decision, of the policies that look often what is news in them.
///
/// Where there is none, since it could not be opened or somebody removed it, it is opened again within a minute.
struct Recorder: ~Copyable {
    private let path: String
    private var writer: HistoryWriter?
    private var recorded = DecisionNews()
    private var hasFailed = false
    /// Whether a history is to be kept: not before the start, and not in a dry run.
    private var isWanted = false
    private var opening = Retry()
    private var looking = Retry()

    init(_ paths: HostPaths) {
        path = paths.history
    }

    /// Opens the ring. What is no ring stays, under another name, with one message.
    mutating func open(at now: Instant, _ log: Log) {
        isWanted = true
        opening.reset()
        openIfDue(at: now, log)
    }

    private mutating func openIfDue(at now: Instant, _ log: Log) {
        guard isWanted, writer == nil, opening.isDue(at: now) else { return }
        do throws(KernelFileError) {
            writer = try HistoryWriter(path) { other in
                log.write(
                    .warning, .failed,
                    "\(path) is damaged or of another version, keeping it as \(other) and beginning a new one")
            }
        } catch {
            report(error, log)
        }
    }

    /// Whether this decision is another than the last one recorded, or that was long ago.
    mutating func isDue(_ decision: Decision, at now: Instant, _ log: Log) -> Bool {
        guard recorded.isDue(decision, at: now, decision.policy.traits.recorded) else { return false }
        if writer != nil, looking.isDue(at: now) { look(log) }
        openIfDue(at: now, log)
        return writer != nil
    }

    /// Looks what became of the file since.
    private mutating func look(_ log: Log) {
        do throws(KernelFileError) {
            switch try writer?.mend() {
            case .replaced:
                writer = nil
                opening.reset()
                log.write(
                    .notice, .failed,
                    "\(path) was removed or replaced, so the history goes on in the file of that name")
            case .emptied: log.write(.notice, .failed, "\(path) was emptied, and the history goes on in it")
            case .overwritten:
                // It is set aside, and another begun.
                writer = nil
                opening.reset()
            case .some(.none), nil: break
            }
        } catch {
            report(error, log)
        }
    }

    mutating func append(_ record: HistoryRecord, of decision: Decision, at now: Instant, _ log: Log) {
        recorded.hear(decision, at: now)
        do throws(KernelFileError) {
            try writer?.append(record)
            if hasFailed { log.write(.notice, .recovered, "the history can be written again") }
            hasFailed = false
        } catch {
            report(error, log)
        }
    }

    private mutating func report(_ error: KernelFileError, _ log: Log) {
        if !hasFailed { log.write(.warning, .failed, "\(error), so there is no history until that works") }
        hasFailed = true
    }
}
