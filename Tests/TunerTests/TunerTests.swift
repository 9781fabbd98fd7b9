import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

/// Remembers what a step told, in the order of the writes between.
private struct Recorder: StepObserver {
    var told: [String] = []
    var notices: [Notice] = []

    mutating func willApply(_ decision: Decision, guests: Int) { told.append("will \(decision.action.word)") }
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {
        told.append("did \(decision.action.word)" + (isRefused ? " in vain" : ""))
    }
    mutating func report(_ notice: Notice) { notices.append(notice) }
}

@Suite struct TunerTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private let host = FakeHost(total: total)

    private func tuner(
        _ control: RecordingControl = RecordingControl(), _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Tuner<RecordingControl> {
        var configuration = Configuration()
        change(&configuration)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)))
    }

    private func runShort() { host.setMemory(total: Self.total, free: 1000) }
    private func runPlenty() { host.setMemory(total: Self.total, free: Self.total / 2) }

    @Test func `a start writes pages, sleep and run in this order, every time`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        #expect(tuner.step(at: 0, &recorder)?.decision.reason == .shortage)
        #expect(tuner.control.writes == ["pages_to_scan=300", "sleep_millisecs=10", "run=1"])
        tuner.control.forget()
        runPlenty()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.writes == ["run=0"])
        tuner.control.forget()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.writes == ["run=0"])
        tuner.control.forget()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.writes == ["pages_to_scan=600", "sleep_millisecs=10", "run=1"])
        #expect(recorder.notices.isEmpty)
    }

    @Test func `the observer hears before and after the writes`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.told == ["will stop", "did stop"])
    }

    @Test(arguments: [
        (KSMFile.pagesToScan, ["pages_to_scan=300"]),
        (.sleepMilliseconds, ["pages_to_scan=300", "sleep_millisecs=10"]),
        (.run, ["pages_to_scan=300", "sleep_millisecs=10", "run=1"]),
    ])
    func `after a refusal nothing further is written, and it is told once`(file: KSMFile, writes: [String]) throws {
        for errno: Int32 in [5, 13, 16, 22, 30] {
            var control = RecordingControl()
            control.refusals[file] = errno
            var tuner = try tuner(control)
            var recorder = Recorder()
            runShort()
            _ = tuner.step(at: 0, &recorder)
            #expect(tuner.control.writes == writes)
            _ = tuner.step(at: 0, &recorder)
            _ = tuner.step(at: 0, &recorder)
            let error = KernelFileError(.write, file.name, errno: errno)
            #expect(recorder.notices == [.failed(.knobs, error)])
            tuner.control.refusals = [:]
            _ = tuner.step(at: 0, &recorder)
            #expect(recorder.notices == [.failed(.knobs, error), .recovered(.knobs)])
            #expect(tuner.tally.failedWrites == 3)
            #expect(
                recorder.told.filter { $0.hasPrefix("did") }
                    == ["did scan in vain", "did scan in vain", "did scan in vain", "did scan"])
        }
    }

    @Test func `a refusal that is not the advisor's leaves it on, and the file counts as written to`() throws {
        var control = RecordingControl()
        control.advisorMode = .scanTime
        control.refusals[.pagesToScan] = 13
        var tuner = try tuner(control)
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.writes == ["pages_to_scan=300"])
        #expect(tuner.control.advisorMode == .scanTime)
        #expect(tuner.written.contains(.pagesToScan) && !tuner.written.contains(.run))
    }

    /// A decision to scan 300 pages each 10 ms.
    private func scan(_ policy: PolicyKind, _ reason: Decision.Reason) -> Decision {
        var decision = Decision(
            action: .scan, reason: reason, pagesToScan: 300, sleepMilliseconds: 10,
            memory: MemorySample(free: .zero, committed: .zero), total: KiB(Self.total), threshold: .zero,
            previousPagesToScan: 0)
        decision.policy = policy
        return decision
    }

    @Test func `a scan begins with smart_scan, before its pace`() throws {
        var control = RecordingControl()
        control.values[.smartScan] = 1
        var tuner = try tuner(control) { $0.policy = .adaptive }
        var recorder = Recorder()
        var decision = scan(.adaptive, .settled)
        decision.scan = ScanReport(unscanned: .zero, changed: .zero)
        decision.scan?.smartScan = false
        tuner.follow(decision, guests: 0, at: 0, &recorder)
        #expect(tuner.control.writes == ["smart_scan=0", "pages_to_scan=300", "sleep_millisecs=10", "run=1"])
    }

    @Test(arguments: [true, false])
    func `the kernel's advisor begins anew where it is on, and begins where it is off`(isOn: Bool) throws {
        var control = RecordingControl()
        control.advisorMode = isOn ? .scanTime : AdvisorMode.none
        var tuner = try tuner(control) { $0.policy = .advisor }
        var recorder = Recorder()
        var decision = scan(.advisor, .shortage)
        var order = AdvisorPolicy.Order(
            scanTime: .seconds(200), cpuMaximumPercent: 70, pagesMinimum: 500, pagesMaximum: 30_000)
        order.restarts = true
        decision.advisor = order
        tuner.follow(decision, guests: 0, at: 0, &recorder)
        #expect(
            tuner.control.writes.filter { $0.hasPrefix("advisor_mode") }
                == (isOn ? ["advisor_mode=none"] : []) + ["advisor_mode=scan-time"])
    }

    @Test func `of a pace that is the kernel's nothing has to be followed`() throws {
        var tuner = try tuner { $0.policy = .advisor }
        var recorder = Recorder()
        runShort()
        let scan = try #require(tuner.step(at: 0, &recorder)?.decision)
        #expect(scan.action == .scan && scan.policy == .advisor)
        tuner.control.values[.pagesToScan] = scan.pagesToScan + 1
        tuner.control.values[.sleepMilliseconds] = scan.sleepMilliseconds + 1
        #expect(tuner.unfollowed(scan).isEmpty)
        tuner.control.values[.run] = 0
        #expect(tuner.unfollowed(scan) == [.run])
    }

    @Test func `a host that tells of no memory at all keeps the amount that it had`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        host.setMemory(total: 0, free: 0)
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.policy.classic.total == KiB(Self.total))
        #expect(!recorder.notices.contains { if case .memoryChanged = $0 { true } else { false } })
    }

    @Test func `what the kernel did not follow is named, file by file`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        let stop = try #require(tuner.step(at: 0, &recorder)?.decision)
        runShort()
        let scan = try #require(tuner.step(at: 0, &recorder)?.decision)
        #expect(tuner.unfollowed(scan).isEmpty)
        #expect(tuner.unfollowed(stop) == [.run])
        for (file, value) in [(KSMFile.run, 2), (.pagesToScan, 7), (.sleepMilliseconds, 9)] as [(KSMFile, Int64)] {
            tuner.control.values[file] = value
        }
        #expect(tuner.unfollowed(scan) == [.run, .pagesToScan, .sleepMilliseconds])
        tuner.control.values[.run] = 0
        #expect(tuner.unfollowed(stop).isEmpty)
        tuner.control.unreadable[.run] = 5
        #expect(tuner.unfollowed(stop) == [.run])
    }

    @Test func `a knob that can be written and not be read is told once, until it is read`() throws {
        var control = RecordingControl()
        control.unreadable[.sleepMilliseconds] = 5
        var tuner = try tuner(control)
        var recorder = Recorder()
        for _ in 0..<3 { _ = tuner.step(at: 0, &recorder) }
        let failure = Notice.failed(.knobValues, KernelFileError(.read, "sleep_millisecs", errno: 5))
        #expect(recorder.notices == [failure])
        tuner.control.unreadable = [:]
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices == [failure, .recovered(.knobValues)])
    }

    @Test func `a refusal to stop is over with the stop that is taken`() throws {
        var control = RecordingControl()
        control.refusals[.run] = 5
        var tuner = try tuner(control)
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        tuner.control.refusals = [:]
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices == [.failed(.knobs, KernelFileError(.write, "run", errno: 5)), .recovered(.knobs)])
    }

    @Test func `the advisor is switched off when it refuses the pages, and told of`() throws {
        var control = RecordingControl()
        control.advisorMode = .scanTime
        var tuner = try tuner(control)
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        #expect(
            tuner.control.writes == [
                "pages_to_scan=300", "advisor_mode=none", "pages_to_scan=300", "sleep_millisecs=10", "run=1",
            ])
        #expect(recorder.notices == [.displacedAdvisor])
    }

    @Test func `who switches the advisor on after it has stayed off is told of again`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        for isOn in [true, true, false, true] {
            // It is on, and has its own pages; or nobody came since.
            if isOn {
                tuner.control.advisorMode = .scanTime
                tuner.control.values[.pagesToScan] = 4000
            }
            _ = tuner.step(at: 0, &recorder)
        }
        #expect(recorder.notices.count { $0 == .displacedAdvisor } == 2)
    }

    @Test func `a stop leaves the advisor alone`() throws {
        var control = RecordingControl()
        control.advisorMode = .scanTime
        var tuner = try tuner(control)
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.writes == ["run=0"])
    }

    @Test func `a foreign write is told once with old and new value, and overwritten`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        for _ in 0..<3 {
            tuner.control.values[.pagesToScan] = 7
            _ = tuner.step(at: 0, &recorder)
        }
        #expect(recorder.notices == [.foreignWrite(.pagesToScan, expected: 300, found: 7)])
        #expect(tuner.tally.foreignWrites == 3)
        #expect(tuner.tally.scanDecisions == 4 && tuner.tally.stopDecisions == 0)
        _ = tuner.step(at: 0, &recorder)
        tuner.control.values[.run] = 0
        tuner.control.values[.sleepMilliseconds] = 9
        _ = tuner.step(at: 0, &recorder)
        #expect(
            recorder.notices.dropFirst() == [
                .foreignWrite(.run, expected: 1, found: 0),
                .foreignWrite(.sleepMilliseconds, expected: 10, found: 9),
            ])
    }

    @Test func `a foreign write that the rest leaves alone is counted once`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        runPlenty()
        _ = tuner.step(at: 0, &recorder)
        tuner.control.values[.pagesToScan] = 7
        for _ in 0..<3 { _ = tuner.step(at: 0, &recorder) }
        #expect(recorder.notices == [.foreignWrite(.pagesToScan, expected: 300, found: 7)])
        #expect(tuner.tally.foreignWrites == 1)
    }

    @Test func `what the advisor left and what the operator set under it is nobody's foreign write`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        var other = Configuration()
        other.policy = .advisor
        let classic = try ClassicPolicy(other, total: KiB(Self.total))
        try tuner.adopt(other, classic)
        _ = tuner.step(at: 0, &recorder)
        tuner.control.values[.pagesToScan] = 4000
        tuner.control.values[.sleepMilliseconds] = 15
        _ = tuner.step(at: 0, &recorder)
        other.policy = .classic
        try tuner.adopt(other, classic)
        let before = recorder.notices
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.values[.pagesToScan] != 4000)
        #expect(recorder.notices.dropFirst(before.count).allSatisfy { $0 == .displacedAdvisor })
        #expect(tuner.tally.foreignWrites == 0)
    }

    @Test func `what was there before the first write is nobody's foreign write`() throws {
        var control = RecordingControl()
        control.values[.run] = 1
        control.values[.pagesToScan] = 5000
        var tuner = try tuner(control)
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices.isEmpty)
    }

    @Test func `memory that cannot be read leaves KSM as it is, and is told once`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        host.write("MemTotal: 5 kB\n", to: "proc/meminfo")
        for _ in 0..<3 { #expect(tuner.step(at: 0, &recorder) == nil) }
        #expect(tuner.control.writes.isEmpty)
        #expect(recorder.notices.count == 1)
        runPlenty()
        #expect(tuner.step(at: 0, &recorder) != nil)
        #expect(recorder.notices.last == .recovered(.memory))
    }

    @Test func `a metric that cannot be read is told once, whichever guest refuses`() throws {
        host.setProcess(10, comm: "kvm", resident: 10)
        var tuner = try tuner { $0.guestMetric = .unmerged }
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        host.setProcess(9, comm: "kvm", resident: 10)
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices.count == 1)
        host.write("1\n", to: "proc/9/ksm_merging_pages")
        host.write("1\n", to: "proc/10/ksm_merging_pages")
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices.last == .recovered(.metric))
    }

    @Test func `a batch that may take long is not waited for`() throws {
        var control = RecordingControl()
        control.values[.pagesToScan] = 100_001
        var tuner = try tuner(control)
        var recorder = Recorder()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.begun == [0])
        #expect(tuner.control.writes.isEmpty)
    }

    @Test func `a configuration that is adopted keeps the pages per scan`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        var configuration = Configuration()
        configuration.pagesBoost = 1
        configuration.profile = .proxmox
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        #expect(tuner.step(at: 0, &recorder)?.decision.pagesToScan == 301)
    }

    @Test func `a profile that is adopted says which processes are guests`() throws {
        host.setProcess(10, comm: "kvm", resident: 10)
        var tuner = try tuner()
        var recorder = Recorder()
        #expect(tuner.step(at: 0, &recorder)?.guests == 1)
        var configuration = Configuration()
        configuration.profile = .upstream
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        #expect(tuner.step(at: 0, &recorder)?.guests == 0)
    }

    // MARK: Memory that comes and goes

    @Test func `Memory that is added counts at the next decision, with threshold and sleep`() throws {
        var tuner = try tuner { $0.sleepMilliseconds = 100 }
        var recorder = Recorder()
        // Enough for 16 GiB, and too little for 64.
        host.setMemory(total: Self.total, free: Self.total / 2)
        #expect(tuner.step(at: 0, &recorder)?.decision.action == .stop)
        host.setMemory(total: 4 * Self.total, free: Self.total / 2)
        let decision = try #require(tuner.step(at: 0, &recorder)?.decision)
        #expect(decision.reason == .shortage)
        #expect(decision.total == KiB(4 * Self.total))
        #expect(decision.threshold == KiB(4 * Self.total / 5))
        #expect(decision.sleepMilliseconds == 25)
        let policy = tuner.policy.classic
        #expect(recorder.notices == [.memoryChanged(from: KiB(Self.total), policy)])
        _ = tuner.step(at: 0, &recorder)
        #expect(recorder.notices.count == 1)
        // Taken away again.
        host.setMemory(total: Self.total, free: Self.total / 2)
        #expect(tuner.step(at: 0, &recorder)?.decision.threshold == KiB(Self.total / 5))
    }

    @Test(arguments: [Profile.upstream, .debian, .proxmox])
    func `A variant of the original goes on by the memory of the start`(_ profile: Profile) throws {
        var tuner = try tuner { $0.profile = profile }
        var recorder = Recorder()
        host.setMemory(total: 4 * Self.total, free: Self.total / 2)
        #expect(tuner.step(at: 0, &recorder)?.decision.total == KiB(Self.total))
        #expect(recorder.notices.isEmpty)
    }

    @Test func `The scaled profile's share follows the memory, one that was set does not`() throws {
        for isSet in [false, true] {
            var tuner = try tuner {
                $0.profile = .scaled
                $0.scalesThreshold = !isSet
                $0.scalesSleep = !isSet
                $0.thresholdPercent = 50
                $0.sleepMilliseconds = 80
            }
            var recorder = Recorder()
            host.setMemory(total: 4 * Self.total, free: Self.total * 3)
            let decision = try #require(tuner.step(at: 0, &recorder)?.decision)
            #expect(decision.threshold == KiB(4 * Self.total * (isSet ? 50 : 30) / 100))
            #expect(tuner.policy.classic.sleepMilliseconds == (isSet ? 20 : 10))
        }
    }

    @Test func `A little memory more or less is followed without a word, until it sums up`() throws {
        var tuner = try tuner()
        var recorder = Recorder()
        for step in 1...Int64(12) {
            let total: Int64 = Self.total + step * Self.total / 1000
            host.setMemory(total: total, free: total / 2)
            #expect(tuner.step(at: 0, &recorder)?.decision.total == KiB(total))
        }
        #expect(recorder.notices.count == 1)
    }

    @Test(arguments: [(167_772, false), (167_773, true), (-167_772, false), (-167_773, true)] as [(Int64, Bool)])
    func `A hundredth of what was told last is worth a word`(change: Int64, isTold: Bool) throws {
        var tuner = try tuner()
        var recorder = Recorder()
        host.setMemory(total: Self.total + change, free: Self.total / 2)
        #expect(tuner.step(at: 0, &recorder)?.decision.total == KiB(Self.total + change))
        #expect(recorder.notices == (isTold ? [.memoryChanged(from: KiB(Self.total), tuner.policy.classic)] : []))
    }

    @Test func `By every policy`() throws {
        for kind in PolicyKind.allCases {
            var tuner = try tuner { $0.policy = kind }
            var recorder = Recorder()
            host.setMemory(total: Self.total, free: Self.total / 2)
            _ = tuner.step(at: 0, &recorder)
            host.setMemory(total: 2 * Self.total, free: Self.total / 2)
            for second: Int64 in 1...5 { _ = tuner.step(at: Instant(nanoseconds: second * 1_000_000_000), &recorder) }
            #expect(tuner.policy.classic.total == KiB(2 * Self.total), "\(kind)")
        }
    }

    // MARK: The end

    private static let found = KnobValues(run: 1, pagesToScan: 77, sleepMilliseconds: 33, advisorMode: AdvisorMode.none)

    @Test(arguments: [
        (ExitAction.keep, Int64?.none, [String]()),
        (.stop, 0, []),
        (.restore, 1, ["sleep_millisecs=33", "pages_to_scan=77"]),
        (.unmerge, 2, []),
    ])
    func `each way to end`(action: ExitAction, run: Int64?, writes: [String]) throws {
        var tuner = try tuner { $0.onExit = action }
        var recorder = Recorder()
        #expect(tuner.leave(found: Self.found, &recorder).run == run)
        #expect(tuner.control.writes == writes)
        #expect(recorder.notices.isEmpty)
    }

    @Test(arguments: ExitAction.allCases)
    func `the advisor is put back whatever way`(action: ExitAction) throws {
        var control = RecordingControl()
        control.advisorMode = .scanTime
        var tuner = try tuner(control) { $0.onExit = action }
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        tuner.control.forget()
        var found = Self.found
        found.advisorMode = .scanTime
        _ = tuner.leave(found: found, &recorder)
        #expect(tuner.control.writes.last == "advisor_mode=scan-time")
        #expect(!tuner.control.writes.contains("pages_to_scan=77"))
    }

    @Test(arguments: ExitAction.allCases)
    func `an advisor that this daemon switched on is switched off whatever way`(action: ExitAction) throws {
        var control = RecordingControl()
        control.advisorMode = AdvisorMode.none
        var tuner = try tuner(control) {
            $0.onExit = action
            $0.policy = .advisor
        }
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        #expect(tuner.control.advisorMode == .scanTime)
        _ = tuner.leave(found: Self.found, &recorder)
        #expect(tuner.control.advisorMode == AdvisorMode.none)
    }

    @Test(arguments: ExitAction.allCases, [AdvisorMode.none, .scanTime])
    func `what this daemon never wrote to is left alone`(action: ExitAction, mode: AdvisorMode) throws {
        var control = RecordingControl()
        control.advisorMode = mode
        for kind in PolicyKind.allCases {
            var tuner = try tuner(control) {
                $0.onExit = action
                $0.policy = kind
            }
            var recorder = Recorder()
            _ = tuner.step(at: 0, &recorder)
            tuner.control.forget()
            var found = Self.found
            found.advisorMode = mode == .scanTime ? AdvisorMode.none : .scanTime
            let leaving = tuner.leave(found: found, inherited: KSMFileSet(), &recorder)
            #expect(tuner.control.writes.isEmpty && leaving.kept == KnobValues())
        }
    }

    @Test func `what a scan wrote to is put back by the daemon that did`() throws {
        var tuner = try tuner { $0.onExit = .restore }
        var recorder = Recorder()
        runShort()
        _ = tuner.step(at: 0, &recorder)
        tuner.control.forget()
        let found = KnobValues(run: 0, pagesToScan: 100, sleepMilliseconds: 20)
        let leaving = tuner.leave(found: found, inherited: KSMFileSet(), &recorder)
        #expect(tuner.control.writes == ["sleep_millisecs=20", "pages_to_scan=100"])
        #expect(leaving == Leaving(run: 0))
    }

    @Test func `what is refused at the end is kept, and nothing beside`() throws {
        var control = RecordingControl()
        for file in [KSMFile.advisorMaxCPU, .advisorMode, .pagesToScan] { control.refusals[file] = 5 }
        control.advisorMode = .scanTime
        for (file, value) in [(KSMFile.advisorMaxCPU, 70), (.advisorTargetScanTime, 20)] as [(KSMFile, Int64)] {
            control.values[file] = value
        }
        var tuner = try tuner(control) { $0.onExit = .restore }
        var recorder = Recorder()
        var found = Self.found
        found.advisor.cpuMaximumPercent = 50
        found.advisor.scanTimeSeconds = 200
        let leaving = tuner.leave(found: found, &recorder)
        var kept = KnobValues(run: 1, pagesToScan: 77, advisorMode: AdvisorMode.none)
        kept.advisor.cpuMaximumPercent = 50
        #expect(leaving == Leaving(run: 0, kept: kept))
        #expect(recorder.notices.count == 4 && recorder.notices.last == .leftStopped)
        #expect(tuner.control.values[.advisorTargetScanTime] == 200)
    }

    @Test(arguments: [(ExitAction.stop, nil), (.restore, 1)] as [(ExitAction, Int64?)])
    func `with what could not be put back the scan is kept where that was to be, too`(
        action: ExitAction, run: Int64?
    ) throws {
        var control = RecordingControl()
        control.advisorMode = AdvisorMode.none
        control.refusals[.advisorMode] = 5
        var tuner = try tuner(control) { $0.onExit = action }
        var recorder = Recorder()
        var found = Self.found
        found.advisorMode = .scanTime
        let leaving = tuner.leave(found: found, &recorder)
        #expect(leaving == Leaving(run: 0, kept: KnobValues(run: run, advisorMode: .scanTime)))
    }

    @Test func `unmerging that does not fit only stops, and says so`() throws {
        var control = RecordingControl()
        control.values[.pagesSharing] = 1 << 40
        var tuner = try tuner(control) { $0.onExit = .unmerge }
        var recorder = Recorder()
        #expect(tuner.leave(found: Self.found, &recorder).run == 0)
        guard case .unmergeDoesNotFit(.short(let needed, let available))? = recorder.notices.first else {
            Issue.record("nothing was said")
            return
        }
        #expect(needed > available)
        #expect(available == KiB(Self.total / 2))
    }

    @Test(arguments: [KSMFile.pagesSharing, .zeroPages], [ExitAction.unmerge, .restore])
    func `unmerging is not dared where what is merged cannot be read`(_ file: KSMFile, _ action: ExitAction) throws {
        var control = RecordingControl()
        control.values[.pagesSharing] = 1
        control.values[.zeroPages] = 1
        control.unreadable[file] = 5
        var tuner = try tuner(control) { $0.onExit = action }
        var recorder = Recorder()
        var found = Self.found
        found.run = 2
        #expect(tuner.leave(found: found, &recorder).run == 0)
        #expect(
            recorder.notices.last == .unmergeDoesNotFit(.unknown(KernelFileError(.read, file.name, errno: 5))))
    }

    @Test func `unmerging is not dared where free memory cannot be read`() throws {
        var control = RecordingControl()
        control.values[.pagesSharing] = 1
        var tuner = try tuner(control) { $0.onExit = .unmerge }
        var recorder = Recorder()
        host.remove("proc/meminfo")
        #expect(tuner.leave(found: Self.found, &recorder).run == 0)
        #expect(recorder.notices.count == 1)
    }

    @Test func `a refusal at the end is told, and the rest is done`() throws {
        var control = RecordingControl()
        control.refusals[.sleepMilliseconds] = 5
        var tuner = try tuner(control) { $0.onExit = .restore }
        var recorder = Recorder()
        #expect(tuner.leave(found: Self.found, &recorder).run == 0)
        let failure = KernelFileError(.write, "sleep_millisecs", errno: 5)
        #expect(recorder.notices == [.notPutBack(failure), .leftStopped])
        #expect(tuner.control.writes == ["sleep_millisecs=33", "pages_to_scan=77"])
    }

    @Test func `a dry run expects nothing of the kernel`() throws {
        var control = RecordingControl()
        control.takesEffect = false
        var tuner = try tuner(control)
        var recorder = Recorder()
        runShort()
        for _ in 0..<3 { _ = tuner.step(at: 0, &recorder) }
        #expect(recorder.notices.isEmpty)
        #expect(tuner.control.values[.pagesToScan] == 100)
    }

    @Test func `a dry run by the adaptive policy says what a daemon would write, once`() throws {
        var control = RecordingControl()
        control.takesEffect = false
        var tuner = try tuner(control) { $0.policy = .adaptive }
        var recorder = Recorder()
        for second in 0..<20 { _ = tuner.step(at: Instant(nanoseconds: Int64(second) * 1_000_000_000), &recorder) }
        #expect(tuner.control.writes == ["run=0"])
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        for second in 20..<30 { _ = tuner.step(at: Instant(nanoseconds: Int64(second) * 1_000_000_000), &recorder) }
        #expect(tuner.control.writes.filter { $0.hasPrefix("run=") } == ["run=0", "run=1"])
        #expect(recorder.notices.isEmpty)
    }
}
