import ArgumentParser
import Glibc
import HostKernel
import KSMPolicy

/// `ksmctl simulate`: what another configuration would have decided from what was recorded.
///
/// Exit status: 0; 65 for a bad trace; 69 where there is no history; 78 for a configuration with errors, or one whose
/// policy cannot be replayed.
struct SimulateCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Replay recorded samples through another configuration, and compare the decisions.",
        discussion: """
            The samples are those of the daemon's history, or of a trace: CSV whose first line names the columns, at \
            least time_seconds,free_kib,committed_kib; see ksmctl(8). ksmctl history --csv prints one. The samples \
            stay as they were recorded: what the other configuration would have merged is not known. Exit status: 0, \
            65 where the trace is bad, 69 where there is no history, 78 where the configuration has errors or \
            KSM_POLICY=adaptive, which cannot be replayed.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("The other configuration; its drop-ins are FILE.d/*.conf.", valueName: "file"))
    var config: String

    @Option(help: ArgumentHelp("A trace instead of the daemon's history; - is standard input.", valueName: "file"))
    var trace: String?

    @Flag(help: "Show every sample, not only those at which a decision changes.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Write an SVG picture into this file as well; - prints it instead of the text.", valueName: "file"))
    var svg: String?

    func execute() throws {
        if svg == "-", output.json {
            throw Refusal("--svg - and --json both want standard output: give --svg a file", .data)
        }
        let source = try TraceSource(trace, host.paths)
        let simulation = try Comparison(source, file: config, host.paths)
        if let svg {
            let picture = SVGChart(SimulationChart(simulation).chart).text
            if svg == "-" { return try Output.write(picture) }
            let file = try FileDescriptor(opening: svg, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644, for: .create)
            try file.writeAll(picture.utf8.span, path: svg)
        }
        try SimulationReport(simulation, showsAll: all).print(output)
    }
}
