import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

private struct Ignorer: StepObserver {
    mutating func willApply(_ decision: Decision, guests: Int) {}
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {}
    mutating func report(_ notice: Notice) {}
}

/// A write to `run` waits until ksmd has finished its batch, so with long batches it is left to a child.
@Suite struct LongBatchTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private let host = FakeHost(total: total)

    private func policy(_ configuration: Configuration) throws -> ClassicPolicy {
        try ClassicPolicy(configuration, total: KiB(Self.total))
    }

    /// A daemon whose classic policy has ksmd scan by the largest batches.
    private func scanningHard() throws -> Tuner<RecordingControl> {
        var configuration = Configuration()
        configuration.pagesBoost = Int64(UInt32.max)
        configuration.pagesMaximum = Int64(UInt32.max)
        var control = RecordingControl()
        control.values[.advisorTargetScanTime] = 200
        control.values[.advisorMaxCPU] = 70
        control.values[.advisorMinPagesToScan] = 500
        control.values[.advisorMaxPagesToScan] = 30_000
        var tuner = try Tuner(
            host.paths, control: control, configuration: configuration, policy: policy(configuration))
        var observer = Ignorer()
        host.setMemory(total: Self.total, free: 1000)
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.control.values[.pagesToScan] == Int64(UInt32.max))
        return tuner
    }

    @Test(arguments: PolicyKind.allCases)
    func `No policy waits for a batch that was long before a reload`(_ kind: PolicyKind) throws {
        var tuner = try scanningHard()
        var observer = Ignorer()
        var configuration = Configuration()
        configuration.policy = kind
        configuration.adaptiveStart = .threshold
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        try tuner.adopt(configuration, policy(configuration))
        // Scans on, by small batches from now on.
        let child = host.path("run/child")
        host.write("", to: "run/child")
        tuner.control.childFile = child
        tuner.control.forget()
        var now: Int64 = 0
        func step() {
            now += 20_000_000_000
            _ = tuner.step(at: Instant(nanoseconds: now), &observer)
        }
        step()
        // The kernel's advisor sets the pages itself.
        if kind == .advisor { tuner.control.values[.pagesToScan] = 500 }
        // The stop comes while that long batch may still be under way: it is begun in a child, never written here.
        host.setMemory(total: Self.total, free: Self.total / 2)
        host.removeProcess(100)
        while tuner.pending == nil, now < 400_000_000_000 { step() }
        #expect(tuner.pending != nil)
        #expect(!tuner.control.writes.contains { $0.hasPrefix("run=") })
        tuner.finishPending(&observer)
        step()
        tuner.finishPending(&observer)
        // That child's write has waited for the batch, and what follows is short.
        let begun = tuner.control.begun.count
        step()
        step()
        #expect(tuner.pending == nil)
        #expect(tuner.control.begun.count == begun)
    }

    /// Without a child the write has been waited for, and has ended.
    @Test func `A write that is done at once ends the long batch`() throws {
        var tuner = try scanningHard()
        var observer = Ignorer()
        let configuration = Configuration()
        try tuner.adopt(configuration, policy(configuration))
        let before = tuner.control.begun.count
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.control.begun.count == before + 1)
        tuner.control.forget()
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.control.begun.count == before + 1)
        #expect(tuner.control.writes.last == "run=1")
    }

    @Test(arguments: [(100_000, []), (100_001, [1, 0])] as [(Int64, [Int64])])
    func `A stop waits for a batch of 100,000 pages, and for no longer one`(pages: Int64, begun: [Int64]) throws {
        var configuration = Configuration()
        (configuration.pagesBoost, configuration.pagesMaximum) = (pages, pages)
        var tuner = try Tuner(
            host.paths, control: RecordingControl(), configuration: configuration, policy: policy(configuration))
        var observer = Ignorer()
        host.setMemory(total: Self.total, free: 1000)
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.control.values[.pagesToScan] == pages)
        host.setMemory(total: Self.total, free: Self.total / 2)
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.control.begun == begun)
    }

    /// Half a second is what ksmd takes to compare 100,000 pages.
    @Test(arguments: [(0, false), (1, true)] as [(Int64, Bool)], [true, false])
    func `A knob waits for the end of a long batch, and not of a shorter one`(
        running: (run: Int64, mayWait: Bool), isLong: Bool
    ) throws {
        var configuration = Configuration()
        configuration.mergeAcrossNodes = .no
        configuration.allowsUnmerge = true
        var control = RecordingControl()
        control.values[.run] = running.run
        control.values[.mergeAcrossNodes] = 1
        control.values[.pagesToScan] = isLong ? 100_001 : 100_000
        host.write("", to: "run/child")
        control.childFile = host.path("run/child")
        var tuner = try Tuner(
            host.paths, control: control, configuration: configuration, policy: policy(configuration))
        var observer = Ignorer()
        _ = tuner.rememberKnobs()
        tuner.applyKnobs(&observer)
        let waits = running.mayWait && isLong
        #expect((tuner.pending != nil) == waits)
        #expect(tuner.control.values[.mergeAcrossNodes] == (waits ? 1 : 0))
        // A child that nobody waits for would stay, and hold up whoever waits for any child.
        while tuner.pending != nil { tuner.finishPending(&observer) }
    }

    @Test func `The end of a decision's write is no reason to change the knobs`() throws {
        var tuner = try scanningHard()
        var observer = Ignorer()
        var configuration = Configuration()
        configuration.useZeroPages = .yes
        try tuner.adopt(configuration, policy(configuration))
        tuner.control.values[.useZeroPages] = 0
        host.write("", to: "run/child")
        tuner.control.childFile = host.path("run/child")
        host.setMemory(total: Self.total, free: Self.total / 2)
        _ = tuner.step(at: 0, &observer)
        #expect(tuner.pending != nil)
        while tuner.pending != nil { tuner.finishPending(&observer) }
        #expect(tuner.control.values[.useZeroPages] == 0)
        // A start and a reload ask for them.
        tuner.applyKnobs(&observer)
        #expect(tuner.control.values[.useZeroPages] == 1)
    }

    @Test func `A knob waits for a long batch under way, whatever the next one is to be`() throws {
        var tuner = try scanningHard()
        var observer = Ignorer()
        var configuration = Configuration()
        configuration.mergeAcrossNodes = .no
        configuration.allowsUnmerge = true
        try tuner.adopt(configuration, policy(configuration))
        for (file, value) in [(KSMFile.run, 1), (.mergeAcrossNodes, 1), (.pagesToScan, 100)] as [(KSMFile, Int64)] {
            tuner.control.values[file] = value
        }
        host.write("", to: "run/child")
        tuner.control.childFile = host.path("run/child")
        _ = tuner.rememberKnobs()
        tuner.applyKnobs(&observer)
        #expect(tuner.pending != nil)
        #expect(tuner.control.values[.mergeAcrossNodes] == 1)
        while tuner.pending != nil { tuner.finishPending(&observer) }
    }

    @Test func `A batch that another hand made long is not waited for`() throws {
        for kind in PolicyKind.allCases {
            var configuration = Configuration()
            configuration.policy = kind
            configuration.adaptiveStart = .threshold
            var tuner = try Tuner(
                host.paths, control: RecordingControl(), configuration: configuration, policy: policy(configuration))
            var observer = Ignorer()
            host.setMemory(total: Self.total, free: 1000)
            host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
            for second: Int64 in 0..<3 {
                _ = tuner.step(at: Instant(nanoseconds: second * 2_000_000_000), &observer)
            }
            #expect(tuner.control.values[.run] == 1)
            tuner.control.values[.pagesToScan] = 5_000_000
            host.setMemory(total: Self.total, free: Self.total / 2)
            host.removeProcess(100)
            tuner.control.forget()
            for second: Int64 in 10..<20 {
                _ = tuner.step(at: Instant(nanoseconds: second * 2_000_000_000), &observer)
            }
            #expect(tuner.control.begun.first != nil, "\(kind)")
        }
    }
}
