import Charts
import HostKernel
import KSMAnalysis
import KSMPolicy

struct SimulationReport: Report {
    static let command = "simulate"

    var trace: TraceFacts
    /// What is compared: the recorded or the present decisions where there are any, the other configuration last.
    var series: [Series]
    /// Where one of them changes, the trace begins or a gap has ended; or every sample.
    var moments: [Moment]
    var notes: [String]

    private var hasDates = true

    struct TraceFacts: Encodable {
        var source: String
        var samples: Int
        var startSeconds: Double
        var coveredSeconds: Double
        /// The usual time between two samples.
        var sampleSeconds: Double?
        var gaps: Int
        var gapSeconds: Double
    }

    struct Series: Encodable {
        var name: String
        var kind: String
        var policy: String?
        /// Where it is the same at all samples.
        var thresholdBytes: Int64?
        var runningSeconds: Double
        var runningShare: Double
        var starts: Int
        var meanPagesToScan: Double?
        var maxPagesToScan: Int64?
        var pagesScannedEstimate: Int64?
        /// What the kernel counted, where the trace has it.
        var pagesScannedCounted: Int64?
    }

    struct Moment: Encodable {
        var timeSeconds: Double
        var freeBytes: Int64
        var committedBytes: Int64
        var decisions: [Decided]
    }

    struct Decided: Encodable {
        var action: String
        var reason: String?
        var pagesToScan: Int64?
        var sleepMillisecs: Int64?
        var thresholdBytes: Int64?
        var isHeld: Bool
    }

    private enum CodingKeys: String, CodingKey {
        case trace, series, moments, notes
    }

    init(_ comparison: Comparison, showsAll: Bool) {
        let records = comparison.source.trace.records
        let timeline = comparison.timeline
        trace = TraceFacts(
            source: comparison.source.name, samples: records.count, startSeconds: records[0].time.secondsSince1970,
            coveredSeconds: timeline.covered.seconds, sampleSeconds: timeline.usual?.seconds,
            gaps: timeline.gaps, gapSeconds: timeline.missing.seconds)
        series = comparison.sides.map { side in
            Series(side, timeline, counted: side.kind == .recorded ? Self.counted(records) : nil)
        }
        let all = comparison.sides.map { $0.series.steps }
        moments = records.indices.filter { index in
            showsAll || timeline.beginnings[index] || all.contains { !$0[index].isSame(as: $0[index - 1]) }
        }.map { index in
            Moment(
                timeSeconds: records[index].time.secondsSince1970, freeBytes: records[index].memory.free.bytes,
                committedBytes: records[index].memory.committed.bytes, decisions: all.map { Decided($0[index]) })
        }
        notes = comparison.notes
        hasDates = comparison.source.hasDates
    }

    /// Pages that `pages_scanned` counted from sample to sample; a count that began anew says nothing.
    private static func counted(_ records: [HistoryRecord]) -> Int64? {
        var sum: Pages?
        for (before, now) in zip(records, records.dropFirst()) {
            guard let old = before.counters?.scanned, let new = now.counters?.scanned, old > .zero, new >= old else {
                continue
            }
            sum = (sum ?? .zero) + (new - old)
        }
        return sum?.count
    }
}

extension SimulationReport.Series {
    init(_ side: Comparison.Side, _ timeline: Timeline, counted: Int64?) {
        let summary = side.series.summary(over: timeline)
        name = side.name
        kind = side.kind.rawValue
        policy = side.policy?.word
        let steps = side.series.steps
        if let threshold = steps.first?.threshold, steps.allSatisfy({ $0.threshold == threshold }) {
            thresholdBytes = threshold.bytes
        }
        runningSeconds = summary.running.seconds
        runningShare = summary.share
        starts = summary.starts
        meanPagesToScan = summary.meanPagesToScan
        maxPagesToScan = summary.mostPagesToScan
        pagesScannedEstimate = summary.scannedPages.map { Int64(saturating: $0) }
        pagesScannedCounted = counted
    }
}

extension SimulationReport.Decided {
    init(_ step: DecisionSeries.Step) {
        action = step.action.word
        reason = step.reason?.word
        pagesToScan = step.pagesToScan
        sleepMillisecs = step.sleepMilliseconds
        thresholdBytes = step.threshold?.bytes
        isHeld = step.isHeld
    }
}

// MARK: Text

extension SimulationReport {
    func text(_ style: Style) -> String {
        var text = "\(trace.samples == 1 ? "1 sample" : "\(trace.samples) samples") of \(trace.source.printable)"
        if let seconds = trace.sampleSeconds {
            text += ": \(Amount.duration(seconds: trace.coveredSeconds)), one each \(Amount.duration(seconds: seconds))"
        }
        text += "\n\n" + summary.text(style) + "\n" + table.text(style)
        if !notes.isEmpty { text += "\n" }
        return text + Output.notes(notes, style)
    }

    private var summary: TextTable {
        var table = TextTable([.left("")] + series.map { .right($0.name) })
        func row(_ name: String, _ value: (Series) -> String?) {
            let values = series.map { value($0) }
            guard values.contains(where: { $0 != nil }) else { return }
            table.rows.append([TextTable.Cell(name)] + values.map { TextTable.Cell($0 ?? "-") })
        }
        row("threshold") { $0.thresholdBytes.map { Amount.text(bytes: $0) } }
        row("KSM runs") { $0.runningSeconds > 0 ? Amount.duration(seconds: $0.runningSeconds) : "never" }
        row("of the time") { Amount.percent($0.runningShare) }
        row("starts") { String($0.starts) }
        row("pages_to_scan, mean") { $0.meanPagesToScan.map { Amount.tenths($0) } }
        row("pages_to_scan, greatest") { $0.maxPagesToScan.map { String($0) } }
        row("pages scanned, at most") { $0.pagesScannedEstimate.map { Amount.grouped($0) } }
        row("pages scanned, counted") { $0.pagesScannedCounted.map { Amount.grouped($0) } }
        return table
    }

    private var table: TextTable {
        var table = TextTable([.left("TIME"), .right("FREE"), .right("COMMITTED")] + series.map { .left($0.name) })
        for moment in moments {
            let decisions = moment.decisions.map { decided in
                TextTable.Cell(decided.text) { style, text in
                    decided.action == "scan" ? text : style.dim(text)
                }
            }
            table.rows.append(
                [
                    TextTable.Cell(time(moment.timeSeconds)), TextTable.Cell(Amount.text(bytes: moment.freeBytes)),
                    TextTable.Cell(Amount.text(bytes: moment.committedBytes)),
                ] + decisions)
        }
        return table
    }

    /// On the local clock, or as `0:01:00` where the trace counts from a beginning.
    private func time(_ seconds: Double) -> String {
        guard !hasDates else { return LocalTime.text(seconds) }
        let whole = Int64(seconds.magnitude)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return (seconds < 0 ? "-" : "") + "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
    }
}

extension SimulationReport.Decided {
    /// `scan 600`, `stop`
    fileprivate var text: String {
        action == "scan" ? pagesToScan.map { "scan \($0)" } ?? "scan" : action
    }
}

extension Amount {
    /// With a blank between thousands: `1 234 567`.
    fileprivate static func grouped(_ number: Int64) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text = " " + text }
            text = String(digit) + text
        }
        return text
    }
}
