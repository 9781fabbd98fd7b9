import HostFixtures
import KSMAnalysis
import KSMPolicy
import Testing

private let gibibyte: Int64 = 1 << 20
private let total = KiB(16 * gibibyte)

/// A sample at a time in seconds, with so much free; the guests hold little.
private func sample(_ time: Double, free: Int64, committed: Int64 = 0) -> HistoryRecord {
    HistoryRecord(
        time: WallTime(microseconds: Int64(time * 1e6)),
        memory: MemorySample(free: KiB(free), committed: KiB(committed)), total: total)
}

private func trace(_ records: [HistoryRecord], hasActions: Bool = false) -> Trace {
    Trace(records: records, hasActions: hasActions, hasPace: hasActions)
}

private func replay(
    _ records: [HistoryRecord], _ change: (inout Configuration) -> Void = { _ in }
) throws(Simulation.Refusal) -> DecisionSeries {
    var configuration = Configuration()
    change(&configuration)
    return try Simulation.replay(trace(records), over: Timeline(records), by: configuration)
}

/// `300` where KSM scans so many pages, `-` where it does not run, `?` for a pace that is not known.
private func pages(_ series: DecisionSeries) -> [String] {
    series.steps.map { $0.action == .stop ? "-" : $0.pagesToScan.map { String($0) } ?? "?" }
}

@Suite struct SimulationTests {
    /// Short for two minutes, then a lot is free.
    private static let shortage = [
        sample(0, free: 9 * gibibyte), sample(60, free: gibibyte), sample(120, free: gibibyte),
        sample(180, free: 9 * gibibyte), sample(240, free: gibibyte),
    ]

    @Test func `Pages are carried from sample to sample, through a stop too`() throws {
        #expect(try pages(replay(Self.shortage)) == ["-", "300", "600", "-", "900"])
    }

    @Test func `Another configuration decides by its own settings`() throws {
        let series = try replay(Self.shortage) {
            $0.thresholdPercent = 60
            $0.pagesBoost = 100
        }
        #expect(pages(series) == ["100", "200", "300", "400", "500"])
        #expect(series.steps[0].threshold == KiB(total.count * 60 / 100))
        #expect(series.steps[0].reason == .shortage)
    }

    @Test(arguments: Seed.all)
    func `The same configuration decides as the daemon did`(_ seed: Seed) throws {
        var generator = SeededGenerator(seed: seed.value)
        let policy = try ClassicPolicy(Configuration(), total: total)
        var records: [HistoryRecord] = []
        var time: Int64 = 1_700_000_000_000_000
        var pages: Int64 = 0
        for _ in 0..<200 {
            // Sometimes the daemon is away, and begins anew. Its timer is at times early or late.
            let isAway = Int.random(in: 0..<50, using: &generator) == 0
            if isAway { pages = 0 }
            time += isAway ? 1_000_000_000 : 60_000_000 + Int64.random(in: -1_000_000...1_000_000, using: &generator)
            let memory = MemorySample(
                free: KiB(Int64.random(in: 0...8 * gibibyte, using: &generator)),
                committed: KiB(Int64.random(in: 0...16 * gibibyte, using: &generator)))
            let decision = policy.decide(memory, previous: pages)
            pages = decision.pagesToScan
            records.append(HistoryRecord(decision, time: WallTime(microseconds: time), guests: 1))
        }
        let trace = trace(records, hasActions: true)
        let replayed = try Simulation.replay(trace, over: Timeline(records), by: Configuration())
        #expect(replayed == DecisionSeries(recordedIn: trace))
    }

    @Test func `What comes before the interval is over is passed over, but for a tenth of it`() throws {
        let times = [0, 30, 53.9, 54, 75, 113, 120]
        let series = try replay(times.map { sample($0, free: gibibyte) })
        #expect(pages(series) == ["300", "300", "300", "600", "600", "900", "900"])
        #expect(series.steps.map { $0.isHeld } == [false, true, true, false, true, false, true])
        let faster = try replay(times.map { sample($0, free: gibibyte) }) {
            $0.monitorInterval = .seconds(5)
        }
        #expect(pages(faster) == ["300", "600", "900", "900", "1200", "1250", "1250"])
        let never = try replay(times.map { sample($0, free: gibibyte) }) { $0.monitorInterval = .endless }
        #expect(pages(never) == Array(repeating: "300", count: 7))
    }

    @Test func `After a gap the daemon begins anew`() throws {
        let series = try replay([0, 60, 120, 1000, 1060].map { sample($0, free: gibibyte) })
        #expect(pages(series) == ["300", "600", "900", "300", "600"])
    }

    @Test func `The threshold follows the memory of each sample`() throws {
        var small = sample(60, free: gibibyte)
        small.total = KiB(4 * gibibyte)
        #expect(try pages(replay([sample(0, free: gibibyte), small])) == ["300", "-"])
    }

    @Test func `The available memory counts where it was recorded`() throws {
        var records = [sample(0, free: gibibyte), sample(60, free: gibibyte)]
        records[0].available = KiB(9 * gibibyte)
        #expect(try pages(replay(records) { $0.freeMetric = .available }) == ["-", "300"])
        #expect(try pages(replay(records)) == ["300", "600"])
    }

    @Test func `The advisor starts and stops by the same comparison, at a pace of the kernel's`() throws {
        let series = try replay(Self.shortage) { $0.policy = .advisor }
        #expect(pages(series) == ["-", "?", "?", "-", "?"])
        let summary = series.summary(over: Timeline(Self.shortage))
        #expect(summary.running == .seconds(180))
        #expect(summary.meanPagesToScan == nil)
        #expect(summary.mostPagesToScan == nil)
        #expect(summary.scannedPages == nil)
    }

    @Test func `What ksmd finds is not in a recording, so the adaptive policy is refused`() {
        #expect(throws: Simulation.Refusal.policy) { try replay(Self.shortage) { $0.policy = .adaptive } }
        #expect(throws: Simulation.Refusal.policy) {
            try replay(Self.shortage) {
                $0.policy = .adaptive
                $0.adaptiveStart = .threshold
            }
        }
    }

    @Test func `A sleep that a small sample makes too long is refused`() {
        var small = sample(60, free: 0)
        small.total = KiB(1)
        #expect(throws: Simulation.Refusal.arithmetic(.sleepTooLong(milliseconds: 16_777_216_000), total: KiB(1))) {
            try replay([sample(0, free: 0), small]) { $0.sleepMilliseconds = 1000 }
        }
    }

    // MARK: In sum

    @Test func `Time, starts, pages and an upper bound of what is scanned`() throws {
        let series = try replay(Self.shortage)
        let summary = series.summary(over: Timeline(Self.shortage))
        #expect(summary.running == .seconds(180))
        #expect(summary.share == 0.6)
        #expect(summary.starts == 2)
        #expect(summary.meanPagesToScan == 600)
        #expect(summary.mostPagesToScan == 900)
        // 60 s of 300, 600 and 900 pages each 16 ms: the period of a sleep of 10 ms.
        #expect(summary.scannedPages == 1800 * 60 / 0.016)
    }

    @Test func `A series that never scans`() throws {
        let records = [sample(0, free: 9 * gibibyte), sample(60, free: 9 * gibibyte)]
        let summary = try replay(records).summary(over: Timeline(records))
        var nothing = DecisionSeries.Summary()
        nothing.scannedPages = 0
        #expect(summary == nothing)
    }

    @Test func `Recorded decisions count as they are, where the trace has them`() {
        var records = [sample(0, free: 1), sample(60, free: 1)]
        records[0].action = .scan
        records[0].pagesToScan = 100
        records[0].sleepMilliseconds = 20
        #expect(DecisionSeries(recordedIn: trace(records)) == nil)
        let timeline = Timeline(records)
        let summary = DecisionSeries(recordedIn: trace(records, hasActions: true))?.summary(over: timeline)
        #expect(summary?.scannedPages?.rounded() == 250_000)
        let withoutPace = DecisionSeries(recordedIn: Trace(records: records, hasActions: true, hasPace: false))
        #expect(withoutPace?.summary(over: timeline).running == .seconds(60))
        #expect(withoutPace?.summary(over: timeline).scannedPages == nil)
    }

    @Test func `Times at the end of 64 bits end in no overflow`() throws {
        let records = [0, 1, Int64.max].map { time in
            HistoryRecord(
                time: WallTime(microseconds: time), memory: MemorySample(free: .zero, committed: .zero), total: total)
        }
        for chosen in [records, Array(records.dropFirst()), [records[0], records[2]], [records[2], records[0]]] {
            let summary = try replay(chosen).summary(over: Timeline(chosen))
            #expect(summary.starts == 1)
        }
    }

    @Test(arguments: [
        (1, 8), (4, 8), (5, 12), (8, 12), (9, 16), (10, 16), (12, 16), (13, 20), (20, 24), (100, 104),
    ])
    func `Sleeps are rounded up to jiffies, and one more`(_ sleep: Int64, _ period: Int64) {
        #expect(ScanPeriod.length(sleepMilliseconds: sleep) == .milliseconds(period))
    }

    @Test func `A sleep of nothing has no period, and an absurd one no overflow`() {
        #expect(ScanPeriod.length(sleepMilliseconds: 0) == nil)
        #expect(ScanPeriod.length(sleepMilliseconds: .max) == .milliseconds(Int64.max))
    }
}

@Suite struct TimelineTests {
    private static func timeline(
        _ times: [Double], _ policy: PolicyKind = .classic, interval: Duration? = nil
    ) -> Timeline {
        let records = times.map { time in
            var record = sample(time, free: 1)
            record.policy = policy
            return record
        }
        return Timeline(records, interval: interval)
    }

    private static func seconds(_ durations: [Duration]) -> [Double] { durations.map { $0.seconds } }

    @Test func `A sample holds until the next one, the last as long as usual`() {
        let timeline = Self.timeline([0, 60, 130, 190])
        #expect(Self.seconds(timeline.durations) == [60, 70, 60, 60])
        #expect(timeline.beginnings == [true, false, false, false])
        #expect(timeline.covered == .seconds(250))
        #expect(timeline.gaps == 0)
    }

    @Test func `Three usual pauses are none to speak of, and more is a gap that counts on no side`() {
        let long = Self.timeline([0, 60, 120, 300])
        #expect(long.gaps == 0)
        #expect(long.covered == .seconds(360))
        let gap = Self.timeline([0, 60, 120, 300.001, 360])
        #expect(Self.seconds(gap.durations) == [60, 60, 60, 59.999, 60])
        #expect(gap.beginnings == [true, false, false, true, false])
        #expect(gap.missing == .microseconds(120_001_000))
    }

    @Test func `Policies that look often are recorded once a minute while nothing changes`() {
        let times: [Double] = [0, 10, 20, 30, 40, 100, 160]
        #expect(Self.timeline(times, .adaptive).gaps == 0)
        #expect(Self.timeline(times).gaps == 2)
    }

    /// Guests that come and go have the daemon decide far more often than its interval says.
    @Test func `Where the interval is known, only more than three of it are a gap`() {
        let times: [Double] = [0, 2, 4, 6, 66, 126, 306]
        #expect(Self.timeline(times).gaps == 3)
        #expect(Self.timeline(times, interval: .seconds(60)).gaps == 0)
        #expect(Self.timeline(times, interval: .seconds(59)).gaps == 1)
        #expect(Self.timeline(times, interval: .zero).gaps == 3)
        // A daemon that decides on signals only may be silent for ever.
        #expect(Self.timeline(times + [1e6], interval: .endless).gaps == 0)
    }

    @Test(arguments: [Int64.min, -5, 0, 1 << 31, .max])
    func `Times that no clock shows are added up without a trap`(_ time: Int64) {
        let times = [0, time, -5, .max, time, .min, 60].map { WallTime(microseconds: $0) }
        let records = times.map { time in
            var record = sample(0, free: 1)
            record.time = time
            record.action = .scan
            record.pagesToScan = .max
            record.sleepMilliseconds = .max
            return record
        }
        let timeline = Timeline(records)
        #expect(timeline.durations.allSatisfy { $0 >= .zero })
        #expect(timeline.covered >= .zero)
        let series = DecisionSeries(recordedIn: Trace(history: records))
        #expect(series?.summary(over: timeline).share.isFinite == true)
        #expect(throws: Never.self) {
            try Simulation.replay(Trace(history: records), over: timeline, by: Configuration())
        }
    }

    @Test func `A clock that was put back is a gap`() {
        let timeline = Self.timeline([0, 60, 10, 70])
        #expect(Self.seconds(timeline.durations) == [60, 60, 60, 60])
        #expect(timeline.beginnings == [true, false, true, false])
        #expect(timeline.missing == .zero)
    }

    @Test func `One sample has no length`() {
        let timeline = Self.timeline([5])
        #expect(timeline.usual == nil)
        #expect(timeline.durations == [.zero])
        #expect(timeline.covered == .zero)
        #expect(timeline.gaps == 0)
    }

    @Test func `No samples`() {
        #expect(Self.timeline([]).durations.isEmpty)
        #expect(Self.timeline([]).gaps == 0)
    }
}
