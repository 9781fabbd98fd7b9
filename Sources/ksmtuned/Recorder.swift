import Glibc
import HostKernel
import KSMPolicy
import Systemd

/// Keeps the history: what is told of the adaptive policy's steps, and each decision of the others.
struct Recorder: ~Copyable {
    private let path: String
    private var writer: HistoryWriter?
    private var last: (action: Decision.Action, reason: Decision.Reason, at: Instant)?
    private var hasFailed = false

    /// While ksmd scans by the adaptive policy, a record comes this often; otherwise once a minute.
    private static var scanningPause: Duration { .seconds(10) }
    private static var restingPause: Duration { .seconds(60) }

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
            tell(error, log)
        }
    }

    /// Whether this decision is another than the last one recorded, or that was long ago.
    func isDue(_ decision: Decision, at now: Instant) -> Bool {
        guard writer != nil else { return false }
        guard decision.pause != nil, let last, last.action == decision.action, last.reason == decision.reason else {
            return true
        }
        return now - last.at >= (decision.action == .scan ? Self.scanningPause : Self.restingPause)
    }

    mutating func append(_ record: HistoryRecord, at now: Instant, _ log: Log) {
        last = (record.action, record.reason, now)
        do throws(KernelFileError) {
            try writer?.append(record)
            hasFailed = false
        } catch {
            tell(error, log)
        }
    }

    private mutating func tell(_ error: KernelFileError, _ log: Log) {
        if !hasFailed { log.write(.warning, .failed, "\(error), so there is no history until that works") }
        hasFailed = true
    }
}
