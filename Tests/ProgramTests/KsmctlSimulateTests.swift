import Foundation
import HostFixtures
import KSMAnalysis
import KSMPolicy
import Testing

@testable import ksmctl

/// 2026-11-21 10:00:00 UTC
private let morning: Int64 = 1_795_255_200

@Suite struct KsmctlSimulateTests {
    private static let gibibyte: Int64 = 1 << 20

    /// A trace by hand: four minutes of a host of 16 GiB, with a shortage between.
    private static let byHand = """
        time_seconds,free_kib,committed_kib
        0,9437184,4194304
        60,4194304,8388608
        120,2097152,12582912
        180,2097152,12582912
        240,9437184,4194304

        """

    private static func host(_ configuration: String = "", trace: String = byHand, other: String = "") -> FakeHost {
        let host = FakeHost()
        host.write(configuration, to: "etc/ksmtuned.conf")
        host.write(trace, to: "day.csv")
        host.write(other, to: "other.conf")
        return host
    }

    private static func simulate(
        _ host: FakeHost, _ arguments: [String] = [], trace: String? = "day.csv"
    ) async throws -> Program.Outcome {
        let trace = trace.map { ["--trace", $0 == "-" ? $0 : host.path($0)] } ?? []
        var outcome = try await Program.ksmctl.run(
            ["simulate", host.rootOption, "--config", host.path("other.conf")] + trace + arguments)
        outcome.output = outcome.output.replacingOccurrences(of: host.root.path, with: "ROOT")
        outcome.error = outcome.error.replacingOccurrences(of: host.root.path, with: "ROOT")
        return outcome
    }

    /// The daemon's history of the same four minutes, by the classic policy's defaults.
    @discardableResult
    private static func writeHistory(_ host: FakeHost) throws -> [HistoryRecord] {
        let policy = try ClassicPolicy(Configuration(), total: KiB(16 * gibibyte))
        let trace = try TraceFile.parse(Array(byHand.utf8), named: "day.csv", total: policy.total)
        var pages: Int64 = 0
        var records: [HistoryRecord] = []
        for (index, sample) in trace.records.enumerated() {
            let decision = policy.decide(sample.memory, previous: pages)
            pages = decision.pagesToScan
            let time = WallTime(seconds: morning) + .microseconds(sample.time.microseconds)
            var record = HistoryRecord(decision, time: time, guests: 2)
            record.counters = ScanCounters()
            record.counters?.scanned = Pages(1_000_000 + Int64(index) * 1_234_567)
            records.append(record)
        }
        host.writeHistory(records)
        return records
    }

    // MARK: Text

    @Test func `A trace by hand is compared with the present configuration`() async throws {
        let host = Self.host(other: "KSM_THRES_COEF=30\nKSM_NPAGES_BOOST=100\n")
        let outcome = try await Self.simulate(host)
        #expect(outcome.error == "")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                5 samples of ROOT/day.csv: 5min 0s, one each 1min 0s

                                           present  other.conf
                threshold                  3.1 GiB     4.7 GiB
                KSM runs                   2min 0s     3min 0s
                of the time                 40.0 %      60.0 %
                starts                           1           1
                pages_to_scan, mean          450.0       200.0
                pages_to_scan, greatest        600         300
                pages scanned, at most   3 375 000   2 250 000

                TIME        FREE  COMMITTED  present   other.conf
                0:00:00  9.0 GiB    4.0 GiB  stop      stop
                0:01:00  4.0 GiB    8.0 GiB  stop      scan 100
                0:02:00  2.0 GiB   12.0 GiB  scan 300  scan 200
                0:03:00  2.0 GiB   12.0 GiB  scan 600  scan 300
                0:04:00  9.0 GiB    4.0 GiB  stop      stop

                """)
    }

    @Test func `The history is compared with what was decided, and with what the kernel counted`() async throws {
        // The present configuration has no part in it.
        let host = Self.host("KSM_THRES_COEF=90\n", other: "KSM_THRES_COEF=30\nKSM_NPAGES_BOOST=0\n")
        try Self.writeHistory(host)
        let outcome = try await Self.simulate(host, trace: nil)
        #expect(outcome.error == "")
        #expect(
            outcome.output == """
                5 samples of ROOT/var/lib/ksmtuned/history: 5min 0s, one each 1min 0s

                                          recorded  other.conf
                threshold                  3.1 GiB     4.7 GiB
                KSM runs                   2min 0s     3min 0s
                of the time                 40.0 %      60.0 %
                starts                           1           1
                pages_to_scan, mean          450.0        64.0
                pages_to_scan, greatest        600          64
                pages scanned, at most   3 375 000     720 000
                pages scanned, counted   4 938 268           -

                TIME                    FREE  COMMITTED  recorded  other.conf
                2026-11-21 10:00:00  9.0 GiB    4.0 GiB  stop      stop
                2026-11-21 10:01:00  4.0 GiB    8.0 GiB  stop      scan 64
                2026-11-21 10:02:00  2.0 GiB   12.0 GiB  scan 300  scan 64
                2026-11-21 10:03:00  2.0 GiB   12.0 GiB  scan 600  scan 64
                2026-11-21 10:04:00  9.0 GiB    4.0 GiB  stop      stop

                """)
    }

    @Test func `The history as a trace gives the same`() async throws {
        let host = Self.host(other: "KSM_THRES_COEF=30\n")
        let records = try Self.writeHistory(host)
        host.write(([TraceFile.header] + records.map { TraceFile.row($0) }).joined(separator: "\n"), to: "day.csv")
        let trace = try await Self.simulate(host)
        #expect(trace.output.contains("pages scanned, counted   4 938 268           -\n"))
        let history = try await Self.simulate(host, trace: nil)
        #expect(
            trace.output
                == history.output.replacingOccurrences(of: "ROOT/var/lib/ksmtuned/history", with: "ROOT/day.csv"))
    }

    @Test func `A time before the trace's beginning has its sign in front`() async throws {
        let trace = "time_seconds,free_kib,committed_kib\n-65,9437184,0\n100,1,0\n"
        let outcome = try await Self.simulate(Self.host(trace: trace, other: "KSM_THRES_COEF=30\n"))
        #expect(outcome.output.contains("\n-0:01:05  "))
        #expect(outcome.output.contains("\n0:01:40  ") || outcome.output.contains("\n 0:01:40  "))
    }

    @Test func `Every sample is shown on request`() async throws {
        let host = Self.host(other: "KSM_THRES_COEF=90\nKSM_NPAGES_BOOST=2000\n")
        let some = try await Self.simulate(host)
        #expect(some.output.contains("0:00:00  9.0 GiB    4.0 GiB  stop      scan 1250\n"))
        #expect(!some.output.contains("0:01:00"))
        #expect(try await Self.simulate(host, ["--all"]).output.contains("0:01:00  4.0 GiB    8.0 GiB  stop"))
    }

    @Test func `Under the advisor the pages are not known, and it says so`() async throws {
        let outcome = try await Self.simulate(Self.host(other: "KSM_POLICY=advisor\n"))
        #expect(outcome.output.contains("pages scanned, at most   3 375 000           -\n"))
        #expect(outcome.output.contains("0:03:00  2.0 GiB   12.0 GiB  scan 600  scan\n"))
        #expect(
            outcome.output.hasSuffix(
                """

                Note: the advisor policy decides each 10s, but the samples are 1min 0s apart, so it decides once for each
                Note: with KSM_POLICY=advisor the kernel chooses pages_to_scan, so they are not known

                """))
    }

    @Test func `What the samples do not hold is a note`() async throws {
        let trace = """
            time_seconds,free_kib,committed_kib,available_kib
            0,9437184,4194304,9437184
            60,9437184,4194304,
            120,9437184,4194304,9437184
            1200,9437184,4194304,9437184

            """
        let host = Self.host(
            trace: trace, other: "KSM_MONITOR_INTERVAL=10\nKSM_FREE_METRIC=available\nKSM_PS_METRIC=pss\n")
        #expect(
            try await Self.simulate(host).output.hasSuffix(
                """
                TIME        FREE  COMMITTED  present  other.conf
                0:00:00  9.0 GiB    4.0 GiB  stop     stop
                0:20:00  9.0 GiB    4.0 GiB  stop     stop

                Note: a gap without samples, 17min 0s in all, counts on no side
                Note: 1 of 4 samples have no available_kib, so KSM_FREE_METRIC=available of ROOT/other.conf goes by \
                free_kib there
                Note: KSM_MONITOR_INTERVAL of ROOT/other.conf decides each 10s, but the samples are 1min 0s apart, so it \
                decides once for each
                Note: who is a guest and what it holds is as recorded: KSM_GUEST_PATTERN, KSM_PS_METRIC and KSM_PROFILE \
                of ROOT/other.conf change nothing of that here

                """))
    }

    @Test(arguments: [
        ("", "available+arc", true), ("KSM_FREE_METRIC=available\n", "cached", true),
        ("KSM_FREE_METRIC=available\n", "available", false), ("", "cached", false),
    ])
    func `Free memory by a metric that the trace does not hold is a note`(
        _ present: String, _ metric: String, _ isNoted: Bool
    ) async throws {
        let outcome = try await Self.simulate(Self.host(present, other: "KSM_FREE_METRIC=\(metric)\n"))
        #expect(
            outcome.output.contains(
                "Note: free memory is as recorded: KSM_FREE_METRIC=\(metric) of ROOT/other.conf changes nothing of that here"
            )
                == isNoted)
    }

    @Test func `An interval longer than the trace means one decision`() async throws {
        let trace = "time_seconds,free_kib,committed_kib\n0,9437184,0\n1,1,0\n2,1,0\n"
        let outcome = try await Self.simulate(Self.host("KSM_MONITOR_INTERVAL=1\n", trace: trace))
        #expect(outcome.output.contains("KSM runs                      2s       never\n"))
        #expect(
            outcome.output.hasSuffix(
                """

                TIME        FREE  COMMITTED  present   other.conf
                0:00:00  9.0 GiB      0 KiB  stop      stop
                0:00:01    1 KiB      0 KiB  scan 300  stop
                0:00:02    1 KiB      0 KiB  scan 600  stop

                Note: KSM_MONITOR_INTERVAL of ROOT/other.conf (60 s) is longer than all the samples hold, so it decides \
                by the first one only

                """))
    }

    @Test(arguments: ["KSM_POLICY=adaptive\n", "KSM_NPAGES_MIN=x\n"])
    func `Where the present configuration cannot be replayed, the other one stands alone`(_ present: String)
        async throws
    {
        let outcome = try await Self.simulate(Self.host(present))
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("FREE  COMMITTED  other.conf\n"))
        #expect(
            outcome.output.contains("Note: the trace does not hold what was decided, and the host's configuration "))
    }

    // MARK: JSON

    @Test func `JSON is as the schema says`() async throws {
        let schema = try JSONSchema("simulate")
        let host = Self.host(other: "KSM_THRES_COEF=30\n")
        try Self.writeHistory(host)
        for trace in ["day.csv", nil] {
            let outcome = try await Self.simulate(host, ["--json", "--all"], trace: trace)
            #expect(outcome.status == 0)
            #expect(schema.problems(outcome.output) == [])
        }
        let history = try await Self.simulate(host, ["--json"], trace: nil).output
        #expect(history.contains("\"pages_scanned_counted\" : 4938268"))
        #expect(history.contains("\"pages_scanned_estimate\" : 3375000"))
        #expect(history.contains("\"start_seconds\" : 1795255200"))
        host.write("KSM_POLICY=advisor\n", to: "other.conf")
        host.write("time_seconds,free_kib,committed_kib\n7,0,0\n", to: "day.csv")
        let one = try await Self.simulate(host, ["--json"])
        #expect(schema.problems(one.output) == [])
        #expect(one.output.contains("there is one sample only, so no time passes in it"))
    }

    // MARK: The picture

    @Test func `A picture is written beside the text, or instead of it`() async throws {
        let host = Self.host(other: "KSM_THRES_COEF=30\n")
        let outcome = try await Self.simulate(host, ["--svg", host.path("day.svg")])
        #expect(outcome.output.hasPrefix("5 samples of "))
        let picture = try #require(host.read("day.svg"))
        #expect(picture.contains("<svg"))
        #expect(picture.contains("threshold, other.conf"))
        #expect(picture.contains("KSM runs, present"))
        let printed = try await Self.simulate(host, ["--svg=-"])
        #expect(printed.output == picture.replacingOccurrences(of: host.root.path, with: "ROOT"))
        let both = try await Self.simulate(host, ["--svg=-", "--json"])
        #expect(both.status == 64)
        #expect(both.error == "ksmctl: --svg - and --json both want standard output: give --svg a file\n")
    }

    @Test func `A threshold that both have is drawn once, and where nothing runs there is a picture, too`() async throws
    {
        let host = Self.host()
        let same = try await Self.simulate(host, ["--svg=-"]).output
        #expect(same.contains(">threshold<"))
        #expect(!same.contains("threshold, "))
        host.write(Self.byHand.replacingOccurrences(of: "2097152", with: "9437184"), to: "day.csv")
        let idle = try await Self.simulate(host, ["--svg=-"])
        #expect(idle.status == 0)
        #expect(idle.output.hasSuffix("</svg>\n"))
    }

    // MARK: Errors

    @Test func `A bad trace is reported with every place`() async throws {
        let trace = "time_seconds,free_kib,committed_kib\n0,9 GiB,1\n60,1,\n"
        let outcome = try await Self.simulate(Self.host(trace: trace))
        #expect(outcome.status == 65)
        #expect(outcome.output == "")
        #expect(
            outcome.error == """
                ROOT/day.csv:2:3: error: free_kib=9 GiB is no whole number of 0 or more; write it in decimal digits, \
                without a unit
                ROOT/day.csv:3:6: error: committed_kib is empty; write its value

                """)
    }

    @Test func `Standard input is a trace, too`() async throws {
        let outcome = try await Self.simulate(Self.host(), trace: "-")
        #expect(outcome.status == 65)
        #expect(outcome.error.hasPrefix("standard input:1:1: error: there is nothing in it; write the names"))
    }

    @Test func `A trace that cannot be read`() async throws {
        let host = Self.host()
        let missing = try await Self.simulate(host, trace: "none.csv")
        #expect(missing.status == 65)
        #expect(
            missing.error
                == "ksmctl: cannot read ROOT/none.csv: No such file or directory: name a trace that can be read\n")
        #expect(try await Self.simulate(host, trace: "etc").error.contains("Is a directory"))
    }

    @Test func `Without a history it says where one comes from`() async throws {
        let outcome = try await Self.simulate(Self.host(), trace: nil)
        #expect(outcome.status == 69)
        #expect(
            outcome.error == """
                ksmctl: there is no history in ROOT/var/lib/ksmtuned/history: the daemon keeps one, a record for \
                each decision; start it (systemctl start ksmtuned), or give the samples of another host with --trace

                """)
        let damaged = Self.host()
        damaged.write("no ring", to: "var/lib/ksmtuned/history")
        #expect(try await Self.simulate(damaged, trace: nil).status == 65)
    }

    @Test func `The other configuration's errors are those of check-config`() async throws {
        let outcome = try await Self.simulate(Self.host(other: "KSM_NPAGES_MIN=x\nKSM_NPAGES_MAX=y\n"))
        #expect(outcome.status == 78)
        #expect(outcome.output == "")
        #expect(outcome.error.split(separator: "\n").count == 2)
        #expect(outcome.error.hasPrefix("ROOT/other.conf:1:1: error: KSM_NPAGES_MIN=x is not a decimal integer"))
        let host = Self.host()
        host.remove("other.conf")
        let missing = try await Self.simulate(host)
        #expect(missing.status == 78)
        #expect(missing.error.contains("cannot read ROOT/other.conf: No such file or directory"))
    }

    @Test func `The adaptive policy cannot be replayed`() async throws {
        let outcome = try await Self.simulate(Self.host(other: "KSM_POLICY=adaptive\n"))
        #expect(outcome.status == 78)
        #expect(
            outcome.error == """
                ksmctl: ROOT/other.conf has KSM_POLICY=adaptive, which cannot be replayed: it goes by what ksmd finds when \
                it scans, and samples recorded under other decisions do not hold that; classic can be replayed, and of \
                advisor when it starts and stops KSM

                """)
    }

    @Test func `Without the memory of this host a trace must name that of its own`() async throws {
        let host = Self.host()
        host.remove("proc")
        #expect(try await Self.simulate(host).error.contains("there is no column total_kib"))
    }
}
