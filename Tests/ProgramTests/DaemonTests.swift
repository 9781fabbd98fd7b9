import Foundation
import HostFixtures
import HostKernel
import Testing

/// The daemon's life in a tree, driven by signals.
@Suite(.timeLimit(.minutes(10))) struct DaemonTests {
    // MARK: Decisions

    @Test func `It decides at start, and once more for each USR1`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        #expect(host.knobs == ["1", "300", "10"])

        for pages in ["600", "900", "1200", "1250", "1250"] {
            try await daemon.decide()
            #expect(host.knobs == ["1", pages, "10"])
        }
        host.setMemory(total: 16_777_216, free: 8_000_000)
        try await daemon.decide()
        #expect(host.knobs == ["0", "1250", "10"])

        #expect(daemon.decisions == 7)
        #expect(try await daemon.end() == 0)
    }

    @Test func `With KSM_FIRST_DECISION=interval nothing is written before the first decision`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_FIRST_DECISION=interval\n")
        #expect(host.knobs == ["0", "100", "20"])

        try await daemon.decide()
        #expect(host.knobs == ["1", "300", "10"])
        #expect(try await daemon.end() == 0)
    }

    @Test(arguments: [("1h", 3 * 3600), ("infinity", nil)] as [(String, Int64?)])
    func `Before its first decision it shows by when that should be made`(interval: String, seconds: Int64?)
        async throws
    {
        let host = FakeHost()
        let before = HostClock.uptime
        let daemon = try await RunningDaemon(host, "KSM_FIRST_DECISION=interval\nKSM_MONITOR_INTERVAL=\(interval)\n")
        let due = host.state["FIRST_DUE_USEC"].flatMap { Int64($0) }.map { Duration.microseconds($0) }
        #expect((due == nil) == (seconds == nil))
        if let due, let seconds {
            #expect((before...HostClock.uptime).contains(due - .seconds(seconds)))
        }
        #expect(try await daemon.end() == 0)
    }

    @Test func `Until its first decision it shows that it runs, and nothing that one before it decided`() async throws {
        let host = FakeHost()
        host.write(
            "PID=4\nTIME_USEC=1\nACTION=scan\nREASON=shortage\nTOTAL_KIB=1\nTHRESHOLD_KIB=1\nFREE_KIB=1\n"
                + "COMMITTED_KIB=1\nSCAN_DECISIONS=1\nSTOP_DECISIONS=1\nFOUND_RUN=1\nFOUND_PAGES_TO_SCAN=77\n"
                + "FOUND_SLEEP_MILLISECS=33\n", to: "run/ksmtuned/state")
        let daemon = try await RunningDaemon(host, "KSM_FIRST_DECISION=interval\nKSM_MONITOR_INTERVAL=1d\n")
        var state = host.state
        #expect(state.removeValue(forKey: "FIRST_DUE_USEC") != nil)
        #expect(
            state == [
                "PID": "\(daemon.program.pid)", "FOUND_RUN": "1", "FOUND_PAGES_TO_SCAN": "77",
                "FOUND_SLEEP_MILLISECS": "33",
            ])
        let status = try await Program.ksmctl.run(["status", "--check", host.rootOption])
        #expect(status.status == 0)
        #expect(status.output.contains("the daemon has not decided yet"))
        #expect(try await daemon.end() == 0)
    }

    @Test(arguments: [
        ("", "every 60 s"), ("KSM_MONITOR_INTERVAL=infinity", "on signals only"),
        ("KSM_POLICY=adaptive", "at the pace of KSM_POLICY=adaptive"),
        ("KSM_POLICY=adaptive\nKSM_MONITOR_INTERVAL=infinity", "at the pace of KSM_POLICY=adaptive"),
        (
            "KSM_POLICY=adaptive\nKSM_FIRST_DECISION=interval",
            "first after 60 s, then at the pace of KSM_POLICY=adaptive"
        ),
        (
            "KSM_POLICY=adaptive\nKSM_FIRST_DECISION=interval\nKSM_MONITOR_INTERVAL=infinity",
            "first on a signal, then at the pace of KSM_POLICY=adaptive"
        ),
        // Without an advisor in the kernel the classic rule decides.
        ("KSM_POLICY=advisor", "every 60 s"),
        ("KSM_POLICY=advisor\nKSM_MONITOR_INTERVAL=infinity", "on signals only"),
    ])
    func `When it is ready it says when it decides`(_ configuration: String, _ pace: String) async throws {
        let daemon = try await RunningDaemon(FakeHost(), configuration + "\n")
        #expect(
            daemon.messages(with: "ready: ") == ["ready: 3.1 GiB threshold of 16.0 GiB, deciding \(pace)"])
        #expect(try await daemon.end() == 0)
    }

    @Test func `The pace of the kernel's advisor is its own`() async throws {
        let host = FakeHost()
        host.write("none [scan-time]\n", to: "sys/kernel/mm/ksm/advisor_mode")
        let daemon = try await RunningDaemon(host, "KSM_POLICY=advisor\n")
        #expect(daemon.messages(with: "ready: ")[0].hasSuffix("deciding at the pace of KSM_POLICY=advisor"))
        #expect(try await daemon.end() == 0)
    }

    @Test(arguments: ["adaptive", "advisor"])
    func `A policy with a pace of its own tries again soon where its first look fails`(_ policy: String) async throws {
        let host = FakeHost()
        host.write("none [scan-time]\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.createFolder("sys/kernel/mm/ksm/full_scans")
        let daemon = try await RunningDaemon(host, "KSM_POLICY=\(policy)\nKSM_MONITOR_INTERVAL=infinity\n")
        #expect(host.state["ACTION"] == nil)
        #expect(daemon.messages(with: "ready: ")[0].hasSuffix("deciding at the pace of KSM_POLICY=\(policy)"))
        host.remove("sys/kernel/mm/ksm/full_scans")
        try await daemon.until("it had decided") { host.state["ACTION"] != nil }
        #expect(try await daemon.end() == 0)
    }

    @Test func `It decides each interval`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_MONITOR_INTERVAL=0.1\n")
        try await daemon.until("it had decided five times") { daemon.decisions >= 5 }
        #expect(try await daemon.end() == 0)
        #expect(host.knobs == ["1", "1250", "10"])
    }

    @Test func `An endless interval leaves the decisions to the signals`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_MONITOR_INTERVAL=infinity\n")
        try await daemon.decide()
        #expect(host.knobs == ["1", "600", "10"])
        #expect(try await daemon.end() == 0)
    }

    @Test func `With batches that take long, run is written by a child, and no decision is lost`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_NPAGES_BOOST=200000\nKSM_NPAGES_MAX=4294967295\n")
        for pages in ["400000", "600000", "800000"] {
            host.write("0\n", to: "sys/kernel/mm/ksm/run")
            try await daemon.decide()
            try await daemon.until("run was written") { host.knobs == ["1", pages, "10"] }
        }
        #expect(daemon.messages(with: "cannot").isEmpty)
        #expect(try await daemon.end() == 0)
    }

    @Test func `A storm of signals is no harm`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        for number in 0..<200 { daemon.program.send(number % 7 == 0 ? SIGHUP : SIGUSR1) }
        try await daemon.until("it had decided") { host.knob("pages_to_scan") != "300" }
        #expect((2...201).contains(daemon.decisions))
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("var/run/ksmtune.pid"))
    }

    @Test(arguments: [("upstream", "16777216", 0), ("", "33554432", 1)])
    func `Memory that is added counts at the next decision, but with a variant of the original`(
        _ profile: String, _ total: String, _ messages: Int
    ) async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host, "KSM_PROFILE=\(profile)\n")
        host.setMemory(total: 33_554_432, free: 8_000_000)
        for _ in 0..<2 { try await daemon.decide() }
        #expect(host.state["TOTAL_KIB"] == total)
        #expect(
            daemon.messages(with: "this host has 32.0 GiB of memory now, and had 16.0 GiB: the threshold is 6.3 GiB")
                .count == messages)
        #expect(daemon.messages.count { $0 == "thres 6710886" } == messages)
        #expect(try await daemon.end() == 0)
    }

    @Test func `A change of the decision is told, a repetition is not`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        try await daemon.decide()
        try await daemon.decide()
        host.setMemory(total: 16_777_216, free: 8_000_000)
        try await daemon.decide()
        try await daemon.decide()

        let told = daemon.messages.filter { $0.hasPrefix("scanning ") || $0.hasPrefix("not scanning") }
        #expect(
            told == [
                "scanning 300 pages every 10 ms: 976.5 MiB free < 3.1 GiB threshold",
                "not scanning: 0 KiB committed + 3.1 GiB threshold < 16.0 GiB total, and 7.6 GiB free > threshold",
            ])
        #expect(try await daemon.end() == 0)
    }

    // MARK: Reload

    @Test func `HUP brings a good configuration into force and decides, and the pages are kept`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        host.configure("KSM_NPAGES_BOOST=1\nKSM_THRES_COEF=50\n")

        try await daemon.reload()
        try await daemon.until("it had decided") { daemon.decisions == 2 && host.knob("pages_to_scan") == "301" }

        #expect(daemon.messages.contains("configuration reloaded"))
        #expect(daemon.messages.contains("thres 8388608"))
        #expect(try await daemon.end() == 0)
    }

    @Test func `HUP with a broken configuration tells every error, keeps the previous one and decides`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_NPAGES_BOOST=10\n")
        #expect(host.knob("pages_to_scan") == "64")
        host.configure("KSM_NPAGES_BOOST=1000\nKSM_NPAGES_MAX=-1\nreboot\n")

        try await daemon.reload()
        try await daemon.until("it had decided") { host.knob("pages_to_scan") == "74" }

        let configuration = host.path("etc/ksmtuned.conf")
        #expect(
            daemon.messages(with: configuration) == [
                "\(configuration):2:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more",
                "\(configuration):3:1: error: 'reboot' is not an assignment, and this file is read, never run; write "
                    + "NAME=value lines only",
            ])
        #expect(daemon.messages.contains("configuration refused, keeping the previous one"))
        #expect(!daemon.messages.contains("configuration reloaded"))
        #expect(daemon.program.isRunning)

        host.configure("KSM_NPAGES_BOOST=1000\n")
        try await daemon.reload()
        try await daemon.until("it had decided") { host.knob("pages_to_scan") == "1074" }
        #expect(try await daemon.end() == 0)
    }

    @Test func `HUP with a configuration that would take all memory or time keeps the previous one`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_NPAGES_BOOST=10\n")
        let doubling = "A0=x\n" + (1...60).map { "A\($0)=$A\($0 - 1)$A\($0 - 1)\n" }.joined()
        let nested = "KSM_GUEST_PATTERN='((((a{1,255}){1,255}){1,255}){1,255}'\n"
        let unknown = (0..<60_000).map { "KSM_X\($0)=1\n" }.joined()
        for (round, text) in [doubling, nested, unknown].enumerated() {
            host.configure("KSM_NPAGES_BOOST=1000\n" + text)
            try await daemon.reload()
            try await daemon.until("it had decided") { host.knob("pages_to_scan") == "\(74 + round * 10)" }
        }
        let configuration = host.path("etc/ksmtuned.conf")
        let messages = daemon.messages(with: configuration)
        #expect(messages.contains { $0.hasPrefix("\(configuration):15:9: error: the value becomes longer than") })
        #expect(messages.contains { $0.contains("takes too much time or memory") })
        #expect(messages.contains { $0.contains("there are 900 more errors and warnings from here on") })
        #expect(messages.count == 103)
        #expect(!daemon.messages.contains("configuration reloaded"))
        #expect(try await daemon.end() == 0)
    }

    @Test func `HUP opens LOGFILE again, as logrotate(8) wants it`() async throws {
        let host = FakeHost()
        host.configure("LOGFILE=/log\n")
        let program = try RunningProgram(.ksmtuned, [host.rootOption, "--debug"])
        try await program.until("it had logged") { host.read("log")?.contains("stop ksm") ?? false }
        try FileManager.default.moveItem(atPath: host.path("log"), toPath: host.path("log.1"))

        program.send(SIGHUP)

        try await program.until("it had opened the file again") { host.read("log")?.contains("stop ksm") ?? false }
        program.send(SIGTERM)
        #expect(try await program.ended() == 0)
    }

    @Test func `Another PIDFILE takes effect at the next start, and is told so`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)
        host.configure("PIDFILE=/run/other.pid\n")
        try await daemon.reload()
        try await daemon.until("it was told") {
            daemon.messages.contains("PIDFILE=/run/other.pid takes effect at the next start")
        }
        #expect(host.exists("var/run/ksmtune.pid"))
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("var/run/ksmtune.pid"))
    }

    // MARK: One daemon

    @Test func `The pid file names the daemon while it runs`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)
        #expect(host.read("var/run/ksmtune.pid") == "\(daemon.program.pid)\n")
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("var/run/ksmtune.pid"))
    }

    @Test func `A second daemon is refused, and told the pid of the first`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)

        let second = try await Program.ksmtuned.run([host.rootOption])

        #expect(second.status == 75)
        #expect(
            second.error
                == host.filled(
                    "ksmtuned: another ksmtuned runs with pid \(daemon.program.pid) and holds "
                        + "ROOT/run/ksmtuned/lock, not starting\n"))
        #expect(host.read("var/run/ksmtune.pid") == "\(daemon.program.pid)\n")
        #expect(daemon.program.isRunning)
        // One that was killed and waits for the kernel will be gone some time: the unit tries again.
        for (pending, status) in [
            ("SigPnd:\t0000000000000100", 71), ("ShdPnd:\t0000000000000100", 71),
            ("ShdPnd:\t0000000000004000", 75), ("SigBlk:\t0000000000000100", 75),
        ] {
            host.write("Name:\tksmtuned\n\(pending)\n", to: "proc/\(daemon.program.pid)/status")
            let later = try await Program.ksmtuned.run([host.rootOption])
            #expect(later.status == status, "\(pending)")
            #expect(later.error.contains("was killed and has not ended") == (status == 71))
        }
        #expect(try await daemon.end() == 0)
    }

    @Test func `A second daemon with a pid file of its own is refused too, and leaves none`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)
        let other = host.path("other.conf")
        host.write("PIDFILE=/run/other.pid\n", to: "other.conf")

        let second = try await Program.ksmtuned.run([host.rootOption, "--config", other])

        #expect(second.status == 75)
        #expect(
            second.error
                == host.filled(
                    "ksmtuned: another ksmtuned runs with pid \(daemon.program.pid) and holds "
                        + "ROOT/run/ksmtuned/lock, not starting\n"))
        #expect(!host.exists("run/other.pid"))
        #expect(try await daemon.end() == 0)
    }

    @Test func `A pid file that a daemon left behind is no obstacle`() async throws {
        let host = FakeHost()
        host.write("1\n 123456789 \n\n", to: "var/run/ksmtune.pid")
        let daemon = try await RunningDaemon(host)
        #expect(host.read("var/run/ksmtune.pid") == "\(daemon.program.pid)\n")
        #expect(try await daemon.end() == 0)
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/sh"), "there is no /bin/sh to close them"),
        arguments: [">&- 2>&-", "<&- >&- 2>&-", "2>&-"])
    func `Closed standard streams do not turn the daemon's own files into its log`(_ closing: String) async throws {
        let host = FakeHost()
        host.runShort()
        let program = try RunningProgram(
            Program(path: "/bin/sh"),
            ["-c", #"exec "$0" "$@" "# + closing, Program.ksmtuned.url.path, host.rootOption, "--debug"])
        try await program.until("it had decided") { host.knob("run") == "1" && host.exists("run/ksmtuned/state") }

        #expect(host.read("var/run/ksmtune.pid") == "\(program.pid)\n")
        program.send(SIGTERM)
        #expect(try await program.ended() == 0)
    }

    // MARK: The end

    struct Ending: CustomTestStringConvertible, Sendable {
        var configuration: String
        var signal = SIGTERM
        var sharing = "1000"
        var knobs: [String]
        var message: String?

        var testDescription: String { "\(configuration), signal \(signal), \(sharing) pages shared" }
    }

    @Test(arguments: [
        Ending(configuration: "", knobs: ["1", "300", "10"]),
        Ending(configuration: "", signal: SIGINT, knobs: ["1", "300", "10"]),
        Ending(configuration: "KSM_ON_EXIT=keep", knobs: ["1", "300", "10"]),
        Ending(configuration: "KSM_ON_EXIT=stop", knobs: ["0", "300", "10"]),
        Ending(configuration: "KSM_ON_EXIT=stop", signal: SIGINT, knobs: ["0", "300", "10"]),
        Ending(configuration: "KSM_ON_EXIT=restore", knobs: ["0", "100", "20"]),
        Ending(configuration: "KSM_ON_EXIT=unmerge", knobs: ["2", "300", "10"]),
        Ending(
            configuration: "KSM_ON_EXIT=unmerge", sharing: "100000000", knobs: ["0", "300", "10"],
            message: "and only 976.5 MiB of memory and swap are free: stopping the scan, the pages stay merged"),
    ])
    func `The end does what KSM_ON_EXIT says, and removes what is the daemon's`(_ ending: Ending) async throws {
        let host = FakeHost()
        host.runShort()
        host.write(ending.sharing + "\n", to: "sys/kernel/mm/ksm/pages_sharing")
        let daemon = try await RunningDaemon(host, ending.configuration + "\n")
        #expect(host.knobs == ["1", "300", "10"])

        #expect(try await daemon.end(ending.signal) == 0)

        #expect(host.knobs == ending.knobs)
        #expect(!host.exists("var/run/ksmtune.pid"))
        #expect(!host.exists("run/ksmtuned/state"))
        #expect(daemon.messages.last?.hasPrefix("ended, KSM_ON_EXIT=") ?? false)
        if let message = ending.message { #expect(daemon.messages(with: message).count == 1) }
    }

    @Test func `Knobs are set at start and by a reload, found in the state, and restored after a crash`() async throws {
        let host = FakeHost()
        for (name, value) in [("max_page_sharing", "256"), ("use_zero_pages", "0"), ("pages_shared", "0")] {
            host.write(value + "\n", to: "sys/kernel/mm/ksm/\(name)")
        }
        let configuration = "KSM_ON_EXIT=restore\nKSM_MAX_PAGE_SHARING=512\nKSM_SMART_SCAN=no\n"
        let first = try await RunningDaemon(host, configuration)
        #expect(host.knob("max_page_sharing") == "512")
        #expect(host.state["FOUND_MAX_PAGE_SHARING"] == "256")
        #expect(host.state["FOUND_USE_ZERO_PAGES"] == nil)
        #expect(first.messages(with: "max_page_sharing is 512 now, and was 256").count == 1)
        #expect(first.messages(with: "this kernel has no smart_scan (it came with Linux 6.7)").count == 1)

        host.configure(configuration + "KSM_USE_ZERO_PAGES=yes\n")
        try await first.reload()
        #expect(host.knob("use_zero_pages") == "1")
        try await first.until("it was in the state") { host.state["FOUND_USE_ZERO_PAGES"] == "0" }
        _ = try await first.end(SIGKILL)

        let second = try await RunningDaemon(host, configuration)
        #expect(host.knob("use_zero_pages") == "0")
        #expect(host.state["FOUND_MAX_PAGE_SHARING"] == "256")
        #expect(try await second.end() == 0)
        #expect(host.knob("max_page_sharing") == "256")
    }

    @Test func `What a knob held is in the state before the first decision, and everything is unmerged for it`()
        async throws
    {
        let host = FakeHost()
        host.write("256\n", to: "sys/kernel/mm/ksm/max_page_sharing")
        host.write("1000\n", to: "sys/kernel/mm/ksm/pages_shared")
        let daemon = try await RunningDaemon(
            host, "KSM_FIRST_DECISION=interval\nKSM_MAX_PAGE_SHARING=512\nKSM_ALLOW_UNMERGE=yes\n")
        #expect(daemon.messages(with: "unmerging 0 KiB, since the kernel changes max_page_sharing only").count == 1)
        // This tree's pages are never unmerged. The decision that follows says what becomes of KSM.
        try await daemon.until("it had decided") { host.state["ACTION"] == "stop" }
        #expect(daemon.messages(with: "something is merged although everything was unmerged").count == 1)
        #expect(host.knob("max_page_sharing") == "256")
        #expect(host.knob("run") == "0")
        #expect(try await daemon.end() == 0)
    }

    @Test func `After a crash the next daemon restores what the first one found`() async throws {
        let host = FakeHost()
        host.runShort()
        let first = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await first.end(SIGKILL) == -SIGKILL)
        #expect(host.knobs == ["1", "300", "10"])

        let second = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(host.state["FOUND_RUN"] == "0")
        #expect(try await second.end() == 0)

        #expect(host.knobs == ["0", "100", "20"])
    }

    @Test func `A single decision between a crash and the next daemon does not lose what the first one found`()
        async throws
    {
        let host = FakeHost()
        host.runShort()
        let first = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await first.end(SIGKILL) == -SIGKILL)

        let once = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(once.status == 0)
        let second = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await second.end() == 0)

        #expect(host.knobs == ["0", "100", "20"])
    }

    @Test func `A run that refuses at the end is told, and the end is in order`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=stop\n")
        host.link("sys/kernel/mm/ksm/run", to: "/dev/full")
        #expect(try await daemon.end() == 0)
        #expect(
            daemon.messages.contains(
                host.filled("cannot write ROOT/sys/kernel/mm/ksm/run: No space left on device, leaving KSM as it is")))
        #expect(!host.exists("var/run/ksmtune.pid"))
        // For the next daemon, and nothing beside: somebody else may set the rest meanwhile.
        #expect(host.state["FOUND_RUN"] == "0")
        #expect(host.state["FOUND_PAGES_TO_SCAN"] == nil)
        #expect(host.state["ENDED"] == "yes")
        host.remove("sys/kernel/mm/ksm/run")
        host.write("1\n", to: "sys/kernel/mm/ksm/run")
        host.write("77\n", to: "sys/kernel/mm/ksm/sleep_millisecs")
        let next = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(host.state["ENDED"] == nil)
        #expect(try await next.end() == 0)
        #expect(host.knobs == ["0", "300", "77"])
        #expect(next.messages(with: "not known").isEmpty)
        #expect(!host.exists("run/ksmtuned/state"))
    }

    @Test func `Where run refuses at the end and ksmd had run before, the next daemon knows at which pace`()
        async throws
    {
        let host = FakeHost()
        host.runShort()
        host.write("1\n", to: "sys/kernel/mm/ksm/run")
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=stop\n")
        host.link("sys/kernel/mm/ksm/run", to: "/dev/full")
        #expect(try await daemon.end() == 0)
        #expect(host.state["ENDED"] == "yes")
        #expect(host.knobs.dropFirst() == ["300", "10"])
        #expect(!host.exists("run/ksmtuned/.state"))
        host.remove("sys/kernel/mm/ksm/run")
        host.write("0\n", to: "sys/kernel/mm/ksm/run")
        let next = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await next.end() == 0)
        #expect(host.knobs == ["1", "100", "20"])
    }

    @Test func `What cleared the way for a knob is undone at the end where no decision followed`() async throws {
        let host = FakeHost()
        host.write("1\n", to: "sys/kernel/mm/ksm/run")
        host.write("256\n", to: "sys/kernel/mm/ksm/max_page_sharing")
        for file in ["pages_shared", "pages_sharing"] { host.write("9\n", to: "sys/kernel/mm/ksm/\(file)") }
        // With a guest that cannot be read there is none.
        host.setProcess(10, comm: "kvm", resident: 1)
        host.remove("proc/10/statm")
        host.createFolder("proc/10/statm")
        let daemon = try await RunningDaemon(
            host,
            "KSM_ON_EXIT=keep\nKSM_MAX_PAGE_SHARING=512\nKSM_ALLOW_UNMERGE=yes\nKSM_FIRST_DECISION=interval\n"
                + "KSM_MONITOR_INTERVAL=infinity\n")
        try await daemon.until("everything was unmerged") { host.knobs[0] == "2" }
        #expect(try await daemon.end() == 0)
        #expect(host.knobs[0] == "1")
    }

    @Test(arguments: ["keep", "stop", "restore"])
    func `An advisor that a killed daemon switched on is switched off by the next one`(exit: String) async throws {
        let host = FakeHost()
        host.write("none [scan-time]\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.write("PID=1\nFOUND_RUN=0\nFOUND_ADVISOR_MODE=none\nEND=1\n", to: "run/ksmtuned/state")
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=\(exit)\n")
        #expect(try await daemon.end() == 0)
        #expect(host.read("sys/kernel/mm/ksm/advisor_mode") == "none\n")
    }

    @Test func `A knob that merged pages keep from being put back at the end is put back by the next daemon`()
        async throws
    {
        let host = FakeHost()
        host.write("256\n", to: "sys/kernel/mm/ksm/max_page_sharing")
        let daemon = try await RunningDaemon(host, "KSM_MAX_PAGE_SHARING=77\nKSM_ON_EXIT=restore\n")
        func setMerged(_ pages: Int) {
            for file in ["pages_shared", "pages_sharing"] { host.write("\(pages)\n", to: "sys/kernel/mm/ksm/\(file)") }
        }
        setMerged(100)
        #expect(try await daemon.end() == 0)
        #expect(daemon.messages(with: "max_page_sharing stays 77 and is not put back to 256").count == 1)
        // All else is the operator's again.
        #expect(host.state["ENDED"] == "yes")
        #expect(host.state["FOUND_MAX_PAGE_SHARING"] == "256")
        #expect(host.state["FOUND_RUN"] == nil)
        // A single decision leaves that alone, and so does a daemon that cannot put it back either.
        let once = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(once.status == 0)
        #expect(
            host.state.filter { $0.key == "ENDED" || $0.key.hasPrefix("FOUND_") }
                == ["ENDED": "yes", "FOUND_MAX_PAGE_SHARING": "256"])
        let other = try await RunningDaemon(host, "")
        #expect(try await other.end() == 0)
        #expect(host.state["ENDED"] == "yes" && host.state["FOUND_MAX_PAGE_SHARING"] == "256")
        let next = try await RunningDaemon(host, "KSM_MAX_PAGE_SHARING=77\nKSM_ON_EXIT=restore\n")
        #expect(host.state["FOUND_MAX_PAGE_SHARING"] == "256")
        setMerged(0)
        #expect(try await next.end() == 0)
        #expect(host.read("sys/kernel/mm/ksm/max_page_sharing") == "256\n")
        #expect(!host.exists("run/ksmtuned/state"))
    }

    @Test func `A single decision by the adaptive policy leaves no scan that nobody ends`() async throws {
        let host = FakeHost()
        host.write("KSM_POLICY=adaptive\n", to: "etc/ksmtuned.conf")
        host.setGuest(10, resident: 1 << 18, "/usr/bin/qemu-system-x86_64 -m 1024")
        let once = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(once.status == 0)
        #expect(once.error.contains("scanning ") && once.error.contains("stopping the scan"))
        #expect(host.read("sys/kernel/mm/ksm/run") == "0\n")
        #expect(!host.exists("run/ksmtuned/state"))
    }

    @Test func `Where more than run refuses at the end, the next daemon knows all that was found`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        for file in ["run", "sleep_millisecs"] { host.link("sys/kernel/mm/ksm/\(file)", to: "/dev/full") }
        #expect(try await daemon.end() == 0)
        #expect(
            host.state.filter { $0.key == "ENDED" || $0.key.hasPrefix("FOUND_") }
                == ["ENDED": "yes", "FOUND_RUN": "0", "FOUND_SLEEP_MILLISECS": "20"])
        for file in ["run", "sleep_millisecs"] {
            host.remove("sys/kernel/mm/ksm/\(file)")
            host.write("1\n", to: "sys/kernel/mm/ksm/\(file)")
        }
        let next = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await next.end() == 0)
        #expect(host.knobs == ["0", "100", "20"])
    }

    @Test func `A last write that the kernel does not take is waited for until a second signal, and locks nobody out`()
        async throws
    {
        let host = FakeHost()
        host.runShort()
        let manager = try NotifySocket()
        let daemon = try await RunningDaemon(
            host, "KSM_ON_EXIT=stop\n",
            environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"])
        // A write to a full pipe waits for its reader, as one to run waits for ksmd.
        host.remove("sys/kernel/mm/ksm/run")
        host.makePipe("sys/kernel/mm/ksm/run")
        let pipe = unsafe open(host.path("sys/kernel/mm/ksm/run"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
        defer { close(pipe) }
        while unsafe write(pipe, "x", 1) == 1 {}
        daemon.program.send(SIGTERM)
        // Signs of life that ask for more time come while it waits for the last write, and at no other time.
        try await daemon.until("it waited for its last write") {
            manager.messages.count { $0.contains("EXTEND_TIMEOUT_USEC") } >= 2
        }
        #expect(daemon.program.isRunning)

        #expect(try await daemon.end() == 0)
        #expect(daemon.messages.contains("told to end again, not waiting for the kernel to take run=0"))
        #expect(!host.exists("var/run/ksmtune.pid"))
        // Nobody knows what became of it, so what it held is kept.
        #expect(host.state["FOUND_RUN"] == "0")
        #expect(host.state["ENDED"] == "yes")

        try FileManager.default.moveItem(
            atPath: host.path("sys/kernel/mm/ksm/run"), toPath: host.path("sys/kernel/mm/ksm/slow"))
        host.write("1\n", to: "sys/kernel/mm/ksm/run")
        let next = try await RunningDaemon(host)
        #expect(try await next.end() == 0)

        // Lets the child that writes come to its end.
        var byte: UInt8 = 0
        try await next.until("the child had written") {
            while unsafe read(pipe, &byte, 1) == 1 {
                if byte == UInt8(ascii: "0") { return true }
            }
            return false
        }
    }

    @Test func `A state file that is not one says nothing of what was found`() async throws {
        let host = FakeHost()
        host.runShort()
        host.write("PID=nonsense\nFOUND_RUN=2\n\0\u{1}$(x)", to: "run/ksmtuned/state")
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=restore\n")
        #expect(try await daemon.end() == 0)
        #expect(host.knobs == ["0", "300", "10"])
        #expect(daemon.messages(with: "it is no state of a ksmtuned").count == 1)
    }

    @Test func `A reload changes what the end does`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        host.configure("KSM_ON_EXIT=stop\n")
        try await daemon.reload()
        #expect(try await daemon.end() == 0)
        #expect(host.knob("run") == "0")
    }

    // MARK: Knobs that refuse

    @Test(arguments: ["run", "pages_to_scan", "sleep_millisecs"])
    func `A knob that refuses from the start is told once, and so is its recovery`(_ name: String) async throws {
        let host = FakeHost()
        host.runShort()
        let file = "sys/kernel/mm/ksm/\(name)"
        host.link(file, to: "/dev/full")
        let daemon = try await RunningDaemon(host)
        for _ in 0..<3 { try await daemon.decide() }

        let place = host.path(file)
        #expect(
            daemon.messages(with: "No space left") == [
                "cannot write \(place): No space left on device, trying again at the next decision"
            ])
        #expect(daemon.program.isRunning)

        host.remove(file)
        host.write("0\n", to: file)
        for _ in 0..<3 { try await daemon.decide() }
        #expect(daemon.messages.count { $0 == "KSM can be controlled again" } == 1)
        #expect(host.knobs == ["1", "1250", "10"])
        #expect(try await daemon.end() == 0)
    }

    @Test(arguments: ["run", "pages_to_scan", "sleep_millisecs"])
    func `A knob that vanishes, turns into a folder and comes back is one message per change`(_ name: String)
        async throws
    {
        let host = FakeHost()
        host.runShort()
        let file = "sys/kernel/mm/ksm/\(name)"
        let place = host.path(file)
        let daemon = try await RunningDaemon(host)

        host.remove(file)
        for _ in 0..<3 { try await daemon.decide() }
        host.createFolder(file)
        for _ in 0..<3 { try await daemon.decide() }
        host.remove(file)
        host.write("0\n", to: file)
        for _ in 0..<3 { try await daemon.decide() }

        #expect(
            daemon.messages.filter { $0.hasPrefix("cannot ") || $0.hasPrefix("KSM can ") } == [
                "cannot write \(place): No such file or directory, trying again at the next decision",
                "cannot write \(place): Is a directory, trying again at the next decision",
                "KSM can be controlled again",
            ])
        #expect(try await daemon.end() == 0)
    }

    @Test func `After a refused pages_to_scan neither sleep nor run is written`() async throws {
        let host = FakeHost()
        host.runShort()
        host.link("sys/kernel/mm/ksm/pages_to_scan", to: "/dev/full")
        let daemon = try await RunningDaemon(host)
        #expect(host.knob("sleep_millisecs") == "20")
        #expect(host.knob("run") == "0")
        #expect(try await daemon.end() == 0)
    }

    @Test func `KSM that vanishes as a whole is one message, and the end is in order`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host, "KSM_ON_EXIT=stop\n")
        host.remove("sys")
        for _ in 0..<3 { try await daemon.decide() }
        #expect(daemon.messages(with: "trying again at the next decision").count == 1)
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("var/run/ksmtune.pid"))
    }

    @Test func `Something else that writes a knob is told with both values, once`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        for _ in 0..<3 {
            host.write("7\n", to: "sys/kernel/mm/ksm/pages_to_scan")
            try await daemon.decide()
        }
        #expect(
            daemon.messages(with: "something else").first
                == "something else changed pages_to_scan from 300 to 7, going on by the configured policy")
        #expect(daemon.messages(with: "something else").count == 1)
        #expect(host.knob("pages_to_scan") == "1200")
        #expect(try await daemon.end() == 0)
    }

    // MARK: The host

    @Test func `Memory that cannot be read leaves KSM as it is, with one message, until it can`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        host.remove("proc/meminfo")
        for _ in 0..<3 { try await daemon.reload() }
        #expect(
            daemon.messages(with: "meminfo") == [
                host.filled(
                    "cannot read ROOT/proc/meminfo: No such file or directory, so KSM stays as it is until that can be "
                        + "read")
            ])
        #expect(host.knobs == ["1", "300", "10"])

        host.runShort()
        try await daemon.decide()
        #expect(daemon.messages.count { $0 == "the host's memory can be read again" } == 1)
        #expect(host.knobs == ["1", "600", "10"])
        #expect(try await daemon.end() == 0)
    }

    @Test func `A line that is missing from meminfo is named`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        host.write("MemTotal: 16777216 kB\nMemFree: 1 kB\nCached: 1 kB\n", to: "proc/meminfo")
        for _ in 0..<2 { try await daemon.reload() }
        #expect(daemon.messages(with: "it has no Buffers line with a number").count == 1)
        #expect(host.knobs == ["1", "300", "10"])
        #expect(try await daemon.end() == 0)
    }

    @Test func `Guests appear, grow and vanish`() async throws {
        let host = FakeHost()
        let page = Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024
        let daemon = try await RunningDaemon(host)
        func committed() -> [String?] { [host.state["GUESTS"], host.state["COMMITTED_KIB"]] }
        #expect(committed() == ["0", "0"])

        host.setProcess(100, comm: "qemu-system-x86", resident: 1000)
        host.setProcess(101, comm: "qemu:foo) Z ", resident: 10)
        host.setProcess(102, comm: "bash", resident: 5000)
        host.setProcess(
            103, comm: "vm", resident: 1, commandLine: ["qemu-system-x86_64", "-m", "512", "-enable-kvm"])
        host.setProcess(104, comm: "kvm", resident: 1)
        try await daemon.decide()
        #expect(committed() == ["4", "\(1012 * page)"])

        host.setProcess(100, comm: "qemu-system-x86", resident: 3000)
        try await daemon.decide()
        #expect(committed() == ["4", "\(3012 * page)"])

        host.removeProcess(100)
        host.removeProcess(104)
        try await daemon.decide()
        #expect(committed() == ["2", "\(11 * page)"])
        #expect(try await daemon.end() == 0)
    }

    @Test func `A process that takes its name after it was first seen is a guest at the next decision`() async throws {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)
        host.setProcess(100, comm: "libvirtd", resident: 1000)
        try await daemon.decide()
        #expect(host.state["GUESTS"] == "0")

        host.setProcess(100, comm: "qemu-system-x86", resident: 1000)
        try await daemon.decide()
        #expect(host.state["GUESTS"] == "1")
        #expect(try await daemon.end() == 0)
    }

    @Test func `Another process under the number of a guest that ended is no guest`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "kvm", resident: 1000)
        let daemon = try await RunningDaemon(host)
        #expect(host.state["GUESTS"] == "1")
        try await daemon.decide()

        // The new folder must not get the old one's inode.
        host.setProcess(100_000, comm: "bash", resident: 7)
        host.removeProcess(100)
        try FileManager.default.moveItem(atPath: host.path("proc/100000"), toPath: host.path("proc/100"))
        try await daemon.decide()
        #expect(host.state["GUESTS"] == "0")
        #expect(try await daemon.end() == 0)
    }

    @Test func `A guest with a name of 15 bytes that the operator's pattern takes`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "my-own-vmm-of-m", resident: 1000)
        host.setProcess(101, comm: "qemu-kvm", resident: 1000)
        let daemon = try await RunningDaemon(host, "KSM_GUEST_PATTERN='^my-own-vmm'\n")
        #expect(host.state["GUESTS"] == "1")
        #expect(try await daemon.end() == 0)
    }

    @Test func `A zombie and a process that has ended count nothing`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "qemu-kvm", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/100/statm")
        host.setProcess(102, comm: "qemu-kvm", resident: 10)
        host.remove("proc/102/statm")
        let daemon = try await RunningDaemon(host)
        #expect(host.state["COMMITTED_KIB"] == "0")
        #expect(try await daemon.end() == 0)
    }

    @Test func `A metric that the kernel does not have falls back to rsz with one message`() async throws {
        let host = FakeHost()
        host.setProcess(100, comm: "qemu-kvm", resident: 1000)
        let daemon = try await RunningDaemon(host, "KSM_PS_METRIC=unmerged\n")
        for _ in 0..<3 { try await daemon.decide() }
        #expect(
            daemon.messages(with: "ksm_merging_pages") == [
                host.filled(
                    "cannot read ROOT/proc/100/ksm_merging_pages: No such file or directory, counting the resident size "
                        + "of such guests instead")
            ])
        #expect(host.state["GUESTS"] == "1")
        #expect(try await daemon.end() == 0)
    }

    // MARK: State

    @Test func `The state file tells the last decision with all that led to it`() async throws {
        let host = FakeHost()
        host.runShort()
        host.write("256\n", to: "sys/kernel/mm/ksm/pages_sharing")
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        let page = Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024
        let before = Int64(Date().timeIntervalSince1970 * 1_000_000)
        let daemon = try await RunningDaemon(host, "KSM_MONITOR_INTERVAL=2m\n")
        try await daemon.decide()
        let after = Int64(Date().timeIntervalSince1970 * 1_000_000)

        var state = host.state
        let time = Int64(state.removeValue(forKey: "TIME_USEC") ?? "") ?? 0
        #expect(state.removeValue(forKey: "UPTIME_USEC").flatMap { Int64($0) } ?? 0 > 0)
        #expect(state.removeValue(forKey: "BOOT_ID") == "0000000000000000")
        #expect((before...after).contains(time))
        #expect(
            state == [
                "PID": "\(daemon.program.pid)", "INTERVAL_USEC": "120000000", "POLICY": "classic", "ACTION": "scan",
                "REASON": "shortage",
                "SENTENCE": "'scanning 600 pages every 10 ms: 976.5 MiB free < 3.1 GiB threshold'",
                "TOTAL_KIB": "16777216", "THRESHOLD_KIB": "3355443", "FREE_KIB": "1000000",
                "COMMITTED_KIB": "\(page << 20)", "GUESTS": "1", "PREVIOUS_PAGES_TO_SCAN": "300",
                "PAGES_TO_SCAN": "600", "SLEEP_MILLISECS": "10", "SAVED_KIB": "\(256 * page)", "FOUND_RUN": "0",
                "SCAN_DECISIONS": "2", "STOP_DECISIONS": "0", "PRESSURE_EVENTS": "0", "FOREIGN_WRITES": "0",
                "FAILED_WRITES": "0",
                "FOUND_PAGES_TO_SCAN": "100", "FOUND_SLEEP_MILLISECS": "20",
            ])
        #expect(try await daemon.end() == 0)
        #expect(!host.exists("run/ksmtuned/state"))
        #expect(!host.exists("run/ksmtuned/.state"))
    }

    @Test func `A file that takes the place of /run is one message, and the daemon goes on`() async throws {
        let host = FakeHost()
        host.runShort()
        let daemon = try await RunningDaemon(host)
        host.remove("run")
        host.write("", to: "run")
        for pages in ["600", "900"] {
            daemon.program.send(SIGUSR1)
            try await daemon.until("it had decided") { host.knob("pages_to_scan") == pages }
        }
        #expect(
            daemon.messages(with: "state") == [
                host.filled(
                    "cannot create ROOT/run/ksmtuned/.state: Not a directory, so other programs cannot see the decisions "
                        + "until that works")
            ])
        #expect(try await daemon.end() == 0)
    }

    @Test func `What is wrong with LOGFILE is told anew when it is something else`() async throws {
        let host = FakeHost()
        host.createFolder("log")
        let daemon = try await RunningDaemon(host, "DEBUG=1\nLOGFILE=/log\n")
        host.remove("log")
        host.link("log", to: "etc")
        for _ in 0..<2 { try await daemon.reload() }
        #expect(
            daemon.messages(with: "/log: ") == [
                host.filled("cannot open ROOT/log: Is a directory, writing debug lines here until that works"),
                host.filled(
                    "cannot open ROOT/log: it is a link: name the file itself by LOGFILE=, writing debug lines here "
                        + "until that works"),
            ])
        #expect(try await daemon.end() == 0)
    }

    @Test func `A full LOGFILE is told once, and a reload writes to it again`() async throws {
        let host = FakeHost()
        host.configure("LOGFILE=/dev/full\n")
        host.link("dev", to: "/dev")
        let program = try RunningProgram(.ksmtuned, [host.rootOption, "--debug"])
        for count in 1...3 {
            try await program.until("it had decided") { program.messages.count { $0.hasSuffix("stop ksm") } == count }
            if count < 3 { program.send(SIGUSR1) }
        }
        #expect(program.messages.count { $0.contains("writing debug lines here until that works") } == 1)

        host.remove("dev")
        host.createFolder("dev")
        program.send(SIGHUP)
        try await program.until("it wrote to the file") { host.read("dev/full")?.contains("stop ksm") ?? false }
        #expect(program.messages.count { $0.hasSuffix("stop ksm") } == 3)
        program.send(SIGTERM)
        #expect(try await program.ended() == 0)
    }

    // MARK: What must not keep it from its work

    @Test func `A message that does not fit into a pipe is cut, and not waited for`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/\(String(repeating: "a", count: 4090))\nKSM_MONITOR_INTERVAL=1d\n")
        let pipe = Pipe()
        let (read, write) = (pipe.fileHandleForReading.fileDescriptor, pipe.fileHandleForWriting.fileDescriptor)
        // Full but for one page.
        _ = fcntl(write, F_SETFL, O_NONBLOCK)
        var page = [UInt8](repeating: 0x78, count: 4096)
        var pages = 0
        while unsafe Glibc.write(write, page, page.count) == page.count { pages += 1 }
        _ = fcntl(write, F_SETFL, 0)
        #expect(unsafe Glibc.read(read, &page, page.count) == page.count)
        let daemon = try RunningProgram(.ksmtuned, [host.rootOption], error: pipe.fileHandleForWriting)
        try await daemon.until("it had decided") { host.state["ACTION"] != nil }
        daemon.send(SIGTERM)
        #expect(try await daemon.ended() == 0)
        for _ in 1..<pages { #expect(unsafe Glibc.read(read, &page, page.count) == page.count) }
        let length = unsafe Glibc.read(read, &page, page.count)
        let line = String(decoding: page.prefix(max(length, 0)), as: UTF8.self)
        #expect(length == 4096)
        #expect(line.hasPrefix(host.filled("ksmtuned: cannot open ROOT/aaa")))
        #expect(line.hasSuffix("aaa...\n"))
    }

    @Test func `A limit of the size of files is an error of the write, not the daemon's end`() async throws {
        let host = FakeHost()
        host.runShort()
        host.configure("KSM_MONITOR_INTERVAL=1d\n")
        // 1 KiB: enough for the pid file and two records of the history.
        let daemon = try RunningProgram(
            Program(path: "/bin/bash"),
            ["-c", "ulimit -f 1; exec \"$0\" \"$@\"", Program.ksmtuned.url.path, host.rootOption])
        for pages in ["300", "600", "900", "1200", "1250"] {
            try await daemon.until("it had decided") { !daemon.isRunning || host.knob("pages_to_scan") == pages }
            daemon.send(SIGUSR1)
        }
        #expect(daemon.messages.contains { $0.contains("history: File too large, so there is no history until") })
        daemon.send(SIGTERM)
        #expect(try await daemon.ended() == 0)
    }
}
