import Charts
import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy
import Testing

@testable import ksmctl

@Suite struct KsmctlStatusTests {
    private static let gibibyte: Int64 = 1 << 20

    /// A host of 16 GiB that runs short.
    private static func shortHost() -> FakeHost {
        let host = FakeHost()
        host.setMemory(total: 16 * gibibyte, free: gibibyte)
        host.setKSM([
            "run": 1, "pages_to_scan": 300, "sleep_millisecs": 10, "pages_shared": 100, "pages_sharing": 262_144,
            "pages_unshared": 50_000, "pages_volatile": 7756, "ksm_zero_pages": 0, "full_scans": 12,
            "general_profit": 1_000_000_000, "pages_scanned": 2_000_000, "merge_across_nodes": 1,
            "max_page_sharing": 256, "smart_scan": 1, "use_zero_pages": 0,
        ])
        host.write("[none] scan-time\n", to: "sys/kernel/mm/ksm/advisor_mode")
        return host
    }

    private static func decision(free: Int64 = gibibyte, committed: Int64 = 15 * gibibyte) throws -> Decision {
        let policy = try ClassicPolicy(Configuration(), total: KiB(16 * gibibyte))
        return policy.decide(MemorySample(free: KiB(free), committed: KiB(committed)), previous: 0)
    }

    private static func report(_ host: FakeHost, now: WallTime = WallTime(seconds: 1023), since: ScanMoment? = nil)
        throws -> StatusReport
    {
        try StatusReport(HostView(host.paths), now: now, since: since)
    }

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `Status with a daemon`() throws {
        let host = Self.shortHost()
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3, saved: KiB(Self.gibibyte))
        var before = ScanMoment(KSMSnapshot(host.paths), at: WallTime(seconds: 1003))
        before.scanned = Pages(1_000_000)
        let text = try Self.report(host, since: before).text(.plain)
        #expect(
            text == """
                ● KSM is scanning, by the classic policy
                  Reason: scanning 300 pages every 10 ms: 1.0 GiB free < 3.1 GiB threshold
                  Daemon: ksmtuned, pid 4242, decided 23s ago, next in 37s
                  Guests: 3, 15.0 GiB committed
                   Saved: 1.0 GiB
                  Profit: 953.6 MiB (general_profit)
                    ksmd: 50000 pages/s in the last 20s, a pass takes 6s
                  Memory: 16.0 GiB total, 1.0 GiB free, 1.0 GiB available, 3.1 GiB threshold
                   Knobs: run 1, pages_to_scan 300, sleep_millisecs 10, advisor_mode none
                          merge_across_nodes 1, max_page_sharing 256, use_zero_pages 0, smart_scan 1
                Counters: full_scans 12, pages_shared 100, pages_sharing 262144, pages_unshared 50000
                          pages_volatile 7756, pages_scanned 2000000, ksm_zero_pages 0

                """)
        withExtendedLifetime(daemon) {}
    }

    @Test func `Status without a daemon is the live kernel's, says so and exits with 3`() async throws {
        let host = Self.shortHost()
        let outcome = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(outcome.status == 3)
        #expect(outcome.output.hasPrefix("* KSM is scanning\n"))
        #expect(outcome.output.contains("  Daemon: not running\n"))
        #expect(outcome.output.contains("the daemon does not run, so all of this is the live kernel's alone"))
    }

    @Test func `A kernel without KSM is 69`() async throws {
        let host = FakeHost()
        host.remove("sys")
        let outcome = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.output.hasPrefix("* this kernel has no KSM\n"))
    }

    @Test func `JSON is as the schema says, with a daemon and without`() async throws {
        let schema = try JSONSchema("status")
        let host = Self.shortHost()
        let without = try await Program.ksmctl.run(["status", "--json", host.rootOption])
        #expect(without.status == 3)
        #expect(schema.problems(without.output) == [])
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3, saved: KiB(Self.gibibyte))
        let with = try await Program.ksmctl.run(["status", "--json", host.rootOption])
        #expect(with.status == 0)
        #expect(schema.problems(with.output) == [])
        #expect(with.output.contains("\"pid\" : 4242"))
        #expect(with.output.contains("\"profit_bytes\" : 1000000000"))
        host.remove("sys")
        #expect(schema.problems(try await Program.ksmctl.run(["status", "--json", host.rootOption]).output) == [])
        withExtendedLifetime(daemon) {}
    }

    @Test func `How ksmd is scheduled, and what it had`() async throws {
        let host = Self.shortHost()
        let schema = try JSONSchema("status")
        host.setProcess(45, comm: "ksmd", resident: 0)
        host.write("0 0 0\n", to: "proc/45/schedstat")
        func stat(policy: Int) -> String {
            "45 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 0 18749 0 0 25 5" + String(repeating: " 0", count: 21)
                + " \(policy) 0 0\n"
        }
        host.write(stat(policy: 0), to: "proc/45/stat")
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        #expect(try Self.report(host).text(.plain).contains("CPU s since boot, SCHED_OTHER, nice 5\n"))
        host.write(stat(policy: 5), to: "proc/45/stat")
        host.write(
            host.read("run/ksmtuned/state")!
                + "FOUND_KSMD_POLICY=other\nFOUND_KSMD_NICE=5\nKSMD_POLICY=idle\nKSMD_NICE=5\n",
            to: "run/ksmtuned/state")
        #expect(try Self.report(host).text(.plain).contains("CPU s since boot, SCHED_IDLE (was SCHED_OTHER, nice 5)\n"))
        let outcome = try await Program.ksmctl.run(["status", "--json", host.rootOption])
        #expect(schema.problems(outcome.output) == [])
        for line in ["\"ksmd_policy\" : \"idle\"", "\"found_ksmd_policy\" : \"other\"", "\"found_ksmd_nice\" : 5"] {
            #expect(outcome.output.contains(line))
        }
        // Something else changed it since: what the daemon found says nothing of now.
        host.write(stat(policy: 0), to: "proc/45/stat")
        #expect(!(try Self.report(host).text(.plain).contains("(was ")))
        withExtendedLifetime(daemon) {}
    }

    // MARK: Against the decision

    @Test func `What the daemon did not decide is said in the first line, with what may have written it`() throws {
        let host = FakeHost()
        host.setKSM(["run": 1])
        host.write("kernel/mm/ksm/run = 1\n", to: "etc/sysfs.conf")
        host.write("w /sys/kernel/mm/ksm/sleep_millisecs - - - - 5\n", to: "etc/tmpfiles.d/ksm.conf")
        host.setProcess(60, comm: "momd", resident: 1, commandLine: ["/usr/sbin/momd"])
        host.setProcess(61, comm: "tuned", resident: 1, commandLine: ["/usr/sbin/tuned"])
        let daemon = host.startDaemon(
            decision: try Self.decision(free: 8 * Self.gibibyte, committed: 4 * Self.gibibyte), guests: 1)
        let report = try Self.report(host)
        #expect(report.isAsDecided == false)
        #expect(report.disagreement?.run == 1)
        #expect(report.disagreement?.decidedRun == 0)
        #expect(
            report.text(.plain).hasPrefix(
                host.filled(
                    """
                    ● KSM is scanning against the daemon's decision: run is 1, which the daemon did not write
                     Decided: not scanning: 4.0 GiB committed + 3.1 GiB threshold < 16.0 GiB total, and 8.0 GiB free > threshold
                      Writer: may be momd (process 60), ROOT/etc/sysfs.conf (kernel/mm/ksm/run = 1)

                    """)))
        #expect(!report.text(.plain).contains("Reason:"))
        #expect(try JSONSchema("status").problems(report.json()) == [])
        withExtendedLifetime(daemon) {}
    }

    @Test func `KSM that was stopped against the decision is not given a reason to scan`() throws {
        let host = Self.shortHost()
        host.setKSM(["run": 0])
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        let text = try Self.report(host).text(.plain)
        #expect(
            text.hasPrefix("○ KSM is not scanning, against the daemon's decision: run is 0, which the daemon did not"))
        #expect(text.contains("  Writer: not known: virsh node-memory-tune, ksmctl, a script or a person\n"))
        #expect(!text.contains("Reason:"))
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [
        ("REFUSED=run", "the daemon could not write its own", true),
        ("PENDING=yes", "the kernel has not finished the daemon's own write", false),
    ])
    func `What the kernel has not taken is nobody else's`(_ line: String, _ why: String, _ isRefused: Bool) throws {
        let host = Self.shortHost()
        host.setKSM(["run": 0])
        host.setProcess(60, comm: "momd", resident: 1, commandLine: ["/usr/sbin/momd"])
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        host.write(host.read("run/ksmtuned/state")! + line + "\n", to: "run/ksmtuned/state")
        let report = try Self.report(host)
        let text = report.text(.plain)
        #expect(
            text.hasPrefix("○ KSM is not scanning, against the daemon's decision: run is 0, since \(why)\n"))
        #expect(!text.contains("Writer:"))
        #expect(!text.contains("something else wrote it since"))
        #expect(try report.json().contains("\"is_refused\" : \(isRefused)"))
        #expect(try report.json().contains("\"is_pending\" : \(!isRefused)"))
        #expect(try JSONSchema("status").problems(report.json()) == [])
        let explained = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1023))
        #expect(
            explained.notes.contains(
                "run is 0, the daemon decided 1: \(why), so that KSM does not follow the decision: see ksmctl status"))
        withExtendedLifetime(daemon) {}
    }

    @Test func `Whose write was refused is not asked of a file that held what was decided`() throws {
        let host = Self.shortHost()
        host.setKSM(["run": 0])
        host.setProcess(60, comm: "momd", resident: 1, commandLine: ["/usr/sbin/momd"])
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        host.write(host.read("run/ksmtuned/state")! + "REFUSED=sleep_millisecs\n", to: "run/ksmtuned/state")
        let text = try Self.report(host).text(.plain)
        #expect(text.contains("run is 0, which the daemon did not write\n"))
        #expect(text.contains("Writer: may be momd (process 60)\n"))
        withExtendedLifetime(daemon) {}
    }

    @Test func `What a daemon that is gone has not put back is told`() throws {
        let host = FakeHost()
        let note = "a daemon that is gone had found"
        for text in ["PID=1\nENDED=yes\n", "no state\n"] {
            host.write(text, to: "run/ksmtuned/state")
            #expect(!(try Self.report(host).notes.contains { $0.hasPrefix(note) }))
        }
        host.write(
            "PID=1\nENDED=yes\nFOUND_RUN=1\nFOUND_ADVISOR_MODE=none\nFOUND_MAX_PAGE_SHARING=256\n",
            to: "run/ksmtuned/state")
        #expect(
            try Self.report(host).notes.contains {
                $0.hasPrefix(note) && $0.contains("run (1)") && $0.contains("advisor_mode (none)")
                    && $0.contains("max_page_sharing (256)") && $0.contains("has not put that back")
            })
        #expect(try DoctorFacts(host.paths).leftBehind == StateRecord.leftBehind(host.paths))
    }

    @Test func `Everything unmerged by another while the adaptive policy rests`() async throws {
        let host = FakeHost()
        host.setKSM(["run": 2])
        var decision = try Self.decision(free: 8 * Self.gibibyte, committed: 4 * Self.gibibyte)
        decision.policy = .adaptive
        decision.reason = .nothingToGain
        decision.scan = ScanReport(unscanned: .zero, changed: .zero)
        let daemon = host.startDaemon(decision: decision, guests: 1)
        let report = try Self.report(host)
        #expect(report.state == "unmerged")
        #expect(
            report.text(.plain).hasPrefix(
                "○ KSM is stopped and everything unmerged: run is 2, which the daemon did not"))
        #expect(report.notes.contains { $0.hasPrefix("run is 2, the daemon decided 0: something else wrote it since") })
        #expect(
            report.notes.contains(
                "what was merged has its own copies again, and the adaptive policy, which rests, merges it again only "
                    + "when a scan pays"))
        let outlook = "it stays so until the adaptive policy begins its next scan"
        #expect(report.notes.contains { $0.hasSuffix("; \(outlook)") })
        let explained = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1001))
        #expect(explained.notes.contains("run is 2, the daemon decided 0: \(outlook)"))
        let doctor = try await Program.ksmctl.run(["doctor", "-v", host.rootOption])
        #expect(doctor.output.contains(outlook))
        #expect(!doctor.output.contains("next decision writes its own"))
        withExtendedLifetime(daemon) {}
    }

    @Test func `Run is shown as the file holds it`() throws {
        let host = Self.shortHost()
        host.setKSM(["run": 5])
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        let paused = try Self.report(host)
        #expect(paused.isAsDecided == true)
        #expect(paused.text(.plain).hasPrefix("● KSM is scanning, by the classic policy\n"))
        #expect(paused.text(.plain).contains("Knobs: run 5, "))
        #expect(paused.notes == ["run is 5: memory goes offline, and ksmd pauses until that is done"])
        // A value that no kernel of today writes.
        host.setKSM(["run": 8])
        let odd = try Self.report(host)
        #expect(odd.disagreement?.run == 8)
        #expect(odd.text(.plain).contains("Knobs: run 8, "))
        #expect(odd.notes.contains("run is 8, which means nothing known; it is taken for 0"))
        withExtendedLifetime(daemon) {}
    }

    @Test func `A profit can be negative`() throws {
        let host = Self.shortHost()
        host.setKSM(["general_profit": -4096])
        #expect(try Self.report(host).savings?.profitBytes == -4096)
        #expect(try Self.report(host).text(.plain).contains("Profit: -4 KiB"))
    }

    @Test func `A reboot since the last record gives no speed`() throws {
        let host = Self.shortHost()
        var before = ScanMoment(KSMSnapshot(host.paths), at: WallTime(seconds: 1003))
        before.scanned = Pages(3_000_000)
        before.cpu = .nanoseconds(5)
        #expect(try Self.report(host, since: before).ksmd?.pagesPerSecond == nil)
    }

    // MARK: Explain

    @Test func `Explain shows the chain of a shortage`() throws {
        let host = Self.shortHost()
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 3)
        let text = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1023)).text(.plain)
        #expect(
            text == """
                scanning 300 pages every 10 ms: 1.0 GiB free < 3.1 GiB threshold
                decided 23s ago by the classic policy

                    total: 16.0 GiB (MemTotal)
                threshold: 3.1 GiB: KSM_THRES_COEF=20 % of the total, which is more than KSM_THRES_CONST=2048 KiB
                     free: 1.0 GiB (MemFree + Buffers + Cached)
                committed: 15.0 GiB held by 3 guests (KSM_PS_METRIC=rsz)
                  compare: 15.0 GiB + 3.1 GiB threshold = 18.1 GiB >= 16.0 GiB total: the guests do not fit
                  compare: 1.0 GiB < 3.1 GiB threshold: not enough is free
                   result: not both hold, so KSM scans
                     step: 0 pages + 300 (KSM_NPAGES_BOOST, since free is below the threshold) = 300
                   bounds: within KSM_NPAGES_MIN=64, KSM_NPAGES_MAX=1250
                    sleep: 10 ms: KSM_SLEEP_MSEC=10 x 16 GiB / total, at least 10
                  written: pages_to_scan 300, sleep_millisecs 10, run 1

                KSM would stop if the guests held more than 2.1 GiB less and more than 2.1 GiB more were free.

                """)
        withExtendedLifetime(daemon) {}
    }

    @Test func `Explain shows the chain of plenty`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon(
            decision: try Self.decision(free: 8 * Self.gibibyte, committed: 4 * Self.gibibyte), guests: 1)
        let report = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1001))
        #expect(
            report.steps.suffix(4).map { "\($0.name): \($0.text)" } == [
                "compare: 4.0 GiB + 3.1 GiB threshold = 7.1 GiB < 16.0 GiB total: the guests fit",
                "compare: 8.0 GiB > 3.1 GiB threshold: enough is free",
                "result: both hold, so KSM need not scan; what is merged stays merged",
                "written: run 0; pages_to_scan stays as it is",
            ])
        #expect(report.opposite == "KSM would scan if the guests held 8.8 GiB more, or if 4.8 GiB less were free")
        withExtendedLifetime(daemon) {}
    }

    @Test func `What a metric counts is not said to be left out`() throws {
        for (free, metric, isOut) in [("available", "rsz", true), ("available+arc", "rsz+swap", false)] {
            let host = FakeHost()
            host.configure("KSM_FREE_METRIC=\(free)\nKSM_PS_METRIC=\(metric)\n")
            host.setProcess(10, comm: "qemu-system-x86", resident: 262_144)
            host.write("VmSwap:\t  1024 kB\n", to: "proc/10/status")
            host.write(
                "name type data\nsize 4 8589934592\nc_min 4 1073741824\nc_max 4 8589934592\n",
                to: "proc/spl/kstat/zfs/arcstats")
            let daemon = host.startDaemon(decision: try Self.decision(), guests: 1)
            let names = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1001)).steps.map { $0.name }
            #expect(names.contains("ZFS's cache") == isOut)
            #expect(names.contains("swapped") == isOut)
            withExtendedLifetime(daemon) {}
        }
    }

    @Test(
        arguments: [
            ("", false), ("KSM_PS_METRIC=pss\n", false), ("KSM_POLICY=advisor\n", false), ("KSM_THRES_COEF=30\n", true),
            ("KSM_POLICY=adaptive\n", true), ("KSM_NPAGES_BOOST=301\nKSM_NPAGES_DECAY=-49\n", true),
            ("KSM_SLEEP_MSEC=40\n", true),
        ])
    func `A configuration that has changed since is a note`(_ text: String, isNoted: Bool) throws {
        let host = FakeHost()
        host.configure(text)
        let daemon = host.startDaemon(decision: try Self.decision(), guests: 1)
        let report = try ExplainReport(HostView(host.paths), now: WallTime(seconds: 1001))
        #expect(
            report.steps.contains { $0.text.contains("the configuration has changed since this decision") } == isNoted)
        withExtendedLifetime(daemon) {}
    }

    @Test func `Without a daemon it explains what the classic rule would decide`() async throws {
        let host = FakeHost()
        host.setProcess(10, comm: "qemu-system-x86", resident: 262_144)
        let outcome = try await Program.ksmctl.run(["explain", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("held by 1 guest "))
        #expect(outcome.output.contains("the daemon does not run; this is what the classic rule would decide now"))
        #expect(!outcome.output.contains("the configuration has changed"))
        let json = try await Program.ksmctl.run(["explain", "--json", host.rootOption])
        #expect(try JSONSchema("explain").problems(json.output) == [])
    }

    @Test(arguments: ["", "MemTotal: 0 kB\n", "MemTotal: x kB\n"])
    func `Without the host's memory there is nothing to explain, as the daemon would not start`(
        _ line: String
    ) async throws {
        let host = FakeHost()
        host.write(line + "MemFree: 1 kB\nBuffers: 1 kB\nCached: 1 kB\n", to: "proc/meminfo")
        let outcome = try await Program.ksmctl.run(["explain", host.rootOption])
        #expect(outcome.status == Refusal.Status.unavailable.rawValue)
        #expect(outcome.output.isEmpty)
        #expect(
            outcome.error
                == "ksmctl: \(host.path("proc/meminfo")) has no MemTotal line with a number above 0, so there "
                + "is nothing to decide by\n")
        let daemon = try await Program.ksmtuned.run(["--once", host.rootOption])
        #expect(daemon.status != 0)
        #expect(daemon.error.contains("it has no MemTotal line with a number above 0"))
    }

    @Test func `Every reason of the adaptive policy is explained`() throws {
        for reason in Decision.Reason.allCases {
            var decision = try Self.decision()
            decision.policy = .adaptive
            decision.reason = reason
            decision.scan = ScanReport(unscanned: KiB(5000), changed: KiB(600))
            if [.nothingToGain, .filling, .plenty].contains(reason) { decision.action = .stop }
            let explanation = Explanation(decision, Configuration(), guests: 2)
            #expect(!explanation.opposite.isEmpty)
            #expect(explanation.steps.contains { $0.name == "written" || $0.name == "result" })
        }
    }

    // MARK: Signals, configuration

    @Test(arguments: ["retune", "reload"])
    func `Without a daemon there is nobody to signal`(_ command: String) async throws {
        let host = FakeHost()
        let outcome = try await Program.ksmctl.run([command, host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.error.contains("no ksmtuned runs, as nobody holds \(host.path("run/ksmtuned/lock"))"))
    }

    @Test func `A pid file that was left over is nobody's`() async throws {
        let host = FakeHost()
        host.write("1\n", to: "var/run/ksmtune.pid")
        let outcome = try await Program.ksmctl.run(["retune", host.rootOption])
        #expect(outcome.status == 69)
    }

    @Test func `Retune has a running daemon decide, and reload has it read`() async throws {
        let host = FakeHost()
        host.configure("KSM_FIRST_DECISION=interval\nKSM_MONITOR_INTERVAL=1h\n")
        let daemon = try RunningProgram(.ksmtuned, [host.rootOption])
        try await daemon.until("it is ready") { daemon.error.contains("ready") }
        #expect(host.state["ACTION"] == nil)
        #expect(try await Program.ksmctl.run(["retune", host.rootOption]).status == 0)
        try await daemon.until("it decided") { host.state["ACTION"] == "stop" }
        host.configure("KSM_THRES_COEF=many\n")
        let refused = try await Program.ksmctl.run(["reload", host.rootOption])
        #expect(refused.status == 78)
        #expect(refused.error.contains("KSM_THRES_COEF=many is not a decimal integer"))
        host.configure("KSM_THRES_COEF=30\nKSM_MONITOR_INTERVAL=1h\n")
        #expect(try await Program.ksmctl.run(["reload", host.rootOption]).status == 0)
        try await daemon.until("it reloaded") { daemon.error.contains("configuration reloaded") }
        let status = try await Program.ksmctl.run(["status", host.rootOption])
        #expect(status.status == 0)
        #expect(status.output.contains("pid \(daemon.pid)"))
        daemon.send(SIGTERM)
        #expect(try await daemon.ended() == 0)
        #expect(try HistoryReader.read(host.paths.history)?.count == 2)
    }

    @Test func `The checks of the configuration are the daemon's`() async throws {
        let host = FakeHost()
        host.configure("KSM_THRES_COEF=many\nKSM_SLEEP_MESC=5\n")
        let tool = try await Program.ksmctl.run(["check-config", host.rootOption])
        let daemon = try await Program.ksmtuned.run(["--check-config", host.rootOption])
        #expect(tool.status == 78)
        #expect(tool.error == daemon.error)
        host.configure("KSM_THRES_COEF=25\n")
        let good = try await Program.ksmctl.run(["check-config", host.path("etc/ksmtuned.conf"), host.rootOption])
        #expect(good.status == 0)
        #expect(good.output == "the configuration can be used\n")
    }

    @Test func `The configuration is shown with where each value comes from`() async throws {
        let host = FakeHost()
        host.configure("# mine\nKSM_THRES_COEF=25\nKSM_PROFILE=proxmox\n")
        let outcome = try await Program.ksmctl.run(
            ["show-config", "--changed", host.rootOption], environment: ["KSM_NPAGES_MAX": "2000"])
        #expect(outcome.status == 0)
        #expect(
            outcome.output
                == host.filled(
                    """
                    SETTING               VALUE    FROM
                    KSM_SLEEP_MSEC        100      profile proxmox
                    KSM_NPAGES_MAX        2000     environment
                    KSM_THRES_COEF        25       ROOT/etc/ksmtuned.conf:2
                    KSM_PROFILE           proxmox  ROOT/etc/ksmtuned.conf:3
                    KSM_PS_METRIC         pss      profile proxmox
                    KSM_RETUNE_ON_GUESTS  no       profile proxmox
                    KSM_PRESSURE          off      profile proxmox

                    """))
        let json = try await Program.ksmctl.run(["show-config", "--json", host.rootOption])
        #expect(try JSONSchema("show-config").problems(json.output) == [])
        #expect(json.output.contains("\"origin\" : \"\(host.path("etc/ksmtuned.conf")):2\""))
    }

    // MARK: Unmerge

    @Test func `What does not fit is not unmerged, unless it is forced`() async throws {
        let host = FakeHost()
        host.setMemory(total: 16 * Self.gibibyte, free: Self.gibibyte)
        host.setKSM(["run": 1, "pages_sharing": 1 << 30])
        let refused = try await Program.ksmctl.run(["unmerge", host.rootOption])
        #expect(refused.status == 1)
        #expect(refused.error.contains("and only 1.0 GiB of memory and swap are free: stop guests, add swap"))
        #expect(host.knob("run") == "1")
        host.write("MemTotal: 16777216 kB\nMemFree: 16777216 kB\n", to: "proc/meminfo")
        let unknown = try await Program.ksmctl.run(["unmerge", host.rootOption])
        #expect(unknown.status == 1)
        #expect(
            unknown.error.contains("it has no MemAvailable line, so whether unmerging fits is not known: stop guests"))
        #expect(host.knob("run") == "1")
        let forced = try await Program.ksmctl.run(["unmerge", "--force", "--json", host.rootOption])
        // This tree's pages stay merged, as those do that a daemon merges again meanwhile.
        #expect(forced.status == 1)
        #expect(host.knob("run") == "2")
        #expect(try JSONSchema("unmerge").problems(forced.output) == [])
    }

    @Test func `Unmerging where a daemon runs says what will come`() async throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        let outcome = try await Program.ksmctl.run(["unmerge", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("the daemon runs and may merge again: systemctl stop ksmtuned"))
        #expect(host.knob("run") == "2")
        withExtendedLifetime(daemon) {}
    }
}
