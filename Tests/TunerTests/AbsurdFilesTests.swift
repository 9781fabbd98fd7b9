import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

private struct Reader: StepObserver {
    var sentences = 0
    mutating func willApply(_ decision: Decision, guests: Int) { sentences += decision.sentence.isEmpty ? 0 : 1 }
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {
        _ = DebugLines.beforeWriting(decision) + [DebugLines.afterWriting(decision)]
        if let pass = decision.scan?.ended { _ = DebugLines.pass(pass) }
    }
    mutating func report(_ notice: Notice) { _ = notice.description }
}

/// Numbers come from files that the kernel, an administrator or nobody knows who wrote, and none may end the daemon.
@Suite struct AbsurdFilesTests {
    static let values = [
        "0", "-1", "2147483648", "4294967296", "9223372036854775807", "18446744073709551615", "99999999999999999999",
        "-9223372036854775808", "", "x",
    ]

    struct File: Sendable {
        var path: String
        /// The text around the number.
        var text: @Sendable (String) -> String
    }

    private static let lines = [
        "MemTotal", "MemFree", "Buffers", "Cached", "MemAvailable", "SwapFree", "SwapTotal", "Zswap", "Zswapped",
    ]

    /// Each file that the daemon reads.
    static let files: [File] = {
        var files: [File] = []
        for name in lines {
            files.append(
                File(path: "proc/meminfo") { meminfo.replacing("\(name): 8388608 kB", with: "\(name): \($0) kB") })
        }
        for file in KSMFile.allCases { files.append(File(path: "sys/kernel/mm/ksm/\(file.name)") { $0 + "\n" }) }
        files.append(File(path: "sys/kernel/mm/ksm/advisor_mode") { "[\($0)]\n" })
        files.append(File(path: "proc/100/statm") { "\($0) \($0) 1 1 0 1 0\n" })
        files.append(File(path: "proc/100/statm") { "10 \($0) 1 1 0 1 0\n" })
        files.append(
            File(path: "proc/100/stat") { number in
                "100 (q) S " + Array(repeating: number, count: 40).joined(separator: " ") + "\n"
            })
        files.append(File(path: "proc/100/comm") { "qemu-kvm\($0)\n" })
        files.append(File(path: "proc/100/ksm_merging_pages") { $0 + "\n" })
        files.append(File(path: "proc/100/smaps_rollup") { "Pss: \($0) kB\n" })
        files.append(File(path: "proc/100/cmdline") { "qemu-system-\($0)\0" })
        files.append(File(path: "proc/9/schedstat") { "\($0) \($0) 1\n" })
        files.append(File(path: "proc/vmstat") { "a 1\ncow_ksm \($0)\n" })
        files.append(File(path: "proc/pressure/cpu") { "some avg10=0 avg60=0 avg300=0 total=\($0)\n" })
        return files
    }()

    static let meminfo = lines.map { "\($0): 8388608 kB\n" }.joined()

    private func makeHost() -> FakeHost {
        let host = FakeHost()
        for file in KSMFile.allCases where file != .advisorMode {
            host.write("1\n", to: "sys/kernel/mm/ksm/\(file.name)")
        }
        host.write("[none] scan-time\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.write(Self.meminfo, to: "proc/meminfo")
        host.setProcess(9, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/9/statm")
        host.write("1000 1000 1\n", to: "proc/9/schedstat")
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        return host
    }

    struct Run: CustomTestStringConvertible, Sendable {
        var policy: PolicyKind
        var metric = GuestMetric.rsz
        var freeMetric = FreeMetric.cached

        var testDescription: String { "\(policy), \(metric), \(freeMetric)" }
    }

    @Test(arguments: [
        Run(policy: .classic, metric: .rsz, freeMetric: .available), Run(policy: .classic, metric: .pss),
        Run(policy: .classic, metric: .unmerged),
        Run(policy: .classic, metric: .residentAndSwap, freeMetric: .availableAndCache),
        Run(policy: .adaptive), Run(policy: .advisor),
    ])
    func `No number in any file ends a tick`(_ run: Run) throws {
        let host = makeHost()
        var configuration = Configuration()
        configuration.policy = run.policy
        configuration.guestMetric = run.metric
        configuration.freeMetric = run.freeMetric
        configuration.adaptiveStart = .threshold
        configuration.maxPageSharing = 512
        configuration.useZeroPages = .yes
        configuration.allowsUnmerge = true
        let policy = try ClassicPolicy(configuration, total: KiB(8_388_608))
        for file in Self.files {
            let path = file.path
            let healthy = host.read(path)
            // One daemon sees all values of a file, one after the other, as counters that jump.
            var tuner = try Tuner(
                host.paths, control: KSMDirectory(host.paths), configuration: configuration, policy: policy)
            var reader = Reader()
            var now: Int64 = 0
            func step() {
                now += 11_000_000_000
                if let (decision, guests) = tuner.step(at: Instant(nanoseconds: now), &reader) {
                    _ = tuner.historyRecord(decision, guests: guests, time: WallTime(microseconds: now))
                    var state = StateRecord(pid: 1)
                    state.report = StateRecord.Report(
                        decision, time: WallTime(microseconds: now), pause: decision.pause, guests: Int64(guests),
                        saved: tuner.saved, sentence: decision.sentence)
                    #expect(StateRecord(parsing: state.text) != nil)
                }
                while tuner.pending != nil { tuner.finishPending(&reader) }
            }
            step()
            for value in Self.values {
                host.write(file.text(value), to: path)
                tuner.request()
                step()
                tuner.applyKnobs(&reader)
                while tuner.pending != nil { tuner.finishPending(&reader) }
                step()
            }
            if let healthy { host.write(healthy, to: path) } else { host.remove(path) }
            step()
            #expect(reader.sentences > 0, "\(path) is read again")
            _ = tuner.leave(found: KnobValues(run: 0, pagesToScan: 100, sleepMilliseconds: 20), &reader)
        }
    }

    @Test func `No number in a state file ends its reader, nor the end that restores it`() throws {
        let keys = String(decoding: StateRecord.everything.text, as: UTF8.self).split(separator: "\n")
            .compactMap { $0.split(separator: "=").first }
        let host = makeHost()
        var configuration = Configuration()
        configuration.onExit = .restore
        let policy = try ClassicPolicy(configuration, total: KiB(8_388_608))
        for key in keys {
            for value in Self.values {
                let whole = String(decoding: StateRecord.everything.text, as: UTF8.self).split(separator: "\n")
                let text = whole.map { $0.hasPrefix("\(key)=") ? "\(key)=\(value)" : String($0) }
                guard let state = StateRecord(parsing: Array(text.joined(separator: "\n").utf8)) else { continue }
                _ = state.text
                _ = state.report?.decision.sentence
                var tuner = try Tuner(
                    host.paths, control: KSMDirectory(host.paths), configuration: configuration, policy: policy,
                    foundKnobs: state.foundKnobs)
                var reader = Reader()
                tuner.putBackKnobs(&reader)
                _ = tuner.leave(found: state.found, &reader)
            }
        }
    }

    @Test func `No number in a record ends who writes or reads the history`() throws {
        let host = FakeHost()
        let numbers: [Int64] = [0, -1, 1 << 31, 1 << 32, .max, .min]
        let records = numbers.map { number in
            var record = HistoryRecord(
                time: WallTime(microseconds: number),
                memory: MemorySample(free: KiB(number), committed: KiB(number)), total: KiB(number))
            record.pagesToScan = number
            record.sleepMilliseconds = number
            record.guests = number
            record.saved = KiB(number)
            record.profit = Bytes(number)
            var counters = ScanCounters()
            counters.passes = number
            counters.sharing = Pages(number)
            counters.zero = Pages(number)
            counters.cpu = .nanoseconds(number)
            record.counters = counters
            return record
        }
        host.writeHistory(records)
        // Of what is below 0, as no daemon wrote it, each record counts as damaged.
        #expect(try HistoryReader.read(host.paths.history) == records.filter { $0.guests >= 0 })
    }
}

extension StateRecord {
    /// One that holds every line.
    fileprivate static var everything: StateRecord {
        let order = AdvisorPolicy.Order(
            scanTime: .seconds(200), cpuMaximumPercent: 70, pagesMinimum: 500, pagesMaximum: 30_000)
        var knobs = KnobSettings()
        for knob in Knob.allCases { knobs[knob] = 1 }
        var state = StateRecord(
            pid: 1, found: KnobValues(run: 1, pagesToScan: 2, sleepMilliseconds: 3, advisorMode: .scanTime),
            foundKnobs: knobs)
        state.found.advisor.scanTimeSeconds = 200
        state.found.advisor.cpuMaximumPercent = 70
        state.found.advisor.pagesMinimum = 500
        state.found.advisor.pagesMaximum = 30_000
        var decision = Decision(
            action: .scan, reason: .newMemory, pagesToScan: 1, sleepMilliseconds: 1,
            memory: MemorySample(free: KiB(1), committed: KiB(1)), total: KiB(1), threshold: KiB(1),
            previousPagesToScan: 1)
        decision.scan = ScanReport(unscanned: KiB(1), changed: KiB(1))
        decision.scan?.cpuShare = 0.5
        decision.advisor = order
        state.report = Report(
            decision, time: WallTime(microseconds: 1), pause: .seconds(1), guests: 1, saved: KiB(1),
            sentence: decision.sentence)
        return state
    }
}
