import ArgumentParser
import Charts
import HostKernel
import KSMPolicy

/// `ksmctl plot`: the daemon's past decisions as a picture.
///
/// Exit status 69 where there is no history yet or none in the range, 65 where the file is none.
struct PlotCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "plot",
        abstract: "Draw the daemon's past decisions: memory, pages_to_scan, ksmd's CPU time.",
        discussion: "Without --svg the chart is for the terminal, in Unicode where the locale has it.")

    @OptionGroup var host: RootOptions
    @OptionGroup var range: HistoryRange

    @Option(
        help: ArgumentHelp("Write an SVG picture into this file instead; - is standard output.", valueName: "file"),
        completion: .file(), transform: PathArgument.path)
    var svg: String?

    @Option(help: ArgumentHelp("Columns of the chart; else the terminal's.", valueName: "columns"))
    var width: Int?

    @Option(help: ArgumentHelp("Rows of the chart; else the terminal's.", valueName: "rows"))
    var height: Int?

    func validate() throws {
        if let width, !(TerminalChart.leastWidth...1000).contains(width) {
            throw ValidationError("--width is from \(TerminalChart.leastWidth) to 1000 columns, not \(width)")
        }
        if let height, !(TerminalChart.leastHeight...1000).contains(height) {
            throw ValidationError("--height is from \(TerminalChart.leastHeight) to 1000 rows, not \(height)")
        }
    }

    func execute() throws {
        let rows = try range.rows(host.paths)
        // The range has said why.
        guard !rows.isEmpty else { throw ExitCode(Refusal.Status.unavailable.rawValue) }
        let interval = LoadedConfiguration.read(nil, host.paths).configuration.monitorInterval
        let chart = HistoryChart(rows, interval: interval)
        switch svg {
        case nil:
            let size = Terminal.size
            let picture = TerminalChart(
                chart.forTerminal, width: width ?? max(size.columns, TerminalChart.leastWidth),
                // Higher is not clearer.
                height: height ?? min(max(size.rows, TerminalChart.leastHeight), 50), glyphs: .ofLocale)
            try Output.write(picture.text(.standardOutput))
        case "-": try Output.write(SVGChart(chart.forPicture).text)
        case let file?: try Output.replace(file, with: SVGChart(chart.forPicture).text)
        }
    }
}
