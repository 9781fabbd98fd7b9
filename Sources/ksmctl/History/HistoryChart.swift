import Charts
import KSMAnalysis
import KSMPolicy

/// The daemon's past decisions as a ``Chart``.
struct HistoryChart {
    private let rows: [HistoryRow]
    private let timeline: Timeline
    private let times: ChartTimes

    /// - Parameters:
    ///   - rows: At least one.
    ///   - interval: The configured one.
    init(_ rows: [HistoryRow], interval: Duration) {
        // A clock that was put back must not draw lines from right to left.
        self.rows = rows.sorted { $0.record.time < $1.record.time }
        let records = self.rows.map { $0.record }
        timeline = Timeline(records, interval: interval)
        let isAlone = records[0].time == records[records.count - 1].time
        // One alone is shown for an interval; of several the last one ends the chart.
        let lastHolds = isAlone ? min(max(interval, .seconds(1)), .seconds(86_400)) : .zero
        times = ChartTimes(records, timeline, from: WallTime(seconds: 0), lastHolds: lastHolds)
    }

    /// Panels of one meaning each, for a terminal, where lines that cross are hard to follow.
    var forTerminal: Chart {
        chart(
            "KSM",
            [
                Chart.Panel("Saved memory", .bytes, [saved]),
                Chart.Panel("Memory", .bytes, [free, committed, threshold], weight: 1.5),
                Chart.Panel("pages_to_scan", .count("pages per scan"), [pages]),
                Chart.Panel("ksmd", .percent("one CPU"), [cpu]),
            ])
    }

    var forPicture: Chart {
        chart(
            "Kernel Samepage Merging",
            [
                Chart.Panel("Memory", .bytes, [saved, free, committed, threshold], weight: 1.8),
                Chart.Panel("Pages per scan (pages_to_scan)", .count("pages"), [pages]),
                Chart.Panel("CPU time of ksmd", .percent("one CPU"), [cpu]),
            ])
    }

    private func chart(_ title: String, _ panels: [Chart.Panel]) -> Chart {
        let (first, last) = (rows[0], rows[rows.count - 1])
        var (from, to) = (LocalTime.text(first.time).dropLast(3), LocalTime.text(last.time).dropLast(3))
        if from == to { (from, to) = (from, "") }
        if from.prefix(10) == to.prefix(10) { to = to.dropFirst(11) }
        return Chart(
            title: title,
            details: [
                to.isEmpty ? String(from) : "\(from) to \(to)", Words.count(rows.count, "decision"),
                "\(last.record.total) of memory",
            ],
            time: times.range, timeAxis: .clock(offset: LocalTime.offset(at:)), panels: panels,
            bands: [Chart.Band("KSM runs", .green, times.stretches { rows[$0].record.action == .scan })],
            gaps: times.gaps)
    }

    // MARK: Series

    private var saved: Chart.Series {
        .init("saved", .green, .line, times.amounts { rows[$0].record.saved })
    }

    private var free: Chart.Series {
        .init("free", .blue, .line, times.amounts { rows[$0].record.memory.free })
    }

    private var committed: Chart.Series {
        .init("committed", .orange, .line, times.amounts { rows[$0].record.memory.committed })
    }

    private var threshold: Chart.Series {
        .init("threshold", .grey, .line, times.amounts { rows[$0].record.threshold }, isDashed: true)
    }

    private var pages: Chart.Series {
        .init("pages_to_scan", .violet, .steps, times.points { Double(rows[$0].record.pagesToScan) })
    }

    /// A share is that of the time since the record before: over a gap it says nothing of any moment.
    private var cpu: Chart.Series {
        .init("ksmd", .rose, .line, times.points { timeline.beginnings[$0] ? nil : rows[$0].ksmdCPUPercent })
    }
}
