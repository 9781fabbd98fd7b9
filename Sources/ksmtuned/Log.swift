import HostKernel
import KSMPolicy
import Systemd

/// Where messages go: to the journal with fields if standard error is connected to it, else to standard error.
struct Log {
    private let isJournal: Bool
    private let losses = Losses()

    init() {
        isJournal = Journal.isStandardError()
    }

    private final class Losses {
        var isAny = false
    }

    /// Whether a message could be written nowhere.
    var hasLost: Bool { losses.isAny }

    /// - Parameter message: A line. What a file, a process or an argument had in it that would be acted on is shown as `?`.
    func write(_ priority: Priority, _ id: MessageID, _ message: String, _ decision: Journal.DecisionFields? = nil) {
        let message = message.printable
        guard isJournal else {
            return writePlain(message)
        }
        var fields = [
            Journal.Field("MESSAGE", message),
            Journal.Field("PRIORITY", String(priority.rawValue)),
            Journal.Field("SYSLOG_IDENTIFIER", "ksmtuned"),
            Journal.Field("MESSAGE_ID", id.rawValue),
        ]
        if let decision { fields += decision.fields }
        if !Journal.send(fields) { writePlain(message) }
    }

    func write(_ diagnostic: Diagnostic) {
        write(diagnostic.severity == .error ? .error : .warning, .configurationProblem, diagnostic.description)
    }

    /// A line on standard error. One that cannot be written is lost: there is no other place for it, and a reader that has
    /// stopped reading must not stop the daemon.
    private func writePlain(_ message: String) {
        do throws(KernelFileError) {
            try StandardStream.error.writeAtOnce("ksmtuned: \(message)")
        } catch {
            losses.isAny = true
        }
    }
}

extension Journal {
    /// A decision as the fields of a journal entry.
    struct DecisionFields {
        var decision: Decision
        var guests: Int

        var fields: [Field] {
            [
                Field("KSM_ACTION", decision.action.word),
                Field("KSM_REASON", decision.reason.word),
                Field("KSM_PAGES_TO_SCAN", String(decision.pagesToScan)),
                Field("KSM_SLEEP_MILLISECS", String(decision.sleepMilliseconds)),
                Field("KSM_FREE_KIB", String(decision.memory.free.count)),
                Field("KSM_COMMITTED_KIB", String(decision.memory.committed.count)),
                Field("KSM_THRESHOLD_KIB", String(decision.threshold.count)),
                Field("KSM_TOTAL_KIB", String(decision.total.count)),
                Field("KSM_GUESTS", String(guests)),
            ]
        }
    }
}
