import Charts

/// A time as it is given on the command line.
enum Moment: Equatable, Sendable {
    /// Seconds before now.
    case ago(Double)
    /// On the local clock.
    case local(CivilTime)
    /// At this time of day today: hours, minutes and seconds.
    case today(Int, Int, Int)

    struct Unreadable: Error, Equatable, CustomStringConvertible {
        var description: String {
            "give how long ago (2h, 30min, 90s, 1d, or seconds alone), a local time (2026-11-21 10:00), or a time of day (10:00)"
        }
    }

    init(_ text: String) throws(Unreadable) {
        if let seconds = Self.duration(text) {
            self = .ago(seconds)
        } else if let (hour, minute, second) = Self.timeOfDay(text[...]) {
            self = .today(hour, minute, second)
        } else if let civil = Self.dateAndTime(text) {
            self = .local(civil)
        } else {
            throw Unreadable()
        }
    }

    /// In seconds since 1970.
    func time(now: Double) -> Double {
        switch self {
        case .ago(let seconds): return now - seconds
        case .local(let civil): return LocalTime.time(civil)
        case .today(let hour, let minute, let second):
            var civil = LocalTime.civil(now)
            (civil.hour, civil.minute, civil.second) = (hour, minute, second)
            return LocalTime.time(civil)
        }
    }

    /// `90`, `90s`, `30min`, `1h 30min`, `1d`: the sum, in seconds.
    private static func duration(_ text: String) -> Double? {
        let units: [String: Double] = [
            "": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800,
        ]
        var rest = text[...]
        var sum = 0.0
        while let first = rest.first {
            if first == " " {
                rest.removeFirst()
                continue
            }
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            guard let unit = units[String(letters)] else { return nil }
            rest = rest.dropFirst(letters.count)
            sum += number * unit
        }
        // The calendar of the tool goes further back than any history.
        return text.contains(where: { $0.isNumber }) && sum < 1e11 ? sum : nil
    }

    /// `10:08` or `10:08:15`
    private static func timeOfDay(_ text: Substring) -> (Int, Int, Int)? {
        let numbers = numbers(text, ":")
        guard numbers.count == 2 || numbers.count == 3, numbers[0] < 24, numbers.dropFirst().allSatisfy({ $0 < 60 })
        else { return nil }
        return (numbers[0], numbers[1], numbers.count == 3 ? numbers[2] : 0)
    }

    /// `2026-11-21`, with a time of day behind a blank or a `T` or without one.
    private static func dateAndTime(_ text: String) -> CivilTime? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "T" })
        guard words.count == 1 || words.count == 2 else { return nil }
        let date = numbers(words[0], "-")
        guard date.count == 3, (1970...9999).contains(date[0]), (1...12).contains(date[1]), (1...31).contains(date[2])
        else { return nil }
        var civil = CivilTime(year: date[0], month: date[1], day: date[2])
        if words.count == 2 {
            guard let (hour, minute, second) = timeOfDay(words[1]) else { return nil }
            (civil.hour, civil.minute, civil.second) = (hour, minute, second)
        }
        // The 31st of November is no day.
        return CivilTime(seconds: civil.seconds) == civil ? civil : nil
    }

    /// Numbers without signs between separators; empty where there is anything else.
    private static func numbers(_ text: Substring, _ separator: Character) -> [Int] {
        let words = text.split(separator: separator, omittingEmptySubsequences: false)
        let numbers = words.compactMap { word in
            word.allSatisfy { $0.isASCII && $0.isNumber } && word.count <= 4 ? Int(word) : nil
        }
        return numbers.count == words.count ? numbers : []
    }
}
