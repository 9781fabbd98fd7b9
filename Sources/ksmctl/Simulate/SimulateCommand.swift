import ArgumentParser
import Charts
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
            The samples are those of the daemon's history, or of a trace. A trace is CSV, by hand or by ksmctl history \
            --csv. Its first line names its columns, in any order; lines that begin with # do not count:

              time_seconds   since 1970 or since the start of the trace, rising; a step back is a gap
              free_kib       MemFree + Buffers + Cached
              committed_kib  what the guests hold together

            and where they are known: total_kib (else this host's MemTotal), available_kib (MemAvailable), action \
            (stop or scan), pages_to_scan, sleep_millisecs, and the others that ksmctl history --csv writes. Without action, \
            the present configuration of the host is what FILE is compared with.

            The samples stay as they were recorded: what the other configuration would have merged is not known. A \
            sample holds until the next one; after three times the usual pause the daemon was away, which counts \
            on no side. The pages scanned are an upper bound: pages_to_scan for each period of a kernel with HZ=250, as if \
            a scan itself took no time.

            Exit status: 0, 65 where the trace is bad, 69 where there is no history, 78 where the configuration has \
            errors or KSM_POLICY=adaptive, which cannot be replayed.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp("The other configuration; its drop-ins are FILE.d/*.conf.", valueName: "file"),
        completion: .file(), transform: PathArgument.path)
    var config: String

    @Option(
        help: ArgumentHelp("A trace instead of the daemon's history; - is standard input.", valueName: "file"),
        completion: .file(), transform: PathArgument.path)
    var trace: String?

    @Flag(help: "Show every sample, not only those at which a decision changes.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Write an SVG picture into this file as well; - prints it instead of the text.", valueName: "file"),
        completion: .file(), transform: PathArgument.path)
    var svg: String?

    func execute() throws {
        if svg == "-", output.json {
            throw Refusal("--svg - and --json both want standard output: give --svg a file", .usage)
        }
        let source = try TraceSource(trace, host.paths)
        let simulation = try Comparison(source, file: config, host.paths)
        if let svg {
            let picture = SVGChart(SimulationChart(simulation).chart).text
            if svg == "-" {
                try Output.write(picture)
                return
            }
            try Output.replace(svg, with: picture)
        }
        try SimulationReport(simulation, showsAll: all).print(output)
    }
}
