import ArgumentParser
import Glibc
import HostKernel
import KSMPolicy

/// `ksmctl status`: is KSM running and why.
struct StatusCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show whether KSM runs and why, what it saves, and what it costs.",
        discussion: """
            Exit status: 0 where the daemon runs, 3 where it does not, 1 where that cannot be told, 4 where --check or \
            --max-age finds that it hangs, 69 where the kernel has no KSM.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Show it again and again, with the latest course of the main values.")
    var watch = false

    // Not a value of --watch: the parser drops one that it cannot read, and one that another option follows.
    @Option(help: ArgumentHelp("From one look of --watch to the next, 2 unless it is given.", valueName: "seconds"))
    var interval: Double?

    @Flag(help: "Fail where the daemon is long overdue with its next decision, by its own interval: for probes.")
    var check = false

    @Option(help: ArgumentHelp("Fail where the daemon's last decision is older than that.", valueName: "seconds"))
    var maxAge: Double?

    func validate() throws {
        if let maxAge {
            guard maxAge > 0, maxAge.isFinite else { throw ValidationError("--max-age takes more than 0 seconds") }
        }
        if let interval {
            guard watch else { throw ValidationError("--interval is that of --watch, which is not given") }
            guard interval >= 0.1, interval <= 86400 else {
                throw ValidationError("--interval takes 0.1 to 86400 seconds")
            }
        }
        guard !watch || limits.isEmpty else {
            throw ValidationError("--watch goes on until it is ended, so --check and --max-age have no use")
        }
    }

    private var limits: [DecisionAge] {
        (check ? [.byInterval] : []) + (maxAge.map { [.seconds($0)] } ?? [])
    }

    func execute() throws {
        guard watch else {
            let view = try HostView(host.paths)
            var moment: ScanMoment?
            var failure: KernelFileError?
            do throws(KernelFileError) {
                moment = try StatusWatch.moment(host.paths, before: HostView.now)
            } catch {
                failure = error
            }
            var report = StatusReport(view, now: HostView.now, since: moment)
            if let failure { report.notes.append("how fast ksmd scans is not known: \(failure)") }
            try report.print(output)
            if let status = report.exitStatus(limits) { throw ExitCode(status) }
            return
        }
        try StatusWatch(paths: host.paths, output: output, seconds: interval ?? 2).run()
    }
}

extension StatusReport {
    /// For scripts; `nil` is success. 3 is what systemctl says of a unit that does not run. Whether it does may not be
    /// known.
    func exitStatus(_ limits: [DecisionAge]) -> Int32? {
        if state == "absent" { return Refusal.Status.unavailable.rawValue }
        guard let isRunning = daemon.isRunning else { return Refusal.Status.failed.rawValue }
        guard isRunning else { return 3 }
        return limits.allSatisfy(isFresh) ? nil : 4
    }
}
