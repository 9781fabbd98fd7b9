/// How the daemon ends; from sysexits.h(3), and in the manual's table.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    /// The command line makes no sense.
    case usage = 64
    /// The kernel has no KSM, or shows it read-only as to a container, or `/proc` cannot be read.
    case unavailable = 69
    /// A call of the system failed that may succeed in a moment: too many open files, no memory, a full disk, an error of
    /// a device. The unit starts the daemon again.
    case systemError = 71
    /// Another daemon runs on this host.
    case alreadyRunning = 75
    /// This user may not control KSM, or not create the pid file.
    case notPermitted = 77
    /// The configuration is refused.
    case configuration = 78

    /// Whether a new start may do better.
    var isRestarted: Bool { self == .systemError }
}
