package import KSMPolicy

/// For how long each sample of a trace holds.
package struct Timeline: Equatable, Sendable {
    /// Of each sample, in microseconds.
    package let durations: [Int64]
    /// Whether the daemon was away between a sample and the one before it, so that it began anew.
    package let beginnings: [Bool]
    /// The time from one sample to the next as it usually is, in microseconds; `nil` for a single sample.
    package let usual: Int64?
    /// The time of which nothing is known, in microseconds.
    package let missing: Int64

    /// A longer pause than so many usual ones means that the daemon was away.
    package static let longestPause: Int64 = 3
    /// The daemon records the policies that look often only now and then while nothing changes: once a minute, and a
    /// step later.
    static let longestRest: Int64 = 180_000_000

    /// - Parameter records: From the oldest to the newest.
    package init(_ records: [HistoryRecord]) {
        var pauses: [Int64] = []
        for index in records.indices.dropLast() {
            pauses.append((records[index + 1].time - records[index].time).microseconds)
        }
        let known = pauses.filter { $0 > 0 }.sorted()
        let usual = known.isEmpty ? nil : known[(known.count - 1) / 2]
        self.usual = usual

        var durations: [Int64] = []
        var beginnings = [true]
        var missing: Int64 = 0
        for (index, pause) in pauses.enumerated() {
            let usual = usual ?? 0
            let longest = usual > .max / Self.longestPause ? .max : usual * Self.longestPause
            let most = records[index].policy == .classic ? longest : max(longest, Self.longestRest)
            // A clock that was put back tells nothing of the time between.
            let isKnown = pause > 0 && pause <= most
            durations.append(isKnown ? pause : usual)
            beginnings.append(!isKnown)
            if !isKnown { missing = Self.sum(missing, max(pause - usual, 0)) }
        }
        // The last one holds until a next one that nobody has seen.
        durations.append(usual ?? 0)
        self.durations = records.isEmpty ? [] : durations
        self.beginnings = records.isEmpty ? [] : beginnings
        self.missing = missing
    }

    /// The time of which the trace tells, in microseconds.
    package var covered: Int64 { durations.reduce(0) { Self.sum($0, $1) } }

    /// How often the daemon was away.
    package var gaps: Int { max(beginnings.count { $0 } - 1, 0) }

    /// Within 64 bits.
    static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
