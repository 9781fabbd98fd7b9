import HostKernel
import KSMAnalysis
import KSMPolicy

extension FuzzTarget {
    static var configurations: [FuzzTarget] {
        var targets: [FuzzTarget] = []
        targets.append(FuzzTarget("configuration", longest: 65536) { { try readConfiguration($0) } })
        targets.append(
            FuzzTarget("configuration-files", longest: 8192) {
                let tree = Tree([
                    ("etc/ksmtuned.conf", ""), ("etc/ksmtuned.conf.d/10-a.conf", ""),
                    ("etc/ksmtuned.conf.d/20-b.conf", ""),
                ])
                return { input in
                    tree.fill(input)
                    let files = ConfigurationFiles(tree.paths)
                    for total in [KiB?.none, KiB(16 << 20), KiB(1)] {
                        let loaded = files.load(total: total)
                        try requireSense(loaded.values, loaded.diagnostics)
                    }
                }
            })
        targets.append(
            FuzzTarget("pattern", longest: 512) {
                { input in
                    let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
                    let text = String(decoding: parts[0], as: UTF8.self)
                    do throws(Pattern.Refusal) {
                        let pattern = try Pattern(text)
                        // As a name of a process: 15 bytes, and none of them zero.
                        let name = Array((parts.count > 1 ? parts[1] : parts[0]).prefix(15).filter { $0 != 0 })
                        _ = pattern.matches(name.span)
                    } catch {
                        try require(!error.reason.isEmpty, "it is refused without a reason")
                        try requirePrintable(error.reason)
                    }
                }
            })
        targets.append(
            FuzzTarget("pressure-threshold", longest: 128) {
                { input in
                    let text = String(decoding: input, as: UTF8.self)
                    guard let threshold = try? PressureThreshold(parsing: text) else { return }
                    try require(
                        threshold.stall > .zero && threshold.stall <= threshold.window, "the kernel would refuse it")
                    _ = threshold.withUnprivilegedWindow?.trigger
                }
            })
        targets.append(
            FuzzTarget("amounts", longest: 128) {
                { input in
                    let text = String(decoding: input, as: UTF8.self)
                    if let interval = try? Interval.parse(text) {
                        try require(interval >= Interval.shortest, "it is shorter than the shortest")
                        try require(!Interval.text(interval).isEmpty, "it has no text")
                    }
                    if let number = try? DecimalInteger.parse(text) {
                        try require(try DecimalInteger.parse("\(number)") == number, "it is not read back")
                    }
                    _ = try? GuestGroup(parsing: text)
                }
            })
        return targets
    }

    private static func readConfiguration(_ input: [UInt8]) throws {
        let origin = Assignment(name: "HOME", value: "/root", origin: .environment)
        var parser = AssignmentParser(environment: [origin])
        // A file that ends anywhere, and goes on in the next.
        let half = input.firstIndex(of: 0) ?? input.count
        parser.read(Array(input[..<half]), from: "a.conf")
        parser.read(Array(input[min(half + 1, input.count)...]), from: "b.conf")
        for total in [KiB(16 << 20), KiB(1), KiB(.max)] {
            let values = SettingValues(parser.assignments, total: total)
            var diagnostics = parser.diagnostics
            let configuration = Configuration(values, total: total, diagnostics: &diagnostics)
            try requireSense(values, diagnostics)
            if diagnostics.contains(where: { $0.severity == .error }) { continue }
            try requireDecisions(configuration, total: total)
        }
    }

    private static func requireSense(_ values: SettingValues, _ diagnostics: [Diagnostic]) throws {
        for diagnostic in diagnostics {
            let line = diagnostic.description
            try requirePrintable(line)
            try require(!line.contains("\n"), "a message has two lines")
            try require(line.utf8.count <= 4096, "a message of \(line.utf8.count) bytes")
        }
        try require(diagnostics.count <= 300, "\(diagnostics.count) messages")
        for setting in Setting.allCases {
            try require(
                values[setting].text.utf8.count <= ConfigurationBounds.value, "a value of \(setting.name) is too long")
        }
    }

    /// Whatever may be configured, the kernel is given what its files take.
    static func requireDecisions(_ configuration: Configuration, total: KiB) throws {
        guard let policy = try? ClassicPolicy(configuration, total: total) else { return }
        var previous: Int64 = 0
        for free in [KiB.zero, total, KiB(total.count / 2), .zero] {
            let decision = policy.decide(MemorySample(free: free, committed: total), previous: previous)
            try requireSense(decision)
            previous = decision.pagesToScan
        }
    }

    static func requireSense(_ decision: Decision) throws {
        // By the advisor policy they are what the kernel's files say, and are not written.
        if decision.policy != .advisor {
            let (pages, sleep) = (decision.pagesToScan, decision.sleepMilliseconds)
            try require((0...Int64(UInt32.max)).contains(pages), "pages_to_scan would be \(pages)")
            try require((0...Int64(UInt32.max)).contains(sleep), "sleep_millisecs would be \(sleep)")
        }
        try require(decision.pause ?? .zero >= .zero, "the next decision would come before this one")
        try require(!decision.sentence.isEmpty, "nothing is said")
        try requirePrintable(decision.sentence)
    }
}
