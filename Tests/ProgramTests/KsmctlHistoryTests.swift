import Charts
import Foundation
import HostFixtures
import KSMAnalysis
import KSMPolicy
import Testing

@testable import ksmctl

/// 2026-11-21 00:00:00 UTC
private let midnight: Int64 = 1_795_219_200

@Suite struct KsmctlHistoryTests {
    /// Six decisions, a minute apart from 10:08:15 on: plenty, a shortage, then enough again.
    private static var records: [HistoryRecord] {
        let start = midnight + 36_495
        var records = [
            HistoryRecord.made(at: start, free: 9000, committed: 3000, guests: 1),
            .made(at: start + 60, .scan, .shortage, free: 3000, committed: 9000, pages: 300, guests: 3),
            .made(
                at: start + 120, .scan, .shortage, free: 2900, committed: 9100, saved: 100, pages: 600, cpu: 1500,
                guests: 3),
            .made(
                at: start + 180, .scan, .easing, free: 4000, committed: 13_500, saved: 1200, pages: 550, cpu: 16_500,
                guests: 4),
            .made(
                at: start + 240, .stop, .plenty, free: 8000, committed: 4000, saved: 900, pages: 550, cpu: 16_530,
                guests: 1),
            // After a reboot the kernel counts anew.
            .made(at: start + 300, free: 9000, committed: 0, pages: 550, cpu: 10, guests: 0),
        ]
        records[3].policy = .adaptive
        records[3].reason = .newMemory
        records[5].saved = nil
        records[5].counters = nil
        return records
    }

    private static func host(_ records: [HistoryRecord] = records) -> FakeHost {
        let host = FakeHost()
        host.writeHistory(records)
        return host
    }

    private static func history(
        _ host: FakeHost, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) async throws -> Program.Outcome {
        try await Program.ksmctl.run(["history", host.rootOption] + arguments, environment: environment)
    }

    // MARK: The table

    @Test func `the table has a line for each decision, the newest last`() async throws {
        let outcome = try await Self.history(Self.host())
        #expect(outcome.error == "")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                TIME                 POLICY    ACTION  REASON         FREE  COMMITTED  THRESHOLD      SAVED  PAGES  SLEEP  KSMD CPU  GUESTS
                2026-11-21 10:08:15  classic   stop    plenty      8.7 GiB    2.9 GiB    3.1 GiB      0 KiB      0  10 ms         -       1
                2026-11-21 10:09:15  classic   scan    shortage    2.9 GiB    8.7 GiB    3.1 GiB      0 KiB    300  10 ms     0.0 %       3
                2026-11-21 10:10:15  classic   scan    shortage    2.8 GiB    8.8 GiB    3.1 GiB  100.0 MiB    600  10 ms     2.5 %       3
                2026-11-21 10:11:15  adaptive  scan    new-memory  3.9 GiB   13.1 GiB    3.1 GiB    1.1 GiB    550  10 ms    25.0 %       4
                2026-11-21 10:12:15  classic   stop    plenty      7.8 GiB    3.9 GiB    3.1 GiB  900.0 MiB    550  10 ms     0.1 %       1
                2026-11-21 10:13:15  classic   stop    plenty      8.7 GiB      0 KiB    3.1 GiB          -    550  10 ms         -       0

                """)
    }

    @Test func `times are local`() async throws {
        let host = Self.host()
        for (zone, time) in [
            ("UTC", "2026-11-21 10:08:15"), ("IST-5:30", "2026-11-21 15:38:15"), ("HST10", "2026-11-21 00:08:15"),
            ("LINT-14", "2026-11-22 00:08:15"),
        ] {
            let outcome = try await Self.history(host, [], ["TZ": zone])
            #expect(outcome.output.split(separator: "\n")[1].hasPrefix(time + "  classic"), "\(zone)")
        }
    }

    @Test func `times given are local in summer, too`() async throws {
        // 2026-07-01 12:00 UTC
        let host = Self.host([.made(at: 1_782_907_200)])
        let zone = ["TZ": "CET-1CEST,M3.5.0,M10.5.0/3"]
        let shown = try await Self.history(host, ["--since=2026-07-01 14:00"], zone)
        #expect(shown.output.contains("2026-07-01 14:00:00  classic"))
        #expect(try await Self.history(host, ["--since=2026-07-01 14:00:01"], zone).output == "")
    }

    // MARK: Which decisions

    /// The times of day that are shown.
    private static func times(_ arguments: String...) async throws -> [String] {
        let outcome = try await history(host(), arguments)
        #expect(outcome.status == 0)
        return outcome.output.split(separator: "\n").dropFirst().map { String($0.dropFirst(11).prefix(5)) }
    }

    @Test func `a range has its ends, in local time`() async throws {
        #expect(try await Self.times("--since", "2026-11-21 10:12:15") == ["10:12", "10:13"])
        #expect(try await Self.times("--until=2026-11-21T10:09:16") == ["10:08", "10:09"])
        #expect(
            try await Self.times("--since=2026-11-21 10:10", "--until=2026-11-21 10:12") == ["10:10", "10:11"])
        #expect(try await Self.times("--since=2026-11-21", "--lines=1") == ["10:13"])
        #expect(try await Self.times("-n", "2") == ["10:12", "10:13"])
        #expect(try await Self.times("-n", "100").count == 6)
        #expect(try await Self.times("--lines", "0") == [])
    }

    @Test func `a time ago counts from now`() async throws {
        let now = Int64(Date().timeIntervalSince1970)
        let host = Self.host([.made(at: now - 7200), .made(at: now - 1900), .made(at: now - 60)])
        for (since, count) in [("1h", 2), ("30m", 1), ("3h", 3), ("300", 1), ("1d", 3), ("1h 59min", 2)] {
            let outcome = try await Self.history(host, ["--since", since])
            #expect(outcome.output.split(separator: "\n").count == count + 1, "\(since)")
        }
        // A share of the CPU is that since the record before, also one that is not shown.
        let share = try await Self.history(host, ["--since", "5min"])
        #expect(share.output.contains("0.0 %"))
    }

    @Test func `a range without a decision says what there is`() async throws {
        let host = Self.host()
        let outcome = try await Self.history(host, ["--until", "2026-11-20"])
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        #expect(
            outcome.error
                == host.filled(
                    "ksmctl: no decision in that time: ROOT/var/lib/ksmtuned/history has 6, from 2026-11-21 10:08:15 to "
                        + "2026-11-21 10:13:15\n"))
    }

    @Test(arguments: ["yesterday", "2x", "h", "2026-02-30", "2026-13-01", "25:00", "1e9", "-5", "10:08:99"])
    func `a time that is none is refused with what is meant`(_ time: String) async throws {
        let outcome = try await Self.history(Self.host(), ["--since=\(time)"])
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(
            outcome.error.hasPrefix("Error: The value '\(time)' is invalid for '--since <time>': give how long ago"))
    }

    @Test func `ends the wrong way round are refused`() async throws {
        let outcome = try await Self.history(Self.host(), ["--since=2026-11-21 10:10", "--until=2026-11-21 10:09"])
        #expect(outcome.status == 64)
        #expect(
            outcome.error
                == "ksmctl: --since 2026-11-21 10:10:00 is later than --until 2026-11-21 10:09:00: exchange them\n")
    }

    @Test func `where a reboot set the clock back, the range is told by its ends, and what is printed can be replayed`()
        async throws
    {
        var records = Self.records
        for index in 3..<6 { records[index].time = records[index].time + .seconds(-3600) }
        let host = Self.host(records)
        let none = try await Self.history(host, ["--until", "2026-11-20"])
        #expect(none.error.hasSuffix(" has 6, from 2026-11-21 09:11:15 to 2026-11-21 10:10:15\n"))
        host.write(try await Self.history(host, ["--csv"]).output, to: "trace.csv")
        host.write("KSM_THRES_COEF=30\n", to: "new.conf")
        let replayed = try await Program.ksmctl.run([
            "simulate", "--config", host.path("new.conf"), "--trace", host.path("trace.csv"), host.rootOption,
        ])
        #expect(replayed.error == "")
        #expect(replayed.status == 0)
        #expect(replayed.output.contains("Note: a gap without samples"))
    }

    // MARK: Without a history

    @Test(arguments: [["history"], ["history", "--json"], ["history", "--csv"], ["plot"], ["plot", "--svg=-"]])
    func `without a history it says who writes it`(_ arguments: [String]) async throws {
        let host = FakeHost()
        let outcome = try await Program.ksmctl.run(arguments + [host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.output == "")
        #expect(
            outcome.error
                == host.filled(
                    "ksmctl: there is no history in ROOT/var/lib/ksmtuned/history: the daemon keeps one, a record for "
                        + "each decision; start it (systemctl start ksmtuned)\n"))
    }

    @Test func `a daemon that runs and has written no history is not to be started`() async throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        let outcome = try await Program.ksmctl.run(["history", host.rootOption])
        withExtendedLifetime(daemon) {}
        #expect(outcome.status == 69)
        #expect(
            outcome.error.contains("or journalctl -u ksmtuned says why")
                && !outcome.error.contains("start it"))
    }

    @Test func `a history that is no file is named so`() async throws {
        let host = FakeHost()
        host.createFolder("var/lib/ksmtuned")
        host.makePipe("var/lib/ksmtuned/history")
        let outcome = try await Program.ksmctl.run(["history", host.rootOption])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("/history: it is not a regular file"))
    }

    @Test(arguments: ["history", "plot"])
    func `a history that has just begun has no record yet`(_ command: String) async throws {
        let host = Self.host([])
        let outcome = try await Program.ksmctl.run([command, host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.error.contains("/var/lib/ksmtuned/history has no record yet: "))
    }

    @Test(arguments: ["history", "plot"])
    func `another file in its place is named`(_ command: String) async throws {
        let host = FakeHost()
        host.write("time,free\n", to: "var/lib/ksmtuned/history")
        let outcome = try await Program.ksmctl.run([command, host.rootOption])
        #expect(outcome.status == 65)
        #expect(
            outcome.error
                == host.filled(
                    "ksmctl: cannot understand ROOT/var/lib/ksmtuned/history: it is no history of version 1: a daemon of "
                        + "this version renames it and begins a new one (systemctl restart ksmtuned)\n"))
    }

    // MARK: Forms for programs

    @Test func `JSON is as its schema says`() async throws {
        let outcome = try await Self.history(Self.host(), ["--json"])
        #expect(outcome.status == 0)
        #expect(try JSONSchema("history").problems(outcome.output) == [])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        let records = try #require(object["records"] as? [[String: Any]])
        #expect(records.count == 6)
        #expect(records[0]["time_seconds"] as? Double == 1_795_255_695)
        #expect(records[0]["ksmd_cpu_percent"] == nil)
        #expect(records[2]["ksmd_cpu_percent"] as? Double == 2.5)
        #expect(records[3]["ksmd_cpu_percent"] as? Double == 25)
        #expect(records[3]["policy"] as? String == "adaptive")
        #expect(records[3]["reason"] as? String == "new-memory")
        #expect(records[3]["saved_bytes"] as? Int == 1200 << 20)
        #expect((records[3]["counters"] as? [String: Any])?["ksmd_cpu_seconds"] as? Double == 16.5)
        #expect(records[5]["saved_bytes"] == nil)
        #expect(records[5]["counters"] == nil)
    }

    @Test func `JSON of no decision is a list of none`() async throws {
        let outcome = try await Self.history(Self.host(), ["--json", "--until=2000-01-01"])
        #expect(outcome.status == 0)
        #expect(try JSONSchema("history").problems(outcome.output) == [])
        #expect(outcome.output.contains("\"records\" : [\n\n  ]"))
    }

    @Test func `CSV has a line for each decision, and its columns' names first`() async throws {
        let outcome = try await Self.history(Self.host(), ["--csv", "--since=2026-11-21 10:11:15"])
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                time_seconds,free_kib,committed_kib,total_kib,available_kib,guests,policy,action,reason,pages_to_scan,sleep_millisecs,\
                threshold_kib,saved_kib,profit_bytes,full_scans,pages_shared,pages_sharing,pages_unshared,pages_volatile,\
                ksm_zero_pages,pages_skipped,pages_scanned,ksmd_cpu_seconds
                1795255875.000000,4096000,13824000,16777216,4620288,4,adaptive,scan,new-memory,550,10,\
                3355443,1228800,,5,19200,307200,0,0,0,0,0,16.500000000
                1795255935.000000,8192000,4096000,16777216,8716288,1,classic,stop,plenty,550,10,\
                3355443,921600,,5,14400,230400,0,0,0,0,0,16.530000000
                1795255995.000000,9216000,0,16777216,9740288,0,classic,stop,plenty,550,10,\
                3355443,,,,,,,,,,,

                """)
        let empty = try await Self.history(Self.host(), ["--csv", "--lines=0"])
        #expect(empty.output == TraceFile.header + "\n")
    }

    @Test func `CSV is a trace that can be read again`() async throws {
        let host = Self.host(HistoryRecord.day)
        let outcome = try await Self.history(host, ["--csv"])
        let trace = try TraceFile.parse(Array(outcome.output.utf8), named: "history.csv", total: nil)
        #expect(trace.records == HistoryRecord.day)
        #expect(trace.hasActions && trace.hasPace)
    }

    @Test func `two forms at once are refused`() async throws {
        let outcome = try await Self.history(Self.host(), ["--csv", "--json"])
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("Error: --csv and --json are two forms: give one of them\n"))
        #expect(try await Self.history(Self.host(), ["--lines=-1"]).status == 64)
    }
}

@Suite struct KsmctlPlotTests {
    private static let unicode = ["LC_ALL": "C.UTF-8"]

    private static func plot(
        _ records: [HistoryRecord], _ arguments: [String] = [], _ environment: [String: String] = unicode
    ) async throws -> String {
        let host = FakeHost()
        host.writeHistory(records)
        let outcome = try await Program.ksmctl.run(["plot", host.rootOption] + arguments, environment: environment)
        #expect(outcome.status == 0)
        #expect(outcome.error == "")
        return outcome.output
    }

    @Test func `a day`() async throws {
        #expect(
            try await Self.plot(HistoryRecord.day) == """
                KSM  2026-11-21 00:00 to 2026-11-22 00:00, 1441 decisions, 16.0 GiB of memory
                Saved memory, GiB                                   last 2.0, most 3.0
                   3 ┤                           ▃▄▄▅▅▅▅▅▅▆▆▆▆▆▆▇▇▇▇▇▇████▆
                   1 ┤                          ▆█████████████████████████████████████
                   0 ┤                       ▁▃███████████████████████████████████████
                Memory, GiB
                  15 ┤                         ⢀⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⡀    ⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀ free
                  10 ┤⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠢⢄⡀       ⢀⡠⠔⠊⠁                      ⠈⢆ ⢠⠊
                     │             ⠈⠑⠢⢄⢀⡠⠔⠊⠁                            ⡵⡁
                   5 ┤             ⢀⡠⠔⠊⠉⠒⠤⣀                           ⢀⠎ ⠘⢄
                     │⣤⣄⣀⣤⣄⣀⣤⣄⣀⣤⡤⠔⠮⠅ ⠤⠄ ⠤⠄ ⠭⠖⠤⠤⠤⠤⠴⠖⠒⠶⠖⠒⠶⠖⠒⠶⠖⠒⠶⠖⠒⠶⠖⠒⠶⠖⠒⠥⠄ ⠤⠄⠓⠶⠖⠒⠶⠖⠒⠶⠖⠒⠶ committed
                   0 ┤                                                                 threshold
                pages_to_scan, pages per scan                       last 64, most 1250
                1500 ┤                        ▄▄▄
                 500 ┤                        ███▅
                   0 ┤                       █████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
                ksmd, % of one CPU                                 last 0.0, most 41.7
                  60 ┤                          ▁
                  20 ┤                        ▆██▃
                   0 ┤                       ▄████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
                                             ━━━━━━━━━━━━━━━━━━━━━━━━━━                KSM runs
                     └┬───────────────┬───────────────┬───────────────┬──────────────┬
                   21 Nov           06:00           12:00           18:00         22 Nov

                """)
    }

    @Test func `a day with the daemon gone for some hours, in a locale without Unicode`() async throws {
        let records = HistoryRecord.day.filter { !(600..<840).contains(($0.time.wholeSeconds - midnight) / 60) }
        #expect(
            try await Self.plot(records, ["--width=72", "--height=20"], ["LC_ALL": "C"]) == """
                KSM  2026-11-21 00:00 to 2026-11-22 00:00, 1201 decisions
                Saved memory, GiB                         last 2.0, most 3.0
                   3 +                               :::::########.
                   1 +                      :        #######################
                   0 +                   ..##        #######################
                Memory, GiB
                  15 +                     oo        oooooooooo    ********* * free
                     |***************oooooo                    oo**
                     |ooooooooooooooo********        ***********-ooooooooooo o committed
                   0 +                                                       - threshold
                pages_to_scan, pages per scan             last 64, most 1250
                1500 +                    :::
                   0 +                   .###        .......................
                ksmd, % of one CPU                       last 0.0, most 41.7
                  60 +                     ..
                   0 +                   .###        ..........
                                         ====????????==========              KSM runs
                     ++------------+-------------+------------+------------+
                   21 Nov        06:00         12:00        18:00       22 Nov

                """)
    }

    @Test func `one decision`() async throws {
        #expect(
            try await Self.plot([.made(at: midnight + 60, .scan, .shortage, saved: nil, pages: 300)]) == """
                KSM  2026-11-21 00:01, 1 decision, 16.0 GiB of memory
                Saved memory, GiB                                            not known
                  1 ┤
                    │
                  0 ┤
                Memory, GiB
                  8 ┤⠁                                                                 free
                    │
                  4 ┤⡀                                                                 committed
                    │⠄                                                                 threshold
                    │
                  0 ┤
                pages_to_scan, pages per scan                       last 300, most 300
                300 ┤█████████████████████████████████████████████████████████████████
                100 ┤█████████████████████████████████████████████████████████████████
                  0 ┤█████████████████████████████████████████████████████████████████
                ksmd, % of one CPU                                           not known
                  1 ┤
                    │
                  0 ┤
                     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ KSM runs
                    └┬─────────┬──────────┬──────────┬──────────┬──────────┬─────────┬
                 00:01:00  00:01:10   00:01:20   00:01:30   00:01:40   00:01:50  00:02:00

                """)
    }

    @Test func `the range is that of the history`() async throws {
        let text = try await Self.plot(HistoryRecord.day, ["--since=2026-11-21 06:00", "--until=2026-11-21 12:00"])
        #expect(text.hasPrefix("KSM  2026-11-21 06:00 to 12:00, 361 decisions, 16.0 GiB of memory\n"))
    }

    @Test func `a range without a decision is nothing to draw`() async throws {
        let host = FakeHost()
        host.writeHistory(HistoryRecord.day)
        let outcome = try await Program.ksmctl.run(["plot", host.rootOption, "--since=2026-12-01", "--svg=-"])
        #expect(outcome.status == 69)
        #expect(outcome.output == "")
        #expect(outcome.error.hasPrefix("ksmctl: no decision in that time: "))
    }

    @Test(arguments: ["--width=39", "--height=11", "--width=1001", "--height=many"])
    func `a size that is none is refused`(_ option: String) async throws {
        let host = FakeHost()
        let outcome = try await Program.ksmctl.run(["plot", host.rootOption, option])
        #expect(outcome.status == 64)
    }

    @Test func `a picture goes into a file or to standard output`() async throws {
        let host = FakeHost()
        host.writeHistory(HistoryRecord.day)
        let file = host.path("plot.svg")
        let outcome = try await Program.ksmctl.run(["plot", host.rootOption, "--svg", file])
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        #expect(outcome.error == "")
        let text = try #require(host.read("plot.svg"))
        #expect(text.hasPrefix("<svg "))
        #expect(text.hasSuffix("</svg>\n"))
        for word in [
            "saved", "free", "committed", "threshold", "pages", "% of one CPU", "GiB", "KSM runs", "time (UTC)",
        ] {
            #expect(text.contains(">\(word)<"), "\(word)")
        }
        let piped = try await Program.ksmctl.run(["plot", host.rootOption, "--svg=-"])
        #expect(piped.output == text)
    }

    @Test func `a picture that cannot be written is an error that names the file`() async throws {
        let host = FakeHost()
        host.writeHistory(HistoryRecord.day)
        let outcome = try await Program.ksmctl.run(["plot", host.rootOption, "--svg", host.path("none/plot.svg")])
        #expect(outcome.status == 74)
        #expect(outcome.error == host.filled("ksmctl: cannot create ROOT/none/plot.svg: No such file or directory\n"))
        let full = try await Program.ksmctl.run(["plot", host.rootOption, "--svg=/dev/full"])
        #expect(full.status == 74)
        #expect(full.error == "ksmctl: cannot write /dev/full: No space left on device\n")
        host.write("mine", to: "other")
        try FileManager.default.createSymbolicLink(
            atPath: host.path("link.svg"), withDestinationPath: host.path("other"))
        let link = try await Program.ksmctl.run(["plot", host.rootOption, "--svg", host.path("link.svg")])
        #expect(link.status == 74)
        #expect(link.error.contains("cannot open \(host.path("link.svg")): "))
        #expect(host.read("other") == "mine")
    }

    // MARK: Stretches

    private static func chart(_ records: [HistoryRecord], interval: Duration = .seconds(60)) -> Chart {
        HistoryChart(HistoryRow.rows(records), interval: interval).forPicture
    }

    private static func at(_ minute: Int64, _ action: Decision.Action = .stop) -> HistoryRecord {
        .made(at: midnight + minute * 60, action, saved: minute, cpu: minute * 600)
    }

    private static func minutes(_ stretches: [ClosedRange<Double>]) -> [ClosedRange<Int>] {
        stretches.map { Int($0.lowerBound - Double(midnight)) / 60...Int($0.upperBound - Double(midnight)) / 60 }
    }

    @Test func `KSM runs from a decision to the next one that stops it`() {
        let chart = Self.chart([
            Self.at(0), Self.at(1, .scan), Self.at(2, .scan), Self.at(3), Self.at(4), Self.at(5, .scan),
            Self.at(6, .scan),
        ])
        #expect(Self.minutes(chart.bands[0].stretches) == [1...3, 5...6])
        #expect(chart.gaps.isEmpty)
    }

    @Test func `where records are missing for more than three intervals, nothing is known`() {
        let records = [0, 1, 2, 5, 6, 7, 11, 12].map { Self.at($0, .scan) }
        let chart = Self.chart(records)
        // Three intervals may pass with a decision that came late; four are a daemon that was gone.
        #expect(Self.minutes(chart.gaps) == [8...11])
        #expect(Self.minutes(chart.bands[0].stretches) == [0...8, 11...12])
        for series in chart.panels.flatMap({ $0.series }) {
            #expect(series.points.count == 9)
            #expect(series.points[6].value == nil)
        }
        // What ksmd took while nobody looked belongs to no moment.
        #expect(chart.panels[2].series[0].points.map { $0.value } == [nil, 1, 1, 1, 1, 1, nil, nil, 1])
    }

    /// The adaptive policy records often while it scans, and seldom at rest.
    @Test func `a longer interval at rest is no gap`() {
        let busy = (0..<20).map { HistoryRecord.made(at: midnight + $0 * 10, .scan) }
        let rest = (1...5).map { HistoryRecord.made(at: midnight + 200 + $0 * 60) }
        #expect(Self.chart(busy + rest).gaps.isEmpty)
        #expect(!Self.chart(busy + rest, interval: .zero).gaps.isEmpty)
    }

    @Test func `a clock that was put back draws no line from right to left`() {
        let chart = Self.chart([Self.at(5), Self.at(6), Self.at(3), Self.at(4)])
        #expect(Self.minutes([chart.time]) == [3...6])
        for series in chart.panels.flatMap({ $0.series }) {
            #expect(series.points.map { $0.time } == series.points.map { $0.time }.sorted())
        }
    }

    @Test func `records of one moment have a chart`() {
        let chart = Self.chart([Self.at(0), Self.at(0, .scan)])
        #expect(chart.time.upperBound > chart.time.lowerBound)
        #expect(SVGChart(chart).text.contains("</svg>"))
    }
}

@Suite struct MomentTests {
    @Test func `times ago`() throws {
        #expect(try Moment("90") == .ago(90))
        #expect(try Moment("90s") == .ago(90))
        #expect(try Moment("30min") == .ago(1800))
        #expect(try Moment("30m") == .ago(1800))
        #expect(try Moment("2h") == .ago(7200))
        #expect(try Moment("1.5h") == .ago(5400))
        #expect(try Moment("1h30min") == .ago(5400))
        #expect(try Moment("1d 12h") == .ago(129_600))
        #expect(try Moment("1w") == .ago(604_800))
        #expect(try Moment("2h").time(now: 10_000) == 2800)
    }

    @Test func `dates and times of day`() throws {
        #expect(try Moment("10:08") == .today(10, 8, 0))
        #expect(try Moment("23:59:59") == .today(23, 59, 59))
        #expect(try Moment("2026-11-21") == .local(CivilTime(year: 2026, month: 11, day: 21)))
        #expect(
            try Moment("2026-11-21 10:08") == .local(CivilTime(year: 2026, month: 11, day: 21, hour: 10, minute: 8)))
        #expect(try Moment("2028-02-29") == .local(CivilTime(year: 2028, month: 2, day: 29)))
    }

    @Test(arguments: [
        "", " ", "x", "2 h", "h2", "2hh", "1.2.3s", "١h", "10:60", "24:00", "2026-11-21 10", "2026-02-29",
        "99999999999999999999d", "1970-01-01 00:00 UTC", "--", ":", "0000-01-01",
    ])
    func `other text is no time`(_ text: String) {
        #expect(throws: Moment.Unreadable.self) { try Moment(text) }
    }
}
