import Charts
import KSMAnalysis
import KSMPolicy

/// A comparison as a picture.
struct SimulationChart {
    private let comparison: Comparison
    private let records: [HistoryRecord]
    private let timeline: Timeline

    init(_ comparison: Comparison) {
        self.comparison = comparison
        records = comparison.source.trace.records
        timeline = comparison.timeline
    }

    private static let inks: [Chart.Ink] = [.blue, .orange]

    /// The other configuration is the last, and always in the same colour.
    private var sides: [(side: Comparison.Side, ink: Chart.Ink)] {
        Array(zip(comparison.sides, Self.inks.suffix(comparison.sides.count)))
    }

    var chart: Chart {
        let samples = records.count == 1 ? "1 sample" : "\(records.count) samples"
        return Chart(
            title: "KSM's decisions: " + comparison.sides.map { $0.name }.joined(separator: " and "),
            details: [Amount.duration(seconds: Double(timeline.covered) / 1e6), samples, comparison.source.name],
            time: time(0)...end(records.count - 1),
            timeAxis: comparison.source.hasDates ? .clock(offset: LocalTime.offset(at:)) : .elapsed,
            panels: [
                Chart.Panel("Pages per scan (pages_to_scan)", .count("pages"), sides.map { pages($0.side, $0.ink) }),
                Chart.Panel("Memory", .bytes, [free] + thresholds, weight: 1.3),
            ],
            bands: sides.map { Chart.Band("KSM runs, \($0.side.name)", $0.ink, running($0.side.series)) },
            gaps: gaps)
    }

    // MARK: Time

    /// Since 1970, or since the first sample.
    private func time(_ index: Int) -> Double {
        records[index].time.secondsSince1970 - (comparison.source.hasDates ? 0 : records[0].time.secondsSince1970)
    }

    /// Until when the sample holds.
    private func end(_ index: Int) -> Double { time(index) + Double(timeline.durations[index]) / 1e6 }

    /// Whether nothing is known between the sample and the next one.
    private func isBeforeGap(_ index: Int) -> Bool {
        index + 1 < records.count && timeline.beginnings[index + 1]
    }

    private var gaps: [ClosedRange<Double>] {
        records.indices.compactMap { index in
            guard isBeforeGap(index), time(index + 1) > end(index) else { return nil }
            return end(index)...time(index + 1)
        }
    }

    private func running(_ series: DecisionSeries) -> [ClosedRange<Double>] {
        var stretches: [ClosedRange<Double>] = []
        for (index, step) in series.steps.enumerated() where step.action == .scan {
            if let last = stretches.last, last.upperBound == time(index) {
                stretches[stretches.count - 1] = last.lowerBound...end(index)
            } else {
                stretches.append(time(index)...end(index))
            }
        }
        return stretches
    }

    // MARK: Series

    private func points(_ value: (Int) -> Double?) -> [Chart.Point] {
        var points: [Chart.Point] = []
        for index in records.indices {
            points.append(Chart.Point(time(index), value(index)))
            if isBeforeGap(index) { points.append(Chart.Point(end(index), nil)) }
        }
        return points
    }

    /// While KSM does not run, it scans none.
    private func pages(_ side: Comparison.Side, _ ink: Chart.Ink) -> Chart.Series {
        let points = points { index in
            let step = side.series.steps[index]
            return step.action == .scan ? step.pagesToScan.map { Double($0) } : 0
        }
        return Chart.Series(side.name, ink, .steps, points)
    }

    private var free: Chart.Series {
        Chart.Series("free", .green, .line, points { Double(records[$0].memory.free.count) * 1024 })
    }

    /// One where all have the same.
    private var thresholds: [Chart.Series] {
        let all = sides.map { side, ink in
            (side: side, ink: ink, values: side.series.steps.map { $0.threshold.map { Double($0.count) * 1024 } })
        }
        if let first = all.first, all.allSatisfy({ $0.values == first.values }) {
            return [Chart.Series("threshold", .grey, .steps, points { first.values[$0] }, isDashed: true)]
        }
        return all.map { entry in
            Chart.Series(
                "threshold, \(entry.side.name)", entry.ink, .steps, points { entry.values[$0] }, isDashed: true)
        }
    }
}
