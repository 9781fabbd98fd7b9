import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import Tuner

/// Remembers what is told.
private struct Listener: StepObserver {
    var notices: [Notice] = []

    mutating func willApply(_ decision: Decision, guests: Int) {}
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {}
    mutating func report(_ notice: Notice) { notices.append(notice) }
}

/// How ksmd is scheduled in a scan, and that it has its own again whatever ends that.
@Suite struct KsmdSchedulerTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private static let own = Scheduling(.other, nice: 5)
    private static let idle = Scheduling(.idle, nice: 5)
    private let host = FakeHost(total: total)

    private static func second(_ second: Double) -> Instant { Instant(nanoseconds: Int64(second * 1e9)) }

    private func configuration(_ wish: KsmdScheduling, isShort: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.ksmdScheduling = wish
        configuration.thresholdPercent = isShort ? 100 : 0
        configuration.thresholdConstant = KiB(0)
        return configuration
    }

    /// A classic daemon that scans, or rests, at each decision.
    private func tuner(
        _ wish: KsmdScheduling = .idle, isShort: Bool = true, inheriting: SchedulingChange? = nil,
        _ change: (inout RecordingControl) -> Void = { _ in }
    ) throws -> Tuner<RecordingControl> {
        var control = RecordingControl()
        control.ksmd = KsmdState(scheduling: Self.own)
        change(&control)
        let configuration = configuration(wish, isShort: isShort)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)), ksmd: inheriting)
    }

    private func adopt(_ tuner: inout Tuner<RecordingControl>, _ wish: KsmdScheduling, isShort: Bool = true) throws {
        let configuration = configuration(wish, isShort: isShort)
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
    }

    /// As the daemon does.
    ///
    /// - Returns: Whether there was something for the state file before it was changed.
    @discardableResult private func decide(
        _ tuner: inout Tuner<RecordingControl>, _ listener: inout Listener, at second: Double
    ) -> Bool {
        let now = Self.second(second)
        guard let (decision, _) = tuner.step(at: now, &listener), decision.action == .scan else { return false }
        let isNew = tuner.rememberKsmd(at: now)
        tuner.scheduleKsmd(at: now, &listener)
        return isNew
    }

    private func scheduled(_ tuner: borrowing Tuner<RecordingControl>) -> Scheduling? { tuner.control.ksmd?.scheduling }

    private func ksmdWrites(_ tuner: borrowing Tuner<RecordingControl>) -> [String] {
        tuner.control.writes.filter { $0.hasPrefix("ksmd=") || $0.hasPrefix("run=") }
    }

    // MARK: In a scan, and after it

    @Test func `It is scheduled behind the write that begins a scan, and put back before the one that ends it`() throws
    {
        var tuner = try tuner()
        var listener = Listener()
        #expect(decide(&tuner, &listener, at: 0))
        #expect(ksmdWrites(tuner) == ["run=1", "ksmd=SCHED_IDLE"])
        #expect(tuner.ksmdChange == SchedulingChange(found: Self.own, given: Self.idle))
        tuner.control.forget()
        try adopt(&tuner, .idle, isShort: false)
        decide(&tuner, &listener, at: 60)
        #expect(ksmdWrites(tuner) == ["ksmd=SCHED_OTHER, nice 5", "run=0"])
        #expect(tuner.ksmdChange == nil)
        #expect(listener.notices.isEmpty)
    }

    @Test func `What it had is known before it is changed`() throws {
        var tuner = try tuner()
        var listener = Listener()
        _ = tuner.step(at: Self.second(0), &listener)
        let isNew = tuner.rememberKsmd(at: Self.second(0))
        #expect(isNew)
        #expect(tuner.ksmdChange?.found == Self.own)
        #expect(scheduled(tuner) == Self.own)
    }

    @Test func `A write to run waits for a batch, so ksmd has its own for that long`() throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        decide(&tuner, &listener, at: 60)
        #expect(
            ksmdWrites(tuner) == ["run=1", "ksmd=SCHED_IDLE", "ksmd=SCHED_OTHER, nice 5", "run=1", "ksmd=SCHED_IDLE"])
    }

    @Test func `Nothing is done where nothing is scanned`() throws {
        var tuner = try tuner(isShort: false)
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        decide(&tuner, &listener, at: 60)
        #expect(ksmdWrites(tuner) == ["run=0", "run=0"])
    }

    @Test func `keep touches nothing`() throws {
        var tuner = try tuner(.keep)
        var listener = Listener()
        for second in stride(from: 0.0, to: 300, by: 60) { decide(&tuner, &listener, at: second) }
        tuner.applyKnobs(&listener)
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(tuner.control.writes.allSatisfy { !$0.hasPrefix("ksmd=") })
        #expect(listener.notices.isEmpty)
    }

    @Test func `A nice value is given under SCHED_OTHER`() throws {
        var tuner = try tuner(.nice(12)) { $0.ksmd = KsmdState(scheduling: Self.idle) }
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        #expect(scheduled(tuner) == Scheduling(.other, nice: 12))
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == Self.idle)
    }

    @Test func `What ksmd has already is not given, nor put back`() throws {
        var tuner = try tuner(.nice(5))
        var listener = Listener()
        for second in stride(from: 0.0, to: 300, by: 60) { decide(&tuner, &listener, at: second) }
        #expect(tuner.control.writes.allSatisfy { !$0.hasPrefix("ksmd=") })
        #expect(tuner.ksmdChange == nil)
    }

    @Test(arguments: [Scheduling.Policy.fifo, .roundRobin, .deadline, .ext])
    func `A priority that could not be put back is left`(_ policy: Scheduling.Policy) throws {
        var tuner = try tuner { $0.ksmd = KsmdState(scheduling: Scheduling(policy, nice: 0)) }
        var listener = Listener()
        for second in stride(from: 0.0, to: 300, by: 60) { decide(&tuner, &listener, at: second) }
        #expect(tuner.control.writes.allSatisfy { !$0.hasPrefix("ksmd=") })
        // Whoever gave it one and takes it away goes on to say how it is scheduled, until the operator of the daemon speaks.
        tuner.control.ksmd = KsmdState(scheduling: Self.own)
        for second in stride(from: 300.0, to: 600, by: 60) { decide(&tuner, &listener, at: second) }
        #expect(scheduled(tuner) == Self.own)
        try adopt(&tuner, .idle)
        decide(&tuner, &listener, at: 600)
        #expect(scheduled(tuner) == Self.idle)
    }

    @Test func `A ksmd that cannot be seen is left, as that of another tree`() throws {
        var tuner = try tuner { $0.ksmd = nil }
        var listener = Listener()
        for second in stride(from: 0.0, to: 300, by: 60) { decide(&tuner, &listener, at: second) }
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(tuner.control.writes.allSatisfy { !$0.hasPrefix("ksmd=") })
        #expect(listener.notices.isEmpty)
    }

    // MARK: Ways out

    @Test(arguments: ExitAction.allCases)
    func `It is put back at the end, whatever KSM_ON_EXIT says`(_ way: ExitAction) throws {
        var configuration = configuration(.idle, isShort: true)
        configuration.onExit = way
        var control = RecordingControl()
        control.ksmd = KsmdState(scheduling: Self.own)
        var tuner = try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)))
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        #expect(scheduled(tuner) == Self.idle)
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == Self.own)
        #expect(tuner.ksmdChange == nil)
        #expect(listener.notices.isEmpty)
    }

    @Test func `After a crash the next start puts it back`() throws {
        let change = SchedulingChange(found: Self.own, given: Self.idle)
        for wish in [KsmdScheduling.keep, .idle] {
            var tuner = try tuner(wish, inheriting: change) { $0.ksmd = KsmdState(scheduling: Self.idle) }
            var listener = Listener()
            #expect(tuner.ksmdChange == change)
            tuner.applyKnobs(&listener)
            #expect(scheduled(tuner) == Self.own)
            #expect(tuner.ksmdChange == nil)
            #expect(listener.notices.isEmpty)
        }
    }

    @Test func `A crash before the change leaves nothing to put back`() throws {
        var tuner = try tuner(.keep, inheriting: SchedulingChange(found: Self.own, given: Self.idle))
        var listener = Listener()
        tuner.applyKnobs(&listener)
        #expect(tuner.control.writes.isEmpty)
        #expect(tuner.ksmdChange == nil)
        #expect(listener.notices.isEmpty)
    }

    @Test func `A reload takes another value at once, and keep gives its own back`() throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        try adopt(&tuner, .nice(10))
        tuner.applyKnobs(&listener)
        decide(&tuner, &listener, at: 1)
        #expect(tuner.ksmdChange == SchedulingChange(found: Self.own, given: Scheduling(.other, nice: 10)))
        #expect(scheduled(tuner) == Scheduling(.other, nice: 10))
        try adopt(&tuner, .keep)
        tuner.applyKnobs(&listener)
        decide(&tuner, &listener, at: 2)
        #expect(scheduled(tuner) == Self.own)
    }

    @Test func `What cannot be put back is told once, and tried again`() throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        tuner.control.schedulingRefusal = 1
        tuner.applyKnobs(&listener)
        tuner.applyKnobs(&listener)
        let error = KernelFileError(.schedule, "ksmd (pid 45)", errno: 1)
        let change = SchedulingChange(found: Self.own, given: Self.idle)
        #expect(listener.notices == [.ksmdNotPutBack(change, error)])
        #expect(
            listener.notices.first?.description
                == "cannot schedule ksmd (pid 45): Operation not permitted, so ksmd keeps SCHED_IDLE, and had "
                + "SCHED_OTHER, nice 5: put it back with chrt -o -p 0 $(pgrep -x ksmd) && renice -n 5 -p "
                + "$(pgrep -x ksmd)")
        #expect(tuner.ksmdChange == change)
        tuner.control.schedulingRefusal = nil
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == Self.own)
        #expect(listener.notices.last == .ksmdScheduled(Self.own))
    }

    // MARK: Without the capability

    @Test func `A refusal is told once, with what it is for and the remedy, until it works`() throws {
        var tuner = try tuner { $0.schedulingRefusal = 1 }
        var listener = Listener()
        for second in stride(from: 0.0, through: 300, by: 60) { decide(&tuner, &listener, at: second) }
        #expect(listener.notices.count == 1)
        #expect(
            listener.notices.first?.description
                == "cannot schedule ksmd (pid 45): Operation not permitted, so KSM_KSMD_SCHEDULING=idle has no effect "
                + "and ksmd competes with guests as ever: give the daemon CAP_SYS_NICE, as ksmtuned.service does, or "
                + "set KSM_KSMD_SCHEDULING=keep")
        #expect(tuner.ksmdChange == nil)
        tuner.control.schedulingRefusal = nil
        decide(&tuner, &listener, at: 360)
        #expect(listener.notices.dropFirst() == [.ksmdScheduled(Self.idle)])
        #expect(scheduled(tuner) == Self.idle)
    }

    @Test func `After a reload it is tried at once, and a refusal told again`() throws {
        var tuner = try tuner { $0.schedulingRefusal = 1 }
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        try adopt(&tuner, .idle)
        decide(&tuner, &listener, at: 1)
        let error = KernelFileError(.schedule, "ksmd (pid 45)", errno: 1)
        #expect(listener.notices == [.ksmdNotScheduled(.idle, error), .ksmdNotScheduled(.idle, error)])
    }

    @Test func `After a refusal it is tried again once a minute, not at each look`() throws {
        var tuner = try tuner { $0.schedulingRefusal = 1 }
        var listener = Listener()
        for second in stride(from: 0.0, to: 60, by: 1) { decide(&tuner, &listener, at: second) }
        #expect(tuner.control.writes.count { $0.hasPrefix("ksmd=") } == 1)
        decide(&tuner, &listener, at: 60)
        #expect(tuner.control.writes.count { $0.hasPrefix("ksmd=") } == 2)
    }

    // MARK: Other hands

    @Test func `What somebody else gave it is told once, and left until a reload`() throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        let theirs = Scheduling(.other, nice: -5)
        tuner.control.ksmd?.scheduling = theirs
        for second in stride(from: 60.0, through: 300, by: 60) { decide(&tuner, &listener, at: second) }
        #expect(scheduled(tuner) == theirs)
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == theirs)
        #expect(tuner.ksmdChange == nil)
        #expect(listener.notices == [.foreignScheduling(expected: Self.idle, found: theirs)])
        #expect(
            listener.notices.first?.description
                == "something else changed ksmd's scheduling from SCHED_IDLE to SCHED_OTHER, nice -5: leaving it so "
                + "until a reload")
        try adopt(&tuner, .idle)
        decide(&tuner, &listener, at: 360)
        #expect(tuner.ksmdChange == SchedulingChange(found: theirs, given: Scheduling(.idle, nice: -5)))
    }

    @Test func `Somebody who puts it back himself is not told of`() throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        tuner.control.ksmd?.scheduling = Self.own
        tuner.applyKnobs(&listener)
        #expect(listener.notices.isEmpty)
        #expect(tuner.ksmdChange == nil)
        // Nor is what goes on as ever after that.
        decide(&tuner, &listener, at: 1)
        #expect(scheduled(tuner) == Self.idle)
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == Self.own)
        #expect(listener.notices.isEmpty)
    }

    @Test func `Only what is to be changed is to be remembered`() {
        let states: [(Scheduling?, Bool)] = [(nil, false), (Self.idle, false), (Self.own, true)]
        for (found, isNews) in states {
            var scheduler = KsmdScheduler(configuration(.idle, isShort: true), inheriting: nil)
            var control = RecordingControl()
            control.ksmd = found.map { KsmdState(scheduling: $0) }
            #expect(scheduler.remember(at: Self.second(1), control) == isNews)
            #expect(scheduler.change == (isNews ? SchedulingChange(found: Self.own, given: Self.idle) : nil))
            let isNewsAgain = scheduler.remember(at: Self.second(1.1), control)
            #expect(!isNewsAgain, "it is known, or looked for later")
        }
    }

    // MARK: Starvation

    /// A scan in which ksmd is looked at every half a second.
    private struct Scan {
        var scheduler: KsmdScheduler
        var control = RecordingControl()
        var listener = Listener()
        var time = 0.0

        init(_ configuration: Configuration) {
            scheduler = KsmdScheduler(configuration, inheriting: nil)
            control.ksmd = KsmdState(scheduling: KsmdSchedulerTests.own)
        }

        /// - Parameter isStarved: Whether ksmd is ready, and gets no CPU.
        mutating func look(for seconds: Double, isStarved: Bool) {
            let end = time + seconds
            while time < end {
                control.ksmd?.isReady = isStarved
                if !isStarved { control.ksmd?.cpu += .milliseconds(200) }
                let now = KsmdSchedulerTests.second(time)
                _ = scheduler.remember(at: now, control)
                scheduler.apply(at: now, &control, &listener)
                time += 0.5
            }
        }
    }

    @Test func `A ksmd that starves has its own for a minute, which is told once in a life`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.look(for: 10, isStarved: false)
        #expect(scan.control.writes == ["ksmd=SCHED_IDLE"])
        scan.look(for: 4, isStarved: true)
        #expect(scan.control.writes == ["ksmd=SCHED_IDLE", "ksmd=SCHED_OTHER, nice 5"])
        #expect(scan.scheduler.change == nil)
        let change = SchedulingChange(found: Self.own, given: Self.idle)
        #expect(scan.listener.notices.count == 1)
        guard case .ksmdStarved(change, let share) = scan.listener.notices.first else {
            Issue.record("\(scan.listener.notices)")
            return
        }
        #expect(share > KsmdStarvation.greatestShare)
        // Not before the pause is over, and then again.
        scan.control.forget()
        scan.look(for: 55, isStarved: true)
        #expect(scan.control.writes.isEmpty)
        scan.look(for: 15, isStarved: true)
        #expect(scan.control.writes == ["ksmd=SCHED_IDLE", "ksmd=SCHED_OTHER, nice 5"])
        #expect(scan.listener.notices.count == 1)
    }

    // It writes each scan again, for which ksmd has its own for a moment.
    @Test(arguments: [false, true])
    func `The classic policy sees at its decisions whether ksmd starves`(isStarved: Bool) throws {
        var tuner = try tuner()
        var listener = Listener()
        decide(&tuner, &listener, at: 0)
        func live(until second: Double, _ tuner: inout Tuner<RecordingControl>) -> Bool {
            tuner.control.ksmd?.isReady = true
            tuner.control.ksmd?.waited += .seconds(isStarved ? 55 : 20)
            tuner.control.ksmd?.cpu += .seconds(isStarved ? 0 : 40)
            return decide(&tuner, &listener, at: second)
        }
        // Where it has its own there is nothing for the state file.
        #expect(live(until: 60, &tuner) == !isStarved)
        #expect(scheduled(tuner) == (isStarved ? Self.own : Self.idle))
        #expect(listener.notices.count == (isStarved ? 1 : 0))
        // A request between two decisions does not end the pause.
        tuner.control.ksmd?.isReady = isStarved
        decide(&tuner, &listener, at: 90)
        #expect(scheduled(tuner) == (isStarved ? Self.own : Self.idle))
        #expect(live(until: 120, &tuner))
        #expect(scheduled(tuner) == Self.idle)
        #expect(live(until: 180, &tuner) == !isStarved)
        #expect(scheduled(tuner) == (isStarved ? Self.own : Self.idle))
        #expect(listener.notices.count == (isStarved ? 1 : 0))
    }

    @Test func `A refusal begins anew what is judged`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.control.schedulingRefusal = 1
        scan.look(for: 65, isStarved: true)
        #expect(scan.listener.notices.count == 1)
        scan.control.schedulingRefusal = nil
        scan.look(for: 60, isStarved: true)
        #expect(scan.control.writes.contains("ksmd=SCHED_IDLE"))
    }

    @Test func `One that starves and cannot have its own is not told to have it`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.look(for: 10, isStarved: false)
        scan.control.schedulingRefusal = 1
        scan.look(for: 20, isStarved: true)
        let change = SchedulingChange(found: Self.own, given: Self.idle)
        let error = KernelFileError(.schedule, "ksmd (pid 45)", errno: 1)
        #expect(scan.listener.notices == [.ksmdNotPutBack(change, error)])
    }

    @Test func `It is looked at once a second`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.look(for: 2, isStarved: false)
        // Steps come every 0.5 s; after that in which it was given, the looks were at 0.5 and 1.5 s.
        scan.control.ksmd?.scheduling = Scheduling(.other, nice: 3)
        scan.look(for: 0.5, isStarved: false)
        #expect(scan.listener.notices.isEmpty)
        scan.look(for: 0.5, isStarved: false)
        #expect(scan.listener.notices.count == 1)
    }

    @Test func `The next scan tries it again at once`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.look(for: 4, isStarved: true)
        #expect(scan.control.ksmd?.scheduling == Self.own)
        scan.scheduler.release(&scan.control, &scan.listener)
        scan.look(for: 1, isStarved: false)
        #expect(scan.control.ksmd?.scheduling == Self.idle)
    }

    @Test func `Under a nice value nothing starves`() throws {
        var scan = Scan(configuration(.nice(19), isShort: true))
        scan.look(for: 20, isStarved: true)
        #expect(scan.control.writes == ["ksmd=SCHED_OTHER, nice 19"])
        #expect(scan.listener.notices.isEmpty)
    }

    @Test func `What was waited for before the change does not count`() throws {
        var scan = Scan(configuration(.idle, isShort: true))
        scan.control.ksmd?.waited = .seconds(500)
        scan.look(for: 20, isStarved: false)
        #expect(scan.control.writes == ["ksmd=SCHED_IDLE"])
    }

    @Test func `The message says what it means`() {
        let change = SchedulingChange(found: Self.own, given: Self.idle)
        #expect(
            Notice.ksmdStarved(change, share: 0.953).description
                == "ksmd was without a CPU for 95 % of the last seconds, and guests wait for locks that it holds: "
                + "giving it SCHED_OTHER, nice 5 for up to 60 s instead of SCHED_IDLE")
    }

    // MARK: A dry run

    @Test func `A dry run says what it would do, and changes nothing`() throws {
        var tuner = try tuner { $0.takesEffect = false }
        var listener = Listener()
        #expect(!decide(&tuner, &listener, at: 0))
        #expect(ksmdWrites(tuner) == ["run=1", "ksmd=SCHED_IDLE"])
        // ksmd has not what it would have been given; that is nobody's doing.
        tuner.scheduleKsmd(at: Self.second(30), &listener)
        decide(&tuner, &listener, at: 60)
        #expect(
            ksmdWrites(tuner)
                == ["run=1", "ksmd=SCHED_IDLE", "ksmd=SCHED_OTHER, nice 5", "run=1", "ksmd=SCHED_IDLE"])
        decide(&tuner, &listener, at: 120)
        _ = tuner.leave(found: KnobValues(), &listener)
        #expect(scheduled(tuner) == Self.own)
        #expect(listener.notices.isEmpty)
    }

    @Test func `The kernel's own dry run names it`() throws {
        var said: [String] = []
        let control = DryRun(host.paths) { said.append($0) }
        control.schedule(ksmd: Self.idle)
        #expect(said == ["would have ksmd scheduled as SCHED_IDLE"])
    }
}
