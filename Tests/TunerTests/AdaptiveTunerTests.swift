import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

private struct Notices: StepObserver {
    var all: [Notice] = []
    mutating func willApply(_ decision: Decision, guests: Int) {}
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {}
    mutating func report(_ notice: Notice) { all.append(notice) }
}

/// What the daemon writes by the adaptive policy and by that of the kernel's advisor.
@Suite struct AdaptiveTunerTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private static let second: Int64 = 1_000_000_000
    private let host = FakeHost(total: total)

    private func tuner(
        _ control: RecordingControl = RecordingControl(), isHeir: Bool = false,
        _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Tuner<RecordingControl> {
        var configuration = Configuration()
        configuration.policy = .adaptive
        change(&configuration)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)), isHeir: isHeir)
    }

    private func startGuest(_ pid: Int = 100, mebibytes: Int64 = 512) {
        host.setProcess(pid, comm: "qemu-kvm", resident: mebibytes * 256)
    }

    @Test func `a burst writes pace and run once, and then only what changes`() throws {
        startGuest()
        var tuner = try tuner()
        var notices = Notices()
        _ = tuner.step(at: 0, &notices)
        if tuner.control.values[.run] != 1 { _ = tuner.step(at: Instant(nanoseconds: Self.second), &notices) }
        #expect(tuner.control.values[.run] == 1)
        #expect(tuner.control.writes.filter { $0 == "run=1" }.count == 1)
        tuner.control.forget()
        // No CPU time is known, so the pace stays.
        for step: Int64 in 2..<6 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(tuner.control.writes.isEmpty)
        #expect(notices.all.isEmpty)
    }

    @Test func `what guests hold is told with each decision`() throws {
        startGuest()
        startGuest(101, mebibytes: 256)
        var tuner = try tuner()
        var notices = Notices()
        for second: Int64 in 0..<3 {
            let step = tuner.step(at: Instant(nanoseconds: second * Self.second), &notices)
            #expect(step?.decision.memory.committed == KiB(768 * 1024))
            #expect(step?.guests == 2)
        }
    }

    @Test func `of a pace only what changes is written, since each write to the sleep wakes ksmd`() throws {
        // So large that an eighth of its pages is no bound.
        startGuest(mebibytes: 8192)
        host.setProcess(40, comm: "ksmd", resident: 0)
        var tuner = try tuner()
        var notices = Notices()
        func steps(_ range: Range<Int64>) -> (pages: Int, sleeps: Int) {
            tuner.control.forget()
            for step in range {
                // A twentieth of a CPU, so that the batches become longer.
                host.write("\(step * Self.second / 200) 0 1\n", to: "proc/40/schedstat")
                _ = tuner.step(at: Instant(nanoseconds: (10 + step) * Self.second / 10), &notices)
            }
            let writes = tuner.control.writes
            return (
                writes.count { $0.hasPrefix("pages_to_scan=") }, writes.count { $0.hasPrefix("sleep_millisecs=") }
            )
        }
        #expect(steps(0..<3) == (3, 1))
        #expect(steps(3..<6) == (2, 0), "the longest batch stays")
        let sleep = try #require(tuner.control.values[.sleepMilliseconds])
        tuner.control.values[.sleepMilliseconds] = 99
        #expect(steps(6..<17) == (0, 1), "what is not expected is written again")
        #expect(tuner.control.values[.sleepMilliseconds] == sleep)
        #expect(notices.all == [.foreignWrite(.sleepMilliseconds, expected: sleep, found: 99)])
    }

    @Test func `an idle host is written to once`() throws {
        var tuner = try tuner()
        var notices = Notices()
        for step: Int64 in 0..<6 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(tuner.control.writes == ["run=0"])
    }

    @Test func `a foreign write is told once and overwritten`() throws {
        startGuest()
        var tuner = try tuner()
        var notices = Notices()
        for step: Int64 in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        let pages = try #require(tuner.control.values[.pagesToScan])
        tuner.control.values[.pagesToScan] = 7
        for step: Int64 in 3..<7 {
            _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices)
            #expect(tuner.control.values[.pagesToScan] == pages)
        }
        #expect(notices.all == [.foreignWrite(.pagesToScan, expected: pages, found: 7)])
    }

    @Test func `what another hand writes again and again is overwritten each time, and told of once`() throws {
        startGuest()
        var tuner = try tuner()
        var notices = Notices()
        for step: Int64 in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        for step: Int64 in 3..<7 {
            tuner.control.values[.run] = 0
            _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices)
            #expect(tuner.control.values[.run] == 1)
        }
        #expect(notices.all == [.foreignWrite(.run, expected: 1, found: 0)])
    }

    @Test func `everything that was unmerged by another hand at rest stays so until the next scan, with one notice`()
        throws
    {
        var tuner = try tuner()
        var notices = Notices()
        var now: Int64 = 0
        func step() {
            now += 6
            _ = tuner.step(at: Instant(nanoseconds: now * Self.second), &notices)
        }
        step()
        #expect(tuner.control.values[.run] == 0)
        tuner.control.values[.run] = 2
        for _ in 0..<5 { step() }
        #expect(tuner.control.values[.run] == 2)
        #expect(notices.all == [.leftUnmerged])
        #expect(tuner.tally.foreignWrites == 1)
        // Whoever takes it back is no news.
        tuner.control.values[.run] = 0
        for _ in 0..<2 { step() }
        tuner.control.values[.run] = 2
        for _ in 0..<2 { step() }
        #expect(notices.all == [.leftUnmerged, .leftUnmerged])
        startGuest()
        for _ in 0..<3 { step() }
        #expect(tuner.control.values[.run] == 1)
        #expect(notices.all.count == 2)
        // While ksmd scans it is a foreign write as any other.
        tuner.control.values[.run] = 2
        step()
        #expect(tuner.control.values[.run] == 1)
        #expect(notices.all.last == .foreignWrite(.run, expected: 1, found: 2))
    }

    @Test func `everything that was unmerged stays so when something else writes another file`() throws {
        startGuest()
        var tuner = try tuner()
        var notices = Notices()
        var now: Int64 = 0
        func step() {
            now += 6
            _ = tuner.step(at: Instant(nanoseconds: now * Self.second), &notices)
        }
        for _ in 0..<3 { step() }
        #expect(tuner.control.values[.run] == 1)
        host.remove("proc/100")
        for _ in 0..<4 {
            tuner.control.values[.fullScans, default: 0] += 1
            step()
        }
        #expect(tuner.control.values[.run] == 0)
        tuner.control.values[.run] = 2
        step()
        #expect(notices.all == [.leftUnmerged])
        tuner.control.values[.pagesToScan] = 7
        for _ in 0..<3 { step() }
        #expect(tuner.control.values[.run] == 2)
    }

    @Test(arguments: [false, true])
    func `a scan that could not be stopped is stopped at the end`(isForeign: Bool) throws {
        startGuest()
        var tuner = try tuner { $0.onExit = .keep }
        var notices = Notices()
        for step: Int64 in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(tuner.control.values[.run] == 1)
        if isForeign {
            // What else changed the pace, and keeps it from being written.
            tuner.control.values[.pagesToScan] = 7
            tuner.control.refusals[.pagesToScan] = 5
        } else {
            host.remove("proc/100")
            tuner.control.refusals[.run] = 11
        }
        for step: Int64 in 3..<9 {
            if !isForeign { tuner.control.values[.fullScans, default: 0] += 1 }
            _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices)
        }
        #expect(tuner.tally.failedWrites > 0 && tuner.control.values[.run] == 1)
        #expect(tuner.leave(found: KnobValues(run: 0), &notices).run == 0)
    }

    @Test(arguments: [PolicyKind.classic, .advisor])
    func `the other policies write their own value over a 2`(_ kind: PolicyKind) throws {
        var tuner = try tuner { $0.policy = kind }
        var notices = Notices()
        _ = tuner.step(at: 0, &notices)
        tuner.control.values[.run] = 2
        _ = tuner.step(at: Instant(nanoseconds: 60 * Self.second), &notices)
        #expect(tuner.control.values[.run] == 0)
        #expect(notices.all.last == .foreignWrite(.run, expected: 0, found: 2))
    }

    @Test func `the advisor is displaced, and told of once`() throws {
        startGuest()
        var control = RecordingControl()
        control.advisorMode = .scanTime
        var tuner = try tuner(control)
        var notices = Notices()
        for step: Int64 in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(tuner.control.advisorMode == .some(.none))
        #expect(notices.all == [.displacedAdvisor])
    }

    @Test func `keep ends a burst, and leaves a KSM at rest alone`() throws {
        var notices = Notices()
        var resting = try tuner()
        _ = resting.step(at: 0, &notices)
        #expect(resting.leave(found: KnobValues(), &notices).run == nil)
        startGuest()
        var busy = try tuner()
        for step: Int64 in 0..<2 { _ = busy.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(busy.control.values[.run] == 1)
        #expect(busy.leave(found: KnobValues(), &notices).run == 0)
    }

    @Test func `keep ends a burst that a child has yet to stop for a knob`() throws {
        var notices = Notices()
        startGuest()
        var tuner = try tuner()
        for step: Int64 in 0..<2 { _ = tuner.step(at: Instant(nanoseconds: step * Self.second), &notices) }
        #expect(tuner.control.values[.run] == 1)
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.mergeAcrossNodes = .no
        configuration.allowsUnmerge = true
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        tuner.control.values[.mergeAcrossNodes] = 1
        // A batch that a change of the knob would wait for.
        tuner.control.values[.pagesToScan] = 5_000_000
        host.write("", to: "run/child")
        tuner.control.childFile = host.path("run/child")
        tuner.applyKnobs(&notices)
        #expect(tuner.control.begun == [0] && tuner.pending != nil)
        #expect(tuner.leave(found: KnobValues(), &notices).run == 0)
        try tuner.pending?.finish()
    }

    @Test func `keep ends the burst of a daemon that was killed, also before the first decision`() throws {
        var notices = Notices()
        for (isHeir, run, last) in [(true, 1, 0), (true, 2, nil), (false, 1, nil)] as [(Bool, Int64, Int64?)] {
            var control = RecordingControl()
            control.values[.run] = run
            var tuner = try tuner(control, isHeir: isHeir)
            #expect(tuner.leave(found: KnobValues(), &notices).run == last)
        }
        var control = RecordingControl()
        control.values[.run] = 1
        var resting = try tuner(control, isHeir: true)
        _ = resting.step(at: 0, &notices)
        resting.control.values[.run] = 1
        #expect(resting.leave(found: KnobValues(), &notices).run == nil, "another hand's scan")
    }

    @Test func `smart_scan is off for a recheck, and put back`() throws {
        startGuest()
        var control = RecordingControl()
        control.values[.smartScan] = 1
        // Merged but for a quarter that had changed when it was last looked at.
        control.values[.pagesShared] = 20_000
        control.values[.pagesSharing] = 80_000
        control.values[.pagesVolatile] = 31_072
        control.values[.fullScans] = 5
        var tuner = try tuner(control)
        var notices = Notices()
        var reason: Decision.Reason?
        var now: Int64 = 0
        while reason != .settled, now < 4000 * Self.second {
            let moment = Instant(nanoseconds: now)
            let (decision, guests) = try #require(tuner.decide(at: moment, &notices))
            reason = decision.reason
            // The first passes show what there is.
            if reason == .newMemory { tuner.control.values[.fullScans]! += 1 }
            // Known before it is written, so that a crash between the two loses nothing.
            #expect(tuner.rememberSmartScan(for: decision) == (reason == .settled))
            #expect(tuner.control.values[.smartScan] == 1)
            #expect(tuner.foundKnobs[.smartScan] == (reason == .settled ? 1 : nil))
            tuner.follow(decision, guests: guests, at: moment, &notices)
            now += Self.second
        }
        #expect(reason == .settled)
        #expect(tuner.control.values[.smartScan] == 0)
        #expect(tuner.control.values[.run] == 1)
        tuner.control.values[.fullScans]! += 1
        tuner.control.values[.pagesUnshared] = 31_072
        tuner.control.values[.pagesVolatile] = 0
        _ = tuner.step(at: Instant(nanoseconds: now), &notices)
        #expect(tuner.control.values[.run] == 0)
        #expect(tuner.control.values[.smartScan] == 1)
        #expect(tuner.control.writes.filter { $0.hasPrefix("smart_scan") } == ["smart_scan=0", "smart_scan=1"])
    }

    @Test func `the pass under way is told, and none while ksmd rests`() throws {
        var tuner = try tuner()
        var notices = Notices()
        #expect(tuner.step(at: 0, &notices)?.decision.scan?.pass == 0)
        startGuest()
        let passes = (1..<Int64(4)).map { second in
            let decision = tuner.step(at: Instant(nanoseconds: second * Self.second), &notices)?.decision
            return decision?.action == .scan ? decision?.scan?.pass : nil
        }
        #expect(passes.last == 1)
    }

    // MARK: The kernel's advisor

    private func advised(_ change: (inout Configuration) -> Void = { _ in }) throws -> Tuner<RecordingControl> {
        var control = RecordingControl()
        control.values[.advisorTargetScanTime] = 200
        control.values[.advisorMaxCPU] = 70
        control.values[.advisorMinPagesToScan] = 500
        control.values[.advisorMaxPagesToScan] = 30_000
        // 1.5 TiB in pages: far above what the advisor's minimum does in the time.
        control.values[.pagesUnshared] = 400_000_000
        return try tuner(control) {
            $0.policy = .advisor
            change(&$0)
        }
    }

    @Test func `the advisor's files are written in an order that the kernel takes, and put back`() throws {
        host.setMemory(total: Self.total, free: 1000)
        var tuner = try advised {
            $0.onExit = .restore
            $0.advisorPagesMinimum = 40_000
            $0.advisorPagesMaximum = 90_000
        }
        var notices = Notices()
        let known = FoundKnobs(tuner.control)
        #expect(known.unknown.isEmpty)
        let found = known.values
        _ = tuner.step(at: 0, &notices)
        #expect(tuner.control.advisorMode == .scanTime)
        #expect(tuner.control.values[.run] == 1)
        checkOrder(tuner.control.writes, minimum: 500, maximum: 30_000)
        let given = (tuner.control.values[.advisorMinPagesToScan]!, tuner.control.values[.advisorMaxPagesToScan]!)
        #expect(given.0 >= 40_000)
        tuner.control.forget()
        // By way of the state file, as after a crash.
        let state = StateRecord(parsing: StateRecord(pid: 1, found: found).text)
        #expect(state?.found == found)
        _ = tuner.leave(found: state?.found ?? KnobValues(), &notices)
        #expect(tuner.control.values[.advisorMinPagesToScan] == 500)
        #expect(tuner.control.values[.advisorMaxPagesToScan] == 30_000)
        #expect(tuner.control.advisorMode == .some(.none))
        #expect(tuner.control.values[.pagesToScan] == 100)
        checkOrder(tuner.control.writes, minimum: given.0, maximum: given.1)
    }

    @Test func `an advisor that is on is left on, but for a restart where it is far too slow`() throws {
        host.setMemory(total: Self.total, free: 1000)
        var tuner = try advised()
        var notices = Notices()
        let modes = (0..<Int64(4)).map { look in
            tuner.control.forget()
            _ = tuner.step(at: Instant(nanoseconds: look * 60 * Self.second), &notices)
            return tuner.control.writes.filter { $0.hasPrefix("advisor_mode=") }
        }
        #expect(
            modes == [["advisor_mode=scan-time"], [], [], ["advisor_mode=none", "advisor_mode=scan-time"]])
        #expect(notices.all.count == 1)
    }

    /// The minimum is at no time above the maximum.
    private func checkOrder(_ writes: [String], minimum: Int64, maximum: Int64) {
        var (minimum, maximum) = (minimum, maximum)
        for write in writes {
            let parts = write.split(separator: "=")
            if parts[0] == "advisor_min_pages_to_scan" { minimum = Int64(parts[1])! }
            if parts[0] == "advisor_max_pages_to_scan" { maximum = Int64(parts[1])! }
            #expect(minimum <= maximum, "after \(write)")
        }
    }

    @Test(arguments: [ExitAction.keep, .stop, .unmerge], [true, false])
    func `the pages that were found are there again when the advisor is switched off`(
        onExit: ExitAction, isHeir: Bool
    ) throws {
        host.setMemory(total: Self.total, free: 1000)
        let pages: Int64 = 2000
        for isUsed in [true, false] {
            var tuner = try advised { $0.onExit = onExit }
            var notices = Notices()
            tuner.control.values[.pagesToScan] = pages
            let found = FoundKnobs(tuner.control).values
            if isUsed { _ = tuner.step(at: 0, &notices) }
            // As the kernel has its own under the advisor, and its default behind it.
            tuner.control.values[.pagesToScan] = 100
            if isHeir {
                _ = tuner.leave(found: found, &notices)
            } else {
                _ = tuner.leave(found: found, inherited: KSMFileSet(), &notices)
            }
            #expect(tuner.control.advisorMode == .some(.none))
            #expect(tuner.control.values[.pagesToScan] == (isUsed ? pages : 100))
        }
    }

    @Test func `what something else writes to the advisor's files is told once, counted, and written over`() throws {
        host.setMemory(total: Self.total, free: 1000)
        var tuner = try advised()
        var notices = Notices()
        func step(_ look: Int64) { _ = tuner.step(at: Instant(nanoseconds: look * 10 * Self.second), &notices) }
        step(0)
        step(1)
        #expect(notices.all.isEmpty && tuner.tally.foreignWrites == 0)
        let most = try #require(tuner.control.values[.advisorMaxCPU])
        for look: Int64 in 2...3 {
            tuner.control.values[.advisorMaxCPU] = 1
            step(look)
            #expect(tuner.control.values[.advisorMaxCPU] == most)
        }
        // Among others: what this tree's ksmd does lets the advisor look too slow.
        var foreign: [Notice] {
            notices.all.filter { if case .foreignWrite = $0 { true } else { false } }
        }
        #expect(foreign == [.foreignWrite(.advisorMaxCPU, expected: most, found: 1)])
        #expect(tuner.tally.foreignWrites == 2)
        tuner.control.advisorMode = .some(.none)
        step(4)
        #expect(tuner.control.advisorMode == .scanTime)
        #expect(foreign.last == .foreignWrite(.advisorMode, expected: 1, found: 0))
        #expect(foreign.last?.description.contains("advisor_mode from scan-time to none, going on") == true)
        #expect(tuner.tally.foreignWrites == 3)
        step(5)
        #expect(foreign.count == 2 && tuner.tally.foreignWrites == 3)
    }

    @Test func `without an advisor it is told once, and the classic rule decides`() throws {
        host.setMemory(total: Self.total, free: 1000)
        var tuner = try advised()
        tuner.control.advisorMode = nil
        var notices = Notices()
        for step: Int64 in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: step * 60 * Self.second), &notices) }
        #expect(notices.all == [.noAdvisor])
        #expect(tuner.control.writes.prefix(3) == ["pages_to_scan=300", "sleep_millisecs=10", "run=1"])
    }
}
