import Charts
import KSMPolicy

/// The daemon's past decisions as a ``Chart``.
struct HistoryChart {
    private let rows: [HistoryRow]
    /// The time from one record to the next as it usually is, in seconds.
    private let interval: Double
    /// After a longer time without a record the daemon was not there: it neither decided nor looked. In seconds.
    private let longest: Double

    /// - Parameters:
    ///   - rows: At least one.
    ///   - monitorInterval: The configured one, in seconds. The adaptive policy decides far more often, but where the
    ///     daemon has less to tell it writes less.
    init(_ rows: [HistoryRow], monitorInterval: Double) {
        // A clock that was put back must not draw lines from right to left.
        self.rows = rows.sorted { $0.time < $1.time }
        let lengths = zip(self.rows, self.rows.dropFirst()).map { $1.time - $0.time }.sorted()
        let usual = lengths.isEmpty ? monitorInterval : lengths[(lengths.count - 1) / 2]
        interval = usual
        longest = 3 * max(usual, monitorInterval)
    }

    private func isGap(_ seconds: Double) -> Bool { seconds > longest }

    /// Panels of one meaning each, for a terminal, where lines that cross are hard to tell apart.
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
        let (first, last) = (rows[0].time, end)
        var (from, to) = (LocalTime.text(first).dropLast(3), LocalTime.text(rows[rows.count - 1].time).dropLast(3))
        if from == to { (from, to) = (from, "") }
        if from.prefix(10) == to.prefix(10) { to = to.dropFirst(11) }
        return Chart(
            title: title,
            details: [
                to.isEmpty ? String(from) : "\(from) to \(to)",
                rows.count == 1 ? "1 decision" : "\(rows.count) decisions",
                "\(rows[rows.count - 1].record.total) of memory",
            ],
            time: first...last, timeAxis: .clock(offset: LocalTime.offset(at:)), panels: panels,
            bands: [Chart.Band("KSM runs", .green, running)], gaps: gaps)
    }

    /// The time of the last record; of one alone, as long as it usually holds.
    private var end: Double {
        rows[rows.count - 1].time > rows[0].time ? rows[rows.count - 1].time : rows[0].time + max(interval, 1)
    }

    // MARK: Stretches

    /// Until when the record holds: until the next one, unless that is too far away.
    private func end(of index: Int) -> Double {
        guard index + 1 < rows.count else { return end }
        let next = rows[index + 1].time
        return isGap(next - rows[index].time) ? rows[index].time + interval : next
    }

    private var running: [ClosedRange<Double>] {
        var stretches: [ClosedRange<Double>] = []
        for (index, row) in rows.enumerated() where row.record.action == .scan {
            let end = end(of: index)
            if let last = stretches.last, last.upperBound == row.time {
                stretches[stretches.count - 1] = last.lowerBound...end
            } else {
                stretches.append(row.time...end)
            }
        }
        return stretches
    }

    private var gaps: [ClosedRange<Double>] {
        rows.indices.dropLast().compactMap { index in
            let (end, next) = (end(of: index), rows[index + 1].time)
            return end < next ? end...next : nil
        }
    }

    // MARK: Series

    /// A point for each record, and one that is not known where the daemon was gone.
    private func points(_ value: (HistoryRow) -> Double?) -> [Chart.Point] {
        pointsByIndex { value(rows[$0]) }
    }

    private func pointsByIndex(_ value: (Int) -> Double?) -> [Chart.Point] {
        var points: [Chart.Point] = []
        for (index, row) in rows.enumerated() {
            points.append(Chart.Point(row.time, value(index)))
            let end = end(of: index)
            if index + 1 < rows.count, end < rows[index + 1].time { points.append(Chart.Point(end, nil)) }
        }
        return points
    }

    private func bytes(_ amount: KiB?) -> Double? { amount.map { Double($0.count) * 1024 } }

    private var saved: Chart.Series { .init("saved", .green, .line, points { bytes($0.record.saved) }) }

    private var free: Chart.Series { .init("free", .blue, .line, points { bytes($0.record.memory.free) }) }

    private var committed: Chart.Series {
        .init("committed", .orange, .line, points { bytes($0.record.memory.committed) })
    }

    private var threshold: Chart.Series {
        .init("threshold", .grey, .line, points { bytes($0.record.threshold) }, isDashed: true)
    }

    private var pages: Chart.Series {
        .init("pages_to_scan", .violet, .steps, points { Double($0.record.pagesToScan) })
    }

    /// A share is that of the time since the record before: over a gap it says nothing of any moment.
    private var cpu: Chart.Series {
        let points = pointsByIndex { index in
            index > 0 && isGap(rows[index].time - rows[index - 1].time) ? nil : rows[index].ksmdCPUPercent
        }
        return .init("ksmd", .rose, .line, points)
    }
}
