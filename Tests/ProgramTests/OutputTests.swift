import Foundation
import HostFixtures
import KSMPolicy
import Testing

@testable import ksmctl

/// What every command of ksmctl does with its output.
@Suite struct OutputTests {
    /// A host with something to show by every command.
    private static func host(guest name: String = "web", swap: String = "/dev/nvme0n1p3") -> FakeHost {
        let host = FakeHost()
        host.makeHealthy()
        host.setProcess(
            101, comm: "qemu-kvm", resident: 262_144,
            commandLine: ["/usr/bin/qemu-system-x86_64", "-accel", "kvm", "-m", "4096", "-smp", "200", "-name", name])
        host.setKSMStat(101, merging: 1000)
        host.setKSM(["pages_sharing": 1000])
        host.write("KSM_THRES_COEF=30\n", to: "other.conf")
        host.write("KSM_THRES_COEF=25\n", to: "etc/ksmtuned.conf")
        host.setSwaps(["\(swap) partition 8388604 0 -2"])
        host.writeHistory(HistoryRecord.day.suffix(20))
        return host
    }

    private static let commands = [
        ["status"], ["explain"], ["guests"], ["doctor"], ["history"], ["history", "--csv"], ["plot"],
        ["metrics"], ["plot", "--svg", "-"], ["plan"], ["simulate", "--config", "ROOT/other.conf"], ["show-config"],
        ["check-config"], ["status", "--json"], ["--help"], ["--version"], ["help", "plan"],
    ]

    @Test(arguments: commands)
    func `Output that cannot be written is status 74 and a word on standard error`(_ words: [String]) async throws {
        let host = Self.host()
        let root = words[0].hasPrefix("-") || words[0] == "help" ? [] : [host.rootOption]
        let outcome = try await Program.ksmctl.run(words.map { host.filled($0) } + root, output: "/dev/full")
        #expect(outcome.status == 74)
        #expect(outcome.error.hasSuffix("ksmctl: cannot write standard output: No space left on device\n"))
    }

    @Test(arguments: [["plot"], ["simulate", "--config", "ROOT/other.conf"]])
    func `A picture that cannot be written is status 74, too`(_ words: [String]) async throws {
        let host = Self.host()
        let outcome = try await Program.ksmctl.run(
            words.map { host.filled($0) } + ["--svg", "/dev/full", host.rootOption])
        #expect(outcome.status == 74)
        #expect(outcome.error == "ksmctl: cannot write /dev/full: No space left on device\n")
    }

    @Test func `A limit of the size of files is an error of the write`() async throws {
        let host = Self.host()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "ulimit -f 1; exec \"$0\" \"$@\"", Program.ksmctl.url.path, "plot", "--svg", host.path("out.svg"),
            host.rootOption,
        ])
        #expect(outcome.status == 74)
        #expect(outcome.error == "ksmctl: cannot write \(host.path("out.svg")): File too large\n")
    }

    @Test(arguments: [("--version", 71), ("--help", 71), ("--nonsense", 64)] as [(String, Int32)])
    func `What ksmtuned says of itself is no reason to be killed where files may hold nothing`(
        option: String, status: Int32
    ) async throws {
        let host = FakeHost()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "ulimit -f 0; exec \"$0\" \"$1\" > \"$2\" 2>&1", Program.ksmtuned.url.path, option, host.path("out"),
        ])
        #expect(outcome.status == status)
    }

    @Test func `Closed streams stay closed: nothing is written into another file, and it is no success`() async throws {
        let host = Self.host()
        for (redirection, status) in [("1>&-", 74), ("2>&-", 0), ("1>&- 2>&-", 74), ("0<&- 1>&- 2>&-", 74)]
            as [(String, Int32)]
        {
            let outcome = try await Program(path: "/bin/bash").run([
                "-c", "exec \"$0\" \"$@\" \(redirection)", Program.ksmctl.url.path, "plot", host.rootOption,
            ])
            #expect(outcome.status == status, "\(redirection)")
        }
        let picture = host.path("out.svg")
        let drawn = try await Program(path: "/bin/bash").run([
            "-c", "exec \"$0\" \"$@\" 1>&- 2>&-", Program.ksmctl.url.path, "plot", "--svg", picture, host.rootOption,
        ])
        #expect(drawn.status == 0)
        #expect(host.read("out.svg")?.hasSuffix("</svg>\n") == true)
    }

    @Test func `A parent that ignores its children makes no write a failure`() async throws {
        let host = Self.host()
        let outcome = try await Program(path: "/usr/bin/env").run([
            "--ignore-signal=CHLD", Program.ksmctl.url.path, "unmerge", host.rootOption,
        ])
        #expect(!outcome.error.contains("No child processes"))
        #expect(host.knob("run") == "2")
    }

    @Test func `A reader that has gone does not change what was found`() async throws {
        let host = FakeHost()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "\"$0\" status \"$1\" | true; exit \"${PIPESTATUS[0]}\"", Program.ksmctl.url.path, host.rootOption,
        ])
        #expect(outcome.status == 3)
    }

    // MARK: Files that the user names

    @Test func `Metrics take the place of a regular file alone`() async throws {
        let host = Self.host()
        func write(_ file: String) async throws -> Program.Outcome {
            try await Program.ksmctl.run(["metrics", "--output", host.path(file), host.rootOption])
        }
        host.write("old\n", to: "metrics.prom")
        #expect(try await write("metrics.prom").status == 0)
        let text = try #require(host.read("metrics.prom"))
        #expect(text.hasPrefix("# HELP ksmtuned_build_info"))
        // What a link names is whoever's.
        host.write("old\n", to: "kept")
        host.link("link", to: host.path("kept"))
        let misled = try await write("link")
        #expect(misled.status == 74)
        #expect(misled.error == "ksmctl: cannot open \(host.path("link")): it is a link: name the file itself\n")
        #expect(host.read("kept") == "old\n")
        // A pipe stays one; this descriptor reads it.
        host.makePipe("pipe")
        let pipe = unsafe open(host.path("pipe"), O_RDWR | O_CLOEXEC)
        defer { close(pipe) }
        #expect(try await write("pipe").status == 0)
        var status = stat()
        #expect(unsafe lstat(host.path("pipe"), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        // One that nobody reads is not waited for.
        host.makePipe("unread")
        #expect(try await write("unread").status == 74)
        // A folder is refused.
        host.createFolder("folder")
        let refused = try await write("folder")
        #expect(refused.status == 74)
        #expect(refused.error == "ksmctl: cannot open \(host.path("folder")): Is a directory\n")
    }

    @Test func `Metrics are written to a device as it is`() async throws {
        let host = Self.host()
        let shown = try await Program.ksmctl.run(["metrics", "--output", "/dev/stdout", host.rootOption])
        #expect(shown.status == 0)
        #expect(shown.output.hasPrefix("# HELP ksmtuned_build_info"))
    }

    /// Standard output may be a file in its midst, or a socket, of which the names in /dev tell nothing.
    @Test func `Metrics are written to standard output behind what is there`() async throws {
        let host = Self.host()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c",
            "(echo header; \"$0\" metrics --output /dev/stdout \"$1\"; echo trailer) > \"$2\"; "
                + "\"$0\" metrics --output /dev/stdout \"$1\" >> \"$2\"",
            Program.ksmctl.url.path, host.rootOption, host.path("out"),
        ])
        #expect(outcome.status == 0)
        let text = try #require(host.read("out"))
        #expect(text.hasPrefix("header\n# HELP ksmtuned_build_info"))
        let parts = text.components(separatedBy: "\ntrailer\n")
        #expect(parts.count == 2 && parts[1].hasPrefix("# HELP ksmtuned_build_info"))
    }

    @Test func `Metrics wait no longer than some seconds for whoever has a pipe and does not read it`() async throws {
        let host = Self.host()
        host.makePipe("pipe")
        let pipe = unsafe open(host.path("pipe"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
        defer { close(pipe) }
        while unsafe write(pipe, "x", 1) == 1 {}
        let outcome = try await Program.ksmctl.run(["metrics", "--output", host.path("pipe"), host.rootOption])
        #expect(outcome.status == 74)
        #expect(outcome.error == "ksmctl: cannot write \(host.path("pipe")): Connection timed out\n")
    }

    @Test(arguments: [
        ["status", "--root", ""], ["plan", "--root", ""], ["check-config", ""], ["show-config", ""],
        ["metrics", "--output", ""], ["plot", "--svg", ""], ["simulate", "--config", ""],
        ["simulate", "--config", "x", "--trace", ""], ["simulate", "--config", "x", "--svg", ""],
    ])
    func `An empty path is refused, and nothing is done`(_ words: [String]) async throws {
        let host = Self.host()
        let outcome = try await Program.ksmctl.run(
            words + (words.contains("--root") ? [] : [host.rootOption]))
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(outcome.error.contains("it is empty: name a path, or leave the option out"))
    }

    /// An empty root that were taken for the host's own would have this one's KSM written, so it is hidden.
    @Test(.enabled(if: geteuid() == 0, "only root may hide KSM"), arguments: ["start", "stop", "unmerge", "retune"])
    func `An empty root is not the host itself`(_ command: String) async throws {
        let hidden =
            "[ ! -e /sys/kernel/mm/ksm ] || /bin/mount -t tmpfs none /sys/kernel/mm/ksm && exec \"$0\" \"$1\" --root ''"
        let outcome = try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "/bin/sh", "-c", hidden, Program.ksmctl.url.path, command])
        #expect(outcome.status == 64)
        #expect(outcome.error.contains("it is empty: name a path, or leave the option out"))
    }

    // MARK: Texts from outside

    @Test(arguments: ["start", "stop"])
    func `What a write that failed is about has nothing that a terminal acts on`(_ command: String) async throws {
        let outcome = try await Program.ksmctl.run([command, "--root", "/nonexistent/\u{1B}[31mx\u{202E}"])
        #expect(outcome.status == 1)
        #expect(
            outcome.error.hasPrefix("ksmctl: cannot write /nonexistent/?[31mx?/sys/kernel/mm/ksm/run: No such file"))
    }

    @Test func `What the parser of the command line repeats has nothing that a terminal acts on`() async throws {
        let outcome = try await Program.ksmctl.run(["status", "\u{1B}[31mx"])
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("Error: Unexpected argument '?[31mx'\n"))
        #expect(outcome.error.contains("\nUsage: ksmctl status"))
    }

    /// An escape, a command of C1, a mark that turns the line around, and a line break.
    private static let hostile = "\u{1B}[31m\u{9B}2J\u{202E}\u{2028}\nFORGED\u{85}"

    private static func hostileHost() throws -> (FakeHost, FakeDaemon) {
        let host = host(guest: hostile, swap: "/dev/\\033[2J\u{9B}x")
        // No expression begins a set that it does not end.
        let pattern = hostile.filter { $0 != "\n" && $0 != "[" }
        host.configure("KSM_GUEST_PATTERN='\(pattern)|^qemu'\nKSM_THRES_COEF=\u{9B}x\n")
        host.write("'\(hostile)'=1\nKSM_\u{9B}=2\n", to: "other.conf")
        host.setProcess(7, comm: "tuned", resident: 1, commandLine: ["/usr/sbin/tuned"])
        host.addTunedProfile("a\u{9B}\u{202E}b", "[sysfs]\n/sys/kernel/mm/ksm/run=2\n")
        host.useTunedProfile("a\u{9B}\u{202E}b")
        host.setProcess(8, comm: "v\u{9B}\u{202E}m", resident: 1, commandLine: ["/opt/vmm/worker"])
        host.addMachine(to: 8)
        // Whoever was given a group may call those below it as he likes.
        let group = "u\u{1B}[2J\u{9B}\u{202E}.scope"
        host.mountUnifiedCgroups()
        host.setCgroup(group, ["memory.max": "4096", "memory.swap.max": "0", "memory.events": "oom_kill 3"])
        host.setCgroup(of: 101, "0::/\(group)")
        let policy = try ClassicPolicy(Configuration(), total: KiB(1 << 24))
        let decision = policy.decide(MemorySample(free: .zero, committed: KiB(1 << 23)), previous: 0)
        let daemon = host.startDaemon(decision: decision, guests: 3)
        let state = try #require(host.read("run/ksmtuned/state"))
        host.write(
            state.replacing(#/SENTENCE=.*/#, with: "SENTENCE='\(hostile.replacing("\n", with: ""))'"),
            to: "run/ksmtuned/state")
        return (host, daemon)
    }

    @Test func `A label of a metric ends at no quote within it`() {
        var exposition = Exposition()
        exposition.add(
            "x", .gauge, "An x.",
            [Exposition.Sample(labels: [("guest", "a\"\u{301}b\\\u{308}c\nd"), ("pid", "1")], value: 2)])
        #expect(
            exposition.text.split(separator: "\n").last?.unicodeScalars.map { $0 }
                == #"ksmtuned_x{guest="a\"\#u{301}b\\\#u{308}c?d",pid="1"} 2"#.unicodeScalars.map { $0 })
    }

    @Test(arguments: [("/dev/zram0", "1"), ("/dev/sda2", "2")])
    func `What goes to zram is no room to unmerge into`(device: String, run: String) async throws {
        let host = FakeHost()
        host.setMemory(total: 16 << 20, free: 1 << 20, swapFree: 15 << 20)
        host.setSwaps(["\(device)\tpartition\t\(15 << 20)\t0\t5"])
        host.setKSM(["run": 1, "pages_shared": 1, "pages_sharing": 1 << 20])
        let outcome = try await Program.ksmctl.run(["unmerge", host.rootOption])
        #expect(host.knob("run") == run)
        #expect(outcome.error.contains("are free: stop guests") == (run == "1"))
    }

    @Test func `No text from outside reaches the terminal as it is`() async throws {
        let (host, daemon) = try Self.hostileHost()
        let forms: [[String]] = [
            ["status"], ["explain"], ["guests"], ["guests", "--limits"], ["doctor", "-v"], ["plan"], ["show-config"],
            ["metrics", "--guests"],
            ["check-config"], ["reload"], ["simulate", "--config", "ROOT/other.conf"],
            ["simulate", "--config", "/nowhere/\(Self.hostile)"],
            ["simulate", "--config", "ROOT/other.conf", "--trace", "/nowhere/\(Self.hostile)"],
            ["status", "--json"], ["guests", "--json"], ["doctor", "--json"], ["plan", "--json"],
            ["show-config", "--json"],
        ]
        for words in forms {
            let outcome = try await Program.ksmctl.run(words.map { host.filled($0) } + [host.rootOption])
            for text in [outcome.output, outcome.error] {
                let shown = text.unicodeScalars.filter { $0.isInvisible && $0 != "\n" }.map {
                    $0.escaped(asASCII: true)
                }
                #expect(shown.isEmpty, "\(words): \(shown)")
                #expect(!text.contains("\nFORGED"), "\(words) shows a line that a name has forged")
            }
            if words == ["guests", "--limits"] { #expect(outcome.output.contains("memory.max allows 4 KiB")) }
        }
        withExtendedLifetime(daemon) {}
    }

    @Test func `JSON keeps a text as it is`() async throws {
        let (host, daemon) = try Self.hostileHost()
        let outcome = try await Program.ksmctl.run(["status", "--json", host.rootOption])
        let whole = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        let decision = whole?["decision"] as? [String: Any]
        #expect(decision?["sentence"] as? String == Self.hostile.replacing("\n", with: ""))
        withExtendedLifetime(daemon) {}
    }
}
