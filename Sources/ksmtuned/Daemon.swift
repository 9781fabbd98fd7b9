import Glibc
import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// The daemon between its start and its end.
struct Daemon<Control: KSMControl>: LoopHost, ~Copyable {
    private let paths: HostPaths
    private let files: ConfigurationFiles
    private let options: Options
    private var configuration: Configuration
    private var tuner: Tuner<Control>
    private var reporter: Reporter
    private var state: HostState
    /// Whether a daemon before this one had no orderly end, and left what it had found.
    private let isStateInherited: Bool
    private var isConfigurationRefused = false
    private var stateFile: PublishedFile
    private var recorder: Recorder
    private var hasStateFailed = false
    private var isDecisionDue = false
    /// Up to the second one.
    private var decisions = 0
    /// What the last decision said of the time until the next one.
    private var policyPause: Duration?
    private var lastTold: (action: Decision.Action, reason: Decision.Reason, at: Instant)?
    private var isEnding = false
    /// Whether a service manager listens.
    private let isManaged = Notifier.isManaged
    private var status: [UInt8] = []

    init(
        _ paths: HostPaths, _ files: ConfigurationFiles, _ options: Options, _ configuration: Configuration,
        tuner: consuming Tuner<Control>, reporter: consuming Reporter, state: HostState, isStateInherited: Bool
    ) {
        self.paths = paths
        self.files = files
        self.options = options
        self.configuration = configuration
        self.tuner = tuner
        self.reporter = reporter
        self.state = state
        stateFile = PublishedFile(paths.state)
        recorder = Recorder(paths)
        self.isStateInherited = isStateInherited
    }

    private var interval: Duration { configuration.monitorInterval }

    var pause: Duration { policyPause ?? interval }

    var retunesOnGuests: Bool { configuration.retuneOnGuests }

    var pressure: PressureThreshold? { configuration.pressure }

    /// Half of what the manager allows, as sd_watchdog_enabled(3) advises.
    let watchdogPeriod = (Notifier.watchdog ?? .endless) / 2

    var pendingWrite: ChildWrite? { tuner.pending }

    // MARK: Events

    /// The first look at the host, and the first decision if it is due at once.
    mutating func start() {
        beginDebugLines()
        if tuner.control.takesEffect { recorder.open(reporter.log) }
        applyKnobs()
        if configuration.firstDecision == .start || options.isOnce {
            decide()
        } else {
            tuner.look(&reporter)
        }
        Notifier.notify("READY=1")
        guard !options.isOnce else { return }
        reporter.log.write(
            .info, .started,
            "ready: \(tuner.policy.threshold) threshold of \(tuner.policy.total), deciding "
                + (interval == .endless ? "on signals only" : "every \(Interval.text(interval))"))
    }

    mutating func decide() {
        defer { countDecision() }
        isDecisionDue = tuner.pending != nil
        let now = Waiter.now
        guard let (decision, guests) = tuner.step(at: now, &reporter) else {
            if policyPause != nil { policyPause = .seconds(1) }
            return
        }
        policyPause = decision.pause
        if recorder.isDue(decision, at: now) {
            let record = tuner.historyRecord(decision, guests: guests, time: Self.time)
            recorder.append(record, at: now, reporter.log)
        }
        guard isWorthTelling(decision, at: now) else { return }
        let saved = tuner.saved
        writeState(decision, guests, saved)
        tellStatus(decision, guests, saved)
    }

    /// The start ends with the second decision: the first one finds everything new, the second one what is known, and
    /// each runs code that does not run again.
    private mutating func countDecision() {
        guard decisions < 2 else { return }
        decisions += 1
        if decisions == 2 { ProcessMemory.releaseStartup() }
    }

    /// A step of the adaptive policy is told if it is another than before, or after a while.
    private mutating func isWorthTelling(_ decision: Decision, at now: Instant) -> Bool {
        if decision.pause != nil, let told = lastTold, told.action == decision.action, told.reason == decision.reason,
            now - told.at < (decision.action == .scan ? .seconds(2) : .seconds(10))
        {
            return false
        }
        lastTold = (decision.action, decision.reason, now)
        return true
    }

    mutating func request() { tuner.request() }

    mutating func memoryIsShort() { tuner.memoryIsShort() }

    mutating func reload() {
        Notifier.notify("RELOADING=1\nMONOTONIC_USEC=\(Waiter.now.nanoseconds / 1000)")
        defer { Notifier.notify("READY=1") }
        let total = (try? MemoryReader(paths).total()) ?? tuner.policy.total
        let loaded = files.load(total: total)
        for diagnostic in loaded.diagnostics { reporter.log.tell(diagnostic) }
        isConfigurationRefused = !loaded.isUsable
        if loaded.isUsable, adopt(loaded.configuration, total: total) {
            reporter.log.write(.info, .configurationLoaded, "configuration reloaded")
            if tuner.control.takesEffect { recorder.open(reporter.log) }
            applyKnobs()
        } else {
            reporter.log.write(.error, .configurationRefused, "configuration refused, keeping the previous one")
        }
        beginDebugLines()
    }

    private mutating func adopt(_ configuration: Configuration, total: KiB) -> Bool {
        guard let policy = try? ClassicPolicy(configuration, total: total) else { return false }
        do throws(KernelFileError) {
            try tuner.adopt(configuration, policy)
        } catch {
            reporter.note(.failed(.guests, error))
            return false
        }
        if configuration.pidFile != self.configuration.pidFile {
            reporter.log.write(
                .notice, .configurationProblem, "PIDFILE=\(configuration.pidFile) takes effect at the next start")
        }
        self.configuration = configuration
        return true
    }

    mutating func finishWrite() -> Bool {
        tuner.finishPending(&reporter)
        return isDecisionDue || tuner.isCleared
    }

    private mutating func applyKnobs() {
        // First to the state file, so that a crash between the two loses nothing.
        if tuner.rememberKnobs() {
            state.foundKnobs = tuner.foundKnobs
            publish(state.text())
        }
        tuner.applyKnobs(&reporter)
    }

    mutating func machinesChanged(_ events: MachineEvents) {
        tuner.machinesChanged(events)
    }

    mutating func note(_ notice: SourceNotice) {
        reporter.note(.source(notice))
    }

    mutating func signOfLife() {
        // At the end a slow write may outlast the manager's patience, unless it hears that it goes on.
        Notifier.notify(isEnding ? "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=10000000" : "WATCHDOG=1")
    }

    // MARK: The end

    /// Does what `KSM_ON_EXIT=` says; after a single decision it leaves what was decided.
    mutating func end(_ loop: inout Loop<Waiter>) {
        isEnding = true
        Notifier.notify("STOPPING=1\nSTATUS=ending, KSM_ON_EXIT=\(configuration.onExit.word)")
        finishWrites(&loop)
        if !options.isOnce {
            tuner.putBackKnobs(&reporter)
            finishWrites(&loop)
        }
        // KSM rests after a knob was changed, which the ways to end that write nothing to run would leave it at.
        if tuner.isCleared, options.isOnce || configuration.onExit == .keep {
            decide()
            finishWrites(&loop)
        }
        if !options.isOnce, let run = tuner.leave(found: state.found, &reporter) {
            writeRun(run, &loop)
        }
        // What was found before a crash is kept until a daemon has put it back, or left it on purpose.
        let mustKeepState = options.isOnce && isStateInherited
        if tuner.control.takesEffect && !mustKeepState { stateFile.remove() }
        guard !options.isOnce else { return }
        reporter.log.write(.info, .ended, "ended, KSM_ON_EXIT=\(configuration.onExit.word)")
    }

    /// A change of a knob can take one write after the other.
    private mutating func finishWrites(_ loop: inout Loop<Waiter>) {
        while let write = tuner.pending {
            guard loop.runToEnd(of: write, &self) else {
                reporter.log.write(
                    .warning, .failed, "told to end again, not waiting for the kernel's answer to the last write")
                return
            }
            _ = finishWrite()
        }
    }

    /// The last write, in a child: it may wait for ksmd, and one that unmerges is in danger of its life.
    private mutating func writeRun(_ run: Int64, _ loop: inout Loop<Waiter>) {
        do throws(KernelFileError) {
            guard let write = try tuner.control.beginWriting(run: run) else { return }
            guard loop.runToEnd(of: write, &self) else {
                reporter.log.write(
                    .warning, .failed, "told to end again, not waiting for the kernel to take run=\(run)")
                return
            }
            try write.finish()
        } catch {
            reporter.log.write(.error, .failed, "\(error), leaving KSM as it is")
        }
    }

    // MARK: Telling

    private mutating func beginDebugLines() {
        // A dry run writes nothing, so its debug lines go where its other messages go.
        let place = options.isDryRun ? nil : configuration.logFile.map(paths.place)
        reporter.begin(
            configuration, tuner.policy, debugging: configuration.isDebugging || options.isDebugging, logFile: place)
    }

    /// `STATUS=`, if it is another than before.
    private mutating func tellStatus(_ decision: Decision, _ guests: Int, _ saved: KiB?) {
        guard isManaged else { return }
        var text = TextBuffer(capacity: 256)
        text.append("STATUS=")
        if isConfigurationRefused { text.append("configuration refused, going on with the previous one; ") }
        decision.appendSentence(to: &text)
        text.append("; ")
        text.append(Int64(guests))
        text.append(guests == 1 ? " guest" : " guests")
        if let saved {
            text.append(", ")
            text.append(saved)
            text.append(" saved")
        }
        guard text.bytes != status else { return }
        status = text.bytes
        Notifier.notify(text.string)
    }

    private mutating func writeState(_ decision: Decision, _ guests: Int, _ saved: KiB?) {
        guard tuner.control.takesEffect else { return }
        state.foundKnobs = tuner.foundKnobs
        let text = state.text(
            decision, guests: guests, saved: saved, time: Self.time,
            interval: decision.pause ?? configuration.monitorInterval)
        publish(text)
    }

    private static var time: WallTime {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    private mutating func publish(_ text: [UInt8]) {
        do throws(KernelFileError) {
            try stateFile.publish(text.span)
            hasStateFailed = false
        } catch {
            if !hasStateFailed {
                reporter.log.write(
                    .warning, .failed, "\(error), so other programs cannot see the decisions until that works")
            }
            hasStateFailed = true
        }
    }
}

extension Log {
    func tell(_ diagnostic: Diagnostic) {
        write(diagnostic.severity == .error ? .error : .warning, .configurationProblem, diagnostic.description)
    }
}
