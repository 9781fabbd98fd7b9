import ArgumentParser
import HostKernel
import KSMAnalysis
import KSMPolicy

/// `ksmctl history`: what the daemon decided, and from what.
///
/// Exit status 69 where there is no history yet, 65 where the file is none. A range with no decision in it is no error:
/// standard error says what there is, and the output has no rows.
struct HistoryCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show the daemon's past decisions, the newest last.",
        discussion: """
            The daemon keeps its last 16383 decisions in /var/lib/ksmtuned/history: eleven days of one a minute. What \
            --csv prints is what `ksmctl simulate` reads.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var range: HistoryRange

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("At most this number of them, the last ones.", valueName: "number"))
    var lines: Int?

    @Flag(help: "Print comma-separated values, with a first line that names the columns.")
    var csv = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let lines, lines < 0 { throw ValidationError("--lines is a number from 0 up, not \(lines)") }
        if csv && output.json { throw ValidationError("--csv and --json are two forms: give one of them") }
    }

    func execute() throws {
        var rows = try range.rows(host.paths)
        if let lines { rows = rows.suffix(lines) }
        guard csv else { return try HistoryReport(rows, path: host.paths.history).print(output) }
        try Output.write(([TraceFile.header] + rows.map { TraceFile.row($0.record) }).map { $0 + "\n" }.joined())
    }
}
