import ArgumentParser
import Glibc
import HostKernel
import KSMPolicy

/// `ksmctl status`: is KSM running and why.
struct StatusCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show whether KSM runs and why, what it saves, and what it costs.",
        discussion: "Exit status: 0 where the daemon runs, 3 where it does not, 69 where the kernel has no KSM.")

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Option(
        defaultAsFlag: 2,
        help: ArgumentHelp(
            "Show it again at this interval, with the latest course of the main values.", valueName: "seconds"))
    var watch: Double?

    func validate() throws {
        guard let watch else { return }
        guard watch >= 0.1, watch <= 86400 else { throw ValidationError("--watch takes 0.1 to 86400 seconds") }
    }

    func execute() throws {
        guard let watch else {
            let view = try HostView(host.paths)
            let report = StatusReport(
                view, now: HostView.now, since: StatusWatch.moment(host.paths, before: HostView.now))
            try report.print(output)
            if let status = report.exitStatus { throw ExitCode(status) }
            return
        }
        try StatusWatch(paths: host.paths, output: output, seconds: watch).run()
    }
}

extension StatusReport {
    /// For scripts; `nil` is success. 3 is what systemctl says of a unit that does not run.
    var exitStatus: Int32? {
        if state == "absent" { return Refusal.Status.unavailable.rawValue }
        return daemon.isRunning ? nil : 3
    }
}
