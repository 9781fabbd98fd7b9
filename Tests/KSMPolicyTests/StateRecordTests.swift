import KSMPolicy
import Testing

@Suite struct StateRecordTests {
    private let decision = try! ClassicPolicy(Configuration(), total: KiB(16_777_216))
        .decide(MemorySample(free: KiB(5), committed: KiB(6)), previous: 0)

    private func report(_ decision: Decision) -> StateRecord.Report {
        StateRecord.Report(
            decision, time: WallTime(microseconds: 1), pause: .seconds(60), guests: 2, saved: KiB(44),
            sentence: decision.sentence)
    }

    private func lines(_ state: StateRecord) -> [String] {
        String(decoding: state.text, as: UTF8.self).split(separator: "\n").map { String($0) }
    }

    @Test func `The file holds the decision, and what was found`() {
        var state = StateRecord(
            pid: 17, found: KnobValues(run: 2, pagesToScan: 100, sleepMilliseconds: 20, advisorMode: .scanTime))
        state.report = report(decision)
        #expect(
            lines(state) == [
                "PID=17", "TIME_USEC=1", "INTERVAL_USEC=60000000", "POLICY=classic", "ACTION=scan", "REASON=shortage",
                "SENTENCE='scanning 300 pages every 10 ms: 5 KiB free < 3.1 GiB threshold'", "TOTAL_KIB=16777216",
                "THRESHOLD_KIB=3355443", "FREE_KIB=5", "COMMITTED_KIB=6", "GUESTS=2", "PREVIOUS_PAGES_TO_SCAN=0",
                "PAGES_TO_SCAN=300", "SLEEP_MILLISECS=10", "SAVED_KIB=44", "FOUND_RUN=2", "FOUND_PAGES_TO_SCAN=100",
                "FOUND_SLEEP_MILLISECS=20", "FOUND_ADVISOR_MODE=scan-time",
            ])
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `Every field of every policy is read back as it was`() {
        var order = AdvisorPolicy.Order(
            scanTime: .seconds(200), cpuMaximumPercent: 70, pagesMinimum: 500, pagesMaximum: 30_000)
        var knobs = KnobSettings()
        for (number, knob) in Knob.allCases.enumerated() { knobs[knob] = Int64(number) }
        for kind in PolicyKind.allCases {
            for action in Decision.Action.allCases {
                for reason in Decision.Reason.allCases {
                    var decision = decision
                    decision.policy = kind
                    decision.action = action
                    decision.reason = reason
                    if kind == .adaptive {
                        decision.scan = ScanReport(unscanned: KiB(5000), changed: KiB(600))
                        decision.scan?.pass = 2
                        decision.scan?.cpuShare = 0.5
                    }
                    if kind == .advisor { decision.advisor = order }
                    var state = StateRecord(pid: 7, found: KnobValues(run: 1), foundKnobs: knobs)
                    order.pagesMinimum += 1
                    state.found.advisor = order
                    state.report = report(decision)
                    #expect(StateRecord(parsing: state.text) == state)
                }
            }
        }
    }

    @Test func `Before the first decision there is only what was found`() {
        var knobs = KnobSettings()
        knobs[.mergeAcrossNodes] = 1
        knobs[.smartScan] = 0
        let state = StateRecord(pid: 17, found: KnobValues(run: 1), foundKnobs: knobs)
        #expect(lines(state) == ["PID=17", "FOUND_RUN=1", "FOUND_MERGE_ACROSS_NODES=1", "FOUND_SMART_SCAN=0"])
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test(arguments: ["", "PID=\n", "PID=abc\n", "PID=99999999999\n", "\u{0}\u{1}", "FOUND_RUN=1\n"])
    func `Another text is no state`(text: String) {
        #expect(StateRecord(parsing: Array(text.utf8)) == nil)
    }

    @Test func `What is not to be understood is left out`() {
        let state = StateRecord(parsing: Array("PID=1\nFOUND_RUN=x\nFOUND_SLEEP_MILLISECS=7\nACTION=scan\n".utf8))
        #expect(state == StateRecord(pid: 1, found: KnobValues(sleepMilliseconds: 7)))
    }

    @Test func `The text is assignments only`() {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        var parser = AssignmentParser(knowsSettings: false)
        parser.read(state.text, from: "state")
        // Names of this file may be misnomers in a configuration, of which that is warned.
        #expect(parser.diagnostics.allSatisfy { $0.severity == .warning })
        #expect(parser.assignments.count == lines(state).count)
    }
}
