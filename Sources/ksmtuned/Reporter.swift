import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// Tells what the steps do: transitions to the log, each step to the debug lines.
struct Reporter: StepObserver, ~Copyable {
    var log: Log
    private var isDebugging = false
    private var logFile: LogFile?
    /// Where it should be; `nil` where debug lines go to the log.
    private var logFilePlace: String?
    private var hasLogFileFailed = false
    /// What was told last, since a change is told and a cycle is not.
    private var told: (action: Decision.Action, reason: Decision.Reason)?
    private var lastNotice: Notice?

    init(log: Log) {
        self.log = log
    }

    // MARK: Steps

    mutating func willApply(_ decision: Decision, guests: Int) {
        if isDebugging, let pass = decision.scan?.ended { debug(DebugLines.pass(pass), nil) }
        guard isDebugging, decision.scan == nil || isNews(decision) else { return }
        openLogFile()
        for line in DebugLines.beforeWriting(decision) {
            debug(line, Journal.DecisionFields(decision: decision, guests: guests))
        }
    }

    mutating func didApply(_ decision: Decision, guests: Int) {
        let fields = Journal.DecisionFields(decision: decision, guests: guests)
        if isDebugging, decision.scan == nil || isNews(decision) { debug(DebugLines.afterWriting(decision), fields) }
        guard isNews(decision) else { return }
        let id: MessageID =
            switch decision.action {
            case .stop: .scanStopped
            case .scan: told?.action == .scan ? .scanChanged : .scanStarted
            }
        told = (decision.action, decision.reason)
        log.write(.info, id, decision.sentence, fields)
    }

    private func isNews(_ decision: Decision) -> Bool {
        told == nil || told! != (decision.action, decision.reason)
    }

    mutating func note(_ notice: Notice) {
        // A write that lasts is met at each decision, and told once.
        guard notice != .stillWriting || lastNotice != .stillWriting else { return }
        lastNotice = notice
        switch notice {
        case .failed, .noAdvisor: log.write(.warning, .failed, notice.description)
        case .recovered: log.write(.notice, .recovered, notice.description)
        case .foreignWrite: log.write(.notice, .foreignWrite, notice.description)
        case .displacedAdvisor, .restartedAdvisor: log.write(.notice, .advisorDisplaced, notice.description)
        case .stillWriting: log.write(.notice, .failed, notice.description)
        case .unmergeDoesNotFit: log.write(.warning, .unmergeRefused, notice.description)
        case .changedKnob, .unmergingFor: log.write(.notice, .knobChanged, notice.description)
        case .knobWaits: log.write(.warning, .unmergeRefused, notice.description)
        case .knobFailed, .noKnob: log.write(.warning, .failed, notice.description)
        case .source: log.write(.notice, .failed, notice.description)
        }
    }

    // MARK: Debug lines

    /// Opens the log file, again if it is open, and tells the header.
    ///
    /// - Parameter place: Where the log file is, or `nil` where debug lines go to the log.
    mutating func begin(
        _ configuration: Configuration, _ policy: ClassicPolicy, debugging: Bool, logFile place: String?
    ) {
        isDebugging = debugging
        logFile = nil
        logFilePlace = place
        hasLogFileFailed = false
        log.plainLimit = .info
        guard isDebugging else { return }
        openLogFile()
        let announced = configuration.profile == .proxmox ? configuration.guestMetric : nil
        for line in DebugLines.header(policy, announcing: announced) { debug(line, nil) }
    }

    /// Opens the log file if it should be open and is not.
    private mutating func openLogFile() {
        guard let place = logFilePlace, logFile == nil else { return }
        do throws(KernelFileError) {
            logFile = try LogFile(place)
            log.plainLimit = .notice
        } catch {
            tellLogFileFailed(error)
        }
    }

    private mutating func debug(_ line: String, _ fields: Journal.DecisionFields?) {
        do throws(KernelFileError) {
            if try logFile?.append(line) != nil {
                hasLogFileFailed = false
                return
            }
        } catch {
            tellLogFileFailed(error)
        }
        log.write(.debug, .debugLine, line, fields)
    }

    private mutating func tellLogFileFailed(_ error: KernelFileError) {
        if !hasLogFileFailed {
            log.write(.warning, .failed, "\(error), writing debug lines here until that works")
        }
        hasLogFileFailed = true
    }
}
