import KSMPolicy
import Testing

/// What is said about a decision, on a host of 16 GiB with the defaults: threshold 3,355,443 KiB.
private func decide(committed: Int64, free: Int64, previous: Int64) throws -> Decision {
    try ClassicPolicy(Configuration(), total: ClassicPolicy.referenceTotal)
        .decide(MemorySample(free: KiB(free), committed: KiB(committed)), previous: previous)
}

@Suite struct DebugLinesTests {
    @Test func `The header has total, sleep and threshold`() throws {
        let policy = try ClassicPolicy(Configuration(), total: ClassicPolicy.referenceTotal)
        #expect(DebugLines.header(policy, announcing: nil) == ["total 16777216", "sleep 10", "thres 3355443"])
    }

    @Test func `Proxmox's header announces the metric first`() throws {
        let policy = try ClassicPolicy(Configuration(), total: ClassicPolicy.referenceTotal)
        #expect(
            DebugLines.header(policy, announcing: .pss) == [
                "using pss metric", "total 16777216", "sleep 10", "thres 3355443",
            ])
    }

    @Test func `A stop`() throws {
        let decision = try decide(committed: 1_000_000, free: 9_000_000, previous: 900)
        #expect(DebugLines.beforeWriting(decision) == ["committed 1000000 free 9000000"])
        #expect(DebugLines.afterWriting(decision) == "4355443 < 16777216 and free > 3355443, stop ksm")
    }

    @Test func `A boost on a committed host`() throws {
        let decision = try decide(committed: 15_000_000, free: 1_000_000, previous: 300)
        #expect(
            DebugLines.beforeWriting(decision) == [
                "committed 15000000 free 1000000", "18355443 > 16777216, start ksm", "1000000 < 3355443, boost",
            ])
        #expect(DebugLines.afterWriting(decision) == "KSMCTL start 600 10")
    }

    @Test func `A decay on a committed host`() throws {
        let decision = try decide(committed: 15_000_000, free: 4_000_000, previous: 300)
        #expect(
            DebugLines.beforeWriting(decision) == [
                "committed 15000000 free 4000000", "18355443 > 16777216, start ksm", "4000000 > 3355443, decay",
            ])
        #expect(DebugLines.afterWriting(decision) == "KSMCTL start 250 10")
    }

    @Test func `Where free memory alone decides, the start is told with a false relation`() throws {
        let decision = try decide(committed: 0, free: 1_000_000, previous: 0)
        #expect(
            DebugLines.beforeWriting(decision) == [
                "committed 0 free 1000000", "3355443 > 16777216, start ksm", "1000000 < 3355443, boost",
            ])
        #expect(DebugLines.afterWriting(decision) == "KSMCTL start 300 10")
    }

    @Test func `Where free is exactly the threshold, the decay is told with a false relation`() throws {
        let decision = try decide(committed: 0, free: 3_355_443, previous: 0)
        #expect(
            DebugLines.beforeWriting(decision) == [
                "committed 0 free 3355443", "3355443 > 16777216, start ksm", "3355443 > 3355443, decay",
            ])
        #expect(DebugLines.afterWriting(decision) == "KSMCTL start 64 10")
    }
}

@Suite struct DecisionSentenceTests {
    @Test func `A stop names both comparisons`() throws {
        #expect(
            try decide(committed: 1_048_576, free: 9_437_184, previous: 0).sentence
                == "not scanning: 1.0 GiB committed + 3.1 GiB threshold < 16.0 GiB total, and 9.0 GiB free > threshold")
    }

    @Test func `A stop of the adaptive policy for want of a reason to start names them, too`() throws {
        var decision = try decide(committed: 1_048_576, free: 9_437_184, previous: 0)
        decision.scan = ScanReport(unscanned: KiB(5), changed: KiB(6))
        #expect(
            decision.sentence
                == "not scanning: 1.0 GiB committed + 3.1 GiB threshold < 16.0 GiB total, and 9.0 GiB free > threshold")
    }

    @Test func `A shortage names what is free`() throws {
        #expect(
            try decide(committed: 0, free: 1_048_576, previous: 0).sentence
                == "scanning 300 pages every 10 ms: 1.0 GiB free < 3.1 GiB threshold")
    }

    @Test func `A committed host names what is committed`() throws {
        #expect(
            try decide(committed: 15_728_640, free: 4_194_304, previous: 0).sentence
                == "scanning 64 pages every 10 ms: 15.0 GiB committed + 3.1 GiB threshold >= 16.0 GiB total, "
                + "but 4.0 GiB free is not below the threshold")
    }

    @Test func `A host that has committed all but the reserve is a committed one`() throws {
        #expect(
            try decide(committed: 13_421_773, free: 3_355_443, previous: 0).sentence
                == "scanning 64 pages every 10 ms: 12.8 GiB committed + 3.1 GiB threshold >= 16.0 GiB total, "
                + "but 3.1 GiB free is not below the threshold")
    }

    @Test func `Free memory exactly at the threshold is told as such`() throws {
        #expect(
            try decide(committed: 0, free: 3_355_443, previous: 0).sentence
                == "scanning 64 pages every 10 ms: free is exactly the 3.1 GiB threshold")
    }

    @Test func `The words for the journal`() {
        #expect(Decision.Action.stop.word == "stop")
        #expect(Decision.Action.scan.word == "scan")
    }

    @Test func `The words and numbers of the reasons, which journals and histories have`() {
        let words = [
            "plenty", "shortage", "easing", "nothing-to-gain", "filling", "new-memory", "settled", "probing",
            "requested", "nothing-offered",
        ]
        for (code, word) in words.enumerated() {
            let reason = Decision.Reason(word: word)
            #expect(reason?.code == UInt8(code))
            #expect(Decision.Reason(code: UInt8(code)) == reason)
        }
        #expect(Decision.Reason.allCases.count == words.count)
    }
}

@Suite struct OtherPoliciesDebugLinesTests {
    @Test(arguments: [PolicyKind.adaptive, .advisor])
    func `Only the classic policy prints the original's relation`(_ kind: PolicyKind) throws {
        for (committed, free) in [(0, 1_000_000), (15_000_000, 4_000_000), (1_000_000, 9_000_000)] as [(Int64, Int64)] {
            var decision = try decide(committed: committed, free: free, previous: 300)
            decision.policy = kind
            #expect(DebugLines.beforeWriting(decision) == ["committed \(committed) free \(free)"])
            #expect(DebugLines.afterWriting(decision) == "\(kind.word): \(decision.sentence)")
        }
    }
}
