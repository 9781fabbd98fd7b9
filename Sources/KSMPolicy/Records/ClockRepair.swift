/// Gives what was recorded the wall time that it would have had by the clock as it is now.
///
/// An administrator or a time server may set the wall clock by hours. What was recorded before then lies in a time to
/// come, or days ago, and what was recorded after it before what came earlier. The time since boot that stands beside
/// each wall time shows by how much, within one boot.
package enum ClockRepair {
    /// By less than this between two records a clock is corrected and not set, and each keeps its own time.
    static let tolerance = Duration.seconds(30)

    /// The wall time of a moment, by the clock as it is at another one; `nil` for another boot.
    package static func time(_ moment: BootTime?, at now: WallTime, _ present: BootTime) -> WallTime? {
        moment?.age(at: present).map { now - $0 }
    }

    /// Records with their times put right, back from the newest one of each boot.
    ///
    /// - Parameters:
    ///   - records: From the oldest to the newest.
    ///   - now: The present moment by both clocks, where the clock may have been set since the newest record.
    package static func repaired(
        _ records: [HistoryRecord], now: (time: WallTime, moment: BootTime)? = nil
    ) -> [HistoryRecord] {
        var records = records
        var later = now
        for index in records.indices.reversed() {
            guard let moment = records[index].bootTime else {
                later = nil
                continue
            }
            if let later, let time = time(moment, at: later.time, later.moment) {
                let difference = records[index].time - time
                if difference > tolerance || difference < .zero - tolerance { records[index].time = time }
            }
            later = (records[index].time, moment)
        }
        return records
    }
}
