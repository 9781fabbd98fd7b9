import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

/// Whatever numbers the kernel, a file or the command line holds, a command ends with a status of its manual.
@Suite struct AbsurdNumbersTests {
    private static let numbers = [
        "0", "-1", "2147483648", "4294967296", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
        "99999999999999999999", "",
    ]

    private static let commands = [
        ["status"], ["explain"], ["guests"], ["guests", "--limits"], ["doctor", "-v"], ["history"],
        ["metrics", "--guests"],
        ["history", "--csv"],
        ["plot"], ["plot", "--svg", "-"], ["plan"], ["simulate", "--config", "ROOT/other.conf"],
        ["simulate", "--config", "ROOT/other.conf", "--svg", "-"], ["show-config"], ["check-config"], ["unmerge"],
    ]

    private static let json = ["status", "explain", "guests", "doctor", "history", "plan", "simulate"]

    private static let statuses = Set([0, 2, 3, 64] + Refusal.Status.allCases.map { $0.rawValue })

    /// Runs every command, with its text and with its JSON.
    private static func runAll(_ host: FakeHost, _ what: String) async throws {
        for words in commands {
            var forms = [words]
            if json.contains(words[0]), !words.contains("--svg"), !words.contains("--csv") {
                forms.append(words + ["--json"])
            }
            for form in forms {
                let outcome = try await Program.ksmctl.run(form.map { host.filled($0) } + [host.rootOption])
                #expect(
                    statuses.contains(outcome.status),
                    "\(what): \(form.joined(separator: " ")) ended with \(outcome.status): \(outcome.error)")
            }
        }
    }

    /// A host on which there is something to read everywhere.
    private static func host() -> FakeHost {
        let host = FakeHost()
        host.makeHealthy()
        host.setGuest(101, "/usr/bin/qemu-system-x86_64 -accel kvm -m 4096 -smp 2 -name web")
        host.setKSMStat(101, merging: 262_144)
        host.setProcess(40, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/40/statm")
        host.write("20000000000 0 1\n", to: "proc/40/schedstat")
        host.write("KSM_THRES_COEF=30\n", to: "other.conf")
        host.mountUnifiedCgroups()
        host.setCgroup(of: 101, "0::/machine.slice/web.scope")
        host.setCgroup("machine.slice/web.scope", ["memory.max": "8589934592", "cpu.max": "100000 100000"])
        host.writeHistory(HistoryRecord.day.suffix(20))
        return host
    }

    private static let ksmFiles = [
        "run", "pages_to_scan", "sleep_millisecs", "merge_across_nodes", "max_page_sharing", "use_zero_pages",
        "smart_scan", "full_scans", "pages_shared", "pages_sharing", "pages_unshared", "pages_volatile",
        "pages_scanned", "pages_skipped", "ksm_zero_pages", "general_profit", "stable_node_chains",
        "stable_node_dups", "stable_node_chains_prune_millisecs",
    ]

    @Test(arguments: numbers)
    func `Numbers of KSM's files`(_ number: String) async throws {
        let host = Self.host()
        for name in Self.ksmFiles { host.write(number + "\n", to: "sys/kernel/mm/ksm/\(name)") }
        try await Self.runAll(host, "all of KSM's files hold \(number)")
    }

    @Test(arguments: Seed.all.prefix(3))
    func `Numbers of KSM's files that have nothing to do with each other`(_ seed: Seed) async throws {
        var generator = SeededGenerator(seed: seed.value)
        let host = Self.host()
        for name in Self.ksmFiles { host.write(generator.pick(Self.numbers) + "\n", to: "sys/kernel/mm/ksm/\(name)") }
        try await Self.runAll(host, "\(seed)")
    }

    @Test(arguments: numbers)
    func `Numbers of proc`(_ number: String) async throws {
        let host = Self.host()
        let names = [
            "MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree", "Zswap", "Zswapped",
            "HugePages_Total", "HugePages_Free", "Hugepagesize", "Hugetlb",
        ]
        host.write(names.map { "\($0): \(number) kB\n" }.joined(), to: "proc/meminfo")
        host.write("\(number) \(number) 10 10 0 10 0\n", to: "proc/101/statm")
        host.write("\(number) \(number) 1\n", to: "proc/40/schedstat")
        host.write(
            "ksm_rmap_items \(number)\nksm_zero_pages \(number)\nksm_merging_pages \(number)\n"
                + "ksm_process_profit \(number)\nksm_merge_any: no\nksm_mergeable: yes\n", to: "proc/101/ksm_stat")
        host.write("Name:\tkvm\nTgid:\t101\nVmSwap:\t\(number) kB\nVmLck:\t\(number) kB\n", to: "proc/101/status")
        host.setSwaps(["/dev/nvme0n1p3 partition \(number) \(number) -2", "/dev/zram0 partition \(number) 0 5"])
        host.write("\(number) \(number) \(number) 0 0\n", to: "sys/devices/virtual/block/zram0/mm_stat")
        host.write("\(number) \(number) \(number) 0 0\n", to: "sys/block/zram0/mm_stat")
        host.setPressure(some: number, full: number)
        for file in ["memory.max", "memory.swap.max", "cpu.max", "cpu.weight"] {
            host.write(number + "\n", to: "sys/fs/cgroup/machine.slice/web.scope/\(file)")
        }
        try await Self.runAll(host, "proc holds \(number)")
    }

    @Test(arguments: numbers)
    func `Numbers of the state file`(_ number: String) async throws {
        let host = Self.host()
        let policy = try ClassicPolicy(Configuration(), total: KiB(1 << 24))
        var decision = policy.decide(MemorySample(free: KiB(1000), committed: KiB(1 << 23)), previous: 0)
        decision.policy = .adaptive
        decision.scan = ScanReport(unscanned: KiB(5000), changed: KiB(600))
        let daemon = host.startDaemon(decision: decision, guests: 3, saved: KiB(5))
        let lines = try #require(host.read("run/ksmtuned/state")).split(separator: "\n")
        // The policies in turn.
        let turn = try #require(Self.numbers.firstIndex(of: number))
        for policy in [["classic", "adaptive", "advisor"][turn % 3]] {
            let text = lines.map { line -> String in
                let name = line.prefix { $0 != "=" }
                let value = line.dropFirst(name.count + 1)
                if name == "POLICY" { return "POLICY=\(policy)\n" }
                return "\(name)=\(value.allSatisfy { $0.isNumber } && name != "PID" ? number : String(value))\n"
            }.joined()
            host.write(text + "ADVISOR_SCAN_TIME=\(number)\nADVISOR_CPU_MAX=\(number)\n", to: "run/ksmtuned/state")
            try await Self.runAll(host, "the state of the \(policy) policy holds \(number)")
        }
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: Seed.all)
    func `Numbers of the history`(_ seed: Seed) async throws {
        var generator = SeededGenerator(seed: seed.value)
        let host = Self.host()
        let records = (0..<12).map { index in
            var record = HistoryRecord.made(at: generator.amount() / 1_000_000)
            if index % 3 == 0 { record = HistoryRecord.made(at: 1_795_219_200 + Int64(index) * 60) }
            record.action = generator.pick([.stop, .scan])
            record.policy = generator.pick(PolicyKind.allCases)
            record.memory = MemorySample(free: KiB(generator.amount()), committed: KiB(generator.amount()))
            record.total = KiB(generator.amount())
            record.threshold = KiB(generator.amount())
            record.saved = KiB(generator.amount())
            record.pagesToScan = generator.amount()
            record.sleepMilliseconds = generator.amount()
            record.guests = generator.amount()
            record.counters?.scanned = Pages(generator.amount())
            return record
        }
        host.writeHistory(records)
        try await Self.runAll(host, "\(seed)")
    }

    @Test(arguments: numbers)
    func `Numbers of a trace`(_ number: String) async throws {
        let host = Self.host()
        let columns = "time_seconds,free_kib,committed_kib,total_kib,pages_to_scan,sleep_millisecs,action,pages_scanned"
        for times in [["0", number], [number, "9223372036854"], ["0", "60"]] {
            let rows = times.map { "\($0),\(number),\(number),\(number),\(number),\(number),scan,\(number)\n" }
            host.write("\(columns)\n\(rows.joined())", to: "trace.csv")
            for form in [[], ["--json"], ["--svg", "-"], ["--all"]] {
                let outcome = try await Program.ksmctl.run(
                    ["simulate", "--config", host.path("other.conf"), "--trace", host.path("trace.csv")] + form
                        + [host.rootOption])
                #expect(Self.statuses.contains(outcome.status), "\(number) \(form): \(outcome.status)")
            }
        }
    }

    @Test(arguments: numbers)
    func `Numbers of the command line`(_ number: String) async throws {
        let host = Self.host()
        let lines = [
            ["plan", "--ram", number], ["plan", "--ram", number + "G"], ["plan", "--guests", "\(number)x\(number)G"],
            ["plan", "--guests", "\(number)x1G/\(number)", "--ram", "32G"],
            ["plan", "--swap", number, "--cpus", number],
            ["plan", "--host-os", number, "--host-swap", number], ["history", "-n", number],
            ["history", "--since", number], ["history", "--since", number + "d"],
            ["history", "--until", number + "-01-01"],
            ["history", "--since", "\(number)w"], ["plot", "--width", number], ["plot", "--height", number],
            ["plot", "--since", number], ["plot", "--until", number + "h", "--svg", "-"],
        ]
        for words in lines {
            let outcome = try await Program.ksmctl.run(words + [host.rootOption])
            #expect(Self.statuses.contains(outcome.status), "\(words): \(outcome.status) \(outcome.error)")
        }
        for setting in Setting.allCases where setting != .pidFile && setting != .logFile {
            host.configure("\(setting.name)=\(number)\n")
            host.write("\(setting.name)=\(number)\n", to: "other.conf")
            for words in [["explain"], ["simulate", "--config", "ROOT/other.conf"]] {
                let outcome = try await Program.ksmctl.run(words.map { host.filled($0) } + [host.rootOption])
                #expect(Self.statuses.contains(outcome.status), "\(setting.name)=\(number) \(words): \(outcome.status)")
            }
        }
    }
}
