import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// Reports what the steps do: transitions to the log, each step to the debug lines.
struct Reporter: StepObserver, ~Copyable {
    let log: Log
    private var isDebugging = false
    private var debugLog: DebugLog
    /// What was logged last, since a change is logged and a cycle is not.
    private var logged = DecisionNews()
    /// Whether it was told that a write lasts: it is met at each decision.
    private var hasToldOfWriting = false
    private var flood = Flood()
    var metricSilence = MetricSilence()
    /// Whether the daemon ends, so that there is no next decision.
    var isEnding = false

    init(_ paths: HostPaths, log: Log) {
        self.log = log
        debugLog = DebugLog(paths)
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
        tellLeftOut()
        // What could not be put back nobody says later.
        guard isEnding || passesFlood(notice) else { return }
        write(notice)
        if case .memoryChanged(_, let policy) = notice, isDebugging {
            for line in DebugLines.header(policy, announcing: nil) { debugLog.write(line, nil, log) }
        }
    }

    private func write(_ notice: Notice) {
        if isEnding, case .failed(.knobs, let error) = notice {
            log.write(.warning, .failed, Notice.notPutBack(error).description)
        } else {
            log.write(notice.priority, notice.messageID, notice.description)
        }
    }

    /// - Returns: Whether there were few enough messages for one more.
    private mutating func passesFlood(_ notice: Notice) -> Bool {
        let verdict = flood.hear(notice, at: Waiter.now)
        if verdict == .last {
            log.write(
                .warning, .failed, "more than \(Flood.most) messages in a minute, leaving out the rest of this minute's"
            )
        }
        return verdict == .pass
    }

    /// Says what was left out for want of room in a minute that is over. Asked at each decision, since no other message may
    /// come.
    mutating func tellLeftOut() {
        guard let leftOut = flood.takeLeftOut(at: Waiter.now, isEnding: isEnding) else { return }
        let number = leftOut.count == 1 ? "1 message was" : "\(leftOut.count) messages were"
        log.write(.notice, .failed, "\(number) left out, of each subject the last:")
        for notice in leftOut.last { write(notice) }
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

extension Notice {
    /// What kind of message it is.
    var messageID: MessageID {
        switch self {
        case .source(.machineEventsAgain), .source(.pressureAgain), .recovered, .knobRecovered, .ksmdScheduled:
            .recovered
        case .failed, .noAdvisor, .stillWriting, .notPutBack, .notKnownToRestore, .leftStopped, .knobFailed,
            .knobNotCleared, .knobNotPutBack, .noKnob, .ksmdNotScheduled, .ksmdNotPutBack, .source:
            .failed
        case .foreignWrite, .foreignScheduling, .leftUnmerged: .foreignWrite
        case .displacedAdvisor, .restartedAdvisor: .advisorDisplaced
        case .memoryChanged: .memoryChanged
        case .unmergeDoesNotFit, .knobWaits, .knobKept: .unmergeRefused
        case .changedKnob, .unmergingFor, .ksmdStarved: .knobChanged
        }
    }

    fileprivate var priority: Priority {
        switch self {
        case .failed, .noAdvisor, .unmergeDoesNotFit, .knobWaits, .knobKept, .knobFailed, .knobNotCleared, .noKnob,
            .ksmdNotScheduled:
            .warning
        case .notPutBack, .notKnownToRestore, .leftStopped, .knobNotPutBack, .ksmdNotPutBack: .error
        case .recovered, .knobRecovered, .ksmdScheduled, .foreignWrite, .foreignScheduling, .leftUnmerged,
            .displacedAdvisor, .restartedAdvisor, .memoryChanged, .stillWriting, .changedKnob, .unmergingFor,
            .ksmdStarved, .source:
            .notice
        }
    }
}
