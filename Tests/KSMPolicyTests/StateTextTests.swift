import Testing

@testable import KSMPolicy

/// The state file of each policy, line by line: shell scripts and exporters read it.
@Suite struct StateTextTests {
    private func state(_ change: (inout Decision) -> Void) -> StateRecord {
        var decision = Decision(
            action: .scan, reason: .newMemory, pagesToScan: 11, sleepMilliseconds: 12,
            memory: MemorySample(free: 13, committed: 14), total: 15, threshold: 16, previousPagesToScan: 17)
        change(&decision)
        var state = StateRecord(pid: 1)
        state.report = StateRecord.Report(
            decision, time: WallTime(microseconds: 2), pause: nil, guests: 3, saved: nil, sentence: "why")
        return state
    }

    private func text(_ state: StateRecord) -> String { String(decoding: state.text, as: UTF8.self) }

    private func common(_ policy: String) -> String {
        """
        PID=1
        TIME_USEC=2
        POLICY=\(policy)
        ACTION=scan
        REASON=new-memory
        SENTENCE='why'
        TOTAL_KIB=15
        THRESHOLD_KIB=16
        FREE_KIB=13
        COMMITTED_KIB=14
        GUESTS=3
        PREVIOUS_PAGES_TO_SCAN=17
        PAGES_TO_SCAN=11
        SLEEP_MILLISECS=12

        """
    }

    @Test func `the adaptive policy adds where ksmd's work stands`() {
        let state = state {
            $0.policy = .adaptive
            var scan = ScanReport(unscanned: 21, changed: 22)
            scan.pass = 23
            scan.cpuShare = 0.5
            $0.scan = scan
        }
        #expect(
            text(state) == common("adaptive") + "UNSCANNED_KIB=21\nCHANGED_KIB=22\nPASS=23\nKSMD_CPU_PERMILLE=500\n")
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `the advisor's policy adds what the advisor is given`() {
        let state = state {
            $0.policy = .advisor
            $0.advisor = AdvisorPolicy.Order(
                scanTime: .seconds(31), cpuMaximumPercent: 32, pagesMinimum: 33, pagesMaximum: 34)
        }
        #expect(
            text(state) == common("advisor")
                + "ADVISOR_SCAN_TIME=31\nADVISOR_CPU_MAX=32\nADVISOR_NPAGES_MIN=33\nADVISOR_NPAGES_MAX=34\n")
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `everything that was found comes behind the decision`() {
        var found = KnobValues(run: 1, pagesToScan: 2, sleepMilliseconds: 3, advisorMode: .scanTime)
        found.advisor.scanTimeSeconds = 4
        found.advisor.cpuMaximumPercent = 5
        found.advisor.pagesMinimum = 6
        found.advisor.pagesMaximum = 7
        var knobs = KnobSettings()
        for (index, knob) in Knob.allCases.enumerated() { knobs[knob] = index == 1 ? 256 : 1 }
        let state = StateRecord(pid: 9, found: found, foundKnobs: knobs)
        #expect(
            text(state) == """
                PID=9
                FOUND_RUN=1
                FOUND_PAGES_TO_SCAN=2
                FOUND_SLEEP_MILLISECS=3
                FOUND_MERGE_ACROSS_NODES=1
                FOUND_MAX_PAGE_SHARING=256
                FOUND_USE_ZERO_PAGES=1
                FOUND_SMART_SCAN=1
                FOUND_ADVISOR_MODE=scan-time
                FOUND_ADVISOR_SCAN_TIME=4
                FOUND_ADVISOR_CPU_MAX=5
                FOUND_ADVISOR_NPAGES_MIN=6
                FOUND_ADVISOR_NPAGES_MAX=7

                """)
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test func `numbers that are missing count as none`() {
        let text =
            "PID=1\nTIME_USEC=5\nACTION=stop\nREASON=plenty\nTOTAL_KIB=1\nTHRESHOLD_KIB=2\nFREE_KIB=3\nCOMMITTED_KIB=4\n"
        let report = StateRecord(parsing: Array(text.utf8))?.report
        #expect(report?.guests == 0 && report?.saved == nil && report?.pause == nil && report?.bootTime == nil)
        #expect(report?.decision.pagesToScan == 0 && report?.decision.sleepMilliseconds == 0)
        #expect(report?.decision.previousPagesToScan == 0 && report?.decision.policy == .classic)
        #expect(report?.decision.scan == nil && report?.decision.advisor == nil)
        for line in ["TIME_USEC", "ACTION", "REASON", "TOTAL_KIB", "THRESHOLD_KIB", "FREE_KIB", "COMMITTED_KIB"] {
            let without = text.split(separator: "\n").filter { !$0.hasPrefix(line) }.joined(separator: "\n")
            #expect(StateRecord(parsing: Array(without.utf8))?.report == nil, "\(line)")
        }
    }

    @Test(
        arguments: [
            ("FOUND_RUN", 0, 2), ("FOUND_PAGES_TO_SCAN", 0, Int64(UInt32.max)),
            ("FOUND_SLEEP_MILLISECS", 0, Int64(UInt32.max)), ("FOUND_ADVISOR_SCAN_TIME", 1, Int64(UInt32.max)),
            ("FOUND_ADVISOR_CPU_MAX", 0, Int64(UInt32.max)), ("FOUND_ADVISOR_NPAGES_MIN", 0, .max),
            ("FOUND_ADVISOR_NPAGES_MAX", 0, .max),
        ] as [(String, Int64, Int64)])
    func `what was found is believed within what the kernel's file holds`(name: String, least: Int64, most: Int64) {
        func isBelieved(_ value: Int64) -> Bool {
            StateRecord(parsing: Array("PID=1\n\(name)=\(value)\n".utf8))?.disbelieved == []
        }
        #expect(isBelieved(least) && isBelieved(most) && !isBelieved(least - 1))
        if most < .max { #expect(!isBelieved(most + 1)) }
    }
}
