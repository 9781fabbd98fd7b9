import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// Reports what the steps do: transitions to the log, each step to the debug lines.
struct Reporter: StepObserver, ~Copyable {
    let log: Log
    private var isDebugging = false
    private var debugLog = DebugLog()
    /// What was logged last, since a change is logged and a cycle is not.
    private var logged = DecisionNews()
    /// Whether it was told that a write lasts: it is met at each decision.
    private var hasToldOfWriting = false
    private var flood = Flood()
    var metricSilence = MetricSilence()
    /// Whether the daemon ends, so that there is no next decision.
    var isEnding = false

    init(log: Log) {
        self.log = log
    }

    // MARK: Steps

    mutating func willApply(_ decision: Decision, guests: Int) {
        if isDebugging, let pass = decision.scan?.ended { debugLog.write(DebugLines.pass(pass), nil, log) }
        guard isDebugging, decision.scan == nil || logged.isChange(decision) else { return }
        debugLog.open(log)
        for line in DebugLines.beforeWriting(decision) {
            debugLog.write(line, Journal.DecisionFields(decision: decision, guests: guests), log)
        }
    }

    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {
        hasToldOfWriting = false
        let fields = Journal.DecisionFields(decision: decision, guests: guests)
        if isDebugging, decision.scan == nil || logged.isChange(decision) {
            debugLog.write(DebugLines.afterWriting(decision), fields, log)
        }
        // A decision that the kernel did not take is said when it has: until then KSM does something else.
        guard logged.isChange(decision), !isRefused else { return }
        let id: MessageID =
            switch decision.action {
            case .stop: .scanStopped
            case .scan: logged.action == .scan ? .scanChanged : .scanStarted
            }
        logged.hear(decision)
        log.write(.info, id, decision.sentence, fields)
    }

    mutating func report(_ notice: Notice) {
        if notice == .stillWriting {
            guard !hasToldOfWriting else { return }
            hasToldOfWriting = true
        }
        guard !metricSilence.covers(notice) else { return }
        // What could not be put back nobody says later.
        guard isEnding || passesFlood() else { return }
        switch notice {
        case .failed(.knobs, let error) where isEnding:
            log.write(.warning, .failed, Notice.notPutBack(error).description)
        case .failed, .noAdvisor: log.write(.warning, .failed, notice.description)
        case .recovered, .knobRecovered, .ksmdScheduled: log.write(.notice, .recovered, notice.description)
        case .foreignWrite, .foreignScheduling: log.write(.notice, .foreignWrite, notice.description)
        case .displacedAdvisor, .restartedAdvisor: log.write(.notice, .advisorDisplaced, notice.description)
        case .memoryChanged(_, let policy):
            log.write(.notice, .memoryChanged, notice.description)
            if isDebugging {
                for line in DebugLines.header(policy, announcing: nil) { debugLog.write(line, nil, log) }
            }
        case .leftUnmerged: log.write(.notice, .foreignWrite, notice.description)
        case .stillWriting: log.write(.notice, .failed, notice.description)
        case .unmergeDoesNotFit: log.write(.warning, .unmergeRefused, notice.description)
        case .changedKnob, .unmergingFor: log.write(.notice, .knobChanged, notice.description)
        case .knobWaits, .knobKept: log.write(.warning, .unmergeRefused, notice.description)
        case .notPutBack, .notKnownToRestore, .leftStopped, .knobNotPutBack, .ksmdNotPutBack:
            log.write(.error, .failed, notice.description)
        case .knobFailed, .knobNotCleared, .noKnob, .ksmdNotScheduled: log.write(.warning, .failed, notice.description)
        case .ksmdStarved: log.write(.notice, .knobChanged, notice.description)
        case .source: log.write(.notice, .failed, notice.description)
        }
    }

    /// - Returns: Whether there were few enough messages for one more.
    private mutating func passesFlood() -> Bool {
        let (verdict, leftOut) = flood.hear(at: Waiter.now)
        if leftOut > 0 { log.write(.notice, .failed, "\(leftOut) messages were left out") }
        if verdict == .last {
            log.write(
                .warning, .failed, "more than \(Flood.most) messages in a minute, leaving out the rest of this minute's"
            )
        }
        return verdict == .pass
    }

    /// Begins the debug lines with their header, if there are to be any.
    ///
    /// - Parameter place: Where the log file is, or `nil` where debug lines go to the log.
    mutating func begin(
        _ configuration: Configuration, _ policy: ClassicPolicy, debugging: Bool, logFile place: String?
    ) {
        isDebugging = debugging
        debugLog.begin(debugging ? place : nil, log)
        guard isDebugging else { return }
        let announced = configuration.profile == .proxmox ? configuration.guestMetric : nil
        for line in DebugLines.header(policy, announcing: announced) { debugLog.write(line, nil, log) }
    }
}
