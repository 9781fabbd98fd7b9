import KSMPolicy
import Testing

@Suite struct KsmdSchedulingTests {
    // MARK: The setting

    @Test(arguments: [
        ("keep", KsmdScheduling.keep), ("idle", .idle), ("\"nice 10\"", .nice(10)), ("'nice -20'", .nice(-20)),
        ("\"nice 19\"", .nice(19)), ("\"nice  0\"", .nice(0)),
    ])
    func `The values of KSM_KSMD_SCHEDULING`(_ text: String, _ wanted: KsmdScheduling) {
        let reading = Reading("KSM_KSMD_SCHEDULING=\(text)")
        #expect(reading.configuration.ksmdScheduling == wanted)
        #expect(reading.messages == [])
    }

    @Test(arguments: [
        ("batch", "KSM_KSMD_SCHEDULING=batch is not one of its values; write keep, idle, or \"nice 10\""),
        ("nice", "KSM_KSMD_SCHEDULING=nice is not one of its values; write keep, idle, or \"nice 10\""),
        ("\"nice x\"", "KSM_KSMD_SCHEDULING=nice x is not one of its values; write keep, idle, or \"nice 10\""),
        ("\"nice 10 1\"", "KSM_KSMD_SCHEDULING=nice 10 1 is not one of its values; write keep, idle, or \"nice 10\""),
        ("\"idle keep\"", "KSM_KSMD_SCHEDULING=idle keep is not one of its values; write keep, idle, or \"nice 10\""),
        ("\"nice 20\"", "KSM_KSMD_SCHEDULING=nice 20 is not within nice -20 to 19; write a number in that range"),
        ("\"nice -21\"", "KSM_KSMD_SCHEDULING=nice -21 is not within nice -20 to 19; write a number in that range"),
    ])
    func `What is none of its values is refused`(_ text: String, _ message: String) {
        #expect(Reading("KSM_KSMD_SCHEDULING=\(text)").messages == ["f:1:1: error: \(message)"])
    }

    @Test func `A value without its quotes is refused with the way to write it`() {
        let messages = Reading("KSM_KSMD_SCHEDULING=nice 10").messages
        #expect(messages.count == 1)
        #expect(messages.first?.contains("KSM_KSMD_SCHEDULING=\"nice 10\"") == true)
    }

    @Test func `The default follows the policy, whichever line comes first`() {
        #expect(Reading("").configuration.ksmdScheduling == .keep)
        #expect(Reading("KSM_POLICY=advisor").configuration.ksmdScheduling == .keep)
        #expect(Reading("KSM_POLICY=adaptive").configuration.ksmdScheduling == .idle)
        #expect(Reading("KSM_POLICY=adaptive\nKSM_KSMD_SCHEDULING=").configuration.ksmdScheduling == .idle)
        #expect(Reading("KSM_KSMD_SCHEDULING=keep\nKSM_POLICY=adaptive").configuration.ksmdScheduling == .keep)
        #expect(Reading("KSM_KSMD_SCHEDULING=idle").configuration.ksmdScheduling == .idle)
    }

    @Test func `What it wants of a thread`() {
        let own = Scheduling(.other, nice: 5)
        #expect(KsmdScheduling.keep.wanted(over: own) == nil)
        #expect(KsmdScheduling.idle.wanted(over: own) == Scheduling(.idle, nice: 5))
        #expect(KsmdScheduling.nice(12).wanted(over: own) == Scheduling(.other, nice: 12))
    }

    @Test func `The words`() {
        #expect(Scheduling.Policy.allCases.allSatisfy { Scheduling.Policy(word: $0.word) == $0 })
        #expect(Scheduling.Policy(word: "OTHER") == nil)
        #expect("\(Scheduling(.other, nice: 5))" == "SCHED_OTHER, nice 5")
        #expect("\(Scheduling(.idle, nice: 5))" == "SCHED_IDLE")
        #expect("\(Scheduling(.roundRobin, nice: 0))" == "SCHED_RR")
        for wish in [KsmdScheduling.keep, .idle, .nice(-3)] { #expect(try! KsmdScheduling(parsing: wish.text) == wish) }
    }

    // MARK: The state file

    @Test func `The state file holds what ksmd had and was given`() {
        var state = StateRecord(pid: 7)
        state.ksmd = SchedulingChange(found: Scheduling(.batch, nice: -3), given: Scheduling(.idle, nice: -3))
        let text = String(decoding: state.text, as: UTF8.self)
        #expect(
            text == "PID=7\nFOUND_KSMD_POLICY=batch\nFOUND_KSMD_NICE=-3\nKSMD_POLICY=idle\nKSMD_NICE=-3\n")
        #expect(StateRecord(parsing: state.text) == state)
    }

    @Test(arguments: [
        ("FOUND_KSMD_POLICY=fifo", "FOUND_KSMD_POLICY=fifo"), ("FOUND_KSMD_POLICY=x", "FOUND_KSMD_POLICY=x"),
        ("FOUND_KSMD_NICE=20", "FOUND_KSMD_NICE=20"), ("KSMD_NICE=-21", "KSMD_NICE=-21"),
    ])
    func `What no ksmd can have had is not put back`(_ line: String, _ told: String) throws {
        let text = "PID=7\nFOUND_KSMD_POLICY=other\nFOUND_KSMD_NICE=5\nKSMD_POLICY=idle\nKSMD_NICE=5\n\(line)\n"
        let state = try #require(StateRecord(parsing: Array(text.utf8)))
        #expect(state.ksmd == nil)
        #expect(state.disbelieved == [told])
    }

    @Test func `Half of it is none`() throws {
        let state = try #require(
            StateRecord(parsing: Array("PID=7\nFOUND_KSMD_POLICY=other\nFOUND_KSMD_NICE=5\n".utf8)))
        #expect(state.ksmd == nil)
    }
}

@Suite struct KsmdStarvationTests {
    private static func moment(
        _ milliseconds: Int64, cpu: Int64 = 0, waited: Int64 = 0, ready: Bool = false
    ) -> KsmdStarvation.Moment {
        KsmdStarvation.Moment(
            time: Instant(nanoseconds: 5_000_000_000 + milliseconds * 1_000_000), cpu: .milliseconds(100 + cpu),
            waited: .milliseconds(700 + waited), isReady: ready)
    }

    private func outcome(_ moments: KsmdStarvation.Moment...) -> [Double?] {
        var starvation = KsmdStarvation()
        return moments.map { starvation.observe($0) }
    }

    @Test func `A thread that waited for more than the share of the window starves`() {
        let least = KsmdStarvation.window.milliseconds
        let most = Int64(Double(least) * KsmdStarvation.greatestShare)
        #expect(outcome(Self.moment(0), Self.moment(least, waited: most)) == [nil, nil])
        #expect(outcome(Self.moment(0), Self.moment(least, waited: most + 1)).last! != nil)
    }

    @Test func `Nothing is said before the window has ended`() {
        let least = KsmdStarvation.window.milliseconds
        #expect(outcome(Self.moment(0), Self.moment(least - 1, waited: least - 1)) == [nil, nil])
        #expect(outcome(Self.moment(0), Self.moment(least, waited: least)) == [nil, 1])
    }

    @Test func `A wait that has not ended counts from the last time that the thread moved`() {
        // The kernel's counters stand still while the thread waits.
        let waits = (0...4).map { Self.moment($0 * 500, ready: true) }
        var starvation = KsmdStarvation()
        #expect(waits.map { starvation.observe($0) } == [nil, nil, nil, nil, 1])
        // It ran at the end of the first second.
        starvation = KsmdStarvation()
        let moved = (0...4).map { Self.moment($0 * 500, cpu: $0 >= 2 ? 3 : 0, ready: true) }
        #expect(moved.map { starvation.observe($0) } == [nil, nil, nil, nil, nil])
    }

    @Test func `A thread that sleeps does not wait`() {
        #expect(outcome(Self.moment(0), Self.moment(1000), Self.moment(2000)) == [nil, nil, nil])
        #expect(outcome(Self.moment(0, ready: true), Self.moment(1900), Self.moment(2000, ready: true))[2] == nil)
    }

    @Test func `A thread that slept at the last look may have been woken only now`() {
        #expect(outcome(Self.moment(0), Self.moment(60_000, ready: true)) == [nil, nil])
        #expect(outcome(Self.moment(0, ready: true), Self.moment(60_000, ready: true)) == [nil, 1])
    }

    @Test func `Each window is judged by itself`() {
        let seen = outcome(
            Self.moment(0), Self.moment(2000, waited: 1900), Self.moment(4000, waited: 2000),
            Self.moment(6000, waited: 3900))
        #expect(seen == [nil, 0.95, nil, 0.95])
    }

    @Test func `A long time between two looks is one window`() {
        #expect(outcome(Self.moment(0), Self.moment(60_000, waited: 54_000)) == [nil, 0.9])
        #expect(outcome(Self.moment(0), Self.moment(60_000, waited: 30_000)) == [nil, nil])
    }

    @Test func `Counters that go back are no wait, and none is more than the time`() {
        #expect(outcome(Self.moment(0), Self.moment(2000, waited: -600)) == [nil, nil])
        #expect(outcome(Self.moment(0), Self.moment(2000, waited: 9000)) == [nil, 1])
    }
}
