import KSMPolicy
import KSMSimulator
import Testing

/// The model, against what `mm/ksm.c` is known to do.
@Suite struct SimulatedKSMTests {
    private static func scan(_ ksm: inout SimulatedKSM, passes: Int64) {
        let end = ksm.counters.passes + passes
        ksm.setPace(pagesToScan: 100_000_000, sleepMilliseconds: 0)
        ksm.setRun(1)
        while ksm.counters.passes < end { ksm.advance(to: ksm.now + 0.0005) }
        ksm.setRun(0)
    }

    private static let regions: [SimulatedKSM.Region] = [
        .init(.same(template: 0), pages: 6000), .init(.zero, pages: 1000), .init(.unique, pages: 3000),
    ]

    @Test func `the first pass hashes, the second merges, and both take the time of their work`() {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<4 { ksm.start(guest, Self.regions) }
        ksm.advance(to: 1)
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.volatile.count == 40_000)
        #expect(ksm.counters.saved.count == 0)
        #expect(abs(ksm.cpu - 40_000 / 1.5e6) < 0.005)
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.saved.count == 3 * 6000 + 4000)
        #expect(ksm.counters.saved.count == ksm.mergeable)
        #expect(ksm.counters.unshared.count == 12_000)
        #expect(ksm.counters.volatile.count == 0)
        #expect(ksm.counters.seen == 40_000)
    }

    @Test func `smart_scan passes over unique pages, which then count as changed`() {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.unique, pages: 1000)])
        ksm.advance(to: 1)
        for (pass, skipped) in [0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5].enumerated() {
            Self.scan(&ksm, passes: 1)
            #expect(ksm.counters.skipped.count == Int64(skipped) * 1000, "pass \(pass)")
            #expect(ksm.counters.unshared + ksm.counters.volatile == 1000)
        }
    }

    @Test func `an ended guest counts until the next visit, and what it shared with the rest stays`() {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<3 { ksm.start(guest, Self.regions) }
        ksm.advance(to: 1)
        Self.scan(&ksm, passes: 2)
        ksm.end(1)
        #expect(ksm.counters.seen == 30_000)
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.seen == 20_000)
        #expect(ksm.counters.saved.count == ksm.mergeable)
        ksm.end(0)
        ksm.end(2)
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.seen == 0)
    }

    @Test func `volatile pages are hashed only, and settled ones merge`() {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<2 {
            ksm.start(
                guest,
                [.init(.volatile(period: 0.01), pages: 100), .init(.settling(until: 60, template: 1), pages: 500)])
        }
        for _ in 0..<3 {
            ksm.advance(to: ksm.now + 2)
            Self.scan(&ksm, passes: 1)
        }
        #expect(ksm.counters.volatile.count == 1200)
        ksm.advance(to: 61)
        Self.scan(&ksm, passes: 1)
        ksm.advance(to: 62)
        Self.scan(&ksm, passes: 2)
        #expect(ksm.counters.saved.count == 500)
    }

    @Test func `a stop waits for the end of the batch, and nothing comes after it`() {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.unique, pages: 100_000)])
        ksm.advance(to: 1)
        ksm.setPace(pagesToScan: 50_000, sleepMilliseconds: 20)
        ksm.setRun(1)
        ksm.advance(to: 1.001)
        ksm.setRun(0)
        #expect(ksm.counters.scanned == 50_000 && ksm.counters.seen == 50_000)
        #expect(abs(ksm.now - 1 - 50_000 / 1.5e6) < 0.001 && ksm.counters.cpu == Duration(rounding: ksm.cpu))
        let stopped = ksm.counters
        ksm.setRun(0)
        ksm.advance(to: 5)
        #expect(ksm.counters == stopped)
        // The pass goes on where it was.
        ksm.setRun(1)
        ksm.advance(to: 5.2)
        #expect(ksm.counters.passes == 1)
    }

    @Test func `unmerging begins anew, but for what counts since boot`() {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<3 { ksm.start(guest, Self.regions) }
        ksm.advance(to: 1)
        Self.scan(&ksm, passes: 6)
        let before = ksm.counters
        ksm.setRun(2)
        #expect(ksm.counters.seen == 0)
        #expect(ksm.counters.passes == 0)
        #expect(ksm.counters.skipped == before.skipped)
        Self.scan(&ksm, passes: 2)
        #expect(ksm.counters.saved.count == ksm.mergeable)
    }
}
