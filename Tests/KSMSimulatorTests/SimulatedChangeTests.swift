import KSMPolicy
import KSMSimulator
import Testing

/// Guests that change while they run, and what is saved of them: by their page tables, not by KSM's counters.
@Suite struct SimulatedChangeTests {
    private static func scan(_ ksm: inout SimulatedKSM, passes: Int64) {
        ksm.setPace(pagesToScan: 100_000_000, sleepMilliseconds: 20)
        ksm.setRun(1)
        for _ in 0..<passes { ksm.advance(to: ksm.now + 1000, stopsAtPassEnd: true) }
        ksm.setRun(0)
    }

    private static func merged(_ regions: [SimulatedKSM.Region], guests: Int64 = 3) -> SimulatedKSM {
        var ksm = SimulatedKSM()
        for guest in 0..<guests { ksm.start(guest, regions) }
        ksm.advance(to: 1)
        scan(&ksm, passes: 2)
        return ksm
    }

    @Test func `memory given back is saved no longer, and counted until ksmd comes by`() {
        var ksm = Self.merged([.init(.same(template: 1), pages: 5000), .init(.unique, pages: 1000)])
        #expect(ksm.savedNow == 10_000)
        ksm.giveBack(0, template: 1)
        #expect(ksm.savedNow == 5000)
        #expect(ksm.mergeable == 5000)
        #expect(ksm.counters.saved.count == 10_000)
        #expect(ksm.residents().map(\.resident.count) == [4000, 24_000, 24_000])
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.saved.count == 5000)
    }

    @Test func `memory taken again is new: two passes merge it with what holds the same`() {
        var ksm = Self.merged([.init(.same(template: 1), pages: 5000)])
        for guest: Int64 in 0..<2 {
            ksm.giveBack(guest, template: 1)
            ksm.takeAgain(guest, template: 1, as: 2)
        }
        #expect(ksm.savedNow == 0)
        #expect(ksm.mergeable == 5000)
        #expect(ksm.residents().allSatisfy { $0.resident.count == 20_000 })
        Self.scan(&ksm, passes: 1)
        #expect(ksm.savedNow == 0)
        Self.scan(&ksm, passes: 2)
        #expect(ksm.savedNow == 5000)
        #expect(ksm.counters.saved.count == 5000)
    }

    @Test func `nothing is taken again that was not given back`() {
        var ksm = Self.merged([.init(.same(template: 1), pages: 5000)])
        ksm.takeAgain(0, template: 1, as: 2)
        #expect(ksm.savedNow == 10_000)
        #expect(ksm.mergeable == 10_000)
    }

    @Test func `pages that become alike in place merge from then on`() {
        var ksm = Self.merged([.init(.becoming(at: 50, template: 1), pages: 3000)])
        #expect(ksm.isChanging)
        #expect(ksm.mergeable == 0)
        #expect(ksm.counters.unshared.count == 9000)
        ksm.advance(to: 51)
        #expect(!ksm.isChanging)
        #expect(ksm.mergeable == 6000)
        Self.scan(&ksm, passes: 1)
        #expect(ksm.counters.saved.count == 0)
        Self.scan(&ksm, passes: 2)
        #expect(ksm.counters.saved.count == 6000)
        #expect(ksm.savedNow == 6000)
    }

    @Test func `a guest changes while it fills its memory, and for ever where pages are volatile`() {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.unique, pages: 5000)], growth: 10)
        #expect(ksm.isChanging)
        ksm.advance(to: 11)
        #expect(!ksm.isChanging)
        ksm.start(1, [.init(.volatile(period: 5), pages: 100)])
        ksm.advance(to: 1000)
        #expect(ksm.isChanging)
        ksm.end(1)
        #expect(!ksm.isChanging)
    }

    @Test func `what a guest shares, and could share, counts in it alone`() {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.same(template: 1), pages: 5000), .init(.unique, pages: 700)])
        ksm.start(1, [.init(.same(template: 1), pages: 5000), .init(.zero, pages: 300)])
        ksm.start(2, [.init(.same(template: 2), pages: 5000)])
        ksm.advance(to: 1)
        #expect((0..<4).map { ksm.mergeable(in: $0) } == [5000, 5300, 0, 0])
        #expect((0..<4).map { ksm.merged(in: $0) } == [0, 0, 0, 0])
        Self.scan(&ksm, passes: 3)
        #expect((0..<4).map { ksm.merged(in: $0) } == [5000, 5300, 0, 0])
        ksm.end(0)
        #expect((0..<4).map { ksm.mergeable(in: $0) } == [0, 300, 0, 0])
    }

    @Test func `time can stop at the end of each pass`() {
        var ksm = Self.merged([.init(.unique, pages: 2000)])
        let passes = ksm.counters.passes
        ksm.setRun(1)
        ksm.advance(to: ksm.now + 1000, stopsAtPassEnd: true)
        #expect(ksm.counters.passes == passes + 1)
        let time = ksm.now
        ksm.advance(to: time + 0.001, stopsAtPassEnd: true)
        #expect(ksm.counters.passes == passes + 1)
        #expect(ksm.now == time + 0.001)
    }

    @Test func `without a sleep ksmd takes all of a CPU, and less where it has to wait for one`() {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.unique, pages: 1_000_000)])
        ksm.pauseWithoutSleep = 0
        ksm.smartScan = false
        ksm.setPace(pagesToScan: 20_000, sleepMilliseconds: 0)
        ksm.setRun(1)
        ksm.advance(to: 100)
        #expect(abs(ksm.cpu - 100) < 0.01)
        ksm.stretch = 2
        ksm.advance(to: 200)
        #expect(abs(ksm.cpu - 150) < 0.01)
    }
}
