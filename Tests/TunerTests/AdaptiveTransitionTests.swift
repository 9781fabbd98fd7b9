import Foundation
import HostFixtures
import KSMSimulator
import Testing

@testable import KSMPolicy

/// Each edge between the phases of ``AdaptivePolicy``, named after its row in the table there, and what follows from
/// several of them.
@Suite struct AdaptiveTransitionTests {
    private static let regions: [SimulatedKSM.Region] = [
        .init(.same(template: 0), pages: 60_000), .init(.unique, pages: 30_000),
    ]

    private static func guests(_ count: Int64, growth: Double = 0) -> SimulatedKSM {
        var ksm = SimulatedKSM()
        for guest in 0..<count { ksm.start(guest, regions, growth: growth) }
        return ksm
    }

    /// A host on which everything is merged, and the policy at rest.
    private static func rested() throws -> PolicyRun {
        var run = PolicyRun(guests(4))
        _ = try #require(run.advance(to: 10) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: 100) { $0.last?.action == .stop })
        #expect(run.last?.reason == .nothingToGain)
        return run
    }

    @Test func `rest: without guests nothing is scanned`() {
        var run = PolicyRun()
        run.advance(to: 100)
        #expect(run.reasons == [.nothingToGain])
    }

    @Test func `end: memory that is there is scanned at once, and then there is rest`() throws {
        let run = try Self.rested()
        #expect(run.reasons.last == .nothingToGain)
        #expect(run.reasons.contains(.newMemory))
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `filling: guests that fill their memory faster than ksmd could follow are waited for`() throws {
        var run = PolicyRun(Self.guests(4, growth: 0.9))
        _ = try #require(run.advance(to: 20) { $0.last?.action == .scan })
        #expect(run.reasons.suffix(2) == [.filling, .newMemory])
        #expect(run.ksm.now >= 0.9 && run.ksm.now < 2)
    }

    @Test func `new memory: guests that fill theirs slowly are not waited for`() throws {
        var run = PolicyRun(Self.guests(4, growth: 60))
        _ = try #require(run.advance(to: 5) { $0.last?.action == .scan })
        run.advance(to: 55)
        #expect(run.ksm.counters.saved.count * 100 >= run.ksm.mergeable * 80)
    }

    @Test func `filling: on a host where much is saved a little waits for more, but not for ever`() throws {
        var run = PolicyRun(Self.guests(12))
        _ = try #require(run.advance(to: 100) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: 100) { $0.last?.action == .stop })
        run.ksm.start(20, [.init(.same(template: 0), pages: 60_000), .init(.same(template: 1), pages: 70_000)])
        let began = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.reason == .filling })
        let ended = try #require(run.advance(to: began + 60) { $0.last?.action == .scan })
        #expect(run.last?.reason == .newMemory)
        #expect(ended > began)
    }

    @Test(arguments: [true, false]) func `request: pressure or a request ends the wait`(isPressure: Bool) throws {
        var run = PolicyRun(Self.guests(4, growth: 1.5))
        _ = try #require(run.advance(to: 20) { $0.last?.reason == .filling })
        if isPressure { run.isUnderPressure = true } else { run.isRequested = true }
        let end = run.ksm.now + AdaptivePolicy.Parameters.growthStep.seconds + 0.1
        _ = try #require(run.advance(to: end) { $0.last?.reason == (isPressure ? .newMemory : .requested) })
    }

    private static var byThreshold: Configuration {
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.adaptiveStart = .threshold
        return configuration
    }

    /// A host of many passes, whose pages another hand gives back to the guests.
    private static func unmerged(scanning: Bool) throws -> PolicyRun {
        var ksm = guests(4)
        ksm.setPace(pagesToScan: 100_000, sleepMilliseconds: 1)
        ksm.setRun(1)
        ksm.advance(to: 60)
        var run = PolicyRun(ksm)
        run.isRequested = true
        _ = try #require(run.advance(to: 65) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: 160) { $0.last?.action == .stop })
        #expect(run.ksm.counters.passes > 40)
        if scanning {
            run.ksm.start(9, regions)
            _ = try #require(run.advance(to: run.ksm.now + 20) { $0.last?.reason == .newMemory })
        }
        run.ksm.setRun(2)
        #expect(run.ksm.counters.saved == .zero)
        return run
    }

    @Test(arguments: [true, false])
    func `unmerged: what was merged before is new, and merged again at the pace of new memory`(scanning: Bool) throws {
        var run = try Self.unmerged(scanning: scanning)
        let cpu = run.ksm.cpu
        var began = run.ksm.now
        if !scanning {
            run.isRequested = true
            // A request is a signal, and does not wait for the next step.
            began = try #require(run.advance(to: run.ksm.now + 5) { $0.last?.action == .scan })
        }
        let ended = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        #expect(run.ksm.counters.passes <= 3)
        // Once more what it takes at first.
        let first = try Self.rested()
        #expect(run.ksm.cpu - cpu < (scanning ? 1.25 : 1) * 1.5 * first.ksm.cpu)
        #expect(ended - began < (scanning ? 1.25 : 1) * 1.5 * first.ksm.now)
    }

    @Test(arguments: [true, false])
    func `unmerged: what the operator asked for is done anew as that, and nothing else is`(asked: Bool) throws {
        var run = try Self.rested()
        if asked { run.isRequested = true } else { run.ksm.start(9, Self.regions) }
        let reason: Decision.Reason = asked ? .requested : .newMemory
        _ = try #require(run.advance(to: run.ksm.now + 20) { $0.last?.reason == reason })
        run.ksm.setRun(2)
        let ended = run.reasons.count
        _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.reasons[ended...] == [.nothingToGain], "the reason is the same until then")
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `unmerged: at rest that alone is no reason to scan`() throws {
        var run = try Self.unmerged(scanning: false)
        run.isBusy = true
        let end = run.ksm.now + 120
        run.advance(to: end)
        #expect(run.ksm.counters.saved == .zero)
        // A newcomer is one, and then all is merged.
        run.ksm.start(9, Self.regions)
        _ = try #require(run.advance(to: end + 20) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: end + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `short and unmerged: it is merged again`() throws {
        var run = try Self.unmerged(scanning: false)
        run.advance(to: run.ksm.now + 20)
        run.available = 0.01
        let end = run.ksm.now + 20
        _ = try #require(run.advance(to: end) { $0.last?.reason == .newMemory })
        _ = try #require(run.advance(to: end + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `short and unmerged: by the threshold, where there is one`() throws {
        var run = PolicyRun(Self.guests(4), Self.byThreshold)
        run.committed = run.policy.classic.total
        _ = try #require(run.advance(to: 10) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: 60) { $0.last?.reason == .nothingToGain })
        run.committed = .zero
        run.advance(to: run.ksm.now + 5)
        run.ksm.setRun(2)
        run.advance(to: run.ksm.now + 30)
        #expect(run.last?.reason == .plenty)
        #expect(run.ksm.counters.saved == .zero)
        run.committed = run.policy.classic.total
        _ = try #require(run.advance(to: run.ksm.now + 10) { $0.last?.reason == .newMemory })
        _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test(arguments: [true, false])
    func `unmerged: what was asked for in plenty is done when the threshold is no more`(asked: Bool) throws {
        var run = try Self.unmerged(scanning: false)
        let always = run.configuration
        run.policy.adopt(Self.byThreshold, classic: run.policy.classic, cpus: 4)
        run.isRequested = asked
        run.advance(to: run.ksm.now + 10)
        #expect(run.last?.reason == .plenty)
        run.policy.adopt(always, classic: run.policy.classic, cpus: 4)
        run.advance(to: run.ksm.now + 30)
        #expect(run.ksm.counters.saved.count == (asked ? run.ksm.mergeable : 0))
    }

    /// KSM counts what a guest held that has ended until ksmd comes there.
    @Test func `first: guests that replaced others while no daemon ran are found`() throws {
        let before = try Self.rested()
        var ksm = before.ksm
        ksm.setRun(0)
        for guest: Int64 in 0..<4 { ksm.end(guest) }
        for guest: Int64 in 10..<14 { ksm.start(guest, Self.regions) }
        #expect(ksm.counters.seen.count >= 4 * 90_000)
        var run = PolicyRun(ksm)
        let began = ksm.now
        _ = try #require(run.advance(to: began + 5) { $0.last?.reason == .newMemory })
        _ = try #require(run.advance(to: began + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `first: where all is as it was it takes the passes that show it, and no more`() throws {
        let before = try Self.rested()
        var run = PolicyRun(before.ksm)
        _ = try #require(run.advance(to: before.ksm.now + 5) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: before.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.passes == before.ksm.counters.passes + 2)
        run.advance(to: run.ksm.now + 100)
        #expect(run.ksm.counters.passes == before.ksm.counters.passes + 2)
    }

    @Test func `new memory in a look: what was offered late`() throws {
        var ksm = Self.guests(4)
        for guest: Int64 in 10..<12 { ksm.start(guest, Self.regions, offered: 60) }
        var run = PolicyRun(ksm)
        run.isBusy = true
        _ = try #require(run.advance(to: 50) { $0.ksm.counters.saved.count == 3 * 60_000 })
        _ = try #require(run.advance(to: 600) { $0.last?.reason == .probing && $0.ksm.now > 60 })
        _ = try #require(run.advance(to: 600) { $0.last?.reason == .newMemory })
        _ = try #require(run.advance(to: 600) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `request: where KSM knows nothing yet a batch is soon as long as elsewhere`() throws {
        var run = PolicyRun(Self.guests(4))
        run.hidesGuests = true
        run.isRequested = true
        _ = try #require(run.advance(to: 5) { $0.last?.reason == .requested })
        _ = try #require(run.advance(to: 5) { $0.last?.pagesToScan ?? 0 > 5000 })
        _ = try #require(run.advance(to: 60) { $0.last?.action == .stop })
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
    }

    @Test func `request: it scans twice where nothing is to be gained, and rests`() throws {
        var run = try Self.rested()
        let passes = run.ksm.counters.passes
        run.isRequested = true
        _ = try #require(run.advance(to: run.ksm.now + 5) { $0.last?.reason == .requested })
        _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.last?.reason == .nothingToGain)
        #expect(run.ksm.counters.passes >= passes + 2)
    }

    @Test func `look: while guests do anything ksmd looks, and in vain for no more than its budget`() throws {
        var run = try Self.rested()
        run.isBusy = true
        let (began, cpu, passes) = (run.ksm.now, run.ksm.cpu, run.ksm.counters.passes)
        var looks = 0
        while run.ksm.now < began + 1000 {
            guard run.advance(to: began + 1000, until: { $0.last?.reason == .probing }) != nil else { break }
            _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
            looks += 1
        }
        #expect(looks >= 10)
        #expect(run.ksm.cpu - cpu <= 1000 * AdaptivePolicy.Parameters.greatestLookBudget * 1.3)
        #expect(run.ksm.counters.passes - passes <= Int64(looks) / 2, "a look is no pass")
    }

    @Test func `looked: a look that finds nothing ends within the pass`() throws {
        var run = try Self.rested()
        run.isBusy = true
        _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.reason == .probing })
        let passes = run.ksm.counters.passes
        _ = try #require(run.advance(to: run.ksm.now + 60) { $0.last?.action == .stop })
        #expect(run.last?.reason == .nothingToGain)
        #expect(run.ksm.counters.passes == passes && run.last?.scan?.ended == nil)
    }

    /// Guests at rest of which half changes at this time, and is the same in all from then on.
    private static func changing(at time: Double) throws -> PolicyRun {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<4 {
            ksm.start(
                guest,
                [
                    .init(.same(template: 0), pages: 30_000), .init(.becoming(at: time, template: 1), pages: 60_000),
                ])
        }
        var run = PolicyRun(ksm)
        _ = try #require(run.advance(to: 10) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: time) { $0.last?.action == .stop })
        return run
    }

    @Test func `changes found: what a look finds to have changed is merged at once`() throws {
        var run = try Self.changing(at: 60)
        run.advance(to: 60)
        run.isBusy = true
        _ = try #require(run.advance(to: 600) { $0.last?.reason == .settled })
        let found = run.ksm.now
        #expect(run.last?.scan?.smartScan == false)
        _ = try #require(run.advance(to: 700) { $0.ksm.counters.saved.count == $0.ksm.mergeable })
        // At a tenth of a CPU the two passes alone would take longer.
        #expect(run.ksm.now - found < 20)
    }

    @Test func `rest: idle guests are not probed`() throws {
        var run = try Self.rested()
        let passes = run.ksm.counters.passes
        run.advance(to: run.ksm.now + 7200)
        #expect(run.ksm.counters.passes == passes)
    }

    @Test func `settled: memory that settles after the burst is merged by another look`() throws {
        var ksm = Self.guests(4)
        for guest: Int64 in 10..<14 { ksm.start(guest, [.init(.settling(until: 30, template: 7), pages: 60_000)]) }
        var run = PolicyRun(ksm)
        _ = try #require(run.advance(to: 4000) { $0.last?.reason == .settled })
        run.advance(to: 4000)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable, "\(run.reasons)")
        #expect(run.last?.reason == .nothingToGain)
    }

    // Only in the unstable tree of one pass do two pages that are not shared yet meet: both have to be compared in it.
    @Test(arguments: [true, false])
    func `new memory: a second guest like the first is merged with it, though the first was like no other`(
        smartScan: Bool
    ) throws {
        var ksm = SimulatedKSM()
        ksm.start(0, [.init(.same(template: 0), pages: 131_072)])
        var run = PolicyRun(ksm)
        run.smartScan = smartScan
        run.advance(to: 60)
        #expect(run.last?.action == .stop)
        run.ksm.start(1, [.init(.same(template: 0), pages: 131_072)])
        run.advance(to: 660)
        #expect(run.ksm.counters.saved.count * 100 >= run.ksm.mergeable * 95, "\(run.reasons) \(run.ksm.counters)")
    }

    @Test func `no offer: ksmd without anything to scan is left to sleep until there is`() throws {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<4 { ksm.start(guest, Self.regions, offered: 40) }
        var run = PolicyRun(ksm)
        _ = try #require(run.advance(to: 10) { $0.last?.reason == .nothingOffered })
        let steps = run.times.count
        run.advance(to: 39)
        #expect(run.last?.reason == .nothingOffered)
        #expect(run.times.count - steps <= 39 * 2 + 1)
        // It does not begin with what a sleeping ksmd seemed to be able to do.
        #expect(try #require(run.last).pagesToScan < 20_000)
        _ = try #require(run.advance(to: 41) { $0.last?.reason == .newMemory })
        run.advance(to: 100)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        #expect(run.last?.action == .stop)
    }

    @Test func `no offer, no guests: ksmd that sleeps is stopped when its guests have gone`() throws {
        var ksm = SimulatedKSM()
        ksm.start(0, Self.regions, offered: .infinity)
        var run = PolicyRun(ksm)
        _ = try #require(run.advance(to: 10) { $0.last?.reason == .nothingOffered })
        run.ksm.end(0)
        _ = try #require(run.advance(to: 20) { $0.last?.action == .stop })
        #expect(run.last?.reason == .nothingToGain)
    }

    @Test func `rest: growth that was seen before it was reported brings no scan again and again`() {
        var ksm = SimulatedKSM()
        for guest: Int64 in 0..<6 {
            ksm.start(guest, [.init(.same(template: 0), pages: 60_000), .init(.unique, pages: 60_000)], growth: 8)
        }
        ksm.start(6, [.init(.unique, pages: 30_000)], growth: 11)
        var run = PolicyRun(ksm)
        run.advance(to: 600)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        let passes = run.ksm.counters.passes
        run.advance(to: 4200)
        #expect(run.ksm.counters.passes - passes <= 1, "\(run.last?.sentence ?? "")")
    }

    @Test func `a daemon that comes after one that ended in a burst takes it up`() throws {
        var before = PolicyRun(Self.guests(4))
        _ = try #require(before.advance(to: 60) { $0.ksm.counters.passes == 1 })
        before.ksm.setRun(0)
        var run = PolicyRun(before.ksm)
        run.advance(to: before.ksm.now + 120)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        #expect(run.last?.action == .stop)
    }

    @Test func `somebody's run=2 is no trap, and a request merges anew`() throws {
        var run = PolicyRun(Self.guests(4))
        _ = try #require(run.advance(to: 60) { $0.ksm.counters.passes == 1 })
        run.ksm.setRun(2)
        run.advance(to: run.ksm.now + 120)
        run.isRequested = true
        run.advance(to: run.ksm.now + 120)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        #expect(run.last?.action == .stop)
    }

    @Test func `without ksmd's CPU time it merges all the same, at the first batch's pace`() {
        var run = PolicyRun(Self.guests(4))
        run.accountsForCPU = false
        run.advance(to: 300)
        #expect(run.ksm.counters.saved.count == run.ksm.mergeable)
        #expect(run.last?.action == .stop)
        #expect(run.widest.pages == run.widest.leastPages)
    }

    @Test func `pass: a reload in a burst goes on with it, by the new share`() throws {
        var run = PolicyRun(Self.guests(4))
        _ = try #require(run.advance(to: 10) { $0.last?.action == .scan })
        let sleep = try #require(run.last).sleepMilliseconds
        var configuration = run.configuration
        configuration.cpuMaximumPercent = 20
        run.policy.adopt(configuration, classic: run.policy.classic, cpus: 4)
        run.advance(to: run.ksm.now + 0.2)
        #expect(run.last?.reason == .newMemory)
        #expect(try #require(run.last).sleepMilliseconds > sleep)
    }

    @Test func `threshold: nothing is scanned while there is plenty, and a burst ends there`() {
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.adaptiveStart = .threshold
        let classic = try! ClassicPolicy(configuration, total: KiB(16 << 20))
        var policy = AdaptivePolicy(configuration, classic: classic, cpus: 4, pageSize: Bytes(4096))
        var counters = ScanCounters()
        counters.cpu = .zero
        func decide(at second: Int64, committed: Int64) -> Decision {
            var sample = AdaptiveSample(
                now: Instant(nanoseconds: second * 1_000_000_000),
                memory: MemorySample(free: KiB(8 << 20), committed: KiB(committed)), counters: counters)
            sample.guests = [GuestMemory(id: 1, resident: KiB(8 << 20))]
            return policy.decide(sample)
        }
        #expect(decide(at: 0, committed: 0).reason == .plenty)
        #expect(decide(at: 1, committed: 0).action == .stop)
        #expect(decide(at: 2, committed: 15 << 20).reason == .newMemory)
        #expect(decide(at: 3, committed: 15 << 20).action == .scan)
        #expect(decide(at: 4, committed: 0).reason == .plenty)
        #expect(decide(at: 5, committed: 0).action == .stop)
    }

    @Test func `filling: while memory is short guests that fill theirs are not waited for`() throws {
        for isShort in [false, true] {
            var run = PolicyRun(Self.guests(4, growth: 1.5))
            run.available = isShort ? 0.04 : 0.06
            _ = try #require(run.advance(to: 20) { $0.last?.reason != .nothingToGain })
            #expect(run.last?.reason == (isShort ? .newMemory : .filling))
        }
    }

    @Test func `request in a scan: a look becomes a scan by the full share`() throws {
        var run = try Self.rested()
        run.isBusy = true
        _ = try #require(run.advance(to: run.ksm.now + 7200) { $0.last?.reason == .probing })
        let sleep = try #require(run.last).sleepMilliseconds
        run.isRequested = true
        _ = try #require(run.advance(to: run.ksm.now + 1) { $0.last?.reason == .requested })
        #expect(try #require(run.last).sleepMilliseconds < sleep)
    }

    @Test func `new memory in a look: guests that begin in a look are scanned by the full share`() throws {
        var run = try Self.rested()
        run.isBusy = true
        run.ksm.start(10, Self.regions, growth: 0)
        _ = try #require(run.advance(to: run.ksm.now + 600) { $0.last?.action == .stop })
        run.advance(to: run.ksm.now + 30)
        _ = try #require(run.advance(to: run.ksm.now + 600) { $0.last?.reason == .probing })
        let sleep = try #require(run.last).sleepMilliseconds
        run.ksm.start(11, Self.regions)
        _ = try #require(run.advance(to: run.ksm.now + 5) { $0.last?.reason == .newMemory })
        let last = try #require(run.last)
        #expect(last.scan?.smartScan != false)
        #expect(last.sleepMilliseconds < sleep)
    }

    @Test func `another pass: what a pass found changed is compared by the next, without smart_scan`() throws {
        var run = try Self.changing(at: 60)
        run.advance(to: 60)
        run.isBusy = true
        _ = try #require(run.advance(to: 600) { $0.last?.reason == .settled })
        _ = try #require(run.advance(to: 700) { $0.last?.scan?.ended != nil })
        #expect(run.last?.action == .scan)
        #expect(run.last?.scan?.smartScan == false)
    }

    @Test func `newcomers merged: a scan ends within the pass that compares new guests`() throws {
        var run = PolicyRun(Self.guests(10))
        _ = try #require(run.advance(to: 10) { $0.last?.action == .scan })
        _ = try #require(run.advance(to: 100) { $0.last?.action == .stop })
        var scansThatEndedInAPass = 0
        for guest: Int64 in 10..<20 {
            run.advance(to: run.ksm.now + 60)
            run.ksm.start(guest, Self.regions)
            _ = try #require(run.advance(to: run.ksm.now + 100) { $0.last?.action == .scan })
            var pass: Int?
            _ = try #require(
                run.advance(to: run.ksm.now + 100) {
                    if $0.last?.action == .scan { pass = $0.last?.scan?.pass }
                    return $0.last?.action == .stop
                })
            #expect(run.last?.reason == .nothingToGain)
            if run.last?.scan?.ended == nil {
                #expect(pass == 3)
                scansThatEndedInAPass += 1
            }
        }
        // A guest that comes between two passes is the last in the list, and merges at the end of one.
        #expect(scansThatEndedInAPass >= 6)
        #expect(run.ksm.counters.saved.count * 100 >= run.ksm.mergeable * 95)
    }

    // MARK: Rather than an edge

    @Test func `a scan begins with counters of its first moment, which are asked for at once`() {
        var policy = PolicyRun().policy
        let memory = MemorySample(free: policy.classic.total, committed: .zero)
        func decide(at second: Int64, isCounted: Bool, isRequested: Bool = false) -> Decision {
            var sample = AdaptiveSample(
                now: Instant(nanoseconds: second * 1_000_000_000), memory: memory, counters: ScanCounters())
            sample.guests = []
            sample.isCounted = isCounted
            sample.isRequested = isRequested
            return policy.decide(sample)
        }
        #expect(decide(at: 0, isCounted: true).pause != .zero)
        let due = decide(at: 1, isCounted: false, isRequested: true)
        #expect(due.action == .stop)
        #expect(due.reason == .nothingToGain)
        #expect(due.pause == .zero)
        #expect(policy.wants(at: Instant(nanoseconds: 1_000_000_000)).contains(.allCounters))
        #expect(decide(at: 1, isCounted: true).reason == .requested)
    }

    @Test(arguments: [AdaptiveStart.always, .threshold])
    func `a threshold is crossed at any time, so memory is looked at with the guests`(start: AdaptiveStart) {
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.adaptiveStart = start
        var policy = PolicyRun(SimulatedKSM(), configuration).policy
        var sample = AdaptiveSample(
            now: 0, memory: MemorySample(free: .zero, committed: policy.classic.total), counters: ScanCounters())
        (sample.guests, sample.available) = ([], 0.5)
        #expect(policy.decide(sample).pagesToScan == 0, "no scan has a pace yet")
        let wants = policy.wants(at: Instant(nanoseconds: 1))
        #expect(wants.contains(.guests))
        #expect(wants.contains(.memory) == (start == .threshold))
    }

    @Test func `every row of the table has a test`() throws {
        let file = URL(filePath: #filePath)
        let root = file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let policy = root.appending(path: "Sources/KSMPolicy/Policies/Adaptive/AdaptivePolicy.swift")
        let rows = try String(contentsOf: policy, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("/// | ") }.dropFirst()
            .map { $0.dropFirst(6).prefix { $0 != "|" }.trimmingCharacters(in: .whitespaces) }
        #expect(rows.count == 20)
        let tests = try String(contentsOf: file, encoding: .utf8)
        for row in rows { #expect(tests.contains("func `\(row): "), "\(row)") }
    }
}
