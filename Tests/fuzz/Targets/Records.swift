import HostKernel
import KSMAnalysis
import KSMPolicy

extension FuzzTarget {
    /// What the daemon wrote, or somebody else under its name, and traces.
    static var records: [FuzzTarget] {
        var targets: [FuzzTarget] = []
        targets.append(
            FuzzTarget("state", longest: 8192) {
                { input in
                    guard var state = StateRecord(parsing: input) else { return }
                    // What was not believed is not written again, nor is what a share of a CPU cannot be.
                    state.disbelieved = []
                    state.isReportDamaged = false
                    if let share = state.report?.decision.scan?.cpuShare, !(0...1000).contains(share) {
                        state.report?.decision.scan?.cpuShare = nil
                    }
                    _ = state.report?.decision.sentence
                    let again = StateRecord(parsing: state.text)
                    try require(
                        again == state, "it reads back as another: \(String(decoding: state.text, as: UTF8.self))")
                }
            })
        targets.append(
            FuzzTarget("history-record", longest: 256) {
                { input in
                    // Random bytes would hardly ever have the right checksum.
                    var bytes = Array(input.prefix(HistoryFormat.recordSize - 4))
                    bytes += Array(repeating: 0, count: HistoryFormat.recordSize - 4 - bytes.count)
                    let sum = CRC32.of(bytes.span)
                    for place in stride(from: 0, to: 32, by: 8) {
                        bytes.append(UInt8(truncatingIfNeeded: sum >> place))
                    }
                    guard let (sequence, record) = HistoryFormat.record(bytes.span) else { return }
                    let again = HistoryFormat.record(HistoryFormat.bytes(record, sequence: sequence).span)
                    try require(again?.record == record && again?.sequence == sequence, "it reads back as another")
                    try replay(Trace(history: [record, record]))
                }
            })
        targets.append(
            FuzzTarget("history", longest: 16384) {
                let tree = Tree([("var/lib/ksmtuned/history", "")])
                let header = HistoryFormat.header()
                return { input in
                    // The whole file, and the slots behind a header of this version.
                    for text in [input, header + input] {
                        guard !text.starts(with: Tree.missing) else { continue }
                        tree.write(text[...], to: "var/lib/ksmtuned/history")
                        let all = try? HistoryReader.read(tree.paths.history)
                        let last = try? HistoryReader.last(3, tree.paths.history)
                        try require((all == nil) == (last == nil), "only one of two readers takes it")
                        try replay(Trace(history: all.flatMap { $0 } ?? []))
                    }
                }
            })
        targets.append(
            FuzzTarget("trace", longest: TraceFile.longestLine) {
                { input in
                    let trace: Trace
                    do throws(BadTrace) {
                        trace = try TraceFile.parse(input, named: "trace.csv", total: KiB(16 << 20))
                    } catch {
                        try require(!error.diagnostics.isEmpty, "it is refused without a reason")
                        for diagnostic in error.diagnostics { try requirePrintable(diagnostic.description) }
                        return
                    }
                    try replay(trace)
                    let text = ([TraceFile.header] + trace.records.map { TraceFile.row($0) }).joined(separator: "\n")
                    let again = try TraceFile.parse(Array(text.utf8), named: "again.csv", total: nil)
                    try require(again.records == trace.records, "it reads back as another")
                }
            })
        return targets
    }

    private static func replay(_ trace: Trace) throws {
        let timeline = Timeline(trace.records)
        try require(timeline.durations.count == trace.records.count, "not every sample has a duration")
        try require(timeline.durations.allSatisfy { $0 >= .zero }, "a sample holds for less than no time")
        _ = timeline.gaps
        for policy in [PolicyKind.classic, .advisor] {
            var configuration = Configuration()
            configuration.policy = policy
            guard let series = try? Simulation.replay(trace, over: timeline, by: configuration) else { continue }
            try require(series.steps.count == trace.records.count, "not every sample is decided")
            let summary = series.summary(over: timeline)
            try require((0...1.0000001).contains(summary.share), "KSM runs for \(summary.share) of the time")
        }
        if let recorded = DecisionSeries(recordedIn: trace) { _ = recorded.summary(over: timeline) }
    }
}
