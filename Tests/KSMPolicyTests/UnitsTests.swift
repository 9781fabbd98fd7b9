import HostFixtures
import Testing

@testable import KSMPolicy

/// The arithmetic of the units, at the ends of what 64 bits hold.
@Suite struct UnitsTests {
    @Test func `sums, differences and products stop at the ends`() {
        let (least, most) = (Int64.min, Int64.max)
        #expect(most.addingSaturated(1) == most && least.addingSaturated(-1) == least)
        #expect(most.addingSaturated(-1) == most - 1 && most.addingSaturated(0) == most)
        #expect(most.subtractingSaturated(-1) == most && least.subtractingSaturated(1) == least)
        #expect(Int64(0).subtractingSaturated(least) == most && Int64(5).subtractingSaturated(7) == -2)
        #expect(most.multipliedSaturated(by: 2) == most && most.multipliedSaturated(by: -2) == least)
        #expect(least.multipliedSaturated(by: 2) == least && least.multipliedSaturated(by: -2) == most)
        #expect(most.multipliedSaturated(by: 1) == most && Int64(0).multipliedSaturated(by: least) == 0)
        #expect(most.addingExactly(1) == nil && most.addingExactly(0) == most)
        #expect(most.multipliedExactly(by: 2) == nil && Int64(7).multipliedExactly(by: -3) == -21)
    }

    @Test(
        arguments: [
            (0, 0), (1.99, 1), (-1.99, -1), (.nan, 0), (.infinity, .max), (-.infinity, .min), (0x1p63, .max),
            (0x1p62, 1 << 62), (-0x1p63, .min), (-0x1p62, -(1 << 62)), (1e300, .max),
        ] as [(Double, Int64)])
    func `a number with a fraction becomes the nearest whole part that there is`(number: Double, whole: Int64) {
        #expect(Int64(saturating: number) == whole)
        #expect(Pages(rounding: number) == Pages(whole))
    }

    @Test func `a share of nothing is none`() {
        #expect(Pages(3).share(of: 4) == 0.75 && Pages(8).share(of: 4) == 2 && Pages(-1).share(of: 4) == -0.25)
        #expect(Pages(3).share(of: 1) == 3 && Pages(3).share(of: 0) == 0 && Pages(3).share(of: -1) == 0)
    }

    @Test func `a daemon that has just begun has counted nothing`() {
        let tally = Tally()
        let counts = [
            tally.scanDecisions, tally.stopDecisions, tally.pressureEvents, tally.foreignWrites, tally.failedWrites,
        ]
        #expect(counts == [0, 0, 0, 0, 0])
    }

    @Test func `there is never less than none of an amount`() {
        #expect(Pages(-1).nonNegative == 0 && Pages(0).nonNegative == 0 && Pages(1).nonNegative == 1)
        #expect(KiB.greatest == KiB(.max) && KiB.zero == KiB(0))
        var amount = KiB(5)
        amount += 7
        amount -= 2
        #expect(amount == 10 && amount * 3 == 30)
        #expect([KiB(1), 2, 4].sum { $0 } == 7)
        #expect(KiB(1) < KiB(2) && !(KiB(2) < KiB(2)))
    }

    @Test func `amounts are turned from one unit into another`() {
        #expect(Bytes(KiB(3)) == 3072 && Bytes(mebibytes: 2) == 2_097_152)
        #expect(KiB(Bytes(2047)) == 1 && KiB(bytes: 2048) == 2 && KiB(ofBytes: 3071.9) == 2)
        #expect(KiB(3).bytes == 3072 && KiB(3).byteCount == 3072)
        #expect(Pages(3).bytes(of: 4096) == 12_288 && Pages(3).kibibytes(of: 65_536) == 192)
        #expect(Pages(.max).kibibytes(of: 4096) == .greatest && KiB(.max).bytes == .max)
    }

    @Test func `spans are turned into numbers, rounded down`() {
        let span = Duration.nanoseconds(1_234_567_899)
        #expect(span.nanoseconds == 1_234_567_899 && span.microseconds == 1_234_567)
        #expect(span.milliseconds == 1234 && span.seconds == 1.234567899)
        #expect(Duration.nanoseconds(999_999).milliseconds == 0 && Duration.nanoseconds(999).microseconds == 0)
        #expect(Duration(rounding: 1.5) == .milliseconds(1500) && Duration(rounding: .nan) == .zero)
        #expect(Duration.endless.nanoseconds == .max && (Duration.endless + .seconds(1)).nanoseconds == .max)
    }

    @Test func `moments and spans`() {
        let moment = Instant(nanoseconds: 5)
        #expect(moment + .nanoseconds(7) == Instant(nanoseconds: 12))
        #expect(Instant(nanoseconds: 12) - moment == .nanoseconds(7))
        #expect(moment - Instant(nanoseconds: 12) == .nanoseconds(-7))
        #expect(moment < Instant.never && .never + .seconds(1) == .never)
    }

    @Test(
        arguments: [(0, 0), (999_999, 0), (1_000_000, 1), (-1, -1), (-999_999, -1), (-1_000_000, -1), (-1_000_001, -2)]
            as [(Int64, Int64)])
    func `whole seconds of the wall clock are rounded down, also before 1970`(microseconds: Int64, seconds: Int64) {
        #expect(WallTime(microseconds: microseconds).wholeSeconds == seconds)
    }

    @Test func `the wall clock's moments and spans`() {
        let time = WallTime(seconds: 3)
        #expect(time.microseconds == 3_000_000 && time.secondsSince1970 == 3)
        #expect(time + .milliseconds(1) == WallTime(microseconds: 3_001_000))
        #expect(WallTime(seconds: 5) - time == .seconds(2) && time < WallTime(seconds: 5) && !(time < time))
    }

    @Test(
        arguments: [
            (1_047_552, "1023.0 MiB"), (1_048_575, "1023.9 MiB"), (1_048_576, "1.0 GiB"), (1023, "1023 KiB"),
            (1024, "1.0 MiB"), (-1023, "-1023 KiB"), (-1024, "-1.0 MiB"), (-1_572_864, "-1.5 GiB"),
        ] as [(Int64, String)])
    func `an amount is told in the largest unit of which there is one`(amount: Int64, text: String) {
        #expect(KiB(amount).description == text)
    }
}

/// Who has heard what, and when the same again is worth hearing.
@Suite struct DecisionNewsTests {
    private static func decision(_ action: Decision.Action, _ reason: Decision.Reason) -> Decision {
        Decision(
            action: action, reason: reason, pagesToScan: 1, sleepMilliseconds: 1,
            memory: MemorySample(free: .zero, committed: .zero), total: 1, threshold: 1, previousPagesToScan: 1)
    }

    private static let repetition = DecisionNews.Repetition(scanning: .seconds(2), resting: .seconds(10))

    private static func moment(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + Duration(rounding: seconds) }

    @Test func `the first decision is news, and then another action or another reason`() {
        var news = DecisionNews()
        let resting = Self.decision(.stop, .nothingToGain)
        #expect(news.action == nil && news.isChange(resting))
        #expect(news.isDue(resting, at: 0, Self.repetition))
        news.hear(resting, at: 0)
        #expect(news.action == .stop && !news.isChange(resting))
        #expect(news.isChange(Self.decision(.scan, .nothingToGain)))
        #expect(news.isChange(Self.decision(.stop, .plenty)))
        #expect(news.isDue(Self.decision(.stop, .plenty), at: 0, Self.repetition))
    }

    @Test(arguments: [(Decision.Action.scan, 2.0), (.stop, 10)])
    func `the same is due again after a while`(action: Decision.Action, seconds: Double) {
        var news = DecisionNews()
        let decision = Self.decision(action, .newMemory)
        news.hear(decision, at: Self.moment(100))
        #expect(!news.isDue(decision, at: Self.moment(100 + seconds - 0.1), Self.repetition))
        #expect(news.isDue(decision, at: Self.moment(100 + seconds), Self.repetition))
        #expect(news.isDue(decision, at: Self.moment(100), nil), "without a time each is")
        news.hear(decision, at: Self.moment(100 + seconds))
        #expect(!news.isDue(decision, at: Self.moment(100 + seconds), Self.repetition))
    }

    // MARK: What others know of the policies

    @Test func `each policy has traits of its own`() throws {
        for kind in PolicyKind.allCases { #expect(PolicyKind(code: kind.traits.code) == kind) }
        #expect(PolicyKind(code: 3) == nil)
        let (classic, adaptive, advisor) = (
            PolicyKind.classic.traits, PolicyKind.adaptive.traits, PolicyKind.advisor.traits
        )
        // The original decides by its interval, writes all of it each time, and says so each time.
        #expect(!classic.isPacedByItself && !classic.writesOnlyChanges && !classic.leavesPaceToKernel)
        #expect(classic.reported == nil && classic.recorded == nil && !classic.leavesUnmerged)
        #expect(adaptive.isPacedByItself && advisor.isPacedByItself)
        #expect(adaptive.writesOnlyChanges && adaptive.leavesUnmerged && !adaptive.leavesPaceToKernel)
        #expect(!advisor.writesOnlyChanges && !advisor.leavesUnmerged && advisor.leavesPaceToKernel)
        // What the adaptive policy sees follows from what it did.
        #expect(classic.canBeReplayed && advisor.canBeReplayed && !adaptive.canBeReplayed)
        for traits in [adaptive, advisor] {
            let (reported, recorded) = (try #require(traits.reported), try #require(traits.recorded))
            #expect(reported.scanning < reported.resting && recorded.scanning < recorded.resting)
            #expect(reported.scanning < recorded.scanning && reported.resting < recorded.resting)
            // A record is kept as often as the classic policy's at its default, at rest.
            #expect(recorded.resting == Configuration().monitorInterval)
        }
    }

    /// In the journal two and ten seconds after, in the history ten and sixty.
    @Test(arguments: [PolicyKind.adaptive, .advisor], [(false, 2.0, 10.0), (true, 10, 60)])
    func `what a policy that looks often says again`(
        policy: PolicyKind, listener: (isHistory: Bool, scanning: Double, resting: Double)
    ) {
        let repetition = listener.isHistory ? policy.traits.recorded : policy.traits.reported
        for (action, seconds) in [(Decision.Action.scan, listener.scanning), (.stop, listener.resting)] {
            var news = DecisionNews()
            let decision = Self.decision(action, .newMemory)
            news.hear(decision, at: Self.moment(100))
            #expect(!news.isDue(decision, at: Self.moment(100 + seconds - 0.01), repetition))
            #expect(news.isDue(decision, at: Self.moment(100 + seconds), repetition))
        }
    }

    @Test func `a pass that ended is told with all of its numbers`() {
        var pass = ScanPass(
            cpu: .milliseconds(1234), gained: 11, fresh: 22, left: 33, passedOverAtEnd: 44, looked: 0.75)
        #expect(
            DebugLines.pass(pass)
                == "pass ended after 1234 ms of ksmd's CPU time: 11 pages gained, 22 new, 33 not compared, "
                + "25 % passed over, 44 of them around its end")
        pass.cpu = nil
        pass.gained = -7
        #expect(
            DebugLines.pass(pass)
                == "pass ended: -7 pages gained, 22 new, 33 not compared, 25 % passed over, 44 of them around its end")
    }

    private static func sentence(
        _ action: Decision.Action, _ reason: Decision.Reason, pass: Int = 0
    ) -> String {
        var decision = decision(action, reason)
        decision.pagesToScan = 500
        decision.sleepMilliseconds = 45
        decision.scan = ScanReport(unscanned: 2048, changed: 1_048_576)
        decision.scan?.pass = pass
        return decision.sentence
    }

    @Test func `the adaptive policy's sentence tells the pace and the pass while it scans, and why`() {
        let amounts = "2.0 MiB new to KSM, 1.0 GiB changed in the last pass"
        for reason in [Decision.Reason.newMemory, .settled, .probing, .requested] {
            let sentence = Self.sentence(.scan, reason, pass: 3)
            #expect(sentence.hasPrefix("scanning 500 pages every 45 ms: pass 3, ") && sentence.hasSuffix(amounts))
        }
        for reason in [Decision.Reason.nothingToGain, .filling] {
            let sentence = Self.sentence(.stop, reason)
            #expect(sentence.hasSuffix(amounts) && !sentence.contains("pass 0") && !sentence.contains("pages every"))
        }
        let asleep = Self.sentence(.scan, .nothingOffered, pass: 3)
        #expect(asleep.hasSuffix(amounts) && !asleep.contains("pages every"))
    }
}
