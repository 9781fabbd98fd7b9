import ArgumentParser
import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// `ksmctl retune`: have the daemon decide now.
struct RetuneCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "retune", abstract: "Have the daemon decide now (SIGUSR1); by the adaptive policy, scan now.")

    @OptionGroup var host: RootOptions

    func execute() throws {
        try DaemonSignal.send(SIGUSR1, host.paths)
    }
}

/// `ksmctl reload`: have the daemon read its configuration.
struct ReloadCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Have the daemon read its configuration again, and decide (SIGHUP).",
        discussion: """
            The configuration is checked first: where it has errors the daemon would keep the one it has, so nothing is \
            sent, the errors are printed, and the exit status is 78.
            """)

    @OptionGroup var host: RootOptions

    func execute() throws {
        try LoadedConfiguration.read(nil, host.paths)
            .check(orElse: "the configuration is refused, so the daemon keeps the one it has")
        try DaemonSignal.send(SIGHUP, host.paths)
    }
}

enum DaemonSignal {
    /// - Throws: ``Refusal`` where no daemon runs, or what the pid file names is none.
    static func send(_ signal: Int32, _ paths: HostPaths) throws {
        // A configuration with errors still names the pid file of a daemon that runs by an earlier one.
        let pidFile = LoadedConfiguration.read(nil, paths).configuration.pidFile
        try paths.requireInside([paths.lock, paths.place(pidFile)])
        guard case .running(let pid) = try RunningDaemon.find(paths, pidFile: pidFile) else {
            throw Refusal(
                "no ksmtuned runs, as nobody holds \(paths.lock): start it with systemctl start ksmtuned",
                .unavailable)
        }
        try RunningDaemon.signal(pid, signal)
    }
}
