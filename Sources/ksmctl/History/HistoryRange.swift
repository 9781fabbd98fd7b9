import ArgumentParser
import HostKernel
import KSMPolicy

/// Which of the daemon's past decisions are meant.
struct HistoryRange: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Only what came since then: 2h, 30min, 90s or 1d ago, \"2026-11-21 10:00\", or 10:00.", valueName: "time"),
        transform: Moment.init(_:))
    var since: Moment?

    @Option(help: ArgumentHelp("Only what came until then.", valueName: "time"), transform: Moment.init(_:))
    var until: Moment?

    /// The decisions in the range, from the oldest to the newest; none where the range has none.
    ///
    /// - Throws: ``Refusal`` with status 69 where there is no history yet, 65 where the file is another thing.
    func rows(_ paths: HostPaths) throws -> [HistoryRow] {
        let rows = HistoryRow.rows(try HistoryReader.records(paths))
        let now = HostView.now.secondsSince1970
        let first = since?.time(now: now) ?? -.infinity
        let last = until?.time(now: now) ?? .infinity
        guard first <= last else {
            throw Refusal(
                "--since \(LocalTime.text(first)) is later than --until \(LocalTime.text(last)): exchange them", .usage)
        }
        let chosen = rows.filter { $0.time >= first && $0.time <= last }
        // A clock that was set back at a reboot gives the last one an earlier time than the first.
        let times = rows.map { $0.time }
        if chosen.isEmpty, let earliest = times.min(), let latest = times.max() {
            Output.warn(
                "no decision in that time: \(paths.history) has \(rows.count), from \(LocalTime.text(earliest)) to "
                    + LocalTime.text(latest))
        }
        return chosen
    }
}
