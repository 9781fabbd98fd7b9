import HostFixtures
import Testing

@testable import KSMPolicy

/// How long a scan goes on, step by step: each comparison from both sides. The counters are those of a host whose pass
/// takes 6 s, so that another pass pays that is expected to merge 300 MiB, or 76,800 pages.
@Suite struct ScanningTests {
    fileprivate typealias Scanning = AdaptivePolicy.Scanning

    fileprivate static func moment(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 0) + Duration(rounding: seconds)
    }

    /// A scan with what it knows and the host that it sees.
    fileprivate struct Run {
        var settings: AdaptivePolicy.Settings
        var learned = AdaptivePolicy.Learned()
        var host = HostConditions()
        var counters = ScanCounters()
        var now: Double = 1000
        var scan: Scanning
        /// Whether the scan went on with the last step.
        var goesOn = true

        /// - Parameters:
        ///   - seen: Pages of the guest that a pass has seen before.
        ///   - new: Pages of the guest that none has.
        ///   - isFirst: Whether that is only assumed.
        init(
            _ kind: Scanning.Kind, seen: Int64 = 0, new: Int64 = 0, left: Int64 = 0, cpu: Duration? = .zero,
            isFirst: Bool = false, _ change: (inout Configuration) -> Void = { _ in }
        ) {
            var configuration = Configuration()
            change(&configuration)
            settings = AdaptivePolicy.Settings(configuration, cpus: 4, pageSize: 4096)
            counters.unshared = 1_000_000
            counters.cpu = cpu
            var known = ScanCounters()
            known.unshared = Pages(seen)
            learned.ledger.update([GuestMemory(id: 1, resident: KiB(seen * 4))])
            learned.assumeEarlierPasses(Run.sample(at: 1000, known), settings)
            learned.isAssumed = isFirst
            learned.ledger.update([GuestMemory(id: 1, resident: KiB((seen + new) * 4))])
            if left > 0 {
                let pass = ScanPass(
                    cpu: nil, gained: 0, fresh: 0, left: Pages(left), passedOverAtEnd: 0, looked: 1)
                learned.learn(from: pass, isWhole: false, isFull: false, Run.sample(at: 1000, known), settings)
            }
            let sample = Run.sample(at: 1000, counters)
            scan = Scanning(kind, sample, host, settings, &learned)
        }

        /// The same scan, begun where so many pages count as changed.
        func restarted(volatile: Int64) -> Run {
            var run = self
            run.counters.volatile = Pages(volatile)
            run.scan = Scanning(.look, Run.sample(at: 1000, run.counters), host, settings, &run.learned)
            return run
        }

        static func sample(at seconds: Double, _ counters: ScanCounters) -> AdaptiveSample {
            AdaptiveSample(
                now: moment(seconds), memory: MemorySample(free: .zero, committed: .zero), counters: counters)
        }

        /// A step of a second, in which ksmd has half of a CPU.
        mutating func step(_ change: (inout ScanCounters) -> Void = { _ in }) {
            now += 1
            counters.cpu = counters.cpu.map { $0 + .milliseconds(500) }
            change(&counters)
            let next = scan.next(Run.sample(at: now, counters), host, settings, &learned).0
            goesOn = if case .scan = next { true } else { false }
        }

        /// A step without any of that.
        mutating func look(at seconds: Double) {
            now = seconds
            let next = scan.next(Run.sample(at: now, counters), host, settings, &learned).0
            goesOn = if case .scan = next { true } else { false }
        }

        /// A step in which a pass ends that came upon 2 GB of new memory.
        mutating func passWithNewMemory() {
            step {
                $0.passes += 1
                $0.volatile += 500_000
            }
        }

        /// A step in which a pass ends that saw new pages, left pages and merged pages.
        mutating func pass(fresh: Int64 = 0, left: Int64 = 0, merged: Int64 = 0, skipped: Int64 = 0) {
            step {
                $0.passes += 1
                $0.sharing += Pages(merged)
                $0.unshared = 1_000_000 - $0.sharing
                $0.volatile = Pages(left)
                $0.unshared += Pages(fresh - left)
                $0.skipped += Pages(skipped)
            }
        }
    }

    // MARK: Another pass

    @Test(arguments: [(76_000, false), (78_000, true)] as [(Int64, Bool)])
    func `another pass is made where what was seen for the first time pays for it`(fresh: Int64, goesOn: Bool) {
        var run = Run(.burst, seen: 1000, cpu: nil)
        // What a pass over the new pages costs counts as well.
        run.pass(fresh: fresh * 108 / 100, left: fresh * 108 / 100)
        #expect(run.goesOn == goesOn)
    }

    /// A host whose guests grow by 1 GiB/s on average: it would pay to wait.
    private static func growing() -> HostConditions {
        var (host, ledger) = (HostConditions(), GuestLedger())
        for (second, gibibytes) in [(999.0, Int64(1)), (1000, 32)] {
            ledger.update([GuestMemory(id: 1, resident: KiB(gibibytes << 20))])
            host.growth.observe(ledger, at: moment(second), passSeconds: 1)
        }
        return host
    }

    @Test func `the passes by which a scan was weighed are made, whatever more is coming`() {
        for (new, goesOn) in [(Int64(120_000), true), (0, false)] {
            var run = Run(.burst, seen: 1000, new: new, cpu: nil)
            run.host = Self.growing()
            run.pass(fresh: 120_000, left: 120_000)
            #expect(run.goesOn == goesOn)
        }
    }

    @Test func `one more is made for new memory that the first one did not come to, whatever more is coming`() {
        var run = Run(.burst, seen: 1000, new: 120_000, cpu: nil)
        run.host = Self.growing()
        run.pass()
        #expect(run.goesOn)
        run.pass(fresh: 120_000, left: 120_000)
        #expect(run.goesOn)
    }

    @Test func `what a pass hashed instead of the one before is compared, whatever more is coming`() {
        var run = Run(.burst, seen: 1000, new: 120_000, cpu: nil)
        run.host = Self.growing()
        run.pass(fresh: 120_000, left: 120_000)
        run.step { $0.passes = 2 }
        #expect(run.learned.lastPass?.carried == 120_000 && run.goesOn)
        run.step {
            $0.passes = 3
            $0.unshared += 120_000
            $0.volatile -= 120_000
        }
        #expect(!run.goesOn)
    }

    @Test func `changed pages count for the share of them that merges`() {
        for (left, goesOn) in [(Int64(228_000), false), (233_000, true)] {
            var run = Run(.burst, seen: 1000, cpu: nil)
            run.learned.learn(
                from: ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 1), isWhole: false,
                isFull: false, Run.sample(at: 1000, run.counters), run.settings)
            // Seen before, and changed: a third of them is expected to merge.
            run.step {
                $0.passes = 1
                $0.unshared = Pages(1_000_000 - left)
                $0.volatile = Pages(left)
            }
            #expect(run.goesOn == goesOn)
        }
    }

    @Test func `a scan has twelve passes at most, whatever they merge`() {
        var run = Run(.burst, seen: 1000)
        var passes = 1
        run.passWithNewMemory()
        while run.goesOn, passes < 50 {
            run.passWithNewMemory()
            passes += 1
        }
        #expect(passes == 12)
    }

    @Test func `the first scan of a daemon takes two passes, and its first teaches neither yield nor cost`() {
        var run = Run(.burst, seen: 1_000_000, left: 100_000, isFirst: true)
        let (yield, cost) = (run.learned.changedYield, run.learned.passSeconds(isFull: false, run.counters))
        // It began where ksmd stood, near the end of its list.
        run.step { $0.passes += 1 }
        #expect(run.goesOn && run.learned.isAssumed)
        #expect(run.learned.passSeconds(isFull: false, run.counters) == cost)
        run.now += 10
        run.step {
            $0.passes += 1
            $0.volatile += 1000
            $0.unshared -= 1000
        }
        #expect(!run.goesOn && !run.learned.isAssumed)
        #expect(run.learned.changedYield == yield)
        #expect(run.learned.driftRate == 0, "what had changed before the daemon says nothing of how fast it changes")
    }

    @Test func `what the first scan finds is none of what guests grow by meanwhile`() {
        var run = Run(.burst, seen: 1_000_000, isFirst: true)
        for _ in 0..<2 {
            run.step {
                $0.passes += 1
                $0.volatile += 250_000
            }
            #expect(run.goesOn)
            run.learned.ledger.update([
                GuestMemory(id: 1, resident: 4_000_000), GuestMemory(id: 2, resident: 400_000),
            ])
        }
        // The second pass had it before it.
        #expect(run.learned.ledger.unscanned >= 100_000)
    }

    @Test func `a look that comes to what nobody knew of becomes a burst, and is a look if it merges little`() {
        for merges in [false, true] {
            var run = Run(.look, seen: 1_000_000)
            run.step {
                $0.scanned += 100_000
                $0.volatile += 100_000
            }
            #expect(run.goesOn && run.scan.reason == .newMemory && !run.scan.isFull)
            run.step { $0.passes += 1 }
            run.step {
                $0.passes += 1
                $0.volatile -= 100_000
                if merges { $0.sharing += 100_000 } else { $0.unshared += 100_000 }
            }
            #expect(!run.goesOn)
            run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
            // A CPU second and a half of it, at 0.4 % of a CPU, is paid by that many seconds.
            #expect(run.learned.isLookDue(at: Self.moment(run.now + 370), .quietGuests) == merges)
            #expect(run.learned.isLookDue(at: Self.moment(run.now + 375), .quietGuests))
        }
    }

    // The passes with smart_scan that it is weighed by take 6 s, or half of that.
    @Test(arguments: [(51_200, false, false), (51_200, true, true), (90_000, false, true)] as [(Int64, Bool, Bool)])
    func `what nobody knew of is worth a burst where passes with smart_scan cost less than it brings`(
        pages: Int64, isCheap: Bool, isFound: Bool
    ) {
        var run = Run(.look, seen: 1_000_000, cpu: nil)
        var pass = ScanPass(cpu: .zero, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 0.5)
        pass.visited = 1_000_000
        if isCheap {
            run.learned.learn(
                from: pass, isWhole: true, isFull: false, Run.sample(at: 1000, run.counters), run.settings)
        }
        run.step {
            $0.scanned += 10_000
            $0.volatile += Pages(pages)
        }
        #expect(run.goesOn && (run.scan.reason == .newMemory) == isFound)
    }

    @Test func `a burst in vain is charged to no look`() {
        var run = Run(.burst, seen: 1000)
        run.pass()
        #expect(!run.goesOn)
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(run.learned.isLookDue(at: Self.moment(run.now + 8), .quietGuests))
    }

    @Test func `a look beside growth that is known and waited for finds nothing unknown`() {
        var run = Run(.look, seen: 1_000_000, new: 4000)
        run.step {
            $0.scanned += 8000
            $0.volatile += 4000
        }
        #expect(run.goesOn && run.scan.reason == .probing)
    }

    @Test func `what the operator asked for is hashed and compared`() {
        var request = Run(.request, seen: 1000)
        request.pass()
        #expect(request.goesOn)
        request.pass()
        #expect(!request.goesOn)
        var burst = Run(.burst, seen: 1000)
        burst.pass()
        #expect(!burst.goesOn)
        // Asked for in a scan, it is one from then on.
        var asked = Run(.burst, seen: 1000)
        asked.host.isRequested = true
        asked.pass()
        #expect(asked.goesOn)
        #expect(asked.scan.reason == .requested)
    }

    @Test func `a scan without smart_scan that finds enough goes on as a burst`() {
        for (kind, reason) in [(Scanning.Kind.look, Decision.Reason.probing), (.recheck, .settled)] {
            var run = Run(kind, seen: 1000)
            #expect(run.scan.reason == reason && run.scan.isFull)
            run.pass(fresh: 500_000, left: 500_000)
            #expect(run.goesOn)
            #expect(run.scan.reason == .newMemory)
            #expect(!run.scan.isFull, "what is new smart_scan does not pass over")
        }
    }

    @Test func `a scan without smart_scan that finds enough changed goes on without smart_scan`() {
        for kind in [Scanning.Kind.look, .recheck] {
            var run = Run(kind, seen: 1000, cpu: nil)
            run.pass(left: 500_000)
            #expect(run.goesOn && run.scan.isFull && run.scan.reason == .settled)
            run.pass(merged: 400_000)
            #expect(!run.goesOn)
        }
    }

    // MARK: Looks

    // A third of what changed is to pay for 12 s, a second after the last pass: of 562 MiB 43 % of a million pages.
    @Test(
        arguments: [(32_767, 32_767, true), (32_768, 14_000, false), (32_768, 14_400, true)]
            as [(Int64, Int64, Bool)])
    func `a look is judged by the pages that ksmd came to, when they are enough`(
        visited: Int64, changed: Int64, goesOn: Bool
    ) {
        var run = Run(.look, seen: 1000, cpu: nil)
        run.step {
            $0.scanned += Pages(visited)
            $0.volatile += Pages(changed)
            $0.unshared -= Pages(changed)
        }
        #expect(run.goesOn == goesOn)
        let isFound = visited == 32_768 && goesOn
        #expect(run.scan.reason == (isFound ? .settled : .probing))
    }

    @Test(arguments: [0, 50_000] as [Int64])
    func `a look that finds enough changed goes by what all pages are expected to have`(volatile: Int64) {
        var run = Run(.look, seen: 1000, cpu: nil)
        run.counters.unshared -= Pages(volatile)
        run = run.restarted(volatile: volatile)
        run.step {
            $0.scanned += 32_768
            $0.volatile += 16_384
            $0.unshared -= 16_384
        }
        #expect(run.goesOn && run.scan.reason == .settled)
        // Half of a million, of which a fourth merges.
        run.step {
            $0.passes = 1
            $0.scanned += 1_000_000
            $0.sharing += 125_000
            $0.unshared -= 125_000
        }
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(abs(run.learned.driftYield - (1.0 / 3 + 3 * 0.25) / 4) < 0.002)
    }

    @Test func `a look takes more pages where there are more`() {
        for (visited, goesOn) in [(Int64(39_999), true), (40_000, false)] {
            var run = Run(.look, seen: 1000, cpu: nil)
            run.counters.unshared = 1_280_000
            run = run.restarted(volatile: 0)
            run.step { $0.scanned += Pages(visited) }
            #expect(run.goesOn == goesOn)
        }
    }

    // Of a million pages.
    @Test(arguments: [(100_000, false), (100_001, true), (500_000, true)] as [(Int64, Bool)])
    func `where much counts as changed already a look goes on to the end of the pass`(volatile: Int64, goesOn: Bool) {
        var run = Run(.look, seen: 1000, cpu: nil)
        run.counters.unshared -= Pages(volatile)
        run = run.restarted(volatile: volatile)
        run.step { $0.scanned += 40_000 }
        #expect(run.goesOn == goesOn && run.scan.reason == .probing)
    }

    @Test func `what counted as changed before a look is not what it found`() {
        var run = Run(.look, seen: 1000, cpu: nil).restarted(volatile: 90_000)
        run.step {
            $0.scanned += 40_000
            $0.volatile += 40
        }
        #expect(!run.goesOn)
    }

    @Test(
        arguments: [
            (.recheck, 0, 10_000), (.recheck, 4000, 6000), (.burst, 0, 0),
        ] as [(AdaptivePolicy.Scanning.Kind, Int64, Double)])
    func `the rest of a pass in which all is compared tells how fast memory changes`(
        kind: AdaptivePolicy.Scanning.Kind, fresh: Int64, changed: Double
    ) {
        var run = Run(kind, seen: 1000, cpu: nil)
        run.learned.stoppedBefore = 500_000
        run.now = 1099
        run.scan = Scanning(kind, Run.sample(at: 1099, run.counters), run.host, run.settings, &run.learned)
        run.step {
            $0.passes = 1
            $0.scanned = 500_000
            $0.volatile += 10_000
            $0.unshared += Pages(fresh - 10_000)
        }
        // In half of the pages, since a whole pass ended 100 s ago.
        #expect(abs(run.learned.driftRate - 0.75 * changed * 2 / 100) < 1)
    }

    @Test func `a look begins with a short batch, however long the last ones were`() {
        for (kind, isShort) in [(.look, true), (.recheck, false)] as [(AdaptivePolicy.Scanning.Kind, Bool)] {
            var run = Run(kind, seen: 1000)
            // ksmd went through its pages in no time.
            for _ in 0..<20 {
                run.learned.throttle.adjust(
                    share: 0.95, elapsed: .seconds(1), used: .milliseconds(10), waited: .zero)
            }
            run.scan = Scanning(kind, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
            let pages = run.learned.throttle.pace.pagesToScan
            #expect(isShort ? pages == 8192 : pages > 8192)
        }
    }

    @Test func `a look that began within a pass goes on where much had been passed over before`() {
        for (looked, goesOn) in [(0.5, true), (1, false)] {
            var run = Run(.look, seen: 1000, cpu: nil)
            var pass = ScanPass(
                cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: looked)
            pass.visited = 1_000_000
            run.learned.learn(
                from: pass, isWhole: false, isFull: false, Run.sample(at: 1000, run.counters), run.settings)
            run.learned.stoppedBefore = 700_000
            run.scan = Scanning(.look, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
            run.step {
                $0.passes = 1
                $0.scanned = 300_000
            }
            #expect(run.goesOn == goesOn && (!goesOn || run.scan.reason == .probing))
            // Whatever the second pass has passed over.
            run.step {
                $0.passes = 2
                $0.scanned = 800_000
                $0.skipped = 500_000
            }
            #expect(!run.goesOn)
        }
    }

    @Test func `new memory makes a look a burst, with smart_scan`() {
        for (mebibytes, isBurst) in [(Int64(580), true), (540, false)] {
            var run = Run(.look, seen: 1000, cpu: nil)
            run.learned.ledger.update([GuestMemory(id: 1, resident: KiB(4000 + mebibytes * 1024))])
            run.step { $0.scanned += 10 }
            #expect(run.goesOn && (run.scan.reason == .newMemory) == isBurst && run.scan.isFull != isBurst)
        }
    }

    @Test func `a look in vain tells how fast memory changes, and what a look costs`() {
        var run = Run(.look, seen: 1000)
        run.now = 1099
        run.step {
            $0.scanned += 32_768
            $0.volatile += 328
            $0.unshared -= 328
        }
        #expect(!run.goesOn)
        // A hundredth of a million pages in 100 s, by a look at 32,768 of them: eight times that part of three.
        let drift = run.learned.drift(at: Self.moment(1100), run.counters)
        let weight = 3 * 8 * 0.032768
        #expect(abs(Double(drift.count) - 10_000 * weight / (1 + weight)) < 30)
        // Half a second, of a fiftieth or of four thousandths of a CPU.
        for (isBusy, seconds) in [(true, 25.0), (false, 125)] {
            #expect(!run.learned.isLookDue(at: Self.moment(1100 + seconds - 0.1), isBusy ? .busyGuests : .quietGuests))
            #expect(run.learned.isLookDue(at: Self.moment(1100 + seconds), isBusy ? .busyGuests : .quietGuests))
        }
    }

    // MARK: Forecasts

    /// A scan without smart_scan of a million pages, of which 20,000 are expected to have changed in the 200 s before.
    private func recheck(new: Int64 = 0) -> Run {
        var run = Run(.recheck, seen: 1000, cpu: nil)
        // What the second leaves is known, and no forecast: the third merges what such pages are taken to merge.
        for (merged, pages, second) in [(0.0, Int64(0), 1000.0), (0, 13_333, 1100), (13_333, 0, 1100)] {
            let gained = Pages(rounding: run.learned.changedYield * merged)
            let pass = ScanPass(
                cpu: nil, gained: gained, fresh: 0, left: Pages(pages), passedOverAtEnd: 0, looked: 1)
            let sample = Run.sample(at: second, run.counters)
            run.learned.learn(from: pass, isWhole: true, isFull: true, sample, run.settings)
        }
        run.learned.ledger.update([GuestMemory(id: 1, resident: KiB((1000 + new) * 4))])
        run.now = 1300
        run.scan = Scanning(.recheck, Run.sample(at: 1300, run.counters), run.host, run.settings, &run.learned)
        return run
    }

    @Test(
        arguments: [(1_000_000, 5000, 0.25), (500_000, 5000, 0.5), (1_000_000, 0, 0), (1_000_000, 90_000, 4.5)]
            as [(Int64, Int64, Double)])
    func `a scan for what is expected to have changed shows what of it merges`(
        visited: Int64, merged: Int64, share: Double
    ) {
        var run = recheck()
        run.step {
            $0.passes = 1
            $0.scanned += Pages(visited)
            $0.sharing += Pages(merged)
            $0.unshared -= Pages(merged)
        }
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(abs(run.learned.driftYield - min((1.0 / 3 + 3 * share) / 4, 1)) < 0.002)
    }

    @Test(
        arguments: [
            // Merged again, it is no gain to KSM, which counted it all the time; but there is less of it.
            (10_000, 0, 0.25), (19_900, 0, 0.4975),
            // What other processes gave back is none of KSM's, and what they took does not hide what KSM counts.
            (30_000, 0, 0.5), (0, 10_000, 0.25), (-50_000, 10_000, 0.25), (15_000, 10_000, 0.375), (-50_000, 0, 0),
        ] as [(Int64, Int64, Double)])
    func `what merges of memory that was taken again is told by what there is of all memory`(
        less: Int64, counted: Int64, share: Double
    ) {
        var run = recheck()
        let wants = run.scan.wants(at: Self.moment(1300.1), Self.moment(1300), run.learned.ledger)
        #expect(wants == .counters)
        run.learned.note(GuestActivity(retaken: 20_000), at: Self.moment(1300))
        run.scan = Scanning(.recheck, Run.sample(at: 1300, run.counters), run.host, run.settings, &run.learned)
        let more = run.scan.wants(at: Self.moment(1300.1), Self.moment(1300), run.learned.ledger)
        #expect(more == [.counters, .guests, .cpuPressure, .memory])
        for (second, pages) in [(1301.0, Int64(500_000)), (1302, 500_000 - less)] {
            if second == 1302 {
                run.counters.passes = 1
                run.counters.scanned += 1_000_000
                run.counters.sharing += Pages(counted)
                run.counters.unshared -= Pages(counted)
            }
            var sample = Run.sample(at: second, run.counters)
            (sample.guests, sample.anonymous) = ([], KiB(pages * 4))
            _ = run.scan.next(sample, run.host, run.settings, &run.learned)
        }
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(abs(run.learned.driftYield - (1.0 / 3 + 3 * share) / 4) < 0.002)
        // It came of one pass, where anything did.
        #expect(run.learned.driftPasses == (share > 0 ? 1.25 : 2))
    }

    @Test(arguments: [(1023, 1, 2), (1024, 1, 1.25), (1024, 2, 2), (1024, 7, 2)] as [(Int64, Int, Double)])
    func `how many passes memory that changed takes is learnt where something merged`(
        merged: Int64, passes: Int, expected: Double
    ) {
        var run = recheck()
        for pass in 1...passes {
            run.step {
                $0.passes = Int64(pass)
                $0.scanned += 1_000_000
                $0.sharing += pass == passes ? Pages(merged) : 0
            }
        }
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(run.learned.driftPasses == expected)
    }

    @Test func `the zero page stands for memory that guests hold no more`() {
        var learned = AdaptivePolicy.Learned()
        learned.note(GuestActivity(retaken: 20_000), at: Self.moment(1))
        var forecast = AdaptivePolicy.Forecast(drift: 20_000, learned)
        forecast.note(resident: 100_000, anonymous: 70_000, zero: 0)
        forecast.note(resident: 95_000, anonymous: 65_000, zero: 5000)
        var pass = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 1)
        pass.visited = 100_000
        forecast.take(pass)
        forecast.teach(&learned, passes: 2, of: 100_000, Run(.recheck).settings)
        #expect(abs(learned.driftYield - (1.0 / 3 + 3 * 0.25) / 4) < 1e-9)
    }

    @Test func `what guests give back while a scan lasts takes nothing from what it merged`() {
        var learned = AdaptivePolicy.Learned()
        learned.note(GuestActivity(retaken: 20_000), at: Self.moment(1))
        var forecast = AdaptivePolicy.Forecast(drift: 20_000, learned)
        // 6000 pages merge, 30,000 merged ones are given back, taken again at once, and 4000 more merge.
        for (resident, anonymous) in [
            (100_000, 70_000), (100_000, 64_000), (70_000, 64_000), (100_000, 94_000), (100_000, 90_000),
        ] as [(Pages, Pages)] {
            forecast.note(resident: resident, anonymous: anonymous, zero: 0)
        }
        var pass = ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 1)
        pass.visited = 100_000
        forecast.take(pass)
        forecast.teach(&learned, passes: 2, of: 100_000, Run(.recheck).settings)
        #expect(abs(learned.driftYield - (1.0 / 3 + 3 * 0.5) / 4) < 1e-9)
    }

    @Test func `where KSM knows of no page none was seen`() {
        #expect(AdaptivePolicy.Forecast(drift: 20_000, AdaptivePolicy.Learned()).seen(of: 0) == 0)
    }

    @Test func `where new memory comes as well it shows nothing`() {
        var run = recheck(new: 4096)
        run.pass(merged: 0)
        run.scan.learn(Run.sample(at: run.now, run.counters), run.settings, &run.learned)
        #expect(run.learned.driftYield == run.learned.changedYield)
        var burst = Run(.burst, seen: 1000, cpu: nil)
        burst.pass(merged: 0)
        burst.scan.learn(Run.sample(at: burst.now, burst.counters), burst.settings, &burst.learned)
        #expect(burst.learned.driftYield == burst.learned.changedYield)
    }

    @Test func `a part of a pass leaves the rest of a forecast to the next`() {
        for (visited, goesOn) in [(Int64(1_000_000), false), (100_000, true)] {
            var run = recheck()
            // All of it merges, and much more is expected.
            for _ in 0..<9 { run.learned.learnDriftYield(gained: 1_000_000, of: 1_000_000) }
            run.now = 100_000
            run.scan = Scanning(.recheck, Run.sample(at: 100_000, run.counters), run.host, run.settings, &run.learned)
            run.step {
                $0.passes = 1
                $0.scanned += Pages(visited)
            }
            #expect(run.goesOn == goesOn)
        }
    }

    // MARK: Newcomers

    /// A pass that saw so many of a guest's 100,000 new pages, and whether the next one is made.
    private func first(seeing pages: Int64) -> Run {
        var run = Run(.burst, seen: 10_000, new: 100_000)
        run.pass(fresh: pages, left: pages)
        #expect(run.goesOn)
        return run
    }

    @Test func `a first pass that saw less than nine tenths of the new memory has not come to it`() {
        // Then its new memory is still to come.
        #expect(first(seeing: 89_900).learned.ledger.unscanned == KiB(400_000))
        #expect(first(seeing: 90_000).learned.ledger.unscanned == .zero)
    }

    @Test(arguments: [(4000, 0), (4095, 0), (4096, 16_384), (4200, 16_800)] as [(Int64, Int64)])
    func `so little new memory is none that a pass could miss`(new: Int64, unscanned: Int64) {
        var run = Run(.request, seen: 10_000, new: new)
        run.pass()
        #expect(run.learned.ledger.unscanned == KiB(unscanned))
    }

    @Test func `only the first pass of a scan adds another one for new memory that it has not come to`() {
        var run = Run(.burst, seen: 1000, new: 120_000, cpu: nil)
        run.host = Self.growing()
        // As much again comes while the first pass is under way, and the second sees less than nine tenths of it.
        run.learned.ledger.update([GuestMemory(id: 1, resident: KiB(241_000 * 4))])
        run.pass(fresh: 120_000, left: 120_000)
        #expect(run.goesOn)
        run.step {
            $0.passes = 2
            $0.unshared += 120_000
            $0.volatile -= 20_000
        }
        #expect(run.learned.lastPass?.fresh == 100_000 && !run.goesOn)
    }

    @Test(arguments: [(0, 0), (20_000, 15_000), (200_000, 100_000)] as [(Int64, Int64)])
    func `new pages that a pass compared and did not merge may be like those that it passed over`(
        before: Int64, hidden: Int64
    ) {
        var run = Run(.request, seen: 1000)
        run.step {
            $0.scanned += 900_000
            $0.volatile += Pages(before)
        }
        // At the end of the first pass: the second may have hashed them.
        run.step {
            $0.passes = 1
            $0.scanned += 100_000
            $0.volatile += 30_000
        }
        // The second merges 5,000, and passes over 100,000.
        run.step {
            $0.passes = 2
            $0.sharing += 5000
            $0.skipped += 100_000
            $0.unshared -= 100_000
            $0.volatile += 95_000
        }
        #expect(run.learned.lastPass?.hidden == Pages(hidden))
    }

    @Test(arguments: [(0, 15), (7680, 38), (15_360, 60)] as [(Int64, Int64)])
    func `what a pass hashed at its end is no memory that the next finds changed`(changed: Int64, unscanned: Int64) {
        // A guest of 100 MiB, which gives back 60 MiB and takes them again before the first pass ends.
        var run = Run(.request, seen: 25_600)
        func refill() {
            for mebibytes in [40, 100] as [Int64] {
                run.learned.ledger.update([GuestMemory(id: 1, resident: KiB(mebibytes * 1024))])
            }
        }
        refill()
        run.pass(fresh: 20_000, left: 20_000)
        #expect(run.goesOn)
        run.step {
            $0.passes = 2
            $0.volatile += Pages(changed)
            $0.unshared -= Pages(changed)
        }
        // What was found of them so far says how much counts when they come once more.
        refill()
        #expect(abs(run.learned.ledger.unscanned.count - unscanned * 1024) < 1024)
    }

    @Test func `a whole pass leaves all that changed, whatever the one before left`() {
        var run = Run(.request, seen: 1000).restarted(volatile: 10_000)
        run.host.isRequested = true
        for (passes, volatile) in [(1, 2000), (2, 8000)] as [(Int64, Pages)] {
            run.step {
                $0.passes = passes
                $0.unshared += $0.volatile - volatile
                $0.volatile = volatile
            }
            #expect(run.learned.lastPass?.left == volatile)
        }
    }

    /// A scan in its third pass, with newcomers of 100,000 pages that the first did not come to, on a host where so many
    /// of a million pages are saved.
    private func newcomers(saved: Int64) -> Run {
        var run = Run(.burst, seen: 10_000, new: 100_000)
        (run.counters.sharing, run.counters.unshared) = (Pages(saved), Pages(1_000_000 - saved))
        run.scan = Scanning(.burst, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
        run.step { $0.passes = 1 }
        run.step {
            $0.scanned += 100_000
            $0.volatile = 100_000
        }
        run.step {
            $0.scanned += 1_000_000
            $0.passes = 2
        }
        #expect(run.goesOn)
        return run
    }

    @Test(
        arguments: [
            // Four fifths are saved here, so 72,000 of 100,000 newcomers are expected to merge.
            (800_000, 71_900, 100_000, 0, false), (800_000, 72_100, 100_000, 0, true),
            (800_000, 72_100, 99_999, 0, false), (250_000, 22_600, 100_000, 0, true),
            (249_000, 90_000, 100_000, 0, false), (500_000, 45_000, 100_000, 0, true),
            // More of 16 MiB is hashed, and compared in the next pass.
            (800_000, 80_000, 100_000, 4095, true), (800_000, 80_000, 100_000, 4096, false),
        ] as [(Int64, Int64, Int64, Int64, Bool)])
    func `a scan ends within the pass in which all newcomers merged as usual here`(
        saved: Int64, merged: Int64, visited: Int64, more: Int64, isOver: Bool
    ) {
        var run = newcomers(saved: saved)
        run.step {
            $0.sharing += Pages(merged)
            $0.volatile += Pages(more - merged)
            $0.scanned += Pages(visited)
        }
        #expect(run.goesOn != isOver)
        if isOver { #expect(run.learned.lastPassEnd == Self.moment(run.now)) }
    }

    @Test func `a scan goes on to the end of the pass where more was hashed than what is new to KSM`() {
        for (taken, isOver) in [(Int64(10_000), true), (12_000, false)] {
            var run = Run(.burst, seen: 200_000, new: 100_000)
            (run.counters.sharing, run.counters.unshared) = (800_000, 200_000)
            // Given back and taken again, so that KSM knows the addresses.
            run.learned.ledger.update([GuestMemory(id: 1, resident: KiB((200_000 - taken) * 4))])
            run.learned.ledger.update([GuestMemory(id: 1, resident: 300_000 * 4)])
            run.scan = Scanning(.burst, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
            run.step {
                $0.passes = 1
                $0.scanned += 1_000_000
                $0.unshared -= Pages(taken)
                $0.volatile += Pages(100_000 + taken)
            }
            #expect(run.goesOn && run.learned.lastPass?.hashed == Pages(100_000 + taken))
            run.step {
                $0.scanned += 1_000_000
                $0.volatile -= 100_000
                $0.sharing += 100_000
            }
            #expect(run.goesOn != isOver)
        }
    }

    /// A scan in whose first pass so many new pages of 4500 came, which have all merged in the second by now.
    private func merged(_ kind: Scanning.Kind, fresh: Int64) -> Run {
        var run = Run(kind, seen: 1_000_000, new: 4500, cpu: nil) { $0.yieldMinimum = 0 }
        (run.counters.sharing, run.counters.unshared) = (800_000, 200_000)
        run.scan = Scanning(kind, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
        run.step {
            $0.passes = 1
            $0.scanned += 1_000_000
            $0.volatile += Pages(fresh)
        }
        // It tells where new memory lies where that is more than a few pages here and there.
        #expect(run.goesOn && run.learned.lastPass?.fresh == Pages(fresh))
        run.step {
            $0.scanned += 1_000_000
            $0.volatile -= Pages(fresh)
            $0.sharing += Pages(fresh)
        }
        return run
    }

    @Test(arguments: [(4095, true), (4096, false)] as [(Int64, Bool)])
    func `a scan that came to less than 16 MiB of new memory goes on to the end of the pass`(fresh: Int64, goesOn: Bool)
    {
        #expect(merged(.burst, fresh: fresh).goesOn == goesOn)
    }

    @Test func `what the operator asked for goes on to the end of the pass, whatever has merged`() {
        #expect(merged(.request, fresh: 4500).goesOn)
        #expect(!merged(.burst, fresh: 4500).goesOn)
    }

    @Test(arguments: [false, true])
    func `the first scan does not end where what its first pass found has merged: more may lie behind`(isFirst: Bool) {
        var run = Run(.burst, seen: 1_000_000, new: isFirst ? 0 : 100_000, isFirst: isFirst)
        (run.counters.sharing, run.counters.unshared) = (800_000, 200_000)
        run.scan = Scanning(.burst, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
        run.step {
            $0.passes = 1
            $0.scanned += 1_000_000
            $0.volatile += 100_000
        }
        run.step {
            $0.scanned += 1_000_000
            $0.volatile -= 100_000
            $0.sharing += 100_000
        }
        #expect(run.goesOn == isFirst)
    }

    // MARK: Steps

    @Test(arguments: 0..<5) func `ksmd that does anything is not asleep`(sign: Int) {
        var run = Run(.burst, seen: 1000, new: 100_000)
        for _ in 0..<7 {
            run.now += 1
            switch sign {
            case 0: run.counters.cpu = run.counters.cpu! + .milliseconds(1)
            case 1: run.counters.waited += .milliseconds(1)
            case 2: run.counters.scanned += 1
            case 3: run.counters.skipped += 1
            default: break
            }
            run.look(at: run.now)
        }
        #expect(run.scan.isStalled == (sign == 4))
        #expect((run.scan.reason == .nothingOffered) == (sign == 4))
    }

    @Test func `it is asleep after five seconds, and where nothing is counted nobody knows`() {
        for (cpu, scanned, isKnown) in [
            (Duration?.some(.zero), Int64(0), true), (nil, 5, true), (nil, 0, false),
        ] {
            var run = Run(.burst, seen: 1000, new: 100_000, cpu: cpu)
            run.counters.scanned = Pages(scanned)
            run.look(at: 1000)
            run.look(at: 1004.9)
            #expect(!run.scan.isStalled)
            run.look(at: 1005)
            #expect(run.scan.isStalled == isKnown)
            run.counters.cpu = cpu.map { $0 + .milliseconds(1) }
            run.counters.scanned += 1
            run.look(at: 1005.1)
            #expect(!run.scan.isStalled, "it wakes by itself")
        }
    }

    @Test func `a scan without new memory ends when ksmd is asleep`() {
        var run = Run(.burst, seen: 1000)
        for second in [1001.0, 1005] {
            #expect(run.goesOn)
            run.look(at: second)
        }
        #expect(run.scan.isStalled && !run.goesOn)
    }

    @Test func `a scan is watched closely at first, and a sleeping ksmd as at rest`() {
        var ledger = GuestLedger()
        func pause(_ kind: Scanning.Kind, _ change: (inout Configuration) -> Void = { _ in }) -> Duration {
            let run = Run(kind, seen: 1000, change)
            return run.scan.pause(run.settings, ledger)
        }
        #expect(pause(.burst) == .milliseconds(100) && pause(.request) == .milliseconds(100))
        #expect(pause(.look) == .milliseconds(100) && pause(.recheck) == .milliseconds(100))
        var run = Run(.burst, seen: 1000, new: 100_000)
        for second in [1001.0, 1006] { run.look(at: second) }
        #expect(run.scan.pause(run.settings, ledger) == .seconds(1))
        ledger.update((0..<200).map { GuestMemory(id: $0, resident: 1024) })
        #expect(run.scan.pause(run.settings, ledger) == .seconds(4))
        #expect(pause(.burst) == .milliseconds(100))
    }

    @Test func `what a look took counts, whatever becomes of it`() {
        for (isRequested, isStalled) in [(true, false), (false, true), (false, false)] {
            var run = Run(.look, seen: 1000)
            run.step { $0.scanned += 10 }
            #expect(run.goesOn)
            run.host.isRequested = isRequested
            if isStalled {
                run.look(at: run.now + 6)
                #expect(!run.goesOn)
            } else {
                run.step { $0.scanned += 10 }
                #expect(run.goesOn)
            }
            // Half a CPU second or one, of four thousandths of a CPU.
            let pause = run.now + (isStalled ? 124 : 249)
            #expect(run.learned.isLookDue(at: Self.moment(pause), .quietGuests) == !(isRequested || isStalled))
        }
    }

    @Test func `a step of a burst tells where new memory lies, and reads all counters for it`() {
        let wants = Run(.burst, seen: 1000).scan.wants(at: Self.moment(5), Self.moment(5), GuestLedger())
        #expect(wants == [.counters, .allCounters])
    }

    @Test func `guests are looked at once in a second, and more seldom where there are many`() {
        let run = Run(.recheck, seen: 1000)
        var ledger = GuestLedger()
        #expect(run.scan.wants(at: Self.moment(5), nil, ledger) == [.counters, .guests, .cpuPressure])
        #expect(run.scan.wants(at: Self.moment(5.9), Self.moment(5), ledger) == .counters)
        #expect(run.scan.wants(at: Self.moment(6), Self.moment(5), ledger) == [.counters, .guests, .cpuPressure])
        ledger.update((0..<200).map { GuestMemory(id: $0, resident: 1024) })
        #expect(run.scan.wants(at: Self.moment(8.9), Self.moment(5), ledger) == .counters)
        #expect(run.scan.wants(at: Self.moment(9), Self.moment(5), ledger) == [.counters, .guests, .cpuPressure])
        // What ended guests shared leaves the counters in one step.
        ledger.update([])
        #expect(run.scan.wants(at: Self.moment(5), Self.moment(5), ledger) == [.counters, .allCounters])
    }

    @Test(
        arguments: [
            // Of a million pages, in a second; what is left at that speed takes nine seconds, one and a half, one, half of
            // one, a tenth or more, less, and next to nothing.
            (100_000, 250), (400_000, 188), (500_000, 125), (666_667, 100), (900_000, 100), (950_000, 53),
            (960_000, 42), (990_000, 20), (1_000_000, 20), (1_200_000, 20), (0, 100),
        ] as [(Int64, Int)])
    func `a step is an eighth of the time to the end of the pass, and the last one all of it`(
        visited: Int64, milliseconds: Int
    ) {
        var run = Run(.burst, seen: 1000)
        #expect(run.scan.pause(run.settings, run.learned.ledger) == .milliseconds(100))
        run.step { $0.scanned += Pages(visited) }
        let pause = run.scan.pause(run.settings, run.learned.ledger)
        #expect(abs(pause / .milliseconds(1) - Double(milliseconds)) < 1)
        guard (900_000..<1_000_000).contains(visited) else { return }
        // It comes to new memory as well.
        var growing = Run(.burst, seen: 1000)
        growing.learned.ledger.update([GuestMemory(id: 1, resident: KiB(1_000_000 * 4))])
        growing.step { $0.scanned += Pages(visited) }
        #expect(growing.scan.pause(growing.settings, growing.learned.ledger) > .milliseconds(100))
    }

    @Test func `a step ends where newcomers do, in the round that hashes them and in the one that compares them`() {
        func pause(_ run: Run) -> Double { run.scan.pause(run.settings, run.learned.ledger) / .milliseconds(1) }
        for kind in [Scanning.Kind.burst, .request] {
            var run = Run(kind, seen: 1_000_000, new: 100_000)
            (run.counters.sharing, run.counters.unshared) = (800_000, 200_000)
            run.learned.stoppedBefore = 400_000
            run.scan = Scanning(kind, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
            // The pass ends after 600,000 pages, and the round after a million and what is new.
            run.step { $0.scanned += 600_000 }
            run.step {
                $0.scanned += 50_000
                $0.passes = 1
            }
            run.step {
                $0.scanned += 430_000
                $0.volatile += 80_000
            }
            // 20,000 pages to the end of the round, and 700,000 to that of the pass.
            #expect(abs(pause(run) - (kind == .burst ? 20_000 / 430 : 700_000 / 430 / 8)) < 1)
            run.step {
                $0.scanned += 20_000
                $0.volatile += 20_000
            }
            #expect(pause(run) == 250)
            run.step { $0.scanned += 590_000 }
            run.step {
                $0.scanned += 10_000
                $0.passes = 2
            }
            // Newcomers end 500,000 pages behind the beginning of a pass, at most.
            run.step { $0.scanned += 480_000 }
            #expect(run.goesOn)
            #expect(abs(pause(run) - (kind == .burst ? 20_000 / 480 : 610_000 / 480 / 8)) < 1)
        }
    }

    @Test(
        arguments: [(100, 500, 250), (100, 200, 200), (100, 60_000, 250), (800, 500, 800)] as [(Int64, Int64, Int64)])
    func `no step is longer than a quarter of a second, one at rest, or what is set`(
        burst: Int64, idle: Int64, milliseconds: Int64
    ) {
        var run = Run(.request, seen: 1000) {
            $0.burstStep = .milliseconds(burst)
            $0.idleStep = .milliseconds(idle)
        }
        run.step { $0.scanned += 1000 }
        #expect(run.scan.pause(run.settings, run.learned.ledger) == .milliseconds(milliseconds))
    }

    @Test func `where the end of a pass is late it is looked for more and more seldom, but as often as usual`() {
        var run = Run(.request, seen: 1000)
        func pause() -> Double { run.scan.pause(run.settings, run.learned.ledger) / .milliseconds(1) }
        run.step { $0.scanned += 1_000_000 }
        #expect(pause() == 20)
        for (later, milliseconds) in [(0.16, 20.0), (0.4, 50), (0.8, 100), (9, 100)] {
            run.counters.scanned += 1000
            run.look(at: 1001 + later)
            #expect(abs(pause() - milliseconds) < 0.01, "\(later)")
        }
        // In the next pass nothing is late.
        run.step {
            $0.passes += 1
            $0.scanned += 1000
        }
        run.step { $0.scanned += 500_000 }
        #expect(abs(pause() - 125) < 1)
    }

    @Test func `where ksmd stands still shortly before the end of a pass it is looked for more and more seldom`() {
        var run = Run(.request, seen: 1000)
        func pause() -> Double { run.scan.pause(run.settings, run.learned.ledger) / .milliseconds(1) }
        run.step { $0.scanned += 990_000 }
        #expect(abs(pause() - 20) < 0.01)
        for (later, milliseconds) in [(0.1, 20.0), (0.5, 50), (0.9, 100), (2, 100)] {
            run.look(at: 1001 + later)
            #expect(abs(pause() - milliseconds) < 0.01, "\(later)")
        }
        // It goes on, as fast as before.
        run.counters.scanned += 5000
        run.look(at: 1003.005)
        #expect(abs(pause() - 20) < 0.01)
    }

    @Test func `a step comes to the end of what a look takes, before that of the pass`() {
        var look = Run(.look, seen: 1000)
        look.step { $0.scanned += 32_000 }
        #expect(abs(look.scan.pause(look.settings, look.learned.ledger) / .milliseconds(1) - 24) < 1)
        // One that goes on is watched by the end of the pass.
        look = look.restarted(volatile: 200_000)
        look.step { $0.scanned += 50_000 }
        #expect(look.goesOn && look.scan.pause(look.settings, look.learned.ledger) == .milliseconds(250))
    }

    @Test func `where nothing tells how fast ksmd is a step has its usual length`() {
        var run = Run(.request)
        run.counters.unshared = .zero
        run.scan = Scanning(.request, Run.sample(at: 1000, run.counters), run.host, run.settings, &run.learned)
        #expect(run.scan.pause(run.settings, run.learned.ledger) == .milliseconds(100))
        // Nor does a step without length.
        run.counters.scanned += 1000
        run.look(at: 1000)
        #expect(run.goesOn && run.scan.pause(run.settings, run.learned.ledger) == .milliseconds(100))
    }

    @Test(arguments: [(8000, 0, 1000), (8000, 8000, 2000), (1_000_000, 0, 21_375)] as [(Int64, Int64, Int64)])
    func `a batch is an eighth of all pages at most`(seen: Int64, new: Int64, pages: Int64) {
        var run = Run(.burst, seen: 1000, new: new)
        #expect(run.learned.throttle.pace.pagesToScan == 7125)
        run.counters.unshared = Pages(seen)
        run.step { $0.scanned += 100 }
        #expect(run.learned.throttle.pace.pagesToScan == pages)
    }

    @Test func `a look takes the share that it may have`() {
        #expect(Run(.burst, seen: 1000).learned.throttle.pace.sleepMilliseconds == 2)
        #expect(Run(.request, seen: 1000).learned.throttle.pace.sleepMilliseconds == 2)
        #expect(Run(.look, seen: 1000).learned.throttle.pace.sleepMilliseconds == 45)
        #expect(Run(.recheck, seen: 1000).learned.throttle.pace.sleepMilliseconds == 2)
    }
}
