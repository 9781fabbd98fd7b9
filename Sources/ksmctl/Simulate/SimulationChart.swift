import Charts
import KSMAnalysis
import KSMPolicy

/// A comparison as a picture.
struct SimulationChart {
    private let comparison: Comparison
    private let times: ChartTimes

    init(_ comparison: Comparison) {
        self.comparison = comparison
        let records = comparison.source.trace.records
        let timeline = comparison.timeline
        times = ChartTimes(
            records, timeline, from: comparison.source.hasDates ? WallTime(seconds: 0) : records[0].time,
            lastHolds: timeline.durations[records.count - 1])
    }

    private static let colors: [Chart.Color] = [.blue, .orange]

    /// The other configuration is the last, and always in the same colour.
    private var sides: [(side: Comparison.Side, color: Chart.Color)] {
        Array(zip(comparison.sides, Self.colors.suffix(comparison.sides.count)))
    }

    var chart: Chart {
        Chart(
            title: "KSM's decisions: " + comparison.sides.map { $0.name }.joined(separator: " and "),
            details: [
                Amount.duration(comparison.timeline.covered),
                Words.count(comparison.source.trace.records.count, "sample"), comparison.source.name.printable,
            ],
            time: times.range,
            timeAxis: comparison.source.hasDates ? .clock(offset: LocalTime.offset(at:)) : .elapsed,
            panels: [
                Chart.Panel("Pages per scan (pages_to_scan)", .count("pages"), sides.map { pages($0.side, $0.color) }),
                Chart.Panel("Memory", .bytes, [free] + thresholds, weight: 1.3),
            ],
            bands: sides.map { side, color in
                let running = times.stretches { side.series.steps[$0].action == .scan }
                return Chart.Band("KSM runs, \(side.name)", color, running)
            },
            gaps: times.gaps)
    }

    // MARK: Series

    /// While KSM does not run, it scans none.
    private func pages(_ side: Comparison.Side, _ color: Chart.Color) -> Chart.Series {
        let points = times.points { index in
            let step = side.series.steps[index]
            return step.action == .scan ? step.pagesToScan.map { Double($0) } : 0
        }
        return Chart.Series(side.name, color, .steps, points)
    }

    private var free: Chart.Series {
        let records = comparison.source.trace.records
        return Chart.Series("free", .green, .line, times.amounts { records[$0].memory.free })
    }

    /// One where all have the same.
    private var thresholds: [Chart.Series] {
        let all = sides.map { side, color in
            (name: "threshold, \(side.name)", color: color, values: side.series.steps.map { $0.threshold })
        }
        func series(_ name: String, _ color: Chart.Color, _ values: [KiB?]) -> Chart.Series {
            Chart.Series(name, color, .steps, times.amounts { values[$0] }, isDashed: true)
        }
        if let first = all.first, all.allSatisfy({ $0.values == first.values }) {
            return [series("threshold", .grey, first.values)]
        }
        return all.map { series($0.name, $0.color, $0.values) }
    }
}
