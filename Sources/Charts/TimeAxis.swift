/// What the time of a chart is, and where its axis has ticks.
package enum TimeAxis: Sendable {
    /// Seconds since 1970, told as local time.
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

/// A date of the Gregorian calendar with a time of day, in no zone of its own.
package struct CivilTime: Equatable, Sendable {
    package var year: Int
    /// 1 to 12.
    package var month: Int
    /// 1 to 31.
    package var day: Int
    package var hour = 0
    package var minute = 0
    package var second = 0

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// - Parameter seconds: Since the beginning of 1970, days of 86400 s each; negative before.
    package init(seconds: Int) {
        let days = Self.floor(seconds, 86_400)
        let rest = seconds - days * 86_400
        // Years are counted from March, so that the odd day is the last of one; in eras of 400 years, which are alike.
        let shifted = days + 719_468
        let era = Self.floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60)
    }

    /// Since the beginning of 1970.
    package var seconds: Int {
        let fromMarch = month > 2 ? year : year - 1
        let era = Self.floor(fromMarch, 400)
        let yearOfEra = fromMarch - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    private static func floor(_ number: Int, _ divisor: Int) -> Int {
        number >= 0 ? number / divisor : (number - divisor + 1) / divisor
    }

    /// `2026-11-21`
    package var date: String { "\(year)-\(Self.two(month))-\(Self.two(day))" }

    /// `10:08:15`
    package var timeOfDay: String { "\(Self.two(hour)):\(Self.two(minute)):\(Self.two(second))" }

    /// `21 Nov`
    package var dayAndMonth: String {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(day) \(names[month - 1])"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
