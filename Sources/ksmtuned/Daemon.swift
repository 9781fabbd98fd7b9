import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// The daemon between its start and its end.
struct Daemon<Control: KSMControl>: LoopHost, ~Copyable {
    private let paths: HostPaths
    private let files: ConfigurationFiles
    let options: Options
    private(set) var configuration: Configuration
    /// `nil` in a dry run, which keeps no other daemon away.
    private let lock: DaemonLock?
    private var lockFailures = FailureNews()
    private var isLockTaken = false
    var tuner: Tuner<Control>
    var reporter: Reporter
    var publisher: Publisher
    private var recorder: Recorder
    /// What the knobs held before this daemon, or one before it that had no orderly end, wrote to them.
    private(set) var found: FoundKnobs
    /// The state in which a daemon before this one left what it had not put back, without anything where that could not be
    /// read; `nil` where there was none.
    let inherited: StateRecord?
    private let boot: UInt64
    private var isConfigurationRefused = false
    private var isDecisionDue = false
    /// Up to the second one.
    private var decisions = 0
    /// Whether the last step came to a decision.
    private var hasDecided = false
    /// What the last decision said of the time until the next one.
    private var policyPause: Duration?
    var isEnding = false
    private var patience = LastWritePatience()
    /// Whether the service manager did not take the message that the daemon is ready.
    private var isReadinessUnheard = false
    private var isSignUnheard = false

    init(
        _ paths: HostPaths, _ files: ConfigurationFiles, _ options: Options, _ configuration: Configuration,
        lock: DaemonLock?, tuner: consuming Tuner<Control>, reporter: consuming Reporter, state: StateRecord,
        found: FoundKnobs, inherited: StateRecord?
    ) {
        self.paths = paths
        self.files = files
        self.options = options
        self.configuration = configuration
        self.lock = lock
        self.found = found
        boot = HostClock.boot(paths)
        publisher = Publisher(paths, state, isWriting: tuner.control.takesEffect)
        recorder = Recorder(paths)
        self.tuner = tuner
        self.reporter = reporter
        self.inherited = inherited
    }

    /// Whether `run` is as it was to be left, as far as is known.
    var isRunLeft = true
    /// Whether a decision was made, and the kernel took all that was written.
    var hasWorked: Bool { hasDecided && tuner.tally.failedWrites == 0 && isRunLeft }

    private var interval: Duration { configuration.monitorInterval }

    var pause: Duration { policyPause ?? interval }

    var retunesOnGuests: Bool { configuration.retuneOnGuests }

    var pressure: PressureThreshold? { configuration.pressure }

    /// Half of what the manager allows, as sd_watchdog_enabled(3) advises. Nobody means less than some milliseconds.
    private let watchdog = max((Notifier.watchdog ?? .endless) / 2, .milliseconds(5))

    /// What the manager did not take is sent again soon.
    var watchdogPeriod: Duration { isReadinessUnheard || isSignUnheard ? min(watchdog, .seconds(1)) : watchdog }

    var pendingWrite: ChildWrite? { tuner.pending }

    // MARK: Decisions

    /// After this a policy that looks as often as it needs tries again where it could not decide.
    private static var retryPause: Duration { .seconds(1) }

    /// The first look at the host, and the first decision if it is due at once.
    mutating func start() {
        // The start has said which.
        reporter.metricSilence.isMissingKnown = !MetricCapability.missing(for: configuration, paths).isEmpty
        beginDebugLines()
        if tuner.control.takesEffect { recorder.open(at: Waiter.now, reporter.log) }
        applyKnobs()
        expectFirst()
        if isFirstAtStart {
            decide()
        } else {
            tuner.look(&reporter)
            // Who asks meanwhile finds this daemon, without a decision, and not what one before it had decided.
            lookForFound()
            publishFound()
        }
        tellReady()
        guard !options.isOnce else { return }
        let policy = tuner.policy.classic
        reporter.log.write(
            .info, .started, "ready: \(policy.threshold) threshold of \(policy.total), deciding \(pace)")
    }

    private var isFirstAtStart: Bool { configuration.firstDecision == .start || options.isOnce }

    /// As late as a later one may be, since a look at many guests takes long; and nobody knows when the kernel is through
    /// with a write that unmerges.
    private mutating func expectFirst() {
        let hasInterval = interval < .seconds(365 * 86400)
        guard tuner.pending == nil, isFirstAtStart || hasInterval else { return publisher.expectFirst(in: .endless) }
        let lateness = (hasInterval ? interval : .seconds(60)) * 2
        publisher.expectFirst(in: (isFirstAtStart ? .zero : interval) + lateness)
    }

    /// When it decides if nothing happens.
    private var pace: String {
        let kind = tuner.policy.kind
        // Where the kernel has no advisor, the classic rule decides in its place, once an interval.
        let isOwn = hasDecided ? policyPause != nil : kind.traits.isPacedByItself
        guard isOwn else { return interval == .endless ? "on signals only" : "every \(Interval.text(interval))" }
        let own = "at the pace of KSM_POLICY=\(kind.word)"
        guard decisions == 0 else { return own }
        return (interval == .endless ? "first on a signal" : "first after \(Interval.text(interval))") + ", then \(own)"
    }

    mutating func decide() {
        defer { countDecision() }
        reporter.tellLeftOut()
        isDecisionDue = tuner.pending != nil
        let now = Waiter.now
        lookForFound()
        // Before anything is written, so that a crash loses nothing of what was found.
        if decisions == 0 { publishFound() }
        hasDecided = false
        let failedBefore = tuner.tally.failedWrites
        guard let (decision, guests) = tuner.decide(at: now, &reporter) else {
            // Its own pace comes with a decision, and there is none.
            policyPause = tuner.policy.kind.traits.isPacedByItself ? Self.retryPause : nil
            // A knob can have been tried again.
            if publisher.state.foundKnobs != tuner.foundKnobs { publishFound() }
            restoreLock()
            return
        }
        if tuner.rememberSmartScan(for: decision) { publishFound() }
        tuner.follow(decision, guests: guests, at: now, &reporter)
        hasDecided = true
        policyPause = decision.pause
        if decision.action == .scan { scheduleKsmd(at: now) }
        if recorder.isDue(decision, at: now, reporter.log) {
            var record = tuner.historyRecord(decision, guests: guests, time: HostClock.wallTime)
            record.bootTime = HostClock.now(boot: boot)
            recorder.append(record, of: decision, at: now, reporter.log)
        }
        let isNewFound = publisher.state.foundKnobs != tuner.foundKnobs || publisher.state.ksmd != tuner.ksmdChange
        guard publisher.isDue(decision, at: now) || isNewFound else { return }
        var report = StateRecord.Report(
            decision, time: HostClock.wallTime, bootTime: HostClock.now(boot: boot), pause: pause,
            guests: Int64(guests), saved: tuner.saved, sentence: decision.sentence)
        if tuner.tally.failedWrites > failedBefore { report.refused = tuner.unfollowed(decision).map { $0.name } }
        report.isPending = tuner.pending != nil
        publisher.publish(
            report, tuner.tally, foundKnobs: tuner.foundKnobs, ksmd: tuner.ksmdChange, at: now,
            remark: isConfigurationRefused ? "configuration refused, going on with the previous one; " : "",
            reporter.log)
        restoreLock()
    }

    /// The kernel is through with a write, which a decision or the start had begun.
    ///
    /// - Parameter isRefused: Whether it did not take it.
    private mutating func publishOutcome(isRefused: Bool) {
        guard tuner.pending == nil, !isEnding else { return }
        guard let report = publisher.state.report else {
            expectFirst()
            return publishFound()
        }
        guard report.isPending else { return }
        publisher.settle(refused: isRefused ? tuner.unfollowed(report.decision).map { $0.name } : [], tuner.tally)
        publishFound()
    }

    /// Looked at as often as the state is published, whose folder that makes again where it is missing, and where no
    /// decision can be made.
    private mutating func restoreLock() {
        guard let lock else { return }
        do throws(KernelFileError) {
            let place = try lock.restore()
            if case .another(let pid) = place {
                guard !isLockTaken else { return }
                isLockTaken = true
                return reporter.log.write(
                    .error, .failed,
                    "another ksmtuned\(pid.map { " (pid \($0))" } ?? "") holds \(paths.lock), since this one's was removed: "
                        + "both decide, so end one of them")
            }
            isLockTaken = false
            let hasFailed = lockFailures.end()
            guard place == .restored || hasFailed else { return }
            reporter.log.write(
                .notice, .recovered,
                place == .restored
                    ? "\(paths.lock) was removed, and is there again" : "\(paths.lock) is in its place again")
        } catch {
            guard lockFailures.isNews(error) else { return }
            reporter.log.write(
                .warning, .failed, "\(error), so other programs may not see that this daemon runs until that works")
        }
    }

    /// A single decision leaves ksmd's scheduling alone: nobody would see that ksmd starves, or put it back.
    private mutating func scheduleKsmd(at now: Instant) {
        guard !options.isOnce else { return }
        if tuner.rememberKsmd(at: now) { publishFound() }
        tuner.scheduleKsmd(at: now, &reporter)
    }

    private mutating func publishFound() {
        publisher.publish(found: found.values, foundKnobs: tuner.foundKnobs, ksmd: tuner.ksmdChange, reporter.log)
    }

    /// The start ends with the second decision: the first one finds everything new, the second one what is known, and
    /// each runs code that does not run again.
    private mutating func countDecision() {
        guard decisions < 2 else { return }
        decisions += 1
        if decisions == 2 { ProcessMemory.releaseStartup() }
    }

    // MARK: Events

    mutating func request() { tuner.request() }

    mutating func memoryIsShort() { tuner.memoryIsShort() }

    mutating func machinesChanged(_ events: MachineEvents) { tuner.machinesChanged(events) }

    mutating func report(_ notice: SourceNotice) { reporter.report(.source(notice)) }

    mutating func finishWrite() -> Bool {
        let failedBefore = tuner.tally.failedWrites
        tuner.finishPending(&reporter)
        publishOutcome(isRefused: tuner.tally.failedWrites > failedBefore)
        return isDecisionDue || tuner.isCleared
    }

    /// A manager that hears nothing of it ends the daemon in the end.
    private mutating func tellReady(patience: Duration = .seconds(2)) {
        isReadinessUnheard = !Notifier.notify("READY=1", patience: patience)
    }

    mutating func signOfLife() {
        // Each second, while ksmd is to be seen to.
        if isReadinessUnheard, !isEnding { tellReady(patience: .milliseconds(100)) }
        // At the end a slow write may outlast the manager's patience, unless it hears that it goes on.
        let goesOn = isEnding && patience.lasts(saved: tuner.saved, at: Waiter.now)
        isSignUnheard = !Notifier.notify(goesOn ? "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=10000000" : "WATCHDOG=1")
    }

    // MARK: Configuration

    mutating func reload() {
        Notifier.notify("RELOADING=1\nMONOTONIC_USEC=\(Waiter.now.nanoseconds / 1000)")
        defer { tellReady() }
        let total = (try? MemoryReader(paths).total()) ?? tuner.policy.classic.total
        let loaded = files.load(total: total)
        for diagnostic in loaded.diagnostics { reporter.log.write(diagnostic) }
        let wasRefused = isConfigurationRefused
        isConfigurationRefused = false
        if loaded.isUsable, adopt(loaded.configuration, total: total) {
            reporter.log.write(.info, .configurationLoaded, "configuration reloaded")
            let missing = MetricCapability.missing(for: configuration, paths)
            for sentence in missing { reporter.log.write(.warning, .configurationProblem, sentence) }
            reporter.metricSilence.isMissingKnown = !missing.isEmpty
            if tuner.control.takesEffect { recorder.open(at: Waiter.now, reporter.log) }
            if decisions == 0 {
                expectFirst()
                publishFound()
            }
            applyKnobs()
        } else {
            isConfigurationRefused = true
            reporter.log.write(.error, .configurationRefused, "configuration refused, keeping the previous one")
        }
        // The status says so, as soon as there is a decision.
        if isConfigurationRefused != wasRefused { publisher.expectNews() }
        beginDebugLines()
    }

    private mutating func adopt(_ configuration: Configuration, total: KiB) -> Bool {
        guard let policy = try? ClassicPolicy(configuration, total: total) else { return false }
        do throws(KernelFileError) {
            try tuner.adopt(configuration, policy)
        } catch {
            reporter.report(.failed(.guests, error))
            return false
        }
        if configuration.pidFile != self.configuration.pidFile {
            reporter.log.write(
                .notice, .configurationProblem, "PIDFILE=\(configuration.pidFile) takes effect at the next start")
        }
        self.configuration = configuration
        return true
    }

    /// What could not be read at start is read before it is written to, and kept before that too.
    private mutating func lookForFound() {
        guard !found.unknown.isEmpty, found.readAgain(tuner.control, written: tuner.written) else { return }
        publishFound()
    }

    private mutating func applyKnobs() {
        // First to the state file, so that a crash between the two loses nothing.
        lookForFound()
        if tuner.rememberKnobs() {
            publishFound()
        }
        tuner.applyKnobs(&reporter)
    }

    private mutating func beginDebugLines() {
        // A dry run writes nothing, so its debug lines go where its other messages go.
        let place = options.isDryRun ? nil : configuration.logFile.map(paths.place)
        reporter.begin(
            configuration, tuner.policy.classic, debugging: configuration.isDebugging || options.isDebugging,
            logFile: place)
    }
}
