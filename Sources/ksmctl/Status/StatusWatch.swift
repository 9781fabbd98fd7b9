import ArgumentParser
import Charts
import Glibc
import HostKernel
import KSMPolicy

/// `ksmctl status --watch`: the status in place on a terminal, one report after the other elsewhere.
struct StatusWatch {
    let paths: HostPaths
    let output: OutputOptions
    let seconds: Double

    /// What the sparklines show; the oldest values go.
    private struct Course {
        var saved: [Double?] = []
        var free: [Double?] = []
        var pagesToScan: [Double?] = []
        var cpu: [Double?] = []

        static let longest = 512

        mutating func append(_ report: StatusReport) {
            func add(_ value: Double?, _ values: inout [Double?]) {
                values.append(value)
                if values.count > Self.longest { values.removeFirst() }
            }
            add(report.savings.map { Double($0.savedBytes) }, &saved)
            add(report.memory.freeBytes.map { Double($0) }, &free)
            add(report.state == "scanning" ? report.knobs?.pagesToScan.map { Double($0) } : 0, &pagesToScan)
            add(report.ksmd?.ksmdCPUPercent, &cpu)
        }

        func text(_ style: Style, columns: Int) -> String {
            let names = ["saved", "free", "pages_to_scan", "ksmd CPU"]
            let width = (names.map { $0.count }.max() ?? 0) + 1
            var text = ""
            for (name, values) in zip(names, [saved, free, pagesToScan, cpu]) {
                let title = String(repeating: " ", count: width - name.count - 1) + name + ":"
                let line = Sparkline.text(values, width: max(columns - width - 2, 8), isUnicode: style.isUnicode)
                text += style.bold(title) + " \(line)\n"
            }
            return text
        }
    }

    /// Goes on until a signal ends the program, or standard output is closed.
    func run() throws {
        let style = Style.standardOutput
        let isInPlace = Terminal.isOutput && !Terminal.isDumb && !output.json
        var course = Course()
        // From the second report on there is an earlier moment in any case.
        var before = (try? Self.moment(paths, before: HostView.now)) ?? nil
        while true {
            let view = try HostView(paths)
            let now = HostView.now
            let report = StatusReport(view, now: now, since: before)
            before = ScanMoment(view.ksm, at: now)
            course.append(report)
            var text = ""
            if output.json {
                text = try report.json()
            } else {
                text = report.text(style) + course.text(style, columns: Terminal.size.columns)
                text = isInPlace ? Self.inPlace(text) : text + "\n"
            }
            guard try Output.write(text) else { return }
            // At most a day, which fits.
            _ = poll(nil, 0, Int32(seconds * 1000))
        }
    }

    /// From the upper left corner, each line cleared behind its text, and the rest of the screen too: no flicker.
    private static func inPlace(_ text: String) -> String {
        var screen = "\u{1B}[H"
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { screen += line + "\u{1B}[K\n" }
        return screen + "\u{1B}[J"
    }

    /// Where ksmd stood at the newest record of the history that is more than a second old.
    static func moment(_ paths: HostPaths, before now: WallTime) throws(KernelFileError) -> ScanMoment? {
        let records = try HistoryReader.repairedRecords(last: 8, paths)
        return records.reversed().lazy.compactMap { ScanMoment($0) }.first { now - $0.time >= .seconds(1) }
    }
}
