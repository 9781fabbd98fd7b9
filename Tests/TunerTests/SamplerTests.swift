import Glibc
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import Tuner

private struct Notices: StepObserver {
    var all: [Notice] = []
    mutating func willApply(_ decision: Decision, guests: Int) {}
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {}
    mutating func report(_ notice: Notice) { all.append(notice) }
}

/// What the steps read of a host's files, seen by what is decided and written.
@Suite struct SamplerTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private let host = FakeHost(total: total)

    private func tuner(
        _ control: RecordingControl = RecordingControl(), _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> Tuner<RecordingControl> {
        var configuration = Configuration()
        configuration.policy = .adaptive
        change(&configuration)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)))
    }

    private static func moment(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + Duration(rounding: seconds) }

    /// A KSM that has seen all of a guest of 100 MiB, so that the adaptive policy rests.
    private func settled() -> RecordingControl {
        host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
        var control = RecordingControl()
        control.values[.pagesUnshared] = 25_600
        return control
    }

    /// Takes the passes that show that it has.
    private func rest(_ tuner: inout Tuner<RecordingControl>, _ notices: inout Notices) {
        var tenths = 0
        while tuner.step(at: Self.moment(Double(tenths) / 10), &notices)?.decision.action == .scan, tenths < 9 {
            tuner.control.values[.fullScans, default: 0] += 1
            tenths += 1
        }
        #expect(tenths == 2)
    }

    private func setStat(_ pid: Int = 100, user: Double, system: Double, faults: Int64 = 7, resident: Int64 = 25_600) {
        let ticks = Double(Host.ticksPerSecond)
        let time = "\(Int64(user * ticks)) \(Int64(system * ticks))"
        host.write(
            "\(pid) (qemu-kvm) S 1 2 3 4 5 6 \(faults) 8 9 10 \(time) 13 14 20 0 9 0 777 23 \(resident) 25\n",
            to: "proc/\(pid)/stat")
    }

    // MARK: The edges of a scan

    @Test func `after a scan the next look comes at its time, and not at once`() throws {
        var tuner = try tuner(settled())
        var notices = Notices()
        var decision = tuner.step(at: Self.moment(0), &notices)?.decision
        for tenths in 1...9 where decision?.action == .scan {
            tuner.control.values[.fullScans, default: 0] += 1
            decision = tuner.step(at: Self.moment(Double(tenths) / 10), &notices)?.decision
        }
        #expect(decision?.action == .stop && decision?.pause == .seconds(1))
    }

    @Test func `what the operator asks for after everything was unmerged is a request all the same`() throws {
        var tuner = try tuner(settled())
        var notices = Notices()
        rest(&tuner, &notices)
        tuner.control.values[.fullScans] = 0
        tuner.control.values[.pagesUnshared] = 0
        tuner.request()
        var decision = tuner.step(at: Self.moment(1), &notices)?.decision
        if decision?.action == .stop { decision = tuner.step(at: Self.moment(1.1), &notices)?.decision }
        #expect(decision?.action == .scan && decision?.reason == .requested)
    }

    // MARK: What guests do

    @Test(
        arguments: [
            (0, 0, false), (0.01, 0, true), (0, 0.01, true), (60, 60, true),
        ] as [(Double, Double, Bool)])
    func `a guest that had a CPU for the shortest time is looked at`(
        user: Double, system: Double, isProbed: Bool
    ) throws {
        var tuner = try tuner(settled())
        var notices = Notices()
        setStat(user: 100, system: 50)
        rest(&tuner, &notices)
        #expect(tuner.step(at: Self.moment(1), &notices)?.decision.action == .stop)
        setStat(user: 100 + user, system: 50 + system)
        let decision = tuner.step(at: Self.moment(60), &notices)?.decision
        #expect(decision?.reason == (isProbed ? .probing : .nothingToGain))
        #expect(notices.all.isEmpty)
    }

    @Test(arguments: [(0, false), (1, true)] as [(Int64, Bool)])
    func `guests that wrote to merged pages are looked at`(pages: Int64, isProbed: Bool) throws {
        var tuner = try tuner(settled())
        var notices = Notices()
        setStat(user: 0, system: 0)
        host.write("a 1\ncow_ksm 1000\n", to: "proc/vmstat")
        rest(&tuner, &notices)
        _ = tuner.step(at: Self.moment(1), &notices)
        host.write("a 1\ncow_ksm \(1000 + pages)\n", to: "proc/vmstat")
        let decision = tuner.step(at: Self.moment(60), &notices)?.decision
        #expect(decision?.reason == (isProbed ? .probing : .nothingToGain))
    }

    @Test func `the busiest guest counts, and each from the last look`() throws {
        host.setProcess(101, comm: "qemu-kvm", resident: 25_600)
        var sampler = try Sampler(host.paths, Configuration())
        let control = settled()
        func busiest(at seconds: Double, _ users: [Int: Double]) -> Double? {
            for (pid, user) in users { setStat(pid, user: user, system: 0) }
            var notices = Notices()
            return sampler.take(
                .adaptive([.guests, .activity]), total: KiB(Self.total), at: Self.moment(seconds), control, &notices)?
                .adaptive?.activity?.busiest
        }
        #expect(busiest(at: 1, [100: 0, 101: 0]) == 0)
        // Together they had a tenth, and neither of them alone; and at the next look only what came since.
        #expect(busiest(at: 61, [100: 3, 101: 3]) == 0.05)
        #expect(busiest(at: 121, [100: 6, 101: 6]) == 0.05)
        #expect(busiest(at: 181, [101: 12]) == 0.1)
    }

    @Test(arguments: [(0, 0), (1, 500), (2, 250), (1000, 0.5)] as [(Int64, Double)])
    func `the share of memory that is available is finite, and none of nothing`(total: Int64, share: Double) throws {
        host.write(
            """
            MemTotal: 1000 kB
            MemFree: 1 kB
            MemAvailable: 500 kB
            Buffers: 0 kB
            Cached: 0 kB
            AnonPages: 77 kB

            """, to: "proc/meminfo")
        var sampler = try Sampler(host.paths, Configuration())
        var notices = Notices()
        let sample = sampler.take(
            .adaptive([.guests, .memory]), total: KiB(total), at: Self.moment(1), settled(), &notices)?.adaptive
        #expect(sample?.available == share)
        #expect(sample?.anonymous == KiB(77))
    }

    @Test func `what guests touched anew is what they did not grow by, and no write to a merged page`() throws {
        host.setProcess(101, comm: "qemu-kvm", resident: 25_600)
        var sampler = try Sampler(host.paths, Configuration())
        let control = settled()
        func retaken(
            at seconds: Double, _ faults: [Int: Int64], resident: Int64 = 25_600, broken: Int64?, hints: Int64 = 7
        ) -> Pages? {
            for (pid, count) in faults { setStat(pid, user: 0, system: 0, faults: count) }
            setStat(100, user: 0, system: 0, faults: faults[100] ?? 0, resident: resident)
            let counted = broken.map { "cow_ksm \($0)\n" } ?? ""
            host.write("a 1\nnuma_hint_faults \(hints)\n\(counted)", to: "proc/vmstat")
            var notices = Notices()
            return sampler.take(
                .adaptive([.guests, .activity]), total: KiB(Self.total), at: Self.moment(seconds), control, &notices)?
                .adaptive?.activity?.retaken
        }
        #expect(retaken(at: 1, [100: 1000, 101: 50], broken: 500) == 0)
        #expect(retaken(at: 6, [100: 4000, 101: 150], broken: 500) == 3100)
        #expect(retaken(at: 11, [100: 7000, 101: 150], resident: 27_600, broken: 500) == 1000)
        #expect(retaken(at: 16, [100: 10_000, 101: 150], resident: 27_600, broken: 900) == 2600)
        #expect(retaken(at: 21, [100: 10_000, 101: 150], resident: 20_000, broken: 1900) == 0)
        // Nor a page that was only hidden; and where writes to merged pages are not counted nobody can tell.
        #expect(retaken(at: 26, [100: 15_000, 101: 150], resident: 20_000, broken: 1900, hints: 2007) == 3000)
        #expect(retaken(at: 31, [100: 20_000, 101: 150], resident: 20_000, broken: nil, hints: 2007) == 0)
        #expect(retaken(at: 36, [100: 25_000, 101: 150], resident: 20_000, broken: 1900, hints: 2007) == 5000)
    }

    @Test func `what guests and tasks did is told of the time between two looks, and of none at the same moment`()
        throws
    {
        var sampler = try Sampler(host.paths, Configuration())
        let control = settled()
        func look(at seconds: Double, user: Double, waited: Double, _ sampler: inout Sampler) -> AdaptiveSample? {
            setStat(user: user, system: 0)
            host.write("some avg10=0.00 total=\(Int64(waited * 1e6))\n", to: "proc/pressure/cpu")
            var notices = Notices()
            return sampler.take(
                .adaptive([.guests, .activity, .cpuPressure]), total: KiB(Self.total), at: Self.moment(seconds),
                control, &notices)?.adaptive
        }
        for (seconds, user, waited, busiest, pressure) in [
            (0, 10, 1, 0, nil), (0, 15, 3, 0, nil), (10, 16, 3.5, 0.1, 0.05), (10, 20, 4, 0, nil), (20, 20, 4, 0, 0),
        ] as [(Double, Double, Double, Double, Double?)] {
            let sample = try #require(look(at: seconds, user: user, waited: waited, &sampler))
            #expect(sample.activity?.busiest == busiest)
            #expect(sample.cpuPressure == pressure)
        }
    }

    // MARK: Which guests

    /// On the host itself: no tree has the kernel's numbers.
    @Test(arguments: [Policy.Needs.memory, .adaptive(.guests)])
    func `a guest that was started since is counted, and nothing of it is held once it has ended`(_ needs: Policy.Needs)
        throws
    {
        var configuration = Configuration()
        // Others run at the same time, on the same host.
        let name = if case .memory = needs { "brief\(getpid())m" } else { "brief\(getpid())a" }
        configuration.guestPattern = "^\(name)$"
        var sampler = try Sampler(HostPaths(), configuration)
        var notices = Notices()
        func guests(at seconds: Double, _ sampler: inout Sampler) -> Int? {
            sampler.take(needs, total: KiB(Self.total), at: Self.moment(seconds), settled(), &notices)?.guests
        }
        let before = try #require(guests(at: 0, &sampler))
        let guest = try NamedProcess(name, host)
        for second in [1.0, 2] { #expect(guests(at: second, &sampler) == before + 1) }
        #expect(guest.heldFiles == 1)
        try guest.end()
        #expect(guests(at: 60, &sampler) == before)
        #expect(guest.heldFiles == 0)
        #expect(notices.all.isEmpty)
    }

    @Test func `where the processes cannot be listed there is no sample`() throws {
        var sampler = try Sampler(host.paths, Configuration())
        host.remove("proc")
        var notices = Notices()
        for second in [0.0, 1] {
            let sample = sampler.take(
                .adaptive(.guests), total: KiB(Self.total), at: Self.moment(second), RecordingControl(), &notices)
            #expect(sample == nil)
        }
        let error = KernelFileError(.list, host.path("proc"), errno: ENOENT)
        #expect(notices.all == [.failed(.guests, error)])
    }

    // MARK: KSM

    @Test func `between two looks only the end of a pass is news of KSM's pages, unless a step asks for them`() throws {
        var sampler = try Sampler(host.paths, Configuration())
        var control = settled()
        var notices = Notices()
        for (unshared, passes, wants, expected) in [
            (100, 0, [.guests, .counters], 100), (200, 0, .counters, 100), (300, 1, .counters, 300),
            (400, 1, [.counters, .allCounters], 400), (500, 2, .guests, 400), (500, 2, .allCounters, 500),
        ] as [(Int64, Int64, AdaptivePolicy.Wants, Int64)] {
            (control.values[.pagesUnshared], control.values[.fullScans]) = (unshared, passes)
            let sample = sampler.take(
                .adaptive(wants), total: KiB(Self.total), at: Self.moment(1), control, &notices)?.adaptive
            #expect(sample?.counters.unshared == Pages(expected), "\(unshared)")
        }
        #expect(notices.all.isEmpty)
    }

    // MARK: CPUs

    /// The pages per scan in a burst after ten seconds in which ksmd took half of a CPU, as it may.
    ///
    /// - Parameter pressure: The share of the time in which some task waited for a CPU.
    private func burst(pressure: Double?) throws -> Int64? {
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        host.setProcess(50, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
        var tuner = try tuner {
            $0.cpuMaximumPercent = 50
            $0.hostCPUMaximumPercent = 100
        }
        var notices = Notices()
        // After two steps it has begun, with the guest at rest.
        for step in 0..<12 {
            let seconds = Double(step)
            host.write("\(Int64(seconds * 5e8)) 0 1\n", to: "proc/50/schedstat")
            if let pressure {
                let total = Int64(seconds * 1e6 * pressure)
                host.write("some avg10=0.00 avg60=0.00 avg300=0.00 total=\(total)\n", to: "proc/pressure/cpu")
            }
            _ = tuner.step(at: Self.moment(seconds), &notices)
        }
        #expect(tuner.control.values[.run] == 1)
        return tuner.control.values[.pagesToScan]
    }

    @Test func `ksmd gives way to tasks that wait for a CPU`() throws {
        #expect(try burst(pressure: nil) == 3750)
        #expect(try burst(pressure: 0.2) == 3750)
        let pressed = try #require(try burst(pressure: 0.9))
        #expect(pressed < 1000)
    }

    // MARK: What the threshold is held against

    @Test(arguments: [(GuestMetric.rsz, 102_400 * 4), (.pss, 25_600 * 4)])
    func `by rsz each look tells what guests hold, by a dearer metric once in an interval`(
        metric: GuestMetric, committed: Int64
    ) throws {
        host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
        host.write("Pss: 102400 kB\n", to: "proc/100/smaps_rollup")
        var tuner = try tuner {
            $0.guestMetric = metric
            $0.adaptiveStart = .threshold
        }
        var notices = Notices()
        let first = tuner.step(at: Self.moment(0), &notices)?.decision
        #expect(first?.memory.committed == KiB(102_400))
        #expect(first?.sleepMilliseconds == 0)
        host.write("9 102400 0 0 0 0 0\n", to: "proc/100/statm")
        host.write("Pss: 409600 kB\n", to: "proc/100/smaps_rollup")
        #expect(tuner.step(at: Self.moment(1), &notices)?.decision.memory.committed == KiB(committed))
        #expect(tuner.step(at: Self.moment(61), &notices)?.decision.memory.committed == KiB(409_600))
    }

    @Test func `a dearer metric is measured at once where it is asked for, or is another one`() throws {
        host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
        host.write("Pss: 102400 kB\n", to: "proc/100/smaps_rollup")
        host.write("VmSwap: 1024 kB\n", to: "proc/100/status")
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.guestMetric = .pss
        configuration.adaptiveStart = .threshold
        var tuner = try tuner { $0 = configuration }
        var notices = Notices()
        func committed(at seconds: Double) -> KiB? {
            tuner.step(at: Self.moment(seconds), &notices)?.decision.memory.committed
        }
        #expect(committed(at: 0) == KiB(102_400))
        host.write("Pss: 409600 kB\n", to: "proc/100/smaps_rollup")
        #expect(committed(at: 1) == KiB(102_400))
        tuner.request()
        #expect(committed(at: 2) == KiB(409_600))
        configuration.guestMetric = .residentAndSwap
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        #expect(committed(at: 3) == KiB(102_400 + 1024))
    }

    @Test(arguments: [Duration.seconds(86_400), .endless])
    func `a dearer metric is measured each ten minutes where the interval is longer`(interval: Duration) throws {
        host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
        host.write("Pss: 102400 kB\n", to: "proc/100/smaps_rollup")
        var tuner = try tuner {
            $0.guestMetric = .pss
            $0.adaptiveStart = .threshold
            $0.monitorInterval = interval
        }
        var notices = Notices()
        _ = tuner.step(at: Self.moment(0), &notices)
        host.write("Pss: 409600 kB\n", to: "proc/100/smaps_rollup")
        #expect(tuner.step(at: Self.moment(599), &notices)?.decision.memory.committed == KiB(102_400))
        #expect(tuner.step(at: Self.moment(600), &notices)?.decision.memory.committed == KiB(409_600))
    }

    @Test(arguments: [false, true])
    func `while memory is short nothing that is coming is waited for`(isShort: Bool) throws {
        let control = settled()
        var tuner = try tuner(control)
        var notices = Notices()
        rest(&tuner, &notices)
        #expect(tuner.step(at: Self.moment(1), &notices)?.decision.action == .stop)
        host.write("9 500000 0 0 0 0 0\n", to: "proc/100/statm")
        if isShort { tuner.memoryIsShort() }
        let reason = tuner.step(at: Self.moment(2), &notices)?.decision.reason
        #expect((reason == .filling) == !isShort)
        #expect(tuner.tally.pressureEvents == (isShort ? 1 : 0))
    }

    @Test func `another policy decides from a reload on`() throws {
        var tuner = try tuner()
        for kind in [PolicyKind.classic, .adaptive, .advisor, .adaptive, .classic] {
            var configuration = Configuration()
            configuration.policy = kind
            try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
            #expect(tuner.policy.kind == kind)
        }
    }

    // MARK: Guests that nothing announces

    @Test func `a reload that counts other processes lists them at once`() throws {
        host.setProcess(100, comm: "java", resident: 25_600)
        var tuner = try tuner()
        var notices = Notices()
        #expect(tuner.step(at: Self.moment(0), &notices)?.guests == 0)
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.guestPattern = "^java$"
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
        #expect(tuner.step(at: Self.moment(0.1), &notices)?.guests == 1)
    }

    @Test func `a guest that no event announced is found within a second, and not looked for sooner`() throws {
        var tuner = try tuner()
        var notices = Notices()
        #expect(tuner.step(at: Self.moment(0), &notices)?.guests == 0)
        host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
        #expect(tuner.step(at: Self.moment(0.9), &notices)?.guests == 0)
        #expect(tuner.step(at: Self.moment(1), &notices)?.guests == 1)
    }

    @Test func `of many processes it is looked for more seldom, but once in an interval`() throws {
        for pid in 1000..<3000 { host.setProcess(pid, comm: "sh", resident: 1) }
        for (interval, due) in [(60, 4.0), (1, 1.0)] {
            var tuner = try tuner { $0.monitorInterval = .seconds(interval) }
            var notices = Notices()
            #expect(tuner.step(at: Self.moment(0), &notices)?.guests == 0)
            host.setProcess(100, comm: "qemu-kvm", resident: 25_600)
            #expect(tuner.step(at: Self.moment(due - 0.1), &notices)?.guests == 0)
            #expect(tuner.step(at: Self.moment(due + 0.1), &notices)?.guests == 1)
            host.removeProcess(100)
        }
    }

    // MARK: Other writers

    private func foreign(
        _ policy: PolicyKind, _ file: KSMFile, _ found: Int64
    ) throws -> (notices: [Notice], before: Int64?, after: Int64?) {
        host.setMemory(total: Self.total, free: 1000)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        var tuner = try tuner { $0.policy = policy }
        var notices = Notices()
        for second in 0..<3 { _ = tuner.step(at: Self.moment(Double(second) * 2), &notices) }
        let before = tuner.control.values[file]
        #expect(notices.all.isEmpty)
        tuner.control.values[file] = found
        for second in 3..<6 { _ = tuner.step(at: Self.moment(Double(second) * 2), &notices) }
        return (notices.all, before, tuner.control.values[file])
    }

    @Test(arguments: [PolicyKind.classic, .adaptive], [KSMFile.run, .sleepMilliseconds])
    func `another hand's value is told of once, with what it was, and overwritten`(
        policy: PolicyKind, file: KSMFile
    ) throws {
        let (notices, before, after) = try foreign(policy, file, file == .run ? 0 : 99)
        let expected = try #require(before)
        #expect(notices == [.foreignWrite(file, expected: expected, found: file == .run ? 0 : 99)])
        #expect(after == before)
    }

    @Test(arguments: [PolicyKind.classic, .adaptive]) func `the pages that another hand writes are as well`(
        policy: PolicyKind
    ) throws {
        let (notices, before, after) = try foreign(policy, .pagesToScan, 7)
        let expected = try #require(before)
        // The classic rule boosts them from one decision to the next.
        #expect(notices.count == 1)
        #expect(notices == [.foreignWrite(.pagesToScan, expected: expected, found: 7)])
        #expect(after != 7)
    }

    @Test(arguments: [(1000, KSMFile.sleepMilliseconds, 99), (total / 2, .run, 1)] as [(Int64, KSMFile, Int64)])
    func `a policy that writes all each time looks for others each time`(
        free: Int64, file: KSMFile, found: Int64
    ) throws {
        host.setMemory(total: Self.total, free: free)
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        var tuner = try tuner { $0.policy = .classic }
        var notices = Notices()
        for seconds in [0, 0.1] { _ = tuner.step(at: Self.moment(seconds), &notices) }
        let expected = try #require(tuner.control.values[file])
        #expect(notices.all.isEmpty)
        tuner.control.values[file] = found
        _ = tuner.step(at: Self.moment(0.2), &notices)
        #expect(notices.all == [.foreignWrite(file, expected: expected, found: found)])
    }

    @Test func `what is not written while KSM rests is still known when another hand has changed it`() throws {
        var tuner = try tuner { $0.policy = .classic }
        var notices = Notices()
        for free in [1000, Self.total / 2] {
            host.setMemory(total: Self.total, free: free)
            host.setProcess(100, comm: "qemu-kvm", resident: free == 1000 ? 1 << 20 : 1)
            _ = tuner.step(at: Self.moment(0), &notices)
        }
        let expected = try #require(tuner.control.values[.sleepMilliseconds])
        for found: Int64 in [99, 88] {
            tuner.control.values[.sleepMilliseconds] = found
            _ = tuner.step(at: Self.moment(1), &notices)
        }
        #expect(
            notices.all == [99, 88].map { .foreignWrite(.sleepMilliseconds, expected: expected, found: $0) })
    }

    @Test func `a policy that writes only changes looks for others once in a second, at rest in five`() throws {
        for (free, action, pause) in [(1000, Decision.Action.scan, 1.0), (Self.total / 2, .stop, 5)] {
            let host = FakeHost(total: Self.total)
            host.setMemory(total: Self.total, free: free)
            if action == .scan { host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20) }
            var configuration = Configuration()
            configuration.policy = .adaptive
            var tuner = try Tuner(
                host.paths, control: RecordingControl(), configuration: configuration,
                policy: ClassicPolicy(configuration, total: KiB(Self.total)))
            var notices = Notices()
            var last: Double = 0
            for step in 0..<4 {
                last = Double(step) * 6
                #expect(tuner.step(at: Self.moment(last), &notices) != nil)
            }
            tuner.control.values[.sleepMilliseconds] = 99
            tuner.control.values[.run] = action == .scan ? 0 : 1
            _ = tuner.step(at: Self.moment(last + pause - 0.1), &notices)
            #expect(notices.all.isEmpty)
            _ = tuner.step(at: Self.moment(last + pause), &notices)
            #expect(!notices.all.isEmpty)
            #expect(tuner.control.values[.run] == (action == .scan ? 1 : 0))
        }
    }
}
