import HostFixtures
import KSMAnalysis
import KSMPolicy
import Testing

private func parse(_ text: String, total: Int64? = 16_777_216) throws(BadTrace) -> Trace {
    try TraceFile.parse(Array(text.utf8), named: "day.csv", total: total.map { KiB($0) })
}

/// What is wrong with a text, as it is printed.
private func errors(_ text: String, total: Int64? = 16_777_216) -> [String] {
    do throws(BadTrace) {
        _ = try parse(text, total: total)
        return []
    } catch {
        return error.diagnostics.map { $0.description }
    }
}

@Suite struct TraceFileTests {
    @Test func `Three columns are enough`() throws {
        let trace = try parse("time_seconds,free_kib,committed_kib\n0,9437184,4194304\n60.5,3145728,12582912\n")
        #expect(!trace.hasActions)
        #expect(!trace.hasPace)
        #expect(
            trace.records == [
                HistoryRecord(
                    time: 0, memory: MemorySample(free: KiB(9_437_184), committed: KiB(4_194_304)),
                    total: KiB(16_777_216)),
                HistoryRecord(
                    time: 60_500_000, memory: MemorySample(free: KiB(3_145_728), committed: KiB(12_582_912)),
                    total: KiB(16_777_216)),
            ])
    }

    @Test func `Columns in any order, with comments, blanks, quotes, CRLF, unknown ones and no final newline`() throws {
        let trace = try parse(
            "\u{FEFF}# a quiet day\r\n\r\n \"committed_kib\" , note,free_kib,total_kib,time_seconds\r\n"
                + "  # at night\r\n5, it is mine , \"7\" ,100, 1.25\r\n6,,8,,2")
        #expect(trace.records.map { $0.time } == [1_250_000, 2_000_000])
        #expect(trace.records.map { $0.memory.committed } == [KiB(5), KiB(6)])
        #expect(trace.records.map { $0.memory.free } == [KiB(7), KiB(8)])
        #expect(trace.records.map { $0.total } == [KiB(100), KiB(16_777_216)])
    }

    @Test func `What was decided is in its columns`() throws {
        let names = "time_seconds,free_kib,committed_kib,action"
        let trace = try parse(
            "\(names),pages_to_scan,sleep_millisecs,reason,policy\n1,2,3,scan,600,20,easing,advisor\n")
        #expect(trace.hasActions)
        #expect(trace.hasPace)
        let record = try #require(trace.records.first)
        #expect(record.action == .scan)
        #expect(record.pagesToScan == 600)
        #expect(record.sleepMilliseconds == 20)
        #expect(record.reason == .easing)
        #expect(record.policy == .advisor)
        #expect(try !parse("\(names)\n1,2,3,stop\n").hasPace)
    }

    @Test func `Times are counted to the microsecond, and CPU time to the nanosecond`() throws {
        let trace = try parse(
            "time_seconds,free_kib,committed_kib,ksmd_cpu_seconds\n1700000000.1234567,1,1,3.5\n1700000001,1,1,\n")
        #expect(trace.records.map { $0.time } == [1_700_000_000_123_456, 1_700_000_001_000_000])
        #expect(trace.records.map { $0.counters?.cpu } == [.milliseconds(3500), nil])
    }

    @Test func `A daemon that ran on while the clock was set to 1970 recorded times below 0`() throws {
        let trace = try parse("time_seconds,free_kib,committed_kib\n-60.5,1,1\n-0.000001,1,1\n1700000000,1,1\n")
        #expect(trace.records.map { $0.time } == [-60_500_000, -1, 1_700_000_000_000_000])
        let row = TraceFile.row(try #require(trace.records.first))
        #expect(try parse(TraceFile.header + "\n" + row).records.map { $0.time } == [-60_500_000])
        for wrong in ["-", "--1", "-.5", "1-"] {
            let error = errors("time_seconds,free_kib,committed_kib\n\(wrong),1,1\n")[0]
            #expect(error.contains("is no number of seconds"))
        }
    }

    @Test func `A line has all columns in the order of the header`() {
        #expect(
            TraceFile.header
                == "time_seconds,free_kib,committed_kib,total_kib,available_kib,guests,policy,action,reason,"
                + "pages_to_scan,sleep_millisecs,threshold_kib,saved_kib,profit_bytes,full_scans,pages_shared,pages_sharing,"
                + "pages_unshared,pages_volatile,ksm_zero_pages,pages_skipped,pages_scanned,ksmd_cpu_seconds")
        var record = HistoryRecord(
            time: 1_700_000_000_000_042, memory: MemorySample(free: KiB(1), committed: KiB(2)), total: KiB(3),
            threshold: KiB(4))
        #expect(TraceFile.row(record) == "1700000000.000042,1,2,3,,0,classic,stop,plenty,0,0,4,,,,,,,,,,,")
        record.policy = .adaptive
        record.action = .scan
        record.reason = .newMemory
        record.available = KiB(5)
        record.saved = KiB(6)
        record.profit = Bytes(-7)
        var counters = ScanCounters()
        counters.passes = 8
        counters.skipped = Pages(9)
        counters.cpu = .nanoseconds(10_000_000_011)
        record.counters = counters
        #expect(
            TraceFile.row(record)
                == "1700000000.000042,1,2,3,5,0,adaptive,scan,new-memory,0,0,4,6,-7,8,0,0,0,0,0,9,0,10.000000011")
    }

    @Test(arguments: Seed.all)
    func `What is written is read back`(_ seed: Seed) throws {
        var generator = SeededGenerator(seed: seed.value)
        func number() -> Int64 { max(generator.amount(), 0) }
        func maybe<T>(_ value: T) -> T? { Bool.random(using: &generator) ? value : nil }
        var time = Int64.random(in: 0...1 << 51, using: &generator)
        var records: [HistoryRecord] = []
        for _ in 0..<50 {
            var record = HistoryRecord(
                time: WallTime(microseconds: time), memory: MemorySample(free: KiB(number()), committed: KiB(number())),
                total: KiB(max(number(), 1)), threshold: KiB(number()))
            time += Int64.random(in: 1...1 << 40, using: &generator)
            record.policy = generator.pick(PolicyKind.allCases)
            record.action = generator.pick([.stop, .scan])
            record.reason = generator.pick(Decision.Reason.allCases)
            record.available = maybe(KiB(number()))
            record.guests = number()
            record.pagesToScan = number()
            record.sleepMilliseconds = number()
            record.saved = maybe(KiB(number()))
            record.profit = maybe(Bytes(generator.amount()))
            if Bool.random(using: &generator) {
                var counters = ScanCounters()
                counters.passes = number()
                counters.shared = Pages(number())
                counters.sharing = Pages(number())
                counters.unshared = Pages(number())
                counters.volatile = Pages(number())
                counters.zero = Pages(number())
                counters.skipped = Pages(number())
                counters.scanned = Pages(number())
                counters.cpu = maybe(.nanoseconds(number()))
                record.counters = counters
            }
            records.append(record)
        }
        let text = ([TraceFile.header] + records.map { TraceFile.row($0) }).joined(separator: "\n")
        let trace = try parse(text, total: nil)
        #expect(trace.records == records)
        #expect(trace.hasActions && trace.hasPace)
        #expect(trace.records.map { TraceFile.row($0) } == records.map { TraceFile.row($0) })
    }

    // MARK: Errors

    private static let names = "time_seconds,free_kib,committed_kib"

    @Test(arguments: [
        ("", 1, 1, "there is nothing in it"),
        ("# a comment\n", 1, 1, "there is nothing in it"),
        ("\(names)\n", 1, 1, "there is no sample below the names of the columns"),
        ("0,1,2\n", 1, 1, "there is no column time_seconds, free_kib, committed_kib"),
        ("time_seconds,free_kib\n0,1\n", 1, 1, "there is no column committed_kib"),
        ("\(names),free_kib\n0,1,2,3\n", 1, 37, "the column free_kib stands here a second time"),
        ("\(names)\n0,1\n", 2, 3, "the line has 2 fields where the first one names 3 columns"),
        ("\(names)\n0,1,2,3\n", 2, 7, "the line has 4 fields where the first one names 3 columns"),
        ("\(names)\n0,,2\n", 2, 3, "free_kib is empty"),
        ("\(names)\n0, 1 GiB,2\n", 2, 4, "free_kib=1 GiB is no whole number of 0 or more"),
        ("\(names)\n0,-1,2\n", 2, 3, "free_kib=-1 is no whole number of 0 or more"),
        ("\(names)\n0,9223372036854775808,2\n", 2, 3, "free_kib=9223372036854775808 is beyond 64 bits"),
        ("\(names)\n\n12:00,1,2\n", 3, 1, "time_seconds=12:00 is no number of seconds"),
        ("\(names)\n9223372036855,1,2\n", 2, 1, "time_seconds=9223372036855 is beyond 64 bits"),
        ("\(names)\n5,1,2\n5,1,2\n", 3, 1, "time_seconds does not rise: the sample before is of the same time"),
        ("\(names),total_kib\n5,1,2,0\n", 2, 7, "total_kib is 0"),
        ("\(names),action\n5,1,2,\n", 2, 7, "action is empty"),
        ("\(names),action\n5,1,2,start\n", 2, 7, "start is no action"),
        ("\(names),policy\n5,1,2,mine\n", 2, 7, "mine is no policy"),
        ("\(names),reason\n5,1,2,why\n", 2, 7, "why is no reason"),
        ("\(names),ksmd_cpu_seconds\n5,1,2,-1\n", 2, 7, "ksmd_cpu_seconds=-1 is no number of seconds"),
    ])
    func `A bad line is reported with its place`(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
        let found = errors(text)
        #expect(found.count == 1)
        #expect(try #require(found.first).hasPrefix("day.csv:\(line):\(column): error: \(message)"))
        #expect(found[0].contains("; "), "it says what to write")
    }

    @Test func `A clock that was set back, as at a reboot, is a gap`() throws {
        let trace = try parse("\(Self.names)\n0,1,2\n60,1,2\n20,1,2\n80,1,2\n", total: 4)
        #expect(trace.records.map { $0.time.wholeSeconds } == [0, 60, 20, 80])
        #expect(Timeline(trace.records).beginnings == [true, false, true, false])
    }

    @Test func `All errors are reported at once, at most 20`() {
        let rows = (0..<30).map { "\($0),x,1" }.joined(separator: "\n")
        #expect(errors("\(Self.names)\n\(rows)\n").count == 20)
        #expect(errors("\(Self.names)\n0,x,y\n1,z,2\n").count == 3)
    }

    @Test func `Too many samples and too long a line are errors`() throws {
        let rows = (0..<5).map { "\($0),1,1" }.joined(separator: "\n")
        let text = Array("\(Self.names)\n\(rows)\n".utf8)
        #expect(try TraceFile.parse(text, named: "day.csv", total: KiB(1), most: 5).records.count == 5)
        #expect(throws: BadTrace.self) { try TraceFile.parse(text, named: "day.csv", total: KiB(1), most: 4) }
        do {
            _ = try TraceFile.parse(text, named: "day.csv", total: KiB(1), most: 4)
        } catch {
            #expect(
                error.diagnostics.map { $0.description } == [
                    "day.csv:6:1: error: there are more than 4 samples; cut the trace into parts"
                ])
        }
        #expect(TraceFile.mostSamples == 1_000_000)
        let commas = String(repeating: ",", count: 65_537)
        for text in [commas, "\(Self.names)\n\(commas)\n"] {
            #expect(
                errors(text).map { $0.drop { $0 != " " } } == [
                    " error: the line has 65537 bytes, more than 65536; write one sample on each line"
                ])
        }
    }

    /// Swift sorts the marks behind a letter to compare two texts, in a time that grows with the square of their number.
    @Test func `Fields of as many marks as a line has room for are no names and no words`() {
        let marked = "a" + String(repeating: "\u{301}\u{316}", count: 16_000)
        #expect(errors(marked).count == 1)
        let names = "time_seconds,free_kib,committed_kib,policy,action,reason\n"
        for (column, what) in [(0, "policy"), (1, "action"), (2, "reason")] {
            var words = ["classic", "stop", "plenty"]
            words[column] = marked
            let rows = (0..<20).map { "\($0),1,1,\(words.joined(separator: ","))\n" }.joined()
            let errors = errors(names + rows)
            #expect(errors.count == 20)
            #expect(errors.allSatisfy { $0.contains("is no \(what)") })
        }
    }

    @Test func `Semicolons are reported as such`() {
        #expect(errors("time_seconds;free_kib;committed_kib\n0;1;2\n")[0].hasSuffix("; separate the columns by commas"))
    }

    @Test func `Without the memory of a host the trace must have it`() throws {
        #expect(errors("\(Self.names)\n0,1,2\n", total: nil)[0].contains("there is no column total_kib"))
        #expect(errors("\(Self.names),total_kib\n0,1,2,\n", total: nil)[0].contains("total_kib is empty"))
        #expect(try parse("\(Self.names),total_kib\n0,1,2,100\n", total: nil).records[0].total == KiB(100))
    }

    @Test func `Hostile text ends in errors`() {
        var generator = SeededGenerator(seed: 7)
        let pieces = Array("time_seconds,free_kib,committed_kib\n\r\"#,;.-0189\u{0}\u{FF}".utf8)
        for _ in 0..<2000 {
            var text = Bool.random(using: &generator) ? Array("\(Self.names)\n".utf8) : []
            for _ in 0..<Int.random(in: 0..<60, using: &generator) { text.append(generator.pick(pieces)) }
            _ = try? TraceFile.parse(text, named: "x", total: KiB(1))
        }
    }
}
