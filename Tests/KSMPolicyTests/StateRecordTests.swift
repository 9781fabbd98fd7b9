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

    @Test func `decisions are counted by what they do`() {
        var tally = Tally()
        for action in [Decision.Action.stop, .scan, .stop] { tally.count(action) }
        #expect((tally.scanDecisions, tally.stopDecisions) == (1, 2))
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

    @Test(arguments: Knob.allCases) func `A value for any of the knobs is one`(_ knob: Knob) {
        var knobs = KnobSettings()
        #expect(knobs.isEmpty)
        knobs[knob] = 0
        #expect(!knobs.isEmpty)
        knobs[knob] = nil
        #expect(knobs.isEmpty)
    }

    @Test func `Every field of every policy is read back as it was`() {
        var order = AdvisorPolicy.Order(
            scanTime: .seconds(200), cpuMaximumPercent: 70, pagesMinimum: 500, pagesMaximum: 30_000)
        var knobs = KnobSettings()
        for (number, knob) in Knob.allCases.enumerated() { knobs[knob] = knob.range.lowerBound + Int64(number % 2) }
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
                    state.found.advisor.scanTimeSeconds = 200
                    state.found.advisor.cpuMaximumPercent = 70
                    state.found.advisor.pagesMinimum = order.pagesMinimum
                    state.report = report(decision)
                    state.tally = Tally()
                    state.tally?.count(action)
                    state.tally?.pressureEvents = 3
                    state.tally?.foreignWrites = 4
                    state.tally?.failedWrites = 5
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

    @Test func `Until there is a decision the state says when the first one is due`() {
        var state = StateRecord(pid: 1)
        state.firstDue = .seconds(60)
        #expect(lines(state) == ["PID=1", "FIRST_DUE_USEC=60000000"])
        #expect(StateRecord(parsing: state.text) == state)
        state.report = report(decision)
        #expect(StateRecord(parsing: state.text)?.firstDue == nil)
    }

    @Test func `A decision that the kernel refused is told from one that it took`() {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        #expect(!lines(state).contains { $0.hasPrefix("REFUSED") })
        state.report?.refused = ["run", "sleep_millisecs"]
        #expect(lines(state).contains("REFUSED=run,sleep_millisecs"))
        #expect(StateRecord(parsing: state.text) == state)
        state.report?.refused = []
        state.report?.isPending = true
        #expect(lines(state).contains("PENDING=yes"))
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `What a daemon did not count yet is none`() throws {
        let text = "PID=1\nSCAN_DECISIONS=3\nSTOP_DECISIONS=4\n"
        let tally = try #require(StateRecord(parsing: Array(text.utf8))?.tally)
        #expect((tally.scanDecisions, tally.stopDecisions) == (3, 4))
        #expect((tally.pressureEvents, tally.foreignWrites, tally.failedWrites) == (0, 0, 0))
        for line in ["SCAN_DECISIONS=3", "STOP_DECISIONS=4"] {
            let part = StateRecord(parsing: Array("PID=1\n\(line)\n".utf8))
            #expect(part != nil && part?.tally == nil)
        }
    }

    @Test func `A state that is kept at the end says that all else is back`() {
        var state = StateRecord(pid: 1, found: KnobValues(run: 1))
        state.isEnded = true
        #expect(lines(state) == ["PID=1", "ENDED=yes", "FOUND_RUN=1"])
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `A text that was cut is no state: half a number is another number`() {
        let text = "PID=1\nFOUND_SLEEP_MILLISECS=200\n"
        #expect(StateRecord(parsing: Array(text.utf8))?.found.sleepMilliseconds == 200)
        for length in 0..<text.utf8.count where !text.prefix(length).hasSuffix("\n") {
            #expect(StateRecord(parsing: Array(text.utf8.prefix(length))) == nil)
        }
    }

    @Test func `What is not to be understood is left out`() {
        let state = StateRecord(parsing: Array("PID=1\nFOUND_RUN=x\nFOUND_SLEEP_MILLISECS=7\nACTION=scan\n".utf8))
        var expected = StateRecord(pid: 1, found: KnobValues(sleepMilliseconds: 7))
        expected.disbelieved = ["FOUND_RUN=x"]
        expected.isReportDamaged = true
        #expect(state == expected)
    }

    @Test func `Quotes in a sentence and thousandths of a CPU are read back as they were`() throws {
        var state = StateRecord(pid: 1)
        var decision = decision
        decision.scan = ScanReport(unscanned: KiB(1), changed: KiB(2))
        for permille: Int64 in [0, 1, 57, 290, 1001, 4_009] {
            decision.scan?.cpuShare = Double(permille) / 1000
            state.report = report(decision)
            state.report?.sentence = "it's 'quoted'"
            let again = try #require(StateRecord(parsing: state.text))
            #expect(again.report?.sentence == "it's 'quoted'")
            #expect(again.report?.decision.scan?.cpuShare == Double(permille) / 1000)
        }
    }

    @Test func `The text is assignments only`() {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        var parser = AssignmentParser(knowsSettings: false)
        parser.read(state.text, from: "state")
        // Names of this file may be misnomers in a configuration, of which that would be warned.
        #expect(parser.diagnostics.isEmpty)
        #expect(parser.assignments.count == lines(state).count)
    }

    @Test(arguments: [
        "FOUND_RUN=7", "FOUND_RUN=-1", "FOUND_PAGES_TO_SCAN=4294967296", "FOUND_PAGES_TO_SCAN=-1",
        "FOUND_SLEEP_MILLISECS=99999999999999999999", "FOUND_ADVISOR_MODE=fast", "FOUND_ADVISOR_SCAN_TIME=0",
        "FOUND_ADVISOR_CPU_MAX=-5", "FOUND_ADVISOR_NPAGES_MIN=-1", "FOUND_ADVISOR_NPAGES_MAX=x",
        "FOUND_MERGE_ACROSS_NODES=2", "FOUND_MAX_PAGE_SHARING=1", "FOUND_USE_ZERO_PAGES=7", "FOUND_SMART_SCAN=-1",
    ])
    func `What a file of the kernel cannot have held is not believed, and named`(line: String) {
        let state = StateRecord(parsing: Array("PID=1\n\(line)\n".utf8))
        var expected = StateRecord(pid: 1)
        expected.disbelieved = [line]
        #expect(state == expected)
    }

    @Test(arguments: [
        "FOUND_RUN=0", "FOUND_RUN=2", "FOUND_PAGES_TO_SCAN=4294967295", "FOUND_SLEEP_MILLISECS=4294967295",
        "FOUND_ADVISOR_SCAN_TIME=1", "FOUND_ADVISOR_CPU_MAX=0", "FOUND_ADVISOR_NPAGES_MIN=0",
        "FOUND_ADVISOR_NPAGES_MAX=9223372036854775807", "FOUND_MERGE_ACROSS_NODES=1", "FOUND_MAX_PAGE_SHARING=2",
        "FOUND_MAX_PAGE_SHARING=2147483647", "FOUND_USE_ZERO_PAGES=0", "FOUND_SMART_SCAN=1",
    ])
    func `The least and the most that it can have held is believed`(line: String) throws {
        let state = try #require(StateRecord(parsing: Array("PID=1\n\(line)\n".utf8)))
        #expect(state.disbelieved == [])
        #expect(lines(state) == ["PID=1", line])
    }

    @Test func `A time since boot is one from 0 up to for ever`() throws {
        let longest = Duration.endless.microseconds
        for (uptime, isKnown) in [(-1, false), (0, true), (longest, true), (longest + 1, false)] {
            var state = StateRecord(pid: 1)
            state.report = report(decision)
            state.report?.bootTime = BootTime(uptime: .seconds(5), boot: 7)
            let text = lines(state).map { $0.hasPrefix("UPTIME_USEC=") ? "UPTIME_USEC=\(uptime)\n" : "\($0)\n" }
                .joined()
            state.report?.bootTime = isKnown ? BootTime(uptime: .microseconds(uptime), boot: 7) : nil
            #expect(StateRecord(parsing: Array(text.utf8)) == state)
        }
    }

    @Test(arguments: ["TIME_USEC", "TOTAL_KIB", "THRESHOLD_KIB", "FREE_KIB", "COMMITTED_KIB"])
    func `A decision with a number below 0 is none`(name: String) throws {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        let text = lines(state).map { $0.hasPrefix("\(name)=") ? "\(name)=-1\n" : "\($0)\n" }.joined()
        #expect(try #require(StateRecord(parsing: Array(text.utf8))).report == nil)
    }

    @Test(arguments: ["PREVIOUS_PAGES_TO_SCAN", "PAGES_TO_SCAN", "SLEEP_MILLISECS", "GUESTS", "PASS"])
    func `A number that is missing beside the decision is 0`(name: String) throws {
        func state(_ number: Int64) -> StateRecord {
            var decision = decision
            (decision.previousPagesToScan, decision.pagesToScan, decision.sleepMilliseconds) = (number, number, number)
            decision.scan = ScanReport(unscanned: KiB(1), changed: KiB(2))
            decision.scan?.pass = Int(number)
            var state = StateRecord(pid: 1)
            state.report = report(decision)
            state.report?.guests = number
            state.report?.sentence = "scanning"
            return state
        }
        func text(_ state: StateRecord) -> String {
            lines(state).filter { !$0.hasPrefix("\(name)=") }.map { "\($0)\n" }.joined()
        }
        let full = state(7)
        #expect(text(full).split(separator: "\n").count == lines(full).count - 1)
        let read = try #require(StateRecord(parsing: Array(text(full).utf8)))
        #expect(lines(read).contains("\(name)=0"))
        #expect(text(read) == text(full))
    }

    @Test func `A number below 0 beside the decision is left out`() throws {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        let text = lines(state).map { $0.hasPrefix("SAVED_KIB=") ? "SAVED_KIB=-1\n" : "\($0)\n" }.joined()
        state.report?.saved = nil
        #expect(StateRecord(parsing: Array(text.utf8)) == state)
    }

    @Test func `The time since boot stands beside the wall time`() {
        var state = StateRecord(pid: 1)
        state.report = report(decision)
        state.report?.bootTime = BootTime(uptime: .seconds(5), boot: 0xFEDC_BA98_7654_3210)
        #expect(lines(state)[1...3] == ["TIME_USEC=1", "UPTIME_USEC=5000000", "BOOT_ID=fedcba9876543210"])
        #expect(StateRecord(parsing: state.text) == state)
        state.report?.bootTime?.boot = 0xFF
        #expect(lines(state)[3] == "BOOT_ID=00000000000000ff")
        #expect(StateRecord(parsing: state.text) == state)
    }
}
