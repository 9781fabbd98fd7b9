import ArgumentParser
import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// Where the host is, for every command but `start` and `stop`.
struct RootOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Take every path of the host under this folder.", valueName: "folder"))
    var root = "/"

    var paths: HostPaths { HostPaths(root: root) }
}

/// What several commands look at first: memory, configuration, KSM, and whether the daemon runs.
///
/// Without the daemon everything comes from the live kernel.
struct HostView {
    let paths: HostPaths
    let memory: MemoryInfo
    let loaded: LoadedConfiguration
    let ksm: KSMSnapshot
    let daemon: RunningDaemon
    /// What the running daemon told last; `nil` where none runs, or it told nothing yet.
    let state: PublishedState?
    /// Why it cannot be told whether the daemon runs.
    let daemonFailure: KernelFileError?

    /// - Throws: ``Refusal`` where the host's memory cannot be read.
    init(_ paths: HostPaths) throws {
        self.paths = paths
        do throws(KernelFileError) {
            memory = try MemoryReader(paths).read()
        } catch {
            throw Refusal("\(error)", .unavailable)
        }
        loaded = ConfigurationFiles(paths).load(total: memory.total)
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
        state = daemon == .none ? nil : PublishedState.read(paths)
    }

    var configuration: Configuration { loaded.configuration }

    /// In KiB, 0 where the kernel does not say.
    var total: KiB { memory.total ?? .zero }

    var pageSize: Bytes { Host.pageSize }

    /// What merging saves now, in bytes.
    var savedBytes: Int64? { ksm.savedPages.map { $0.bytes(of: pageSize).count } }

    /// Within 64 bits.
    func bytes(pages: Int64) -> Int64 {
        Pages(pages).bytes(of: pageSize).count
    }

    /// The time since 1970, in seconds.
    static var now: Double {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
