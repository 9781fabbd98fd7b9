import HostFixtures
import HostKernel
import KSMPolicy
import Testing

/// What is read of a guest's CPU time and of the signs that guests are busy, from files as the kernel writes them.
@Suite struct GuestActivityTests {
    private let host = FakeHost()
    private let ticks = Int64(Host.ticksPerSecond)

    /// All fields of `stat` up to the 25th, each another number, so that a neighbour is noticed.
    private func setStat(_ pid: Int, name: String = "kvm", user: Int64, system: Int64) {
        host.write(
            "\(pid) (\(name)) S 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 \(user) \(system) 1013 1014 20 0 9 0 777 1023 1024 1025\n",
            to: "proc/\(pid)/stat")
    }

    private func table() throws -> GuestTable {
        var table = try GuestTable(host.paths, matcher: NameMatcher(profile: .union, pattern: nil))
        try table.refresh()
        return table
    }

    private func times(_ table: borrowing GuestTable) -> [Duration] {
        var times: [Duration] = []
        let failure = table.activity { times.append($1.time) }
        #expect(failure == nil)
        return times
    }

    @Test(
        arguments: [
            (3, 0, .seconds(3)), (0, 5, .seconds(5)), (3, 5, .seconds(8)), (0, 0, .zero),
        ] as [(Int64, Int64, Duration)])
    func `the time of a guest is what it had for itself and what it had in the kernel`(
        user: Int64, system: Int64, time: Duration
    ) throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        setStat(10, user: user * ticks, system: system * ticks)
        #expect(times(try table()) == [time])
    }

    @Test func `its minor faults are one field, and what it holds is another`() throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        setStat(10, user: 5 * ticks, system: 6 * ticks)
        var work: [GuestWork] = []
        try table().activity { work.append($1) }
        #expect(work.map(\.faults) == [1007])
        #expect(work.map(\.resident) == [1024])
    }

    @Test(arguments: ["a b", "x) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "((", ")", ""])
    func `a name may hold anything`(name: String) throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        setStat(10, name: name, user: 2 * ticks, system: ticks)
        #expect(times(try table()) == [.seconds(3)])
    }

    @Test(arguments: [
        "", "10 (kvm) S 1 2 3\n", "10 (kvm S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", "10 (kvm) S 1 1 1 1 1 1 1 1 1 1 7",
        "10 (kvm) S 1 1 1 1 1 1 1 1 1 1 7 7 1 1 1 1 1 1 1 1\n",
    ])
    func `a text that ends too soon says nothing, and the other guests count`(text: String) throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.setProcess(11, comm: "kvm", resident: 1000)
        host.write(text, to: "proc/10/stat")
        setStat(11, user: ticks, system: 0)
        #expect(times(try table()) == [.seconds(1)])
    }

    @Test func `each guest keeps its identity, and another of the same pid has another`() throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.setProcess(11, comm: "kvm", resident: 1000)
        for pid in [10, 11] { setStat(pid, user: 0, system: 0) }
        var table = try table()
        var before: [Int64] = []
        table.activity { identity, _ in before.append(identity) }
        var residents: [Int64] = []
        table.residents { _, identity, _, _ in residents.append(identity) }
        #expect(before == residents)
        host.removeProcess(10)
        try table.refresh()
        host.setProcess(10, comm: "kvm", resident: 1000)
        setStat(10, user: 0, system: 0)
        try table.refresh()
        var after: [Int64] = []
        table.activity { identity, _ in after.append(identity) }
        #expect(Set(before).count == 2 && Set(after).count == 2)
        #expect(Set(before).intersection(after).count == 1)
    }

    @Test func `broken merges are one line of vmstat, and hint faults another`() throws {
        let counters = MemoryCounters(host.paths)
        #expect(try counters.faults() == nil)
        host.write(
            "nr_free_pages 5\nnuma_hint_faults 77\nnuma_hint_faults_local 7\nksm_swpin_copy 7\ncow_ksm 123\nzswpin 9\n",
            to: "proc/vmstat")
        #expect(try counters.faults()?.brokenMerges == 123)
        #expect(try counters.faults()?.hints == 77)
        host.write("nr_free_pages 5\nnot_cow_ksm 123\nnuma_hint_faults_local 7\n", to: "proc/vmstat")
        #expect(try counters.faults()?.brokenMerges == .some(nil))
        #expect(try counters.faults()?.hints == 0)
        // In a tree that stands for a host the file may be another by now.
        host.remove("proc/vmstat")
        host.write("cow_ksm 5\nx 1\ncow_ksm 9\n", to: "proc/vmstat")
        #expect(try counters.faults()?.brokenMerges == 9)
        host.remove("proc/vmstat")
        #expect(try counters.faults() == nil)
    }

    @Test func `the wait for a CPU is the total of tasks of which some waited`() throws {
        let pressure = CPUPressure(host.paths)
        #expect(try pressure.waited() == nil)
        host.write(
            "some avg10=1.00 avg60=2.00 avg300=3.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
            to: "proc/pressure/cpu")
        #expect(try pressure.waited() == .milliseconds(1500))
        host.write("some\n", to: "proc/pressure/cpu")
        #expect(try pressure.waited() == nil)
    }

    // MARK: ksmd

    @Test func `ksmd's time on a CPU and without one come from its schedstat`() throws {
        host.setProcess(50, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
        host.write("7000000 3000000 55\n", to: "proc/50/schedstat")
        let thread = try #require(try KSMThread(host.paths))
        let times = try #require(try thread.times())
        #expect(times.cpu == .milliseconds(7))
        #expect(times.waited == .milliseconds(3))
        host.write("7000000\n", to: "proc/50/schedstat")
        #expect(try thread.times() == nil)
    }

    @Test(arguments: [Scheduling(.other, nice: 7), Scheduling(.idle, nice: 0)])
    func `a scheduling that the kernel refuses is told with the process`(wanted: Scheduling) throws {
        // No kernel gives out this number.
        host.setProcess(1 << 23, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/\(1 << 23)/statm")
        let thread = try #require(try KSMThread(host.paths))
        let failure = KernelFileError(.schedule, "ksmd (pid \(1 << 23))", errno: 3)
        #expect(throws: failure) { try thread.schedule(wanted, over: Scheduling(.other, nice: 0)) }
        #expect(throws: Never.self) { try thread.schedule(wanted, over: wanted) }
    }

    @Test func `a process that only has ksmd's name is not taken for it`() throws {
        host.setProcess(50, comm: "ksmd", resident: 5)
        #expect(try KSMThread(host.paths) == nil)
        host.setProcess(60, comm: "ksmd2", resident: 0)
        #expect(try KSMThread(host.paths) == nil)
    }

    @Test func `ksmd is looked for again a minute after a look that failed`() throws {
        host.setProcess(50, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
        host.write("7000000 3000000 55\n", to: "proc/50/schedstat")
        host.remove("proc/50/comm")
        host.createFolder("proc/50/comm")
        #expect(throws: KernelFileError(.read, host.path("proc/50/comm"), errno: 21)) { try KSMThread(host.paths) }
        let clock = Clock()
        let reader = CounterReader(host.paths) { clock.now }
        func cpu(at second: Int64) throws -> Duration? {
            clock.now = Instant(nanoseconds: second * 1_000_000_000)
            return try reader.read(RecordingControl()).cpu
        }
        #expect(try cpu(at: 5) == nil)
        host.remove("proc/50/comm")
        host.write("ksmd\n", to: "proc/50/comm")
        #expect(try cpu(at: 64) == nil)
        #expect(try cpu(at: 65) == .milliseconds(7))
    }

    @Test func `ksmd that was hidden is looked for again after a minute`() throws {
        let clock = Clock()
        let reader = CounterReader(host.paths) { clock.now }
        #expect(try reader.read(RecordingControl()).cpu == nil)
        host.setProcess(50, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
        host.write("7000000 3000000 55\n", to: "proc/50/schedstat")
        clock.now = Instant(nanoseconds: 59_000_000_000)
        #expect(try reader.read(RecordingControl()).cpu == nil)
        clock.now = Instant(nanoseconds: 60_000_000_000)
        #expect(try reader.read(RecordingControl()).cpu == .milliseconds(7))
    }

    // MARK: KSM's counters

    @Test func `each counter is that of its file`() throws {
        var control = RecordingControl()
        let files: [KSMFile] = [
            .fullScans, .pagesShared, .pagesSharing, .pagesUnshared, .pagesVolatile, .zeroPages, .pagesSkipped,
            .pagesScanned,
        ]
        for (index, file) in files.enumerated() { control.values[file] = Int64(index + 1) }
        let reader = CounterReader(host.paths)
        let counters = try reader.read(control)
        var expected = ScanCounters()
        expected.passes = 1
        expected.shared = 2
        expected.sharing = 3
        expected.unshared = 4
        expected.volatile = 5
        expected.zero = 6
        expected.skipped = 7
        expected.scanned = 8
        #expect(counters == expected)

        // While a pass lasts only its progress is read; its end brings all.
        for (index, file) in files.enumerated() where file != .fullScans { control.values[file] = Int64(index + 101) }
        expected.skipped = 107
        expected.scanned = 108
        #expect(try reader.read(since: counters, control) == expected)
        control.values[.fullScans] = 2
        let next = try reader.read(since: counters, control)
        #expect(next.passes == 2 && next.shared == 102 && next.sharing == 103 && next.zero == 106)
    }

    @Test func `the pages of a pass that ends while the counters are read are not taken for the next one's`() throws {
        let reader = CounterReader(host.paths)
        for end in 0...20 {
            let control = EndingPass(after: end)
            let known = try reader.read(control)
            var counters = known
            // Each look reads less than all, so the pass has ended by the last of these.
            for _ in 0..<20 { counters = try reader.read(since: counters, control) }
            #expect(counters.passes == 1 && counters.unshared == 2000, "after \(end) reads")
        }
    }

    @Test func `a counter below zero counts as zero`() throws {
        var control = RecordingControl()
        for file in [KSMFile.fullScans, .pagesShared, .pagesScanned] { control.values[file] = -5 }
        let counters = try CounterReader(host.paths).read(control)
        #expect(counters.passes == 0 && counters.shared == 0 && counters.scanned == 0)
    }
}

private final class Clock {
    var now = Instant(nanoseconds: 0)
}

/// A KSM whose first pass ends after so many reads.
private struct EndingPass: KSMControl {
    private final class Reads {
        var count = 0
    }

    private let reads = Reads()
    let end: Int
    /// At each moment.
    private var (before, after) = (RecordingControl(), RecordingControl())

    init(after end: Int) {
        self.end = end
        (before.values[.fullScans], before.values[.pagesUnshared]) = (0, 1000)
        (after.values[.fullScans], after.values[.pagesUnshared]) = (1, 2000)
    }

    let takesEffect = true

    func read(_ file: KSMFile) throws(KernelFileError) -> Int64? {
        defer { reads.count += 1 }
        return try (reads.count < end ? before : after).read(file)
    }

    func readAdvisorMode() -> AdvisorMode? { nil }
    func write(_ text: String, to file: KSMFile) {}
    func beginWriting(run value: Int64) -> ChildWrite? { nil }
    func readKsmd() -> KsmdState? { nil }
    func schedule(ksmd wanted: Scheduling) {}
}
