import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

/// `ksmctl status --check` and `--max-age`: does the daemon run, and decide?
@Suite struct StatusProbeTests {
    private static func decision() throws -> Decision {
        let policy = try ClassicPolicy(Configuration(), total: KiB(16 << 20))
        return policy.decide(MemorySample(free: KiB(1 << 20), committed: KiB(15 << 20)), previous: 0)
    }

    private static func report(_ host: FakeHost, now: WallTime = WallTime(seconds: 1023)) throws -> StatusReport {
        try StatusReport(HostView(host.paths), now: now, since: nil)
    }

    @Test(
        arguments: [
            // Interval, age and limit in seconds, and the exit status; 0 of a limit is by the interval.
            (60, 180, nil, nil), (60, 180, 0, nil), (60, 181, 0, 4), (60, 181, nil, nil), (60, 181, 181, nil),
            (60, 181, 180.5, 4), (1, 30, 0, nil), (1, 31, 0, 4), (1, 31, 600, nil), (3600, 10_800, 0, nil),
            (3600, 10_801, 0, 4), (3600, 10_801, 300, 4), (365 * 86400, 1 << 40, 0, nil), (60, -5, 0, nil),
            (60, -5, 1, nil),
        ] as [(Int64, Int64, Double?, Int32?)])
    func `A decision that is too old is 4`(_ interval: Int64, _ age: Int64, _ limit: Double?, _ status: Int32?) throws {
        let host = FakeHost()
        let daemon = host.startDaemon(decision: try Self.decision(), interval: .seconds(interval))
        let report = try Self.report(host, now: WallTime(seconds: 1000 + age))
        #expect(report.exitStatus(limit.map { [$0 == 0 ? .byInterval : .seconds($0)] } ?? []) == status)
        withExtendedLifetime(daemon) {}
    }

    @Test func `A daemon that has not decided yet is in time by its interval, and too late by a limit`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        let report = try Self.report(host)
        #expect(report.exitStatus([]) == nil)
        #expect(report.exitStatus([.byInterval]) == nil)
        #expect(report.exitStatus([.seconds(1e6)]) == 4)
        withExtendedLifetime(daemon) {}
    }

    @Test func `A state of an earlier daemon, or none, is too old`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon(decision: try Self.decision())
        #expect(try Self.report(host).exitStatus([.byInterval]) == nil)
        host.write("PID=4243\n", to: "run/ksmtuned/state")
        #expect(try Self.report(host).exitStatus([.byInterval]) == 4)
        host.remove("run/ksmtuned/state")
        #expect(try Self.report(host).exitStatus([.byInterval]) == 4)
        withExtendedLifetime(daemon) {}
    }

    @Test func `What a daemon that was killed decided is not that of the next one`() async throws {
        let host = FakeHost()
        let daemon = host.startDaemon(decision: try Self.decision())
        host.write("4243\n", to: "var/run/ksmtune.pid")
        let report = try Self.report(host, now: WallTime(seconds: 100_000))
        #expect(report.daemon.pid == 4243)
        #expect(report.decision == nil)
        let note =
            "what the daemon decided is not known: cannot understand \(host.paths.state): it is of process 4242, and the "
            + "daemon that runs is process 4243"
        #expect(report.notes == [note])
        let metrics = try await Program.ksmctl.run(["metrics", host.rootOption])
        #expect(metrics.output.contains("\nksmtuned_up 1\n"))
        #expect(!metrics.output.contains("ksmtuned_decision"))
        #expect(metrics.error == "ksmctl: \(note)\n")
        let explained = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 100_000))
        #expect(!explained.isFromDaemon)
        withExtendedLifetime(daemon) {}
    }

    @Test func `Where the state of a daemon that runs is missing, that it has not decided is not known`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        #expect(try Self.report(host).notes == ["the daemon has not decided yet"])
        host.remove("run/ksmtuned/state")
        #expect(
            try Self.report(host).notes == [
                "what the daemon decided is not known: cannot read \(host.paths.state): No such file or directory"
            ])
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [(29, false), (31, true)] as [(Int64, Bool)])
    func `A daemon without a decision hangs half a minute after the first one was due`(
        seconds: Int64, isLate: Bool
    ) throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        var state = StateRecord(pid: 4242)
        state.firstDue = HostClock.uptime - .seconds(seconds)
        host.write(String(decoding: state.text, as: UTF8.self), to: "run/ksmtuned/state")
        let report = try Self.report(host)
        #expect(report.exitStatus([.byInterval]) == (isLate ? 4 : nil))
        #expect(report.notes.first?.contains("long due") == isLate)
        withExtendedLifetime(daemon) {}
    }

    @Test func `Both limits hold where both are given`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon(decision: try Self.decision())
        let report = try Self.report(host, now: WallTime(seconds: 1100))
        #expect(report.exitStatus([.byInterval, .seconds(100)]) == nil)
        #expect(report.exitStatus([.byInterval, .seconds(99)]) == 4)
        withExtendedLifetime(daemon) {}
    }

    @Test func `The probe of a program`() async throws {
        let host = FakeHost()
        func status(_ options: String...) async throws -> Int32 {
            try await Program.ksmctl.run(["status"] + options + [host.rootOption]).status
        }
        #expect(try await status("--check") == 3)
        // Decided in 1970.
        let daemon = host.startDaemon(decision: try Self.decision())
        #expect(try await status() == 0)
        let late = try await Program.ksmctl.run(["status", "--check", host.rootOption])
        #expect(late.status == 4)
        #expect(late.output.contains("Note: the next decision is long due: the daemon hangs, cannot decide, or"))
        #expect(try await status("--max-age=60") == 4)
        #expect(try await status("--max-age", "1e12") == 0)
        #expect(try await status("--max-age=1e12", "--check") == 4)
        for wrong in ["0", "-1", "inf", "nan", "many"] { #expect(try await status("--max-age=\(wrong)") == 64) }
        #expect(try await status("--check", "--watch") == 64)
        for wrong in ["0", "0.09", "86401", "nan", "many"] {
            #expect(try await status("--watch", "--interval=\(wrong)") == 64)
        }
        #expect(try await status("--interval=5") == 64)
        withExtendedLifetime(daemon) {}
    }

    @Test func `It is followed until something ends it`() async throws {
        let host = FakeHost()
        let watch = try RunningProgram(.ksmctl, ["status", "--watch", "--interval", "0.1", "--json", host.rootOption])
        try await watch.until("there were three reports") { watch.output.ranges(of: "\"time_seconds\"").count >= 3 }
        #expect(watch.isRunning)
        // Whoever runs tests may block or ignore the others.
        watch.send(SIGKILL)
        #expect(try await watch.ended() == -SIGKILL)
    }
}
