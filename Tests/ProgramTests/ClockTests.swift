import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy
import Testing

@testable import ksmctl

/// A wall clock that is set by a day, before or after what was decided and recorded.
@Suite struct ClockTests {
    private static let day: Int64 = 86_400
    private static let boot = "00000000-0000-0002-0000-000000000000\n"

    /// A host whose daemon decided 100 seconds ago, by a clock that was a day wrong.
    private static func host(wrongBy seconds: Int64) throws -> (host: FakeHost, daemon: FakeDaemon) {
        let host = FakeHost()
        host.write(boot, to: "proc/sys/kernel/random/boot_id")
        host.setKSM(["run": 1, "pages_to_scan": 300, "sleep_millisecs": 10])
        let policy = try ClassicPolicy(Configuration(), total: KiB(1 << 24))
        let decision = policy.decide(MemorySample(free: KiB(1 << 20), committed: .zero), previous: 0)
        let daemon = host.startDaemon(decision: decision, guests: 3)
        var state = StateRecord(pid: 4242)
        state.report = StateRecord.Report(
            decision, time: HostClock.wallTime + .seconds(seconds - 100),
            bootTime: BootTime(uptime: HostClock.uptime - .seconds(100), boot: HostClock.boot(host.paths)),
            pause: .seconds(60), guests: 3, saved: nil, sentence: decision.sentence)
        host.write(String(decoding: state.text, as: UTF8.self), to: "run/ksmtuned/state")
        return (host, daemon)
    }

    @Test(arguments: [day, -day])
    func `The age of the last decision stays right`(step: Int64) throws {
        let (host, daemon) = try Self.host(wrongBy: step)
        let status = try StatusReport(HostView(host.paths), now: HostView.now, since: nil)
        let age = try #require(status.decision?.ageSeconds)
        #expect(age >= 100 && age < 43_200)
        let explained = try ExplainReport(HostView(host.paths), now: HostView.now)
        #expect(explained.ageSeconds >= 100 && explained.ageSeconds < 43_200)
        let facts = try DoctorFacts(host.paths)
        let decided = try #require(facts.state?.report?.time)
        #expect(facts.now - decided >= .seconds(100) && facts.now - decided < .seconds(43_200))
        withExtendedLifetime(daemon) {}
    }

    @Test func `A state of another boot keeps its wall time`() throws {
        let (host, daemon) = try Self.host(wrongBy: Self.day)
        let written = try #require(host.state["TIME_USEC"].flatMap { Int64($0) })
        host.write("00000000-0000-0001-0000-000000000000\n", to: "proc/sys/kernel/random/boot_id")
        #expect(try HostView(host.paths).state?.report?.time == WallTime(microseconds: written))
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [("00000000-0000-0001-0000-000000000000\n", "100"), (boot, "777")])
    func `What KSM held in another boot is not put back`(boot: String, pages: String) async throws {
        let host = try Self.host(wrongBy: 0).host
        let text = try #require(host.read("run/ksmtuned/state"))
        var state = try #require(StateRecord(parsing: Array(text.utf8)))
        state.found = KnobValues(run: 0, pagesToScan: 777, sleepMilliseconds: 33)
        host.setKSM(["run": 0, "pages_to_scan": 100, "sleep_millisecs": 20])
        host.runShort()
        host.write(String(decoding: state.text, as: UTF8.self), to: "run/ksmtuned/state")
        host.write(boot, to: "proc/sys/kernel/random/boot_id")
        #expect(StateRecord.leftBehind(host.paths).isEmpty == (pages == "100"))
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        try await daemon.until("it had decided") { host.knob("run") == "1" }
        #expect(try await daemon.end() == 0)
        #expect(host.knob("pages_to_scan") == pages)
        #expect(daemon.messages(with: "is of an earlier boot").count == (pages == "100" ? 1 : 0))
    }

    /// A decision a minute up to now, by a clock that was set by a day in their middle.
    private static func history(step: Int64) -> FakeHost {
        let host = FakeHost()
        host.write(boot, to: "proc/sys/kernel/random/boot_id")
        let (now, uptime) = (HostClock.wallTime, HostClock.uptime)
        var records: [HistoryRecord] = []
        for index in 0..<20 {
            let ago = Duration.seconds(60) * (20 - index)
            let isBefore = index < 10
            var record = HistoryRecord.made(at: 0, .scan, .shortage, pages: 300, cpu: Int64(index) * 6000)
            record.time = now - ago + .seconds(isBefore ? 0 : step)
            record.bootTime = BootTime(uptime: uptime - ago, boot: HostClock.boot(host.paths))
            records.append(record)
        }
        host.writeHistory(records)
        return host
    }

    /// What tells whether this machine runs long enough for twenty minutes of history.
    static let isLongUp = HostClock.uptime > .seconds(1300)

    @Test(.enabled(if: isLongUp, "this machine runs for less than 22 minutes"), arguments: [day, -day])
    func `The history goes on from minute to minute`(step: Int64) async throws {
        let host = Self.history(step: step)
        let rows = HistoryRow.rows(try HistoryReader.records(host.paths))
        #expect(rows.count == 20)
        for (row, next) in zip(rows, rows.dropFirst()) {
            #expect(abs(next.time - row.time - 60) < 1)
            #expect(abs((next.ksmdCPUPercent ?? 0) - 10) < 1)
        }
        let timeline = Timeline(rows.map { $0.record }, interval: .seconds(60))
        #expect(timeline.gaps == 0)
        // What it prints can be replayed: its times rise.
        let csv = try await Program.ksmctl.run(["history", "--csv", host.rootOption])
        host.write(csv.output, to: "trace.csv")
        host.write("KSM_THRES_COEF=30\n", to: "etc/new.conf")
        let replayed = try await Program.ksmctl.run(
            [
                "simulate", "--json", "--config", host.path("etc/new.conf"), "--trace", host.path("trace.csv"),
                host.rootOption,
            ])
        #expect(replayed.status == 0)
        #expect(replayed.error == "")
        let recent = try await Program.ksmctl.run(["history", "--since", "1d", "--csv", host.rootOption])
        #expect(recent.output.split(separator: "\n").count == 21)
        let plot = try await Program.ksmctl.run(["plot", host.rootOption])
        #expect(plot.status == 0)
    }

    @Test func `A host without a boot's number has none`() {
        let host = FakeHost()
        #expect(HostClock.boot(host.paths) == 0)
        for text in ["", "x\n", "0123\n"] {
            host.write(text, to: "proc/sys/kernel/random/boot_id")
            #expect(HostClock.boot(host.paths) == 0)
        }
        host.write("fedcba98-7654-3210-aaaa-bbbbbbbbbbbb\n", to: "proc/sys/kernel/random/boot_id")
        #expect(HostClock.boot(host.paths) == 0xFEDC_BA98_7654_3210)
    }
}
