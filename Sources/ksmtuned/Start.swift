import Glibc
import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// From the command line to the running daemon, and to its exit status.
struct Start {
    private let options: Options
    private let paths: HostPaths
    private let files: ConfigurationFiles
    private let log = Log()

    init(_ options: Options) {
        self.options = options
        paths = HostPaths(root: options.root)
        files = options.configuration.map { ConfigurationFiles(named: $0) } ?? ConfigurationFiles(paths)
    }

    /// Why the daemon does not run.
    private struct Refusal: Error {
        var status: ExitStatus
        var message: String
        var errno: Int32 = 0

        init(status: ExitStatus, message: String) {
            self.status = status
            self.message = message
        }

        /// - Parameters:
        ///   - status: For a failure that a new start does not cure.
        ///   - consequence: What stands behind the failure.
        init(_ failure: KernelFileError, _ status: ExitStatus, _ consequence: String) {
            self.status = failure.mayPass ? .systemError : status
            message = "\(failure)\(consequence)"
            errno = failure.errno
        }
    }

    func run() -> ExitStatus {
        do throws(Refusal) {
            try live()
            return .success
        } catch {
            log.write(.error, .refusedToStart, error.message)
            Notifier.notify("ERRNO=\(error.errno)\nSTATUS=\(error.message.printable)")
            return error.status
        }
    }

    /// Says what is wrong with the configuration.
    func checkConfiguration() -> ExitStatus {
        let loaded = files.load(total: try? MemoryReader(paths).total())
        for diagnostic in loaded.diagnostics { try? StandardStream.error.write("\(diagnostic)\n") }
        return loaded.isUsable ? show("the configuration can be used\n") : .configuration
    }

    private func live() throws(Refusal) {
        // Before anything else, so that a signal during the start is kept for the loop.
        let waiter = try makeWaiter()
        let total = try readTotal()
        raiseDescriptorLimit()
        ProcessMemory.prepare()
        let configuration = try loadConfiguration(total)
        if options.isDryRun {
            let log = log
            if unsafe access(KSMDirectory(paths).path(.run), F_OK) != 0 {
                log.write(.notice, .failed, "this kernel has no KSM at \(paths.ksm), going on as if it had")
            }
            let control = DryRun(paths) { log.write(.notice, .debugLine, $0) }
            try live(control, waiter, configuration, total, lock: nil)
        } else {
            try requireInside(configuration)
            try checkKSM()
            let lock = try takeLock()
            do throws(Refusal) {
                let pidFile = try takePIDFile(configuration)
                do throws(Refusal) {
                    try live(KSMDirectory(paths), waiter, configuration, total, lock: lock)
                } catch {
                    pidFile.remove()
                    throw error
                }
                pidFile.remove()
            } catch {
                lock.remove()
                throw error
            }
            lock.remove()
        }
    }

    private func live<Control: KSMControl>(
        _ control: Control, _ waiter: consuming Waiter, _ configuration: Configuration, _ total: KiB,
        lock: DaemonLock?
    ) throws(Refusal) {
        let (inherited, found) = try takeOver(control)
        for line in inherited?.disbelieved ?? [] {
            log.write(
                .warning, .failed,
                "\(paths.state) of an earlier daemon says \(line), which the kernel's file cannot have held: "
                    + "it is not put back")
        }
        var state = StateRecord(
            pid: getpid(), found: found.values, foundKnobs: inherited?.foundKnobs ?? KnobSettings())
        state.ksmd = inherited?.ksmd
        guard let policy = try? ClassicPolicy(configuration, total: total) else {
            throw Refusal(
                status: .configuration,
                message: "the settings do not fit the \(total) of this host, not starting: see ksmtuned --check-config")
        }
        // One that ended may have left a scan only where it says what run held.
        let isHeir = inherited.map { !$0.isEnded || $0.found.run != nil } ?? false
        let tuner = try makeTuner(control, configuration, policy, state, isHeir: isHeir)
        var daemon = Daemon(
            paths, files, options, configuration, lock: lock, tuner: tuner, reporter: Reporter(paths, log: log),
            state: state, found: found, inherited: inherited)
        daemon.start()
        var loop = Loop(waiter)
        if !options.isOnce { loop.run(&daemon) }
        daemon.end(&loop)
        guard !options.isOnce || daemon.hasWorked else {
            // The step itself has said why.
            throw Refusal(
                status: .systemError, message: "KSM does not follow a decision now, so --once has not done its work")
        }
        // All that a dry run does is to say what would be done.
        guard !(options.isOnce && options.isDryRun && log.hasLost) else {
            throw Refusal(status: .systemError, message: "not all that a dry run says could be written")
        }
    }

    /// What the knobs held before this daemon, or one before it that was killed.
    ///
    /// - Throws: A refusal where the state cannot be read and a new start may read it: to go on would lose it.
    private func takeOver(
        _ control: some KSMControl
    ) throws(Refusal) -> (inherited: StateRecord?, found: FoundKnobs) {
        do throws(KernelFileError) {
            guard let previous = try StateRecord.last(paths), !isOfAnotherBoot(previous) else {
                return (nil, FoundKnobs(control))
            }
            return (previous, FoundKnobs(inheriting: previous.found, hasEnded: previous.isEnded, control))
        } catch {
            let consequence = ", so what KSM held before a daemon that was killed is not known"
            if error.mayPass, control.takesEffect { throw Refusal(error, .unavailable, consequence) }
            // Whoever was killed may have written to everything.
            log.write(.warning, .failed, "\(error)\(consequence)")
            return (StateRecord(pid: 0), FoundKnobs(inheriting: KnobValues(), control))
        }
    }

    private func isOfAnotherBoot(_ state: StateRecord) -> Bool {
        guard state.isOfAnotherBoot(paths) else { return false }
        log.write(
            .notice, .failed,
            "\(paths.state) is of an earlier boot, and the kernel has begun anew since: nothing of it is put back")
        return true
    }

    /// Nothing but what stands for the host may be written to: whoever named a root did so to keep off the host.
    private func requireInside(_ configuration: Configuration) throws(Refusal) {
        do throws(KernelFileError) {
            let own = [paths.lock, paths.state, paths.history, paths.place(configuration.pidFile)]
            for path in own { try paths.requireInside(path, for: .create) }
            if let log = configuration.logFile { try paths.requireInside(paths.place(log), for: .open) }
            for file in KSMFile.allCases { try paths.requireInside(KSMDirectory(paths).path(file), for: .write) }
        } catch {
            throw Refusal(error, error.cause == .outside ? .usage : error.isDenied ? .notPermitted : .unavailable, "")
        }
    }

    private func raiseDescriptorLimit() {
        DescriptorLimit.raise()
        let limit = DescriptorLimit.present
        guard limit < DescriptorLimit.least else { return }
        log.write(
            .warning, .failed,
            "this process may have no more than \(limit) files open, too few to hold those that it reads, so each decision "
                + "opens and closes them: see LimitNOFILE= in systemd.exec(5), or ulimit -n")
    }

    private func makeWaiter() throws(Refusal) -> Waiter {
        do throws(KernelFileError) {
            return try Waiter(paths)
        } catch {
            throw Refusal(error, .unavailable, ", so signals cannot be heard")
        }
    }

    private func readTotal() throws(Refusal) -> KiB {
        do throws(KernelFileError) {
            return try MemoryReader(paths).total()
        } catch {
            throw Refusal(error, .unavailable, ", so there is nothing to decide by")
        }
    }

    private func makeTuner<Control: KSMControl>(
        _ control: Control, _ configuration: Configuration, _ policy: ClassicPolicy, _ state: StateRecord,
        isHeir: Bool
    ) throws(Refusal) -> Tuner<Control> {
        do throws(KernelFileError) {
            return try Tuner(
                paths, control: control, configuration: configuration, policy: policy,
                foundKnobs: state.foundKnobs, ksmd: state.ksmd, isHeir: isHeir)
        } catch {
            throw Refusal(error, .unavailable, ", so guests cannot be seen")
        }
    }

    private func loadConfiguration(_ total: KiB) throws(Refusal) -> Configuration {
        let loaded = files.load(total: total)
        for diagnostic in loaded.diagnostics { log.write(diagnostic) }
        guard loaded.isUsable else {
            throw Refusal(
                status: loaded.mayPass ? .systemError : .configuration,
                message: "the configuration \(loaded.mayPass ? "could not be read" : "is refused"), not starting")
        }
        for missing in MetricCapability.missing(for: loaded.configuration, paths) {
            log.write(.warning, .configurationProblem, missing)
        }
        return loaded.configuration
    }

    private func checkKSM() throws(Refusal) {
        do throws(KernelFileError) {
            try KSMDirectory(paths).check()
        } catch {
            if error.isDenied { throw Refusal(error, .notPermitted, ": run it as root, or with --dry-run") }
            let why =
                error.isReadOnly
                ? ": KSM can be controlled only outside of containers, on the host itself"
                : ": this kernel has no KSM (CONFIG_KSM), or hides it"
            throw Refusal(error, .unavailable, error.mayPass ? ", so KSM cannot be controlled" : why)
        }
    }

    private func takeLock() throws(Refusal) -> DaemonLock {
        let lock: DaemonLock
        do throws(DaemonLock.Refusal) {
            lock = try DaemonLock(paths)
        } catch {
            switch error {
            case .failed(let error):
                throw Refusal(
                    error, error.isDenied || error.isReadOnly ? .notPermitted : .unavailable,
                    ", so a second daemon could not be kept away")
            case .taken(let pid?) where DaemonProcess.isBeingKilled(pid, paths):
                throw Refusal(
                    status: .systemError,
                    message: "another ksmtuned was killed and has not ended, since the kernel holds it up: it has pid "
                        + "\(pid) and holds \(paths.lock), not starting before it has")
            case .taken(let pid):
                let who = (pid ?? statedPID).map { "with pid \($0)" } ?? "already"
                throw Refusal(
                    status: .alreadyRunning,
                    message: "another ksmtuned runs \(who) and holds \(paths.lock), not starting")
            }
        }
        // Somebody may have removed the file that another daemon has locked.
        guard let pid = statedPID, pid != getpid(), !paths.isStandIn,
            DaemonProcess.isDaemon(pid, of: geteuid(), paths)
        else { return lock }
        lock.remove()
        throw Refusal(
            status: .alreadyRunning,
            message: "another ksmtuned runs with pid \(pid), as \(paths.state) says, and its lock was removed, not "
                + "starting: end it first")
    }

    private func takePIDFile(_ configuration: Configuration) throws(Refusal) -> PIDFile {
        let path = paths.place(configuration.pidFile)
        if paths.isStandIn, let slash = path.lastIndex(of: "/") { try? HostFile.createFolder(String(path[..<slash])) }
        do throws(PIDFile.Refusal) {
            return try PIDFile(path, paths)
        } catch {
            switch error {
            case .failed(let error) where error.isBeyondLimit:
                throw Refusal(error, .notPermitted, ": see LimitFSIZE= in systemd.exec(5), or ulimit -f")
            case .failed(let error):
                throw Refusal(
                    error, error.isDenied || error.isReadOnly ? .notPermitted : .configuration,
                    ": see PIDFILE= in ksmtuned.conf(5)")
            case .taken(let path, let pid):
                throw Refusal(
                    status: .alreadyRunning,
                    message: "another ksmtuned runs with pid \(pid), as \(path) says, not starting")
            }
        }
    }

    /// Who the state file says made it.
    private var statedPID: Int32? { ((try? StateRecord.last(paths)) ?? nil)?.pid }
}
