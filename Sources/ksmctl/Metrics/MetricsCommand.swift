import ArgumentParser
import HostInspection
import HostKernel
import KSMPolicy

/// `ksmctl metrics`: for Prometheus, by way of node_exporter's textfile collector.
struct MetricsCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print metrics in Prometheus' text format.",
        discussion: """
            ksmtuned-metrics.timer writes them for node_exporter's textfile collector. Names and pids of guests are \
            in them with --guests alone.

            Exit status: 0, also where the daemon does not run (ksmtuned_up is 0 then) or that cannot be told (it is \
            left out then); 69 where the host cannot be \
            read; 74 where the metrics cannot be written.
            """)

    @OptionGroup var host: RootOptions

    @Flag(help: "Add what merging saves in each guest, by name and pid.")
    var guests = false

    @Option(
        help: ArgumentHelp(
            "Replace this file as a whole, readable for everybody, instead of printing.", valueName: "file"),
        completion: .file(), transform: PathArgument.path)
    var output: String?

    func execute() throws {
        let view = try HostView(host.paths, needsMemory: false)
        // What is not known has no value in the metrics.
        for sentence in view.unknown + view.ksm.failures.values.map({ "\($0)" }).sorted() { Output.warn(sentence) }
        var metrics = HostMetrics(host: view, now: HostView.now, version: Ksmctl.configuration.version)
        if guests {
            do throws(KernelFileError) {
                metrics.guests = try GuestReader.read(host.paths, view.configuration)
            } catch {
                throw Refusal("\(error), so guests cannot be seen", .unavailable)
            }
            for sentence in metrics.guests?.unseen ?? [] { Output.warn(sentence) }
            if let unknown = metrics.guests?.unknown { Output.warn(unknown) }
        }
        guard let output else {
            try Output.write(metrics.text)
            return
        }
        try Output.replace(output, with: metrics.text)
    }
}
