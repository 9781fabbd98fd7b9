import Glibc
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

/// What lasts is reported once, and its end once, truthfully.
@Suite struct LastingFailureTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private let host = FakeHost(total: total)

    private func tuner(
        _ control: RecordingControl, _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Tuner<RecordingControl> {
        var configuration = Configuration()
        change(&configuration)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)))
    }

    private func control() -> RecordingControl {
        var control = RecordingControl()
        control.values[.advisorTargetScanTime] = 200
        control.values[.advisorMaxCPU] = 70
        control.values[.advisorMinPagesToScan] = 500
        control.values[.advisorMaxPagesToScan] = 30_000
        return control
    }

    // MARK: Guests

    @Test(arguments: PolicyKind.allCases)
    func `A guest that cannot be read leaves KSM as it is`(kind: PolicyKind) throws {
        host.setMemory(total: Self.total, free: 1000)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.setProcess(101, comm: "qemu-kvm", resident: 1 << 20)
        host.remove("proc/101/statm")
        host.createFolder("proc/101/statm")
        var tuner = try tuner(control()) { $0.policy = kind }
        var notices = Notices()
        var now: Int64 = 0
        func step() -> Decision? {
            now += 20_000_000_000
            return tuner.step(at: Instant(nanoseconds: now), &notices)?.decision
        }
        for _ in 0..<4 { #expect(step() == nil) }
        #expect(tuner.control.writes.isEmpty)
        #expect(notices.all.count == 1)
        #expect(
            notices.all.first?.description
                == "cannot read \(host.path("proc/101/statm")): Is a directory, so KSM stays as it is until that can be read"
        )
        host.remove("proc/101/statm")
        host.setProcess(101, comm: "qemu-kvm", resident: 1 << 20)
        for _ in 0..<3 { #expect(step() != nil) }
        #expect(notices.all.count == 2)
        #expect(notices.all.last == .recovered(.guestReadings))
    }

    @Test(arguments: PolicyKind.allCases)
    func `A process that gives no answer keeps nobody from a decision, and is told of once`(kind: PolicyKind) throws {
        host.setMemory(total: Self.total, free: 1000)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.setProcess(101, comm: "vm", resident: 1 << 20)
        host.remove("proc/101/cmdline")
        host.makePipe("proc/101/cmdline")
        let pipe = unsafe open(host.path("proc/101/cmdline"), O_RDWR)
        defer { close(pipe) }
        var tuner = try tuner(control()) { $0.policy = kind }
        var notices = Notices()
        var now: Int64 = 0
        func step() -> Decision? {
            now += 20_000_000_000
            return tuner.step(at: Instant(nanoseconds: now), &notices)?.decision
        }
        func told() -> [Notice] {
            notices.all.filter { notice in
                if case .failed(.commandLines, _) = notice { true } else { notice == .recovered(.commandLines) }
            }
        }
        for _ in 0..<4 { #expect(step() != nil) }
        #expect(
            told().map(\.description) == [
                "cannot read \(host.path("proc/101/cmdline")): its process holds the lock of its memory and gives no answer: "
                    + "such a process counts as no guest unless its name or its virtual machine says that it is one, "
                    + "asking it again later"
            ])
        host.removeProcess(101)
        for _ in 0..<3 { #expect(step() != nil) }
        #expect(told().count == 2 && told().last == .recovered(.commandLines))
    }

    // MARK: A pace that is refused

    @Test(arguments: [true, false]) func `A stop does not show that a refused pace can be written`(isPace: Bool) throws
    {
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        var tuner = try tuner(control())
        var notices = Notices()
        var now: Int64 = 0
        func step(free: Int64) {
            host.setMemory(total: Self.total, free: free)
            now += 60_000_000_000
            _ = tuner.step(at: Instant(nanoseconds: now), &notices)
        }
        tuner.control.refusals = isPace ? [.pagesToScan: 5] : [.run: 5]
        step(free: 1000)
        #expect(notices.all.count == 1)
        if !isPace { tuner.control.refusals = [:] }
        step(free: Self.total)
        // What was refused was run: then it can be written again.
        #expect(notices.all.count == (isPace ? 1 : 2))
        step(free: 1000)
        #expect(notices.all.count == (isPace ? 1 : 2), "the same failure is no news")
        tuner.control.refusals = [:]
        step(free: 1000)
        #expect(notices.all.count == 2)
        #expect(notices.all.last == .recovered(.knobs))
    }

    // MARK: Writes in a child

    /// - Returns: What was reported in a number of decisions, each with the end of its write.
    private func decide(
        _ tuner: inout Tuner<RecordingControl>, _ count: Int, from start: Int64 = 0
    ) -> [Notice] {
        var notices = Notices()
        for index in 1...count {
            _ = tuner.step(at: Instant(nanoseconds: (start + Int64(index)) * 20_000_000_000), &notices)
            tuner.finishPending(&notices)
        }
        return notices.all
    }

    @Test(arguments: PolicyKind.allCases)
    func `A write in a child is settled by its result`(kind: PolicyKind) throws {
        host.setMemory(total: Self.total, free: 1000)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.createFolder("run/refuses")
        var control = control()
        control.values[.pagesToScan] = 4_000_000
        control.childFile = host.path("run/refuses")
        var tuner = try tuner(control) {
            $0.policy = kind
            $0.pagesBoost = 2_000_000
            $0.pagesMaximum = 4_000_000
            $0.advisorPagesMaximum = 4_000_000
            $0.advisorPagesMinimum = 2_000_000
        }
        let failure = KernelFileError(.write, host.path("run/refuses"), errno: 21)
        let failed = decide(&tuner, 6).filter { $0 != .stillWriting }
        #expect(!tuner.control.begun.isEmpty)
        #expect(failed.filter { if case .failed = $0 { true } else { false } } == [.failed(.knobs, failure)])
        #expect(!failed.contains(.recovered(.knobs)))
        host.write("", to: "run/takes")
        tuner.control.childFile = host.path("run/takes")
        let recovered = decide(&tuner, 3, from: 10)
        #expect(recovered.filter { $0 == .recovered(.knobs) }.count == 1)
        #expect(!recovered.contains { if case .failed = $0 { true } else { false } })
    }

    @Test func `A stop in a child does not show that a refused pace can be written`() throws {
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.write("", to: "run/takes")
        var control = control()
        control.values[.pagesToScan] = 4_000_000
        control.childFile = host.path("run/takes")
        control.refusals = [.sleepMilliseconds: 5]
        var tuner = try tuner(control)
        host.setMemory(total: Self.total, free: 1000)
        let refused = decide(&tuner, 1)
        #expect(refused == [.failed(.knobs, KernelFileError(.write, "sleep_millisecs", errno: 5))])
        host.setMemory(total: Self.total, free: Self.total)
        #expect(decide(&tuner, 1, from: 1) == [])
        #expect(tuner.control.begun == [0])
        tuner.control.refusals = [:]
        host.setMemory(total: Self.total, free: 1000)
        #expect(decide(&tuner, 1, from: 2) == [.recovered(.knobs)])
    }

    @Test func `A child that clears the way for a knob does not show that a decision can be made true`() throws {
        host.setMemory(total: Self.total, free: 1000)
        host.createFolder("run/refuses")
        host.write("", to: "run/takes")
        var control = control()
        control.values[.pagesToScan] = 4_000_000
        control.values[.maxPageSharing] = 256
        control.childFile = host.path("run/refuses")
        var tuner = try tuner(control)
        var notices = Notices()
        _ = tuner.step(at: Instant(nanoseconds: 0), &notices)
        #expect(tuner.pending != nil)
        // The reload has to wait for that child, and then for one of its own.
        var configuration = Configuration()
        configuration.maxPageSharing = 512
        configuration.allowsUnmerge = true
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        tuner.control.values[.pagesShared] = 1000
        tuner.applyKnobs(&notices)
        tuner.control.childFile = host.path("run/takes")
        tuner.finishPending(&notices)
        #expect(tuner.tally.failedWrites == 1)
        #expect(tuner.control.begun.last == 2)
        tuner.finishPending(&notices)
        #expect(tuner.control.values[.maxPageSharing] == 512)
        #expect(notices.all.contains(.failed(.knobs, KernelFileError(.write, host.path("run/refuses"), errno: 21))))
        #expect(!notices.all.contains(.recovered(.knobs)))
        #expect(decide(&tuner, 2, from: 1).filter { $0 == .recovered(.knobs) }.count == 1)
    }

    // MARK: Failures that take turns

    @Test func `Two failures that take turns are each reported once`() throws {
        host.setMemory(total: Self.total, free: 1000)
        var tuner = try tuner(control())
        var notices = Notices()
        for index in 0..<8 {
            tuner.control.refusals = index % 2 == 0 ? [.pagesToScan: 5] : [.run: 16]
            _ = tuner.step(at: Instant(nanoseconds: Int64(index) * 60_000_000_000), &notices)
        }
        tuner.control.refusals = [:]
        _ = tuner.step(at: Instant(nanoseconds: 1_000_000_000_000), &notices)
        #expect(
            notices.all.map { $0.description } == [
                "cannot write pages_to_scan: Input/output error, trying again at the next decision",
                "cannot write run: Device or resource busy, trying again at the next decision",
                "KSM can be controlled again",
            ])
    }

    // MARK: The end

    @Test func `One value that cannot be put back keeps none of the others from it, and KSM stopped`() throws {
        var control = control()
        control.values[.advisorMaxCPU] = 1
        control.values[.advisorMinPagesToScan] = 1
        control.values[.advisorMaxPagesToScan] = 1
        control.refusals = [.advisorMaxCPU: 5]
        var tuner = try tuner(control) { $0.onExit = .restore }
        var found = KnobValues(run: 1, pagesToScan: 77, sleepMilliseconds: 33)
        found.advisor.cpuMaximumPercent = 70
        found.advisor.pagesMinimum = 500
        found.advisor.pagesMaximum = 30_000
        var notices = Notices()
        #expect(tuner.leave(found: found, &notices).run == 0)
        #expect(
            notices.all.map { $0.description } == [
                "cannot write advisor_max_cpu: Input/output error, leaving it as it is",
                "KSM ran before the start, and is left stopped, since not all of its pace could be put back",
            ])
        #expect(tuner.control.values[.advisorMinPagesToScan] == 500)
        #expect(tuner.control.values[.advisorMaxPagesToScan] == 30_000)
        #expect(tuner.control.values[.pagesToScan] == 77)
        #expect(tuner.control.values[.sleepMilliseconds] == 33)
    }

    @Test func `What is not known is named, and KSM stopped if that is run`() throws {
        var tuner = try tuner(control()) { $0.onExit = .restore }
        var notices = Notices()
        let missing: [KSMFile] = [.run, .advisorMode, .advisorMaxCPU]
        #expect(tuner.leave(found: KnobValues(pagesToScan: 77), missing: missing, &notices).run == 0)
        #expect(
            notices.all.map { $0.description } == [
                "what run, advisor_mode and advisor_max_cpu held before the start could not be read, so it cannot be "
                    + "put back: stopping KSM"
            ])
        #expect(tuner.control.values[.pagesToScan] == 77)
    }

    @Test(arguments: [KSMFile.pagesToScan, .sleepMilliseconds, .advisorMaxCPU])
    func `KSM that ran is left stopped where a part of its pace is not known`(file: KSMFile) throws {
        var tuner = try tuner(control()) { $0.onExit = .restore }
        var notices = Notices()
        let found = KnobValues(run: 1, pagesToScan: 77, sleepMilliseconds: 33)
        #expect(tuner.leave(found: found, missing: [file], &notices).run == 0)
        #expect(notices.all == [.notKnownToRestore([file]), .leftStopped])
    }

    @Test func `Under the advisor the pages are the kernel's, and need not be known`() throws {
        var control = control()
        control.advisorMode = .scanTime
        var tuner = try tuner(control) { $0.onExit = .restore }
        var found = KnobValues(run: 1, sleepMilliseconds: 33)
        found.advisorMode = .scanTime
        var notices = Notices()
        #expect(tuner.leave(found: found, missing: [.pagesToScan], &notices).run == 1)
        #expect(notices.all == [.notKnownToRestore([.pagesToScan])])
    }

    @Test func `A mode of the advisor that cannot be read is written in any case`() throws {
        for (found, present) in [(AdvisorMode.none, AdvisorMode.scanTime), (.scanTime, .none)] {
            var control = control()
            control.advisorMode = present
            control.unreadable = [.advisorMode: 5]
            var tuner = try tuner(control) { $0.onExit = .restore }
            var values = KnobValues(run: 1, pagesToScan: 77, sleepMilliseconds: 33)
            values.advisorMode = found
            var notices = Notices()
            #expect(tuner.leave(found: values, &notices).run == 1)
            #expect(notices.all.isEmpty)
            #expect(tuner.control.advisorMode == found)
            if found == .none { #expect(tuner.control.values[.pagesToScan] == 77) }
        }
    }

    @Test func `A mode of the advisor that cannot be put back is named, and KSM stopped`() throws {
        for (found, present) in [(AdvisorMode.none, AdvisorMode.scanTime), (.scanTime, .none)] {
            var control = control()
            control.advisorMode = present
            control.unreadable = [.advisorMode: 5]
            control.refusals = [.advisorMode: 5]
            var tuner = try tuner(control) { $0.onExit = .restore }
            var values = KnobValues(run: 1, pagesToScan: 77, sleepMilliseconds: 33)
            values.advisorMode = found
            var notices = Notices()
            #expect(tuner.leave(found: values, &notices).run == 0)
            #expect(notices.all.first == .notPutBack(KernelFileError(.write, "advisor_mode", errno: 5)))
            #expect(notices.all.last == .leftStopped)
            #expect(tuner.control.values[.sleepMilliseconds] == 33)
        }
    }

    // MARK: What a guest does

    @Test func `A guest whose CPU time cannot be read is told once, and so is the end of that`() throws {
        host.setMemory(total: Self.total, free: Self.total / 2)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.createFolder("proc/100/stat")
        var tuner = try tuner(control()) { $0.policy = .adaptive }
        var notices = Notices()
        func live(_ seconds: Range<Int64>) {
            for second in seconds { _ = tuner.step(at: Instant(nanoseconds: second * 1_000_000_000), &notices) }
        }
        live(0..<400)
        let failure = KernelFileError(.read, host.path("proc/100/stat"), errno: 21)
        #expect(notices.all == [.failed(.guestActivity, failure)])
        host.remove("proc/100/stat")
        host.write("100 (kvm) S 1 1 1 0 -1 0 0 0 0 0 10 10 0 0 20 0 1 0 5 0 0\n", to: "proc/100/stat")
        live(400..<800)
        #expect(notices.all == [.failed(.guestActivity, failure), .recovered(.guestActivity)])
    }

    // MARK: Knobs

    @Test(arguments: [(true, 5), (false, 5), (false, 16)] as [(Bool, Int32)])
    func `A knob that failed is tried again at each decision, told once, and its end once`(
        isRead: Bool, errno: Int32
    ) throws {
        var control = control()
        control.values[.smartScan] = 1
        if isRead { control.unreadable = [.smartScan: errno] } else { control.refusals = [.smartScan: errno] }
        var tuner = try tuner(control) { $0.smartScan = .no }
        var notices = Notices()
        _ = tuner.rememberKnobs()
        tuner.applyKnobs(&notices)
        for _ in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: 0), &notices) }
        let failure = KernelFileError(isRead ? .read : .write, "smart_scan", errno: errno)
        #expect(notices.all == [.knobFailed(.smartScan, failure)])
        tuner.control.unreadable = [:]
        tuner.control.refusals = [:]
        for _ in 0..<3 { _ = tuner.step(at: Instant(nanoseconds: 0), &notices) }
        #expect(tuner.control.values[.smartScan] == 0)
        #expect(notices.all.dropFirst() == [.changedKnob(.smartScan, from: 1, to: 0)])
        tuner.control.unreadable = [.smartScan: 5]
        for second: Int64 in [20, 21] { _ = tuner.step(at: Instant(nanoseconds: second * 1_000_000_000), &notices) }
        tuner.control.unreadable = [:]
        for second: Int64 in [21, 22] { _ = tuner.step(at: Instant(nanoseconds: second * 1_000_000_000), &notices) }
        let unreadable = KernelFileError(.read, "smart_scan", errno: 5)
        #expect(notices.all.dropFirst(2) == [.knobFailed(.smartScan, unreadable), .knobRecovered(.smartScan, 0)])
    }
}
