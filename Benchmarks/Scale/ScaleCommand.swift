import ArgumentParser
import Charts
import Foundation
import KSMPolicy

/// `scale`: what each way to drive KSM saves on hosts of 64 GiB to 4 TiB, in simulated time.
@main
struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Policies side by side on simulated hosts of up to terabytes, over a day.",
        discussion: """
            Nothing of this host is touched: KSM is the model that the tests use, and `scale-check` holds the model \
            against the real one. Benchmarks/README.md says what the guests do and what the figures mean.

            policies:
            \(HostPolicy.allCases.map { "  \($0.rawValue): \($0.about)" }.joined(separator: "\n"))
            """)

    @Option(help: "The hosts' memory in GiB, with commas between.")
    var hosts = "64,256,1024,4096"

    @Option(help: "Some of the policies, with commas between (all).")
    var policies: String?

    @Option(help: "The hours that are simulated: more than 1, since the first one is the hosts' start.")
    var hours = 24.0

    @Option(help: "The hours in which as much memory as all guests have is replaced by new guests.")
    var turnover = 24.0

    @Option(help: "Of the random numbers. The same seed gives the same guests.")
    var seed: UInt64 = 1

    @Option(help: "Processors of each host, by which the adaptive policy bounds its share.")
    var cpus = 32

    @Option(help: "Simulations that run at the same time (one for each processor).")
    var jobs: Int?

    @Option(help: "The folder for the results (Benchmarks/results-scale-DATE).")
    var out: String?

    @Flag(help: "The small scenarios instead, in which a law can be tried in seconds. Writes no file.")
    var small = false

    @Option(parsing: .upToNextOption, help: "Some of the small scenarios, by name.")
    var only: [String] = []

    @Flag(name: .shortAndLong, help: "With --small: every change of the law's mind.")
    var verbose = false

    @Option(help: ArgumentHelp("What the model counts for the guests of a JSON file, as CSV.", visibility: .private))
    var model: String?

    func validate() throws {
        guard hours > 1 else { throw ValidationError("--hours \(hours) is too short: it must be more than 1") }
        guard turnover > 0 else { throw ValidationError("--turnover \(turnover) must be more than 0") }
        guard cpus > 0, (jobs ?? 1) > 0 else { throw ValidationError("--cpus and --jobs must be 1 or more") }
        _ = try sizes
        _ = try chosen
        let known = Scenario.all.map(\.name)
        if let unknown = only.first(where: { !known.contains($0) }) {
            throw ValidationError("--only \(unknown) is none of \(known.joined(separator: ", "))")
        }
    }

    private var sizes: [Int64] {
        get throws {
            try hosts.split(separator: ",").map { word in
                guard let size = Int64(word), 4...1 << 20 ~= size else {
                    throw ValidationError("--hosts: \(word) is no number of GiB from 4 to 1048576")
                }
                return size
            }
        }
    }

    private var chosen: [HostPolicy] {
        get throws {
            guard let policies else { return HostPolicy.allCases }
            return try policies.split(separator: ",").map { word in
                guard let policy = HostPolicy(rawValue: String(word)) else {
                    let known = HostPolicy.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("--policies: \(word) is none of \(known)")
                }
                return policy
            }
        }
    }

    func run() async throws {
        if let model {
            let plan = try JSONDecoder().decode(ModelTrace.self, from: Data(contentsOf: URL(fileURLWithPath: model)))
            print(plan.table().csv, terminator: "")
        } else if small || !only.isEmpty {
            print(try Scenario.table(only, isVerbose: verbose).text)
        } else {
            try await simulateHosts()
        }
    }

    private func simulateHosts() async throws {
        let began = ContinuousClock.now
        // The longest first, so that none of them is left alone at the end.
        let pairs = try sizes.sorted(by: >).flatMap { host in try chosen.reversed().map { (host, $0) } }
        let workloads = Dictionary(
            uniqueKeysWithValues: Set(try sizes).map { host in
                (host, HostWorkload(host: host, hours: hours, turnover: turnover, seed: seed))
            })
        for host in try sizes.sorted() {
            let guests = workloads[host]?.guests ?? []
            let newcomers = guests.filter(\.isNewcomer)
            print(
                "\(HostReport.size(host)): \(guests.count - newcomers.count) guests, and \(newcomers.count) newcomers",
                "with \(newcomers.reduce(0) { $0 + $1.gibibytes }) GiB in \(hours) h")
        }
        var outcomes: [HostOutcome] = []
        try await withThrowingTaskGroup(of: HostOutcome?.self) { group in
            var next = 0
            func addTask() {
                guard next < pairs.count, let workload = workloads[pairs[next].0] else { return }
                let policy = pairs[next].1
                next += 1
                group.addTask { [cpus] in
                    var run = try HostRun(policy, workload, cpus: cpus)
                    return run.result()
                }
            }
            for _ in 0..<(jobs ?? ProcessInfo.processInfo.activeProcessorCount) { addTask() }
            while let outcome = try await group.next() {
                if let outcome {
                    outcomes.append(outcome)
                    // On standard error, which is not held back in a pipe.
                    let took = outcome.realSeconds.text(decimals: 0)
                    let line = "\(HostReport.size(outcome.host)), \(outcome.policy.rawValue): \(took) s\n"
                    FileHandle.standardError.write(Data(line.utf8))
                }
                addTask()
            }
        }
        try write(HostReport(outcomes: outcomes))
        let seconds = Int((ContinuousClock.now - began).seconds.rounded())
        print("\nsimulated in \(seconds) s")
    }

    private func write(_ report: HostReport) throws {
        let tables = [report.table, report.growth, report.bar].compactMap { $0 }
        let text = tables.map(\.text).joined(separator: "\n\n") + "\n"
        print("\n" + text, terminator: "")
        let format = DateFormatter()
        format.dateFormat = "yyyy-MM-dd-HHmmss"
        let name = out ?? "Benchmarks/results-scale-\(format.string(from: Date()))"
        let folder = URL(fileURLWithPath: name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var files = [("table.txt", text), ("summary.csv", report.table.csv), ("samples.csv", report.samples.csv)]
        for host in try sizes { files.append(("plot-\(host)GiB.svg", report.picture(of: host))) }
        for (file, content) in files {
            try content.write(to: folder.appendingPathComponent(file), atomically: true, encoding: .utf8)
        }
        print("\nfiles: \(name)")
    }
}
