import ArgumentParser
import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// Where the host is, for every command but `start` and `stop`.
struct RootOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Take every path of the host under this folder.", valueName: "folder"),
        completion: .directory, transform: PathArgument.path)
    var root = "/"

    var paths: HostPaths { HostPaths(root: root) }
}

extension HostPaths {
    /// Whoever named a root did so to keep off the host.
    ///
    /// - Throws: `ExitCode` 64 where a file that is to be acted on does not lie below it, after saying so.
    func requireInside(_ files: [String]) throws {
        do throws(KernelFileError) {
            for file in files { try requireInside(file, for: .open) }
        } catch {
            Output.warn("\(error)")
            throw ExitCode((error.cause == .outside ? Refusal.Status.usage : .failed).rawValue)
        }
    }
}

/// What several commands look at first: memory, configuration, KSM, and whether the daemon runs.
///
/// Without the daemon everything comes from the live kernel.
struct HostView {
    let paths: HostPaths
    /// Without any number where ``memoryFailure`` says why.
    let memory: MemoryInfo
    let memoryFailure: KernelFileError?
    /// Why it is not known what ZFS's cache can give back, which the configured metric counts as free.
    let cacheFailure: KernelFileError?
    let loaded: LoadedConfiguration
    private(set) var ksm: KSMSnapshot
    let daemon: RunningDaemon
    /// What the running daemon published last; `nil` where none runs, or that is not known.
    private(set) var state: StateRecord?
    /// Why it is not known whether the daemon runs.
    let daemonFailure: KernelFileError?
    /// Why it is not known what the running daemon published.
    private(set) var stateFailure: KernelFileError?

    /// - Parameter needsMemory: Whether there is nothing to say where the host's memory cannot be read.
    /// - Throws: ``Refusal`` for that.
    init(_ paths: HostPaths, needsMemory: Bool = true) throws {
        self.paths = paths
        var memory = MemoryInfo()
        memoryFailure = KernelFileError.caught { () throws(KernelFileError) in
            memory = try MemoryReader(paths).read()
        }
        if needsMemory, let memoryFailure { throw Refusal("\(memoryFailure)", .unavailable) }
        let loaded = LoadedConfiguration.read(nil, paths, total: memory.total)
        cacheFailure = KernelFileError.caught { () throws(KernelFileError) in
            guard loaded.configuration.freeMetric.countsCache else { return }
            memory.reclaimableCache = try ZFSCache.read(paths)?.reclaimable
        }
        self.memory = memory
        self.loaded = loaded
        ksm = KSMSnapshot(paths)
        var daemon = RunningDaemon.none
        var failure: KernelFileError?
        do throws(KernelFileError) {
            daemon = try RunningDaemon.find(paths, pidFile: loaded.configuration.pidFile)
        } catch {
            failure = error
        }
        self.daemon = daemon
        daemonFailure = failure
        readState()
        lookAgainAtKnobs()
    }

    /// Whether the daemon should have made its first decision long ago.
    var isFirstOverdue: Bool { state?.isFirstOverdue(HostClock.uptime) ?? false }

    /// Knobs that hold something else than the daemon's last decision says.
    var differences: [KnobDifference] { state?.report.map { ksm.differences(from: $0.decision) } ?? [] }

    /// The daemon may have written between the look at the knobs and the one at what it published. Only a difference
    /// that stays is another's.
    private mutating func lookAgainAtKnobs() {
        guard !paths.isStandIn else { return }
        for _ in 0..<3 where !differences.isEmpty {
            usleep(200_000)
            ksm = KSMSnapshot(paths)
            readState()
        }
    }

    /// With the time of its decision by the clock as it is now, whatever it was set to since.
    private mutating func readState() {
        guard case .running(let pid) = daemon else { return }
        do throws(KernelFileError) {
            state = try StateRecord.read(paths, of: pid)
            stateFailure = nil
        } catch {
            state = nil
            stateFailure = error
        }
        let boot = HostClock.now(boot: HostClock.boot(paths))
        if let time = ClockRepair.time(state?.report?.bootTime, at: Self.now, boot) { state?.report?.time = time }
    }

    /// What counts as free; `nil` where that is not known.
    var free: KiB? {
        let metric = configuration.freeMetric
        guard cacheFailure == nil, memory.missingLine(for: metric) == nil else { return nil }
        return memory.free(by: metric)
    }

    // MARK: What is not known

    /// Whether there is no daemon, as far as that can be told.
    var isDaemonAbsent: Bool { daemon == .none && daemonFailure == nil }

    /// What a daemon that is gone has not put back, as `NAME (VALUE)`.
    var leftBehind: [String] { isDaemonAbsent ? StateRecord.leftBehind(paths) : [] }

    /// What could not be read of the host, the daemon and ksmd, as sentences without a full stop.
    var unknown: [String] {
        [
            memoryFailure.map { "the host's memory is not known: \($0)" },
            cacheFailure.map { "what ZFS's cache can give back is not known: \($0)" },
            daemonFailure.map { "whether the daemon runs is not known: \($0)" },
            stateFailure.map { "what the daemon decided is not known: \($0)" },
            ksm.threadFailure.map { "ksmd's CPU time is not known: \($0)" },
        ].compactMap { $0 }
    }

    /// Why the configuration here need not be the daemon's; `nil` where it is in order.
    var configurationFailure: String? {
        loaded.diagnostics.first { $0.severity == .error }.map {
            "the configuration has errors, and what they are about counts with its default here: \($0); see ksmctl check-config"
        }
    }

    var configuration: Configuration { loaded.configuration }

    /// 0 where the kernel does not say.
    var total: KiB { memory.total ?? .zero }

    var pageSize: Bytes { Host.pageSize }

    /// What merging saves now.
    var savedBytes: Int64? { ksm.savedPages.map { $0.bytes(of: pageSize).count } }

    func bytes(pages: Int64) -> Int64 { Pages(pages).bytes(of: pageSize).count }

    static var now: WallTime { HostClock.wallTime }
}
