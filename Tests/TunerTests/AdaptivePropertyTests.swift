import HostFixtures
import KSMSimulator
import Testing

@testable import KSMPolicy

@Suite struct AdaptivePropertyTests {
    @Test(arguments: Workload.all)
    func `ksmd keeps its share over any ten seconds`(workload: Workload) {
        var run = workload.run()
        run.advance(to: 120)
        // The first batches go by a guess of the host's speed, and what was too much is paid back later.
        let greatest = run.greatestShare(over: 10)
        #expect(greatest <= Double(workload.share) / 100 * 1.05 + 0.01, "\(greatest)")
    }

    @Test(arguments: Workload.all)
    func `every pace fits the kernel's files`(workload: Workload) {
        var run = workload.run()
        run.advance(to: 60)
        #expect(run.reasons.contains(.newMemory))
        #expect(run.widest.leastPages > 0)
        #expect(run.widest.leastSleep >= 0)
        #expect(run.widest.pages <= Int64(UInt32.max))
        #expect(run.widest.sleep <= Int64(UInt32.max))
    }

    @Test(arguments: Workload.ordinary)
    func `a storm is merged nearly as soon as by an endless scan`(workload: Workload) throws {
        var endless = workload.storm(isQuiet: true)
        endless.setPace(pagesToScan: 1_000_000_000, sleepMilliseconds: 0)
        endless.setRun(1)
        while endless.mergeable == 0 || endless.counters.saved.count * 100 < endless.mergeable * 95 || endless.now < 9 {
            endless.advance(to: endless.now + 0.1)
        }
        let target = endless.mergeable * 95 / 100
        var run = workload.run(isQuiet: true)
        let reached = try #require(run.advance(to: 4000) { $0.ksm.counters.saved.count >= target })
        let share = Double(workload.share) / 100
        let allowed = endless.cpu / share * 1.3 + 24
        #expect(reached <= allowed, "\(reached) s, \(endless.now) s by an endless scan, allowed \(allowed)")
    }

    @Test(arguments: Workload.ordinary)
    func `it stops once nothing changes, and scans no more without evidence`(workload: Workload) throws {
        var run = workload.run(isQuiet: true)
        let started = try #require(run.advance(to: 60) { $0.last?.action == .scan })
        let stopped = try #require(run.advance(to: 4000) { $0.last?.action == .stop })
        // Hashing, comparing, and what a stop may take to be sure of.
        let pages = Double(run.ksm.counters.seen.count)
        let allowed = (pages / 1.5e6 + 4 * pages / 0.25e6) / (Double(workload.share) / 100) + 20
        #expect(stopped - started <= allowed)
        // What was in flux when the first passes went by may take another look, once, and more than an hour later where that was little.
        run.advance(to: stopped + 5400)
        let cpu = run.ksm.cpu
        run.advance(to: run.ksm.now + 1800)
        #expect(run.ksm.cpu == cpu, "\(run.reasons)")
        #expect(run.ksm.counters.saved.count * 100 >= run.ksm.mergeable * 95)
    }

    @Test(arguments: Workload.ordinary.prefix(6))
    func `a new guest is scanned before half of a slow growth, and a second`(workload: Workload) throws {
        for growth in [0, 0.5, 3, 8, 40] {
            var run = workload.run(growth: 0, isQuiet: true)
            _ = try #require(run.advance(to: 4000) { $0.last?.reason == .newMemory })
            let stopped = try #require(run.advance(to: 4000) { $0.last?.action == .stop })
            run.advance(to: stopped + 100)
            try #require(run.last?.action == .stop, "growth in \(growth) s: \(run.reasons)")
            let start = run.ksm.now
            run.ksm.start(100, [.init(.same(template: 0), pages: workload.host * 16_384)], growth: growth)
            let scanned = try #require(run.advance(to: start + 200) { $0.last?.action == .scan })
            let wait = min(growth, max(growth / 2, 3)) + AdaptivePolicy.Parameters.growthStep.seconds + 1.5
            #expect(scanned - start <= wait, "growth in \(growth) s: \(scanned - start) s")
        }
    }

    @Test(arguments: Workload.all.prefix(9))
    func `the same samples give the same decisions`(workload: Workload) {
        var one = workload.run()
        var other = workload.run()
        one.keepsSteps = true
        other.keepsSteps = true
        one.advance(to: 60)
        other.advance(to: 60)
        #expect(one.steps == other.steps)
    }
}
