package import KSMPolicy

/// For how long each record of a history or sample of a trace holds, and where the daemon was away.
package struct Timeline: Equatable, Sendable {
    /// Of each sample.
    package let durations: [Duration]
    /// Whether the daemon was away between a sample and the one before it, so that it began anew.
    package let beginnings: [Bool]
    /// The time from one sample to the next as it usually is; `nil` for a single sample.
    package let usual: Duration?
    /// The time of which nothing is known.
    package let missing: Duration

    /// After a pause of more than this many usual ones the daemon was away.
    package static let longestPause = 3
    /// The daemon records the policies that look often only now and then while nothing changes: once a minute, and a
    /// step later.
    static let longestRest = Duration.seconds(180)

    /// - Parameters:
    ///   - records: From the oldest to the newest.
    ///   - interval: Of the daemon that made them, where it is known: guests that come and go may have it decide far more
    ///     often, so that the usual pause says nothing of the longest. By ``Duration/endless`` no pause is too long.
    package init(_ records: [HistoryRecord], interval: Duration? = nil) {
        let pauses = zip(records, records.dropFirst()).map { $1.time - $0.time }
        let known = pauses.filter { $0 > .zero }.sorted()
        usual = known.isEmpty ? nil : known[(known.count - 1) / 2]
        let usual = usual ?? .zero
        let longest = max(usual, interval ?? .zero) * Self.longestPause

        var durations: [Duration] = []
        var beginnings = [true]
        var missing = Duration.zero
        for (index, pause) in pauses.enumerated() {
            let most = records[index].policy.traits.recorded == nil ? longest : max(longest, Self.longestRest)
            // A clock that was put back says nothing of the time between.
            let isKnown = pause >= .zero && pause <= most
            durations.append(isKnown ? pause : usual)
            beginnings.append(!isKnown)
            if !isKnown { missing += max(pause - usual, .zero) }
        }
        // The last one holds until a next one that nobody has seen.
        durations.append(usual)
        self.durations = records.isEmpty ? [] : durations
        self.beginnings = records.isEmpty ? [] : beginnings
        self.missing = missing
    }

    /// The time for which the samples hold.
    package var covered: Duration { durations.reduce(.zero, +) }

    /// How often the daemon was away.
    package var gaps: Int { max(beginnings.count { $0 } - 1, 0) }

    /// Whether nothing is known between the end of a sample and the next one.
    package func isBeforeGap(_ index: Int) -> Bool { index + 1 < beginnings.count && beginnings[index + 1] }
}
