import Charts
import KSMAnalysis
import KSMPolicy

/// The records of a timeline on the time axis of a chart.
struct ChartTimes {
    /// When each was made, on the axis.
    private let times: [Double]
    private let timeline: Timeline
    /// Until when the last one holds.
    private let end: Double

    /// - Parameters:
    ///   - records: At least one.
    ///   - beginning: What the axis counts from.
    ///   - lastHolds: For how long the last one is shown.
    init(_ records: [HistoryRecord], _ timeline: Timeline, from beginning: WallTime, lastHolds: Duration) {
        times = records.map { $0.time.secondsSince1970 - beginning.secondsSince1970 }
        self.timeline = timeline
        end = times[times.count - 1] + lastHolds.seconds
    }

    /// From the first to the last, wherever they stand: the clock may have been put back between them.
    var range: ClosedRange<Double> {
        let first = times.reduce(times[0], min)
        return first...max(times.reduce(first, max), end)
    }

    /// Until when a record holds: until the next one, unless nothing is known before that.
    private func end(of index: Int) -> Double {
        if timeline.isBeforeGap(index) { return times[index] + timeline.durations[index].seconds }
        return index + 1 < times.count ? times[index + 1] : end
    }

    var gaps: [ClosedRange<Double>] {
        times.indices.compactMap { index in
            guard timeline.isBeforeGap(index), end(of: index) < times[index + 1] else { return nil }
            return end(of: index)...times[index + 1]
        }
    }

    /// The time for which something is so, in pieces that are apart from each other.
    func stretches(where isSo: (Int) -> Bool) -> [ClosedRange<Double>] {
        var stretches: [ClosedRange<Double>] = []
        for index in times.indices where isSo(index) {
            let end = end(of: index)
            if let last = stretches.last, last.upperBound == times[index] {
                stretches[stretches.count - 1] = last.lowerBound...end
            } else {
                stretches.append(times[index]...end)
            }
        }
        return stretches
    }

    /// A point for each record, and one that is not known where the daemon was away.
    func points(_ value: (Int) -> Double?) -> [Chart.Point] {
        var points: [Chart.Point] = []
        for index in times.indices {
            points.append(Chart.Point(times[index], value(index)))
            if timeline.isBeforeGap(index) { points.append(Chart.Point(end(of: index), nil)) }
        }
        return points
    }

    func amounts(_ amount: (Int) -> KiB?) -> [Chart.Point] {
        points { index in amount(index).map { Double($0.count) * 1024 } }
    }
}
