import Foundation
import HostFixtures
import KSMPolicy
import KSMSimulator
import Testing

/// Writes every decision of many runs into a file, one line each, so that two versions of the policy can be compared
/// with `cmp`: `RECORD_DECISIONS=FILE swift test --filter DecisionRecord`.
@Suite struct DecisionRecord {
    private static let file = ProcessInfo.processInfo.environment["RECORD_DECISIONS"]

    @Test(.enabled(if: file != nil, "RECORD_DECISIONS names no file"))
    func `every decision of every scenario`() throws {
        let path = try #require(Self.file)
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        let record = try #require(FileHandle(forWritingAtPath: path))
        var count = 0
        func write(_ name: String, _ steps: [PolicyRun.Step]) {
            count += steps.count
            record.write(Data("# \(name)\n\(Self.lines(steps))".utf8))
        }
        for scenario in Scenario.all {
            var run = scenario.make()
            run.keepsSteps = true
            scenario.drive(&run)
            write(scenario.name, run.steps)
        }
        for seed in Seed.all {
            write("\(seed)", Self.decisions(seed, amount: { Int64.random(in: 0...1 << 33, using: &$0) }))
        }
        for seed in Seed.all {
            write("\(seed), extremes", Self.decisions(seed, amount: { max($0.amount(), 0) }))
        }
        try record.close()
        print("\(count) decisions")
        #expect(count > 100_000)
    }

    /// Decisions by samples that no host would give: every number may be any other in the next sample.
    private static func decisions(
        _ seed: Seed, amount: (inout SeededGenerator) -> Int64
    ) -> [PolicyRun.Step] {
        var random = SeededGenerator(seed: seed.value)
        var policy = PolicyRun().policy
        var now = Instant(nanoseconds: 0)
        var counters = ScanCounters()
        var guests = (0..<4).map { GuestMemory(id: $0, resident: .zero) }
        func happens(_ often: Int) -> Bool { Int.random(in: 0..<often, using: &random) == 0 }
        return (0..<4000).map { _ in
            now = now + .milliseconds(happens(20) ? 100_000 : Int64.random(in: 50...1000, using: &random))
            if happens(2) { counters.passes += Int64.random(in: 0...2, using: &random) }
            for counter in [\ScanCounters.shared, \.sharing, \.unshared, \.volatile, \.zero, \.skipped, \.scanned]
            where happens(8) {
                counters[keyPath: counter] = Pages(amount(&random))
            }
            if happens(2) { counters.cpu = .nanoseconds(amount(&random)) }
            if happens(30) { counters.cpu = nil }
            if happens(3) { guests[Int.random(in: 0..<4, using: &random)].resident = KiB(amount(&random)) }
            if happens(10) { guests[Int.random(in: 0..<4, using: &random)].id += 4 }
            let wants = policy.wants(at: now)
            var sample = AdaptiveSample(
                now: now, memory: MemorySample(free: policy.classic.total, committed: .zero), counters: counters)
            sample.isCounted = !wants.isDisjoint(with: [.counters, .allCounters])
            if wants.contains(.guests) { sample.guests = guests }
            if wants.contains(.memory) { sample.available = Double.random(in: 0...1, using: &random) }
            if wants.contains(.cpuPressure) { sample.cpuPressure = Double.random(in: 0...1, using: &random) }
            if wants.contains(.activity) {
                sample.activity = GuestActivity(
                    busiest: Double.random(in: 0...0.15, using: &random), brokenMerges: Pages(amount(&random) >> 24))
            }
            sample.isRequested = happens(100)
            sample.isUnderPressure = happens(100)
            return PolicyRun.Step(
                time: Double(now.nanoseconds) / 1e9, wants: wants, decision: policy.decide(sample))
        }
    }

    private static func lines(_ steps: [PolicyRun.Step]) -> String {
        var text = ""
        for step in steps {
            let decision = step.decision
            text +=
                "\(step.time) \(step.wants.rawValue) \(decision.action.word) \(decision.reason.word) "
                + "\(decision.pagesToScan) \(decision.sleepMilliseconds) \(decision.pause?.nanoseconds ?? -1)"
            if let scan = decision.scan {
                text +=
                    " \(scan.unscanned.count) \(scan.changed.count) \(scan.pass) "
                    + "\(scan.cpuShare.map { "\($0)" } ?? "-") \(scan.smartScan.map { "\($0)" } ?? "-")"
                if let pass = scan.ended {
                    // In whole microseconds: how far below that a time was rounded is no decision.
                    text +=
                        " | \(pass.cpu.map { "\(Int64(($0.seconds * 1e6).rounded()))" } ?? "-") \(pass.gained.count) "
                        + "\(pass.fresh.count) \(pass.left.count) \(pass.passedOverAtEnd.count) \(pass.looked) "
                        + "\(pass.hidden.count)"
                }
            }
            text += "\n"
        }
        return text
    }
}

/// A host, and what happens on it.
private struct Scenario {
    var name: String
    var make: () -> PolicyRun
    var drive: (inout PolicyRun) -> Void

    static var all: [Scenario] { Workload.all.flatMap(of) + single }

    // MARK: Those of the property tests

    private static func of(_ workload: Workload) -> [Scenario] {
        func scenario(
            _ name: String, isQuiet: Bool = false, _ drive: @escaping (inout PolicyRun) -> Void
        ) -> Scenario {
            Scenario(name: "\(workload): \(name)", make: { workload.run(isQuiet: isQuiet) }, drive: drive)
        }
        return [
            scenario("storm") { $0.advance(to: 240) },
            scenario("quiet storm", isQuiet: true) { $0.advance(to: 240) },
            scenario("busy", isQuiet: true) {
                $0.isBusy = true
                $0.advance(to: 900)
            },
            scenario("requests") {
                for time in stride(from: 3.0, to: 300, by: 27) {
                    $0.advance(to: time)
                    $0.isRequested = true
                }
                $0.advance(to: 300)
            },
            scenario("memory pressure") {
                for time in stride(from: 1.0, to: 150, by: 13) {
                    $0.advance(to: time)
                    $0.isUnderPressure = true
                }
                $0.available = 0.04
                $0.advance(to: 240)
            },
            scenario("churn") {
                for guest in 0..<Int64(12) {
                    $0.advance(to: Double(guest + 1) * 20)
                    $0.ksm.end(guest)
                    $0.ksm.start(
                        100 + guest, [.init(.same(template: 0), pages: workload.host * 16_384)],
                        growth: Double(guest % 4) * 4)
                }
                $0.advance(to: 300)
            },
            scenario("CPU pressure") {
                $0.cpuPressure = 0.6
                $0.advance(to: 120)
            },
            scenario("no CPU time, no smart_scan, zero pages") {
                $0.accountsForCPU = false
                $0.smartScan = false
                $0.ksm.usesZeroPages = true
                $0.advance(to: 120)
            },
            scenario("threshold") {
                var configuration = $0.configuration
                configuration.adaptiveStart = .threshold
                $0.policy.adopt(configuration, classic: $0.policy.classic, cpus: 2)
                for index in 0..<6 {
                    $0.committed = index % 2 == 0 ? $0.policy.classic.total : .zero
                    $0.isRequested = index > 3
                    $0.advance(to: Double(index + 1) * 20)
                }
            },
            scenario("disorder", isQuiet: true) { disturb(&$0, workload) },
        ]
    }

    /// Whatever can happen, at random times.
    private static func disturb(_ run: inout PolicyRun, _ workload: Workload) {
        var random = SeededGenerator(seed: workload.seed)
        var guest: Int64 = 200
        while run.ksm.now < 900 {
            run.advance(to: run.ksm.now + Double.random(in: 0.1...30, using: &random))
            switch Int.random(in: 0..<14, using: &random) {
            case 0: run.isRequested = true
            case 1: run.isUnderPressure = true
            case 2: run.isBusy.toggle()
            case 3: run.cpuPressure = Double.random(in: 0...1, using: &random)
            case 4: run.available = Double.random(in: 0...0.2, using: &random)
            case 5: run.ksm.setRun(2)
            case 6: run.ksm.end(Int64.random(in: 0...guest, using: &random))
            case 7: if guest > 200 { run.ksm.end(guest) }
            case 8: run.accountsForCPU = Bool.random(using: &random)
            case 9:
                var configuration = run.configuration
                configuration.cpuMaximumPercent = Int64.random(in: 5...100, using: &random)
                configuration.adaptiveStart = Bool.random(using: &random) ? .always : .threshold
                run.policy.adopt(configuration, classic: run.policy.classic, cpus: 4)
            case 10: run.committed = Bool.random(using: &random) ? .zero : run.policy.classic.total
            default:
                guest += 1
                let pages = workload.host * Int64.random(in: 100...20_000, using: &random)
                run.ksm.start(
                    guest,
                    [
                        .init(.same(template: 0), pages: pages), .init(.unique, pages: pages / 4),
                        .init(.settling(until: run.ksm.now + 20, template: 3), pages: pages / 8),
                    ], growth: Double.random(in: 0...40, using: &random),
                    offered: Bool.random(using: &random) ? 0 : Double.random(in: 0...20, using: &random))
            }
        }
    }

    // MARK: Those of the transition tests

    private static func guests(
        _ count: Int64, growth: Double = 0, offered: Double = 0
    ) -> SimulatedKSM {
        var ksm = SimulatedKSM()
        for guest in 0..<count {
            ksm.start(
                guest, [.init(.same(template: 0), pages: 60_000), .init(.unique, pages: 30_000)], growth: growth,
                offered: offered)
        }
        return ksm
    }

    private static func scenario(
        _ name: String, _ ksm: SimulatedKSM, _ drive: @escaping (inout PolicyRun) -> Void
    ) -> Scenario {
        Scenario(name: name, make: { PolicyRun(ksm) }, drive: drive)
    }

    private static var single: [Scenario] {
        [
            scenario("no guests", SimulatedKSM()) { $0.advance(to: 100) },
            scenario("memory that is there, and rest", guests(4)) { $0.advance(to: 7200) },
            scenario("filling", guests(4, growth: 5)) { $0.advance(to: 100) },
            scenario("filling for a minute", guests(4, growth: 60)) { $0.advance(to: 200) },
            scenario("pressure while guests fill", guests(4, growth: 60)) {
                $0.advance(to: 5)
                $0.isUnderPressure = true
                $0.advance(to: 100)
            },
            scenario("a request while guests fill", guests(4, growth: 60)) {
                $0.advance(to: 5)
                $0.isRequested = true
                $0.advance(to: 100)
            },
            scenario("requests at rest", guests(4)) {
                for time in [50.0, 52, 60, 200] {
                    $0.advance(to: time)
                    $0.isRequested = true
                }
                $0.advance(to: 300)
            },
            scenario("busy from the start", guests(4)) {
                $0.isBusy = true
                $0.advance(to: 20_000)
            },
            scenario("busy from rest on", guests(4)) {
                $0.advance(to: 300)
                $0.isBusy = true
                $0.advance(to: 20_000)
            },
            scenario("memory that settles", guests(4)) {
                for guest: Int64 in 10..<14 {
                    $0.ksm.start(guest, [.init(.settling(until: 30, template: 7), pages: 60_000)])
                }
                $0.advance(to: 4000)
            },
            scenario("a second guest like the first", SimulatedKSM()) {
                $0.ksm.start(0, [.init(.same(template: 0), pages: 131_072)])
                $0.advance(to: 60)
                $0.ksm.start(1, [.init(.same(template: 0), pages: 131_072)])
                $0.advance(to: 660)
            },
            scenario("a second guest without smart_scan", SimulatedKSM()) {
                $0.smartScan = false
                $0.ksm.start(0, [.init(.same(template: 0), pages: 131_072)])
                $0.advance(to: 60)
                $0.ksm.start(1, [.init(.same(template: 0), pages: 131_072)])
                $0.advance(to: 660)
            },
            scenario("nothing is offered at first", guests(4, offered: 40)) { $0.advance(to: 100) },
            scenario("nothing is offered, and the guests go", guests(1, offered: .infinity)) {
                $0.advance(to: 10)
                $0.ksm.end(0)
                $0.advance(to: 20)
            },
            scenario("growth that was seen already", SimulatedKSM()) {
                for guest: Int64 in 0..<6 {
                    $0.ksm.start(
                        guest, [.init(.same(template: 0), pages: 60_000), .init(.unique, pages: 60_000)], growth: 8)
                }
                $0.ksm.start(6, [.init(.unique, pages: 30_000)], growth: 11)
                $0.advance(to: 4200)
            },
            scenario("a second daemon on a host that is merged", guests(4)) {
                $0.advance(to: 100)
                $0.policy = PolicyRun().policy
                $0.advance(to: 700)
            },
            scenario("a second daemon in a burst", guests(4)) {
                _ = $0.advance(to: 60) { $0.ksm.counters.passes == 1 }
                $0.ksm.setRun(0)
                $0.policy = PolicyRun().policy
                $0.advance(to: 200)
            },
            scenario("somebody's run=2", guests(4)) {
                _ = $0.advance(to: 60) { $0.ksm.counters.passes == 1 }
                $0.ksm.setRun(2)
                $0.advance(to: 150)
                $0.isRequested = true
                $0.advance(to: 300)
            },
            scenario("newcomers beside guests at rest", guests(10)) {
                for guest: Int64 in 20..<30 {
                    $0.advance(to: $0.ksm.now + 60)
                    $0.ksm.start(
                        guest, [.init(.same(template: 0), pages: 60_000), .init(.unique, pages: 30_000)],
                        growth: Double(guest % 3))
                }
                $0.advance(to: $0.ksm.now + 3600)
            },
        ]
    }
}
