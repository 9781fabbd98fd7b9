import Glibc
import HostKernel
import KSMPolicy
import Systemd

/// Keeps the history: each decision, of the policies that look often what is news in them.
struct Recorder: ~Copyable {
    private let path: String
    private var writer: HistoryWriter?
    private var recorded = DecisionNews()
    private var hasFailed = false

    init(_ paths: HostPaths) {
        path = paths.history
    }

    /// Opens the ring. What is no ring stays, under another name, with one message.
    mutating func open(_ log: Log) {
        guard writer == nil else { return }
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
    func isDue(_ decision: Decision, at now: Instant) -> Bool {
        writer != nil && recorded.isDue(decision, at: now, decision.policy.traits.recorded)
    }

    mutating func append(_ record: HistoryRecord, of decision: Decision, at now: Instant, _ log: Log) {
        recorded.hear(decision, at: now)
        do throws(KernelFileError) {
            try writer?.append(record)
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
