import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

@testable import ksmtuned

/// What fails for a while, and what the daemon says and does until it works.
@Suite struct LastingFailureTests {
    /// Decisions come when they are asked for, however slow the host is.
    private static let never = "KSM_MONITOR_INTERVAL=1d\n"

    // MARK: Guests

    /// Runs a program with so few descriptors, by a shell.
    private func run(_ program: Program, limit: Int, _ arguments: [String]) async throws -> Program.Outcome {
        try await Program(path: "/bin/sh").run(
            ["-c", "ulimit -n \(limit) && exec \"$@\"", "sh", program.url.path] + arguments)
    }

    private static func hostOfGuests() -> FakeHost {
        let host = FakeHost()
        host.runShort()
        for pid in 100..<131 { host.setProcess(pid, comm: "qemu-kvm", resident: 100_000) }
        return host
    }

    @Test(arguments: [24, 32, 256])
    func `Guests are read with few descriptors`(limit: Int) async throws {
        let host = Self.hostOfGuests()
        host.configure("KSM_POLICY=classic\n")
        let outcome = try await run(.ksmtuned, limit: limit, [host.rootOption, "--once", "--debug"])
        #expect(outcome.status == 0)
        let page = Int(sysconf(Int32(_SC_PAGESIZE))) / 1024
        #expect(outcome.error.contains("committed \(31 * 100_000 * page) "))
        #expect(!outcome.error.contains("cannot"))
        #expect(host.knobs == ["1", "300", "10"])
    }

    @Test func `A guest that cannot be read leaves KSM as it is, with one message, until it can`() async throws {
        let host = FakeHost()
        host.runShort()
        host.setProcess(100, comm: "qemu-kvm", resident: 10)
        host.write("garbage\n", to: "proc/100/statm")
        let daemon = try await RunningDaemon(host, Self.never)
        for _ in 0..<3 { try await daemon.reload() }
        #expect(host.knobs == ["0", "100", "20"])
        host.setProcess(100, comm: "qemu-kvm", resident: 10)
        try await daemon.decide()
        try await daemon.decide()
        #expect(
            daemon.messages.filter { $0.contains("KSM stays") || $0.contains("guest can") } == [
                host.filled(
                    "cannot understand ROOT/proc/100/statm: it does not begin with three numbers, so KSM stays as it is "
                        + "until that can be read"), "every guest can be read again",
            ])
        #expect(try await daemon.end() == 0)
    }

    @Test func `ksmctl says how many guests could not be read, and ends with 1`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "qemu-kvm", resident: 10)
        host.setProcess(101, comm: "qemu-kvm", resident: 10)
        host.write("garbage\n", to: "proc/101/statm")
        for command in ["guests", "plan", "explain"] {
            let outcome = try await Program.ksmctl.run([command, host.rootOption])
            #expect(outcome.status == 1, "\(command)")
            let said = outcome.output + outcome.error
            #expect(said.contains("1 guest"), "\(command): \(said)")
            #expect(said.contains(host.path("proc/101/statm")), "\(command): \(said)")
        }
    }

    @Test(.timeLimit(.minutes(10))) func `A pipe in the place of meminfo ends the start`() async throws {
        let host = FakeHost()
        host.remove("proc/meminfo")
        host.makePipe("proc/meminfo")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status != 0)
        #expect(outcome.error.contains(host.filled("cannot read ROOT/proc/meminfo: it is not a regular file")))
        for command in ["status", "plan", "doctor", "explain"] {
            let outcome = try await Program.ksmctl.run([command, host.rootOption])
            #expect(outcome.status != 0, "\(command)")
        }
    }

    // MARK: What was found

    @Test func `What could not be read at start is read before it is written to`() async throws {
        let host = FakeHost()
        host.remove("sys/kernel/mm/ksm/pages_sharing")
        host.write("[none] scan-time\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.remove("sys/kernel/mm/ksm/advisor_mode")
        host.createFolder("sys/kernel/mm/ksm/advisor_mode")
        host.setKSM(["advisor_max_cpu": 70])
        let daemon = try await RunningDaemon(host, Self.never + "KSM_ON_EXIT=restore\nKSM_FIRST_DECISION=interval\n")
        host.remove("sys/kernel/mm/ksm/advisor_mode")
        host.write("none [scan-time]\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.runShort()
        try await daemon.decide()
        #expect(host.state["FOUND_ADVISOR_MODE"] == "scan-time")
        #expect(host.state["FOUND_ADVISOR_CPU_MAX"] == "70")
        #expect(try await daemon.end() == 0)
    }

    @Test func `A run that was unknown when it was written to is named at the end, and KSM stopped`() async throws {
        let host = FakeHost()
        host.runShort()
        host.write("PID=4\nFOUND_RUN=7\nFOUND_PAGES_TO_SCAN=77\nFOUND_SLEEP_MILLISECS=33\n", to: "run/ksmtuned/state")
        let daemon = try await RunningDaemon(host, Self.never + "KSM_ON_EXIT=restore\n")
        #expect(host.knobs == ["1", "300", "10"])
        #expect(host.state["FOUND_RUN"] == nil)
        #expect(try await daemon.end() == 0)
        #expect(host.knobs == ["0", "77", "33"])
        #expect(
            daemon.messages(with: "FOUND_RUN") == [
                host.filled(
                    "ROOT/run/ksmtuned/state of an earlier daemon says FOUND_RUN=7, which the kernel's file cannot "
                        + "have held: it is not put back")
            ])
        #expect(
            daemon.messages.contains(
                "what run held before the start could not be read, so it cannot be put back: stopping KSM"))
    }

    @Test(arguments: [nil, "", "garbled"])
    func `A state file that cannot be read hides what was found, so KSM is stopped at the end`(
        text: String?
    ) async throws {
        let host = FakeHost()
        host.setKSM(["run": 1])
        if let text { host.write(text, to: "run/ksmtuned/state") } else { host.createFolder("run/ksmtuned/state") }
        let daemon = try await RunningDaemon(host, Self.never + "KSM_ON_EXIT=restore\nKSM_FIRST_DECISION=interval\n")
        #expect(try await daemon.end() == 0)
        #expect(host.knob("run") == "0")
        #expect(daemon.messages(with: "before a daemon that was killed is not known").count == 1)
    }

    @Test(arguments: ["", "garbled"])
    func `A single decision leaves it to the next daemon that what was found is not known`(text: String) async throws {
        let host = FakeHost()
        host.setKSM(["run": 1])
        host.write(text, to: "run/ksmtuned/state")
        let once = try await Program.ksmtuned.run(["--once", host.rootOption])
        #expect(once.status == 0)
        #expect(once.error.contains("before a daemon that was killed is not known"))
        #expect(host.exists("run/ksmtuned/state"))
        // By a single decision KSM rests, so what it is restored to shows only in what is said.
        let daemon = try await RunningDaemon(host, Self.never + "KSM_ON_EXIT=restore\n")
        #expect(try await daemon.end() == 0)
        #expect(host.knob("run") == "0")
        #expect(
            daemon.messages.contains(
                "what run, pages_to_scan and sleep_millisecs held before the start could not be read, so it cannot be put "
                    + "back: stopping KSM"))
    }

    /// As a unit that was killed, restarted by systemd, and stopped at once.
    @Test(arguments: [true, false])
    func `A daemon that ends before its first decision puts back what a killed one had found`(isSet: Bool)
        async throws
    {
        let host = FakeHost()
        host.setKSM(["run": 1, "pages_to_scan": 1250, "sleep_millisecs": 10, "use_zero_pages": 1, "smart_scan": 0])
        host.write(
            "PID=4\nFOUND_RUN=0\nFOUND_PAGES_TO_SCAN=100\nFOUND_SLEEP_MILLISECS=20\nFOUND_USE_ZERO_PAGES=0\n"
                + "FOUND_SMART_SCAN=1\n", to: "run/ksmtuned/state")
        let daemon = try await RunningDaemon(
            host,
            Self.never + "KSM_ON_EXIT=restore\nKSM_FIRST_DECISION=interval\n"
                + (isSet ? "KSM_USE_ZERO_PAGES=yes\n" : ""))
        #expect(daemon.decisions == 0)
        #expect(try await daemon.end() == 0)
        #expect(host.knobs == ["0", "100", "20"])
        #expect(host.knob("use_zero_pages") == "0")
        #expect(host.knob("smart_scan") == "1")
        #expect(!host.exists("run/ksmtuned/state"))
    }

    @Test(arguments: [("keep", "1"), ("stop", "0"), ("restore", "1"), ("unmerge", "2")])
    func `The end before any decision`(action: String, run: String) async throws {
        let host = FakeHost()
        host.setKSM(["run": 1])
        let daemon = try await RunningDaemon(host, Self.never + "KSM_ON_EXIT=\(action)\nKSM_FIRST_DECISION=interval\n")
        #expect(try await daemon.end() == 0)
        #expect(host.knobs == [run, "100", "20"])
    }

    @Test func `A daemon that is killed before its first decision leaves what was found`() async throws {
        let host = FakeHost()
        host.setKSM(["use_zero_pages": 0])
        let daemon = try await RunningDaemon(host, Self.never + "KSM_USE_ZERO_PAGES=yes\nKSM_FIRST_DECISION=interval\n")
        #expect(host.knob("use_zero_pages") == "1")
        #expect(host.state["FOUND_USE_ZERO_PAGES"] == "0")
        #expect(host.state["FOUND_RUN"] == "0")
        #expect(try await daemon.end(SIGKILL) == -SIGKILL)
    }

    // MARK: What is tried again

    @Test func `The lock is made again also while no decision can be made`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "qemu-kvm", resident: 1000)
        let daemon = try await RunningDaemon(host, Self.never)
        host.remove("proc/100/statm")
        host.createFolder("proc/100/statm")
        host.remove("run/ksmtuned/lock")
        daemon.program.send(SIGUSR1)
        try await daemon.until("the lock was there again") {
            daemon.messages.contains(host.filled("ROOT/run/ksmtuned/lock was removed, and is there again"))
        }
        #expect(host.exists("run/ksmtuned/lock"))
        #expect(try await daemon.end() == 0)
    }

    @Test func `What is in the place of the lock is told once, and its end once, each time`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host, Self.never)
        for round in 1...2 {
            #expect(unsafe rename(host.path("run/ksmtuned/lock"), host.path("run/ksmtuned/old")) == 0)
            host.createFolder("run/ksmtuned/lock")
            for _ in 0..<2 { try await daemon.decide() }
            #expect(daemon.messages(with: "so other programs may not see that this daemon runs").count == round)
            host.remove("run/ksmtuned/lock")
            #expect(unsafe rename(host.path("run/ksmtuned/old"), host.path("run/ksmtuned/lock")) == 0)
            for _ in 0..<2 { try await daemon.decide() }
            #expect(daemon.messages(with: "lock is in its place again").count == round)
        }
        #expect(try await daemon.end() == 0)
    }

    @Test func `A second daemon that a removed lock let in is told by the first, and loses nothing by it`() async throws
    {
        let host = FakeHost()
        let first = try await RunningDaemon(host, Self.never)
        host.remove("run/ksmtuned/lock")
        host.remove("var/run/ksmtune.pid")
        let second = try await RunningDaemon(host, Self.never)
        for _ in 0..<2 { try await first.reload() }
        try await first.until("it had told") { !first.messages(with: "another ksmtuned").isEmpty }
        #expect(
            first.messages(with: "another ksmtuned") == [
                host.filled(
                    "another ksmtuned (pid \(second.program.pid)) holds ROOT/run/ksmtuned/lock, since this one's was removed: "
                        + "both decide, so end one of them")
            ])
        try await second.decide()
        #expect(try await first.end() == 0)
        #expect(host.state["PID"] == "\(second.program.pid)")
        #expect(host.exists("run/ksmtuned/lock") && host.exists("var/run/ksmtune.pid"))
        #expect(try await second.end() == 0)
        #expect(!host.exists("run/ksmtuned/state"))
    }

    /// The kernel takes no more entries of poll(2) than a process may have descriptors.
    @Test func `A limit of descriptors that is lowered from outside leaves the signals`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host, Self.never)
        let lowered = try await Program(path: "/usr/bin/prlimit")
            .run(["--pid", "\(daemon.program.pid)", "--nofile=3:3"])
        #expect(lowered.status == 0)
        daemon.program.send(SIGTERM)
        #expect(try await daemon.program.ended() == 0)
    }

    @Test func `A first decision that cannot be made is due once the start's write has ended`() async throws {
        let host = FakeHost()
        host.setKSM(["merge_across_nodes": 1, "pages_sharing": 1000, "pages_shared": 10])
        host.setProcess(100, comm: "qemu-kvm", resident: 1000)
        host.remove("proc/100/statm")
        host.createFolder("proc/100/statm")
        let daemon = try await RunningDaemon(host, Self.never + "KSM_MERGE_ACROSS_NODES=0\nKSM_ALLOW_UNMERGE=yes\n")
        try await daemon.until("it was known") { host.state["FIRST_DUE_USEC"] != nil }
        #expect(try await daemon.end() == 0)
    }

    @Test func `A folder of the state that is removed is made again`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, Self.never)
        host.remove("run")
        daemon.program.send(SIGUSR1)
        try await daemon.until("the state was there again") { host.state["PAGES_TO_SCAN"] == "600" }
        #expect(daemon.messages(with: "other programs").isEmpty)
        // ksmctl asks who holds it.
        try await daemon.until("the lock was there again") {
            daemon.messages.contains(host.filled("ROOT/run/ksmtuned/lock was removed, and is there again"))
        }
        let status = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(status.status == 0)
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("run/ksmtuned/lock"))
    }

    @Test func `A state that cannot be written is reported once, and its end once`() async throws {
        let host = FakeHost()
        host.runShort()
        // Where the next text is written.
        host.createFolder("run/ksmtuned/.state")
        let daemon = try await RunningDaemon(host, Self.never)
        daemon.program.send(SIGUSR1)
        try await daemon.until("it had decided") { host.knob("pages_to_scan") == "600" }
        host.remove("run/ksmtuned/.state")
        daemon.program.send(SIGUSR1)
        try await daemon.until("it said so") { !daemon.messages(with: "can see the decisions again").isEmpty }
        try await daemon.decide()
        #expect(daemon.messages(with: "other programs").count == 2)
        #expect(try await daemon.end() == 0)
    }

    private func decision() throws -> Decision {
        try ClassicPolicy(Configuration(), total: KiB(1 << 24))
            .decide(MemorySample(free: .zero, committed: .zero), previous: 0)
    }

    /// Records a decision if it is due.
    ///
    /// - Parameter seconds: On the monotonic clock.
    private func record(_ recorder: inout Recorder, at seconds: Int64) throws {
        let now = Instant(nanoseconds: seconds * 1_000_000_000)
        let decision = try decision()
        guard recorder.isDue(decision, at: now, Log()) else { return }
        recorder.append(
            HistoryRecord(decision, time: WallTime(seconds: seconds), guests: 0), of: decision, at: now, Log())
    }

    /// One that has made the first record.
    private func begunRecorder(_ host: FakeHost) throws -> Recorder {
        var recorder = Recorder(host.paths)
        recorder.open(at: Instant(nanoseconds: 0), Log())
        try record(&recorder, at: 0)
        return recorder
    }

    @Test func `A history that could not be opened is opened within a minute`() throws {
        let host = FakeHost()
        host.write("", to: "var")
        var recorder = Recorder(host.paths)
        recorder.open(at: Instant(nanoseconds: 0), Log())
        host.remove("var")
        try record(&recorder, at: 59)
        #expect(!host.exists("var"))
        try record(&recorder, at: 60)
        #expect(try HistoryReader.read(host.paths.history)?.count == 1)
    }

    @Test(arguments: [false, true])
    func `A history that was removed or replaced is begun again within a minute`(isReplaced: Bool) throws {
        let host = FakeHost()
        var recorder = try begunRecorder(host)
        try record(&recorder, at: 1)
        #expect(try HistoryReader.read(host.paths.history)?.count == 2)
        host.remove("var/lib")
        if isReplaced { host.write("", to: "var/lib/ksmtuned/history") }
        try record(&recorder, at: 61)
        try record(&recorder, at: 62)
        #expect(try HistoryReader.read(host.paths.history)?.count == 2)
    }

    @Test func `A history that was emptied is begun again within a minute, and what came meanwhile is kept`() throws {
        let host = FakeHost()
        var recorder = try begunRecorder(host)
        host.write("", to: "var/lib/ksmtuned/history")
        try record(&recorder, at: 1)
        try record(&recorder, at: 62)
        #expect(try HistoryReader.read(host.paths.history)?.map { $0.time } == [1, 62].map { WallTime(seconds: $0) })
        let names = try FileManager.default.contentsOfDirectory(atPath: host.path("var/lib/ksmtuned"))
        #expect(names == ["history"])
    }

    @Test func `A history that was written over is set aside within a minute`() throws {
        let host = FakeHost()
        var recorder = try begunRecorder(host)
        host.write("mine", to: "var/lib/ksmtuned/history")
        try record(&recorder, at: 62)
        #expect(try HistoryReader.read(host.paths.history)?.map { $0.time } == [WallTime(seconds: 62)])
        let names = try FileManager.default.contentsOfDirectory(atPath: host.path("var/lib/ksmtuned"))
        #expect(names.count == 2)
    }

    // MARK: A capability that is missing

    private static func failed(_ errno: Int32) -> Notice {
        .failed(.metric, KernelFileError(.read, "/proc/1/smaps_rollup", errno: errno))
    }

    /// Which of these notices say no more than what was said.
    private func covered(_ notices: [Notice], isMissingKnown: Bool) -> [Bool] {
        var silence = MetricSilence()
        silence.isMissingKnown = isMissingKnown
        return notices.map { silence.covers($0) }
    }

    @Test func `A capability of which it was said that it is missing is not told again`() {
        let notices: [Notice] = [
            Self.failed(EACCES), .recovered(.metric), .recovered(.metric), Self.failed(EIO), .recovered(.metric),
            .failed(.guestReadings, KernelFileError(.read, "/proc/1/statm", errno: EACCES)),
        ]
        // Nobody heard of the first failure; the second is another, and so is the third.
        #expect(covered(notices, isMissingKnown: true) == [true, true, false, false, false, false])
    }

    @Test func `What is refused though no capability is missing is told`() {
        #expect(covered([Self.failed(EACCES), .recovered(.metric)], isMissingKnown: false) == [false, false])
    }

    // MARK: Floods

    private static func foreign(_ found: Int64) -> Notice {
        .foreignWrite(.sleepMilliseconds, expected: 20, found: found)
    }

    @Test func `Of very many messages in a minute the first are reported`() {
        var flood = Flood()
        let verdicts = (0..<100).map { flood.hear(Self.foreign($0), at: Instant(nanoseconds: $0)) }
        #expect(verdicts == Array(repeating: .pass, count: 60) + [.last] + Array(repeating: .drop, count: 39))
        #expect(flood.hear(Self.foreign(100), at: Instant(nanoseconds: 59_999_999_999)) == .drop)
        #expect(flood.hear(Self.foreign(101), at: Instant(nanoseconds: 60_000_000_000)) == .pass)
    }

    @Test func `Behind the minute it is told how many messages were left out, and the last of each subject`() {
        var flood = Flood()
        for index: Int64 in 0..<60 { _ = flood.hear(Self.foreign(index), at: Instant(nanoseconds: 0)) }
        #expect(flood.takeLeftOut(at: Instant(nanoseconds: 60_000_000_000)) == nil)
        let failure = Notice.failed(.memory, KernelFileError(.read, "/proc/meminfo", errno: EIO))
        let knob = Notice.knobRecovered(.smartScan, 1)
        let before: [Notice] = [.failed(.guests, KernelFileError(.read, "/proc", errno: EIO)), .noKnob(.smartScan)]
        for notice in before + [failure, .recovered(.guests), knob] {
            _ = flood.hear(notice, at: Instant(nanoseconds: 0))
        }
        for index: Int64 in 60..<100 { _ = flood.hear(Self.foreign(index), at: Instant(nanoseconds: 0)) }
        #expect(flood.takeLeftOut(at: Instant(nanoseconds: 59_999_999_999)) == nil)
        let leftOut = Flood.LeftOut(count: 45, last: [failure, .recovered(.guests), knob, Self.foreign(99)])
        var ending = flood
        #expect(ending.takeLeftOut(at: Instant(nanoseconds: 0), isEnding: true) == leftOut)
        #expect(flood.takeLeftOut(at: Instant(nanoseconds: 60_000_000_000)) == leftOut)
        #expect(flood.takeLeftOut(at: Instant(nanoseconds: 60_000_000_001)) == nil)
    }

    // MARK: A stop

    @Test func `A daemon that was stopped and goes on decides at once`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, Self.never)
        daemon.program.send(SIGSTOP)
        daemon.program.send(SIGUSR1)
        daemon.program.send(SIGCONT)
        try await daemon.until("it had decided") { host.knob("pages_to_scan") == "600" }
        #expect(daemon.decisions == 2)
        #expect(try await daemon.end() == 0)
    }
}
