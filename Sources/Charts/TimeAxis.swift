/// What the time of a chart is, and where its axis has ticks.
package enum TimeAxis: Sendable {
    /// Seconds since 1970, shown as local time.
    ///
    /// - Parameter offset: The seconds by which local time is ahead of UTC at a time.
    case clock(offset: @Sendable (Double) -> Int)
    /// Seconds since a beginning.
    case elapsed

    package struct Tick: Equatable, Sendable {
        package var time: Double
        package var label: String
    }

    /// What people count time in: from a second to a year.
    private static let steps =
        [1, 2, 5, 10, 15, 30].map { $0 } + [1, 2, 5, 10, 15, 30].map { $0 * 60 } + [1, 2, 3, 6, 12].map { $0 * 3600 }
        + [1, 2, 5, 10, 30, 90, 180, 365].map { $0 * 86_400 }

    /// - Parameter most: How many steps the axis has place for, at least 1.
    package func ticks(in range: ClosedRange<Double>, most: Int) -> [Tick] {
        let length = range.upperBound - range.lowerBound
        var step = Self.steps.first { length / Double($0) <= Double(max(most, 1)) } ?? 0
        if step == 0 {
            let years = (length / 31_536_000 / Double(max(most, 1))).rounded(.up)
            guard years < 1e9 else { return [] }
            step = Int(years) * 31_536_000
        }
        // The ticks are round in local time, and stay so where the clocks change.
        var local = (range.lowerBound + Double(offset(range.lowerBound))) / Double(step)
        local = local.rounded(.up) * Double(step)
        var ticks: [Tick] = []
        while true {
            let time = local - Double(offset(local - Double(offset(range.lowerBound))))
            if time > range.upperBound { return ticks }
            if time >= range.lowerBound { ticks.append(Tick(time: time, label: label(local, step: step))) }
            local += Double(step)
        }
    }

    private func offset(_ time: Double) -> Int {
        switch self {
        case .clock(let offset): offset(time)
        case .elapsed: 0
        }
    }

    private func label(_ local: Double, step: Int) -> String {
        switch self {
        case .elapsed: return Self.short(Int(local))
        case .clock:
            let time = CivilTime(seconds: Int(local))
            if step >= 86_400 || (time.hour, time.minute, time.second) == (0, 0, 0) { return time.dayAndMonth }
            return step < 60 ? time.timeOfDay : String(time.timeOfDay.prefix(5))
        }
    }

    /// `0`, `45s`, `1h 30min`, `2d`: without the units of which there are none.
    private static func short(_ seconds: Int) -> String {
        let parts = [
            (seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h"), (seconds % 3600 / 60, "min"), (seconds % 60, "s"),
        ]
        let words = parts.filter { $0.0 != 0 }.map { "\($0.0)\($0.1)" }
        return words.isEmpty ? "0" : words.joined(separator: " ")
    }

    /// The axis' title: the zone of local time at the end of the range.
    package func title(_ range: ClosedRange<Double>) -> String {
        switch self {
        case .elapsed: return "time since the start"
        case .clock(let offset):
            let seconds = offset(range.upperBound)
            guard seconds != 0 else { return "time (UTC)" }
            let clock = CivilTime(seconds: abs(seconds)).timeOfDay.prefix(5)
            return "local time (UTC\(seconds < 0 ? "-" : "+")\(clock))"
        }
    }
}
