import HostFixtures
import HostKernel
import KSMAnalysis
import KSMPolicy
import Tuner

extension FuzzTarget {
    /// Whole ticks of a daemon on a host whose files say anything.
    ///
    /// The input is a life: `@path` with the text that the file has from then on, and between them `@step`, with the
    /// milliseconds until it in its text, `@request`, `@pressure`, `@event` with a message of the kernel, and `@reload`
    /// with the text of a configuration.
    static var ticks: [FuzzTarget] {
        PolicyKind.allCases.map { kind in
            FuzzTarget("tick-\(kind.word)", longest: 8192) {
                let tree = Tree(host)
                return { input in try live(kind, tree, input) }
            }
        }
    }

    private static var host: [(path: String, text: String)] {
        var files = kernel
        files.append(("proc/meminfo", meminfo))
        files.append(("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"))
        files.append(("proc/spl/kstat/zfs/arcstats", "size 4 1048576\nc_min 4 1024\nc_max 4 2097152\n"))
        for pid in [100, 101] {
            files.append(("proc/\(pid)/comm", "qemu-kvm\n"))
            files.append(("proc/\(pid)/statm", "2000000 1000000 1 1 0 1 0\n"))
            let fields = "S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 9 0 777 8000 4000"
            files.append(("proc/\(pid)/stat", "\(pid) (qemu-kvm) \(fields)\n"))
            files.append(("proc/\(pid)/status", "Tgid:\t\(pid)\nVmSwap:\t0 kB\n"))
            files.append(("proc/\(pid)/cmdline", "qemu-kvm\0"))
        }
        return files
    }

    private static let meminfo = """
        MemTotal:       16777216 kB
        MemFree:         1048576 kB
        MemAvailable:    2097152 kB
        Buffers:            1024 kB
        Cached:           524288 kB
        SwapTotal:       4194304 kB
        SwapFree:        4194304 kB

        """

    private static func live(_ kind: PolicyKind, _ tree: Tree, _ input: [UInt8]) throws {
        tree.reset()
        var configuration = Configuration()
        configuration.policy = kind
        let total = KiB(16 << 20)
        var observer = Listener()
        var tuner = try Tuner(
            tree.paths, control: TreeControl(tree.paths), configuration: configuration,
            policy: try ClassicPolicy(configuration, total: total))
        var now: Int64 = 1_000_000_000
        var steps = 0
        var atOnce = 0
        for section in Sections(input).all {
            switch section.name {
            case "step":
                // A life of more steps tells nothing that a shorter one does not.
                steps += 1
                guard steps <= 64 else { return }
                let text = String(decoding: section.text.prefix { $0.isDigit }, as: UTF8.self)
                now += min(max(Int64(text) ?? 60_000, 0), 1 << 40) * 1_000_000
                if let (decision, guests) = tuner.decide(at: Instant(nanoseconds: now), &observer) {
                    tuner.follow(decision, guests: guests, at: Instant(nanoseconds: now), &observer)
                    try check(decision, guests, tuner, configuration, now)
                    // Now and then a policy looks once more at once, at what it had not asked for.
                    atOnce = decision.pause == .zero ? atOnce + 1 : 0
                    try require(atOnce < 3, "it decides again and again without a pause")
                }
            case "request": tuner.request()
            case "pressure": tuner.memoryIsShort()
            case "event":
                if let event = MachineEvent(parsing: Array(section.text).span) {
                    tuner.machinesChanged(MachineEvents([event]))
                } else {
                    tuner.machinesChanged(MachineEvents(isLossy: true))
                }
            case "reload":
                var parser = AssignmentParser()
                parser.read(Array(section.text), from: "a.conf")
                var diagnostics = parser.diagnostics
                let read = Configuration(
                    SettingValues(parser.assignments, total: total), total: total, diagnostics: &diagnostics)
                guard !diagnostics.contains(where: { $0.severity == .error }),
                    let policy = try? ClassicPolicy(read, total: total)
                else { continue }
                if (try? tuner.adopt(read, policy)) != nil { configuration = read }
                tuner.applyKnobs(&observer)
            default: tree.write(section.text, to: section.name)
            }
        }
        _ = tuner.leave(
            found: KnobValues(run: 0, pagesToScan: 100, sleepMilliseconds: 20), inherited: KSMFileSet(), &observer)
        if let broken = observer.broken { throw broken }
    }

    private static func check(
        _ decision: Decision, _ guests: Int, _ tuner: borrowing Tuner<TreeControl>,
        _ configuration: Configuration, _ now: Int64
    ) throws {
        try requireSense(decision)
        let time = WallTime(microseconds: now / 1000)
        let record = tuner.historyRecord(decision, guests: guests, time: time)
        let bytes = HistoryFormat.bytes(record, sequence: 7)
        try require(HistoryFormat.record(bytes.span)?.record == record, "the record reads back as another")
        var state = StateRecord(pid: 7)
        state.report = StateRecord.Report(
            decision, time: time, pause: decision.pause, guests: Int64(guests), saved: tuner.saved,
            sentence: decision.sentence)
        guard let read = StateRecord(parsing: state.text) else {
            throw BrokenProperty(description: "the state is not read back")
        }
        try require(
            read.report?.sentence == decision.sentence,
            "the sentence is another: \(String(describing: read.report?.sentence))")
        try require(StateRecord(parsing: read.text) == read, "the state reads back as another")
        for step in Explanation(decision, configuration, guests: Int64(guests)).steps {
            try requirePrintable(step.text)
        }
    }
}

/// Hears all that is reported, and that it can be shown.
private struct Listener: StepObserver {
    var broken: BrokenProperty?

    mutating func willApply(_ decision: Decision, guests: Int) {}

    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {
        _ = DebugLines.beforeWriting(decision) + [DebugLines.afterWriting(decision)]
        if let pass = decision.scan?.ended { _ = DebugLines.pass(pass) }
    }

    mutating func report(_ notice: Notice) {
        do { try requirePrintable(notice.description) } catch { broken = broken ?? error as? BrokenProperty }
    }
}

/// Reads a tree's KSM, and takes every write that the kernel would, without a child.
private struct TreeControl: KSMControl {
    private let directory: KSMDirectory

    init(_ paths: HostPaths) { directory = KSMDirectory(paths) }

    var takesEffect: Bool { true }

    func read(_ file: KSMFile) throws(KernelFileError) -> Int64? { try directory.read(file) }

    func readAdvisorMode() throws(KernelFileError) -> AdvisorMode? { try directory.readAdvisorMode() }

    func write(_ text: String, to file: KSMFile) throws(KernelFileError) {
        if file == .advisorMode { return }
        guard let number = Int64(text), (0...Int64(UInt32.max)).contains(number) else {
            fatalError("\(file.name)=\(text) is none of the kernel's values")
        }
    }

    func beginWriting(run value: Int64) throws(KernelFileError) -> ChildWrite? { nil }

    func readKsmd() throws(KernelFileError) -> KsmdState? { nil }

    func schedule(ksmd wanted: Scheduling) throws(KernelFileError) {}
}
