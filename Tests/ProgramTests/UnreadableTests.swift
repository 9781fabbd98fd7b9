import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

/// What a program could not read is said, and nothing is claimed of it.
@Suite struct UnreadableTests {
    /// A daemon of which the kernel does not say whether it runs: its lock is no file.
    private static func hostWithoutAnswer() -> FakeHost {
        let host = FakeHost()
        host.runShort()
        host.createFolder("run/ksmtuned")
        host.link("run/ksmtuned/lock", to: "elsewhere")
        return host
    }

    private static let failure =
        "whether the daemon runs is not known: cannot lock ROOT/run/ksmtuned/lock: it is a link: remove it"

    // MARK: The daemon

    @Test func `status knows neither that the daemon runs nor that it does not`() async throws {
        let host = Self.hostWithoutAnswer()
        let outcome = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("  Daemon: not known\n"))
        #expect(outcome.output.contains(host.filled(Self.failure)))
        #expect(!outcome.output.contains("does not run"))
        let report = try StatusReport(HostView(host.paths), now: WallTime(seconds: 1), since: nil)
        #expect(try !report.json().contains("is_running"))
    }

    @Test func `status does not say that KSM stands still where its file says nothing`() async throws {
        let host = FakeHost()
        host.runShort()
        host.write("odd\n", to: "sys/kernel/mm/ksm/run")
        let outcome = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(outcome.output.hasPrefix("- whether KSM scans is not known\n"))
        #expect(outcome.output.contains("\(host.paths.ksm)/run"))
        let json = try StatusReport(HostView(host.paths), now: WallTime(seconds: 1), since: nil).json()
        #expect(json.contains("\"state\" : \"unknown\"") && !json.contains("is_as_decided"))
    }

    @Test func `metrics leave out what is not known, and say why`() async throws {
        let host = Self.hostWithoutAnswer()
        let outcome = try await Program.ksmctl.run(["metrics", host.rootOption])
        #expect(outcome.status == 0)
        #expect(!outcome.output.contains("ksmtuned_up"))
        #expect(outcome.output.contains("\nksmtuned_ksm_run 0\n"))
        #expect(outcome.error == "ksmctl: " + host.filled(Self.failure) + "\n")
        host.remove("run/ksmtuned/lock")
        let absent = try await Program.ksmctl.run(["metrics", host.rootOption])
        #expect(absent.output.contains("\nksmtuned_up 0\n"))
        #expect(absent.error.isEmpty)
    }

    @Test func `explain does not claim that the daemon does not run`() async throws {
        let host = Self.hostWithoutAnswer()
        let outcome = try await Program.ksmctl.run(["explain", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains(host.filled(Self.failure)))
        #expect(outcome.output.contains("this is what the classic rule would decide now"))
        #expect(!outcome.output.contains("the daemon does not run"))
    }

    @Test(arguments: ["status", "explain"])
    func `A state that cannot be read is named, and not taken for none`(command: String) async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = host.startDaemon()
        host.remove("run/ksmtuned/state")
        host.createFolder("run/ksmtuned/state")
        let outcome = try await Program.ksmctl.run([command, host.rootOption])
        withExtendedLifetime(daemon) {}
        let said = outcome.output + outcome.error
        #expect(said.contains(host.filled("what the daemon decided is not known: cannot read ROOT/run/ksmtuned/state")))
        #expect(!said.contains("has not decided yet"))
    }

    @Test(arguments: ["pages_sharing", "ksm_zero_pages"])
    func `plan says that it does not know what KSM saves`(file: String) async throws {
        let host = FakeHost()
        host.setKSM(["pages_sharing": 5, "ksm_zero_pages": 5])
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 18, commandLine: ["qemu-kvm", "-m", "1G"])
        let known = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(known.output.contains("Saved today, and not counted on"))
        host.remove("sys/kernel/mm/ksm/\(file)")
        host.createFolder("sys/kernel/mm/ksm/\(file)")
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        let failure = "what KSM saves is not known: cannot read \(host.path("sys/kernel/mm/ksm/\(file)"))"
        #expect(outcome.error.contains(failure), "\(outcome.error)")
        #expect(!outcome.output.contains("Saved today, and not counted on"))
    }

    // MARK: The configuration

    @Test func `explain names a configuration that it could not read`() async throws {
        let host = FakeHost()
        host.runShort()
        if host.exists("etc/ksmtuned.conf") { host.remove("etc/ksmtuned.conf") }
        host.createFolder("etc/ksmtuned.conf")
        let place = host.path("etc/ksmtuned.conf")
        let supposed = try await Program.ksmctl.run(["explain", host.rootOption])
        #expect(supposed.status == 78)
        #expect(supposed.error.contains("\(place):1:1") && supposed.error.contains("see ksmctl check-config"))
        let policy = try ClassicPolicy(Configuration(), total: KiB(1 << 24))
        let decision = policy.decide(MemorySample(free: .zero, committed: .zero), previous: 0)
        let daemon = host.startDaemon(decision: decision)
        let decided = try await Program.ksmctl.run(["explain", host.rootOption])
        withExtendedLifetime(daemon) {}
        #expect(decided.status == 0)
        #expect(decided.output.contains("counts with its default here") && decided.output.contains("\(place):1:1"))
    }

    // MARK: Guests

    @Test func `explain fails where what a guest has in swap is in no step`() async throws {
        let host = FakeHost()
        host.runShort()
        host.setProcess(10, comm: "qemu-kvm", resident: 1000, commandLine: ["qemu-kvm", "-m", "1G"])
        #expect(try await Program.ksmctl.run(["explain", host.rootOption]).status == 0)
        if host.exists("proc/10/status") { host.remove("proc/10/status") }
        host.link("proc/10/status", to: "status")
        let outcome = try await Program.ksmctl.run(["explain", host.rootOption])
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("/proc/10/status"))
    }

    private static func hostOfGuests() -> FakeHost {
        let host = FakeHost()
        host.runShort()
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 18, commandLine: ["qemu-kvm", "-m", "1G"])
        return host
    }

    @Test(arguments: ["proc/100/status", "proc/100/task", "proc/100/attr/current"])
    func `guests and plan name a file of a guest that could not be read`(file: String) async throws {
        let host = Self.hostOfGuests()
        if host.exists(file) { host.remove(file) }
        if file.hasSuffix("task") { host.write("", to: file) } else { host.createFolder(file) }
        let note = "not known, since it could not be read: what \(host.path(file)) says"
        let guests = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(guests.output.contains(note), "\(guests.output)")
        let plan = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(plan.output.contains(note), "\(plan.output)")
    }

    @Test func `A limit of a cgroup that could not be read is not taken for none`() async throws {
        let host = Self.hostOfGuests()
        host.write("0::/machine.slice/vm.scope\n", to: "proc/100/cgroup")
        host.write("memory cpu\n", to: "sys/fs/cgroup/cgroup.controllers")
        host.createFolder("sys/fs/cgroup/machine.slice/vm.scope/memory.max")
        let guests = try await Program.ksmctl.run(["guests", "--limits", host.rootOption])
        #expect(guests.output.contains("/sys/fs/cgroup/machine.slice/vm.scope/memory.max says (cannot read "))
    }

    @Test func `The doctor does not miss a guest of which a file cannot be read`() async throws {
        let host = Self.hostOfGuests()
        host.remove("proc/100/status")
        host.createFolder("proc/100/status")
        let outcome = try await Program.ksmctl.run(["doctor", "--verbose", host.rootOption])
        #expect(!outcome.output.contains("no guest runs"), "\(outcome.output)")
        #expect(outcome.output.contains("1 process could not be looked at, and may be a guest"))
        #expect(outcome.output.contains("cannot read \(host.path("proc/100/status")): Is a directory"))
    }

    @Test func `The doctor says why it could not look, and not that only root may`() async throws {
        let host = Self.hostOfGuests()
        host.setProcess(200, comm: "sleep", resident: 1, commandLine: ["sleep"])
        host.write("", to: "proc/200/fd")
        host.createFolder("proc/200/ksm_stat")
        let outcome = try await Program.ksmctl.run(["doctor", "--verbose", host.rootOption])
        #expect(!outcome.output.contains("only root can see"), "\(outcome.output)")
        #expect(outcome.output.contains("cannot list \(host.path("proc/200/fd")): Not a directory"))
        #expect(outcome.output.contains("cannot read \(host.path("proc/200/ksm_stat")): Is a directory"))
    }

    @Test func `The doctor does not claim that no guest runs where it can see none`() throws {
        let host = FakeHost()
        var facts = try DoctorFacts(host.paths)
        #expect(facts.whyNoGuests == "no guest runs")
        facts.unseen = ["/proc hides them"]
        #expect(facts.whyNoGuests == "no guest can be seen: /proc hides them")
    }

    @Test func `metrics say why a guest has not its own name`() async throws {
        let host = Self.hostOfGuests()
        host.remove("proc/100/cmdline")
        host.createFolder("proc/100/cmdline")
        let outcome = try await Program.ksmctl.run(["metrics", "--guests", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("could not be read: what \(host.path("proc/100/cmdline")) says"))
    }

    // MARK: The daemon's own

    @Test func `A single decision that could not be made ends with 71`() async throws {
        let host = FakeHost()
        host.runShort()
        host.setProcess(100, comm: "qemu-kvm", resident: 10)
        host.write("garbage\n", to: "proc/100/statm")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 71)
        #expect(outcome.error.contains("so --once has not done its work"))
        #expect(host.knobs == ["0", "100", "20"])
        #expect(!host.exists("run/ksmtuned/lock") && !host.exists("var/run/ksmtune.pid"))
    }

    @Test func `A single decision that KSM refuses ends with 71`() async throws {
        let host = FakeHost()
        host.runShort()
        host.link("sys/kernel/mm/ksm/sleep_millisecs", to: "/dev/full")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 71)
        #expect(outcome.error.contains("No space left on device"))
    }

    @Test func `That the log file works again is told, also where a reload opens it`() async throws {
        let host = FakeHost()
        host.runShort()
        host.createFolder("var/log/ksmtuned")
        let daemon = try await RunningDaemon(
            host, "KSM_MONITOR_INTERVAL=1d\nDEBUG=1\nLOGFILE=/var/log/ksmtuned\n")
        try await daemon.reload()
        let failure = "writing debug lines here until that works"
        #expect(daemon.messages(with: failure).count == 1)
        host.remove("var/log/ksmtuned")
        daemon.program.send(SIGHUP)
        try await daemon.until("it said so") { !daemon.messages(with: "debug lines go to").isEmpty }
        daemon.program.send(SIGUSR1)
        try await daemon.until("it had decided") { host.knob("pages_to_scan") == "1200" }
        #expect(
            daemon.messages(with: "debug lines go to") == [
                host.filled("debug lines go to ROOT/var/log/ksmtuned again")
            ])
        #expect(daemon.messages(with: failure).count == 1)
        #expect(try await daemon.end() == 0)
    }
}
