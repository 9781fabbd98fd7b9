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
        init(
            _ kind: Scanning.Kind, seen: Int64 = 0, new: Int64 = 0, left: Int64 = 0, cpu: Duration? = .zero,
            _ change: (inout Configuration) -> Void = { _ in }
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
            learned.ledger.update([GuestMemory(id: 1, resident: KiB((seen + new) * 4))])
            if left > 0 {
                let pass = ScanPass(
                    cpu: nil, gained: 0, fresh: 0, left: Pages(left), passedOverAtEnd: 0, looked: 1)
                learned.learn(from: pass, isWhole: false, isFull: false, Run.sample(at: 1000, known))
            }
            let sample = Run.sample(at: 1000, counters)
            scan = Scanning(kind, sample, host, settings, &learned)
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
        var run = Run(.burst, seen: 1000)
        // What a pass over the new pages costs counts as well.
        run.pass(fresh: fresh * 108 / 100, left: fresh * 108 / 100)
        #expect(run.goesOn == goesOn)
    }

    @Test func `changed pages count for the share of them that merges`() {
        for (left, goesOn) in [(Int64(300_000), false), (420_000, true)] {
            var run = Run(.burst, seen: 1000)
            run.learned.learn(
                from: ScanPass(cpu: nil, gained: 0, fresh: 0, left: 0, passedOverAtEnd: 0, looked: 1), isWhole: false,
                isFull: false, Run.sample(at: 1000, run.counters))
            // Seen before, and changed: a quarter of them is expected to merge.
            run.step {
                $0.passes = 1
                $0.unshared = Pages(1_000_000 - left)
                $0.volatile = Pages(left)
            }
            #expect(run.goesOn == goesOn)
        }
    }

    @Test(arguments: [0.04, 0.06, 0.5, 1]) func `a probe that looked at a part speaks for the whole, within reason`(
        looked: Double
    ) {
        // Of the pages that a pass looked at so many had changed: just too few, or just enough, for all of them.
        for (share, goesOn) in [(0.28, false), (0.36, true)] {
            var run = Run(.probe, seen: 1000, cpu: nil)
            let part = max(looked, 0.05)
            let left = Int64(1_000_000 * part * share)
            let skipped = Int64(1_000_000 * (1 - looked))
            run.step {
                $0.passes = 1
                $0.unshared = Pages(1_000_000 - left - skipped)
                $0.volatile = Pages(left + skipped)
                $0.skipped = Pages(skipped)
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

    @Test func `a gentle scan that finds enough goes on as a burst`() {
        for (kind, reason) in [(Scanning.Kind.probe, Decision.Reason.probing), (.recheck, .settled)] {
            var run = Run(kind, seen: 1000)
            #expect(run.scan.reason == reason && run.scan.isFull == (kind == .recheck))
            run.pass(fresh: 500_000, left: 500_000)
            #expect(run.goesOn)
            #expect(run.scan.reason == .newMemory)
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
        #expect(first(seeing: 89_900).scan.wants(at: Self.moment(1001), nil, GuestLedger()).contains(.allCounters))
        #expect(!first(seeing: 90_100).scan.wants(at: Self.moment(1001), nil, GuestLedger()).contains(.allCounters))
        // Then its new memory is still to come.
        #expect(first(seeing: 89_900).learned.ledger.unscanned == KiB(400_000))
        #expect(first(seeing: 90_100).learned.ledger.unscanned == .zero)
    }

    /// A scan in its third pass, with newcomers of 100,000 pages that the first did not come to, on a host where so many
    /// of a million pages are saved.
    private func newcomers(saved: Int64) -> Run {
        var run = Run(.burst, seen: 10_000, new: 100_000)
        run.step {
            $0.passes = 1
            $0.sharing = Pages(saved)
            $0.unshared = Pages(900_000 - saved)
        }
        run.step {
            $0.passes = 2
            $0.volatile = 100_000
        }
        #expect(run.goesOn)
        return run
    }

    @Test(
        arguments: [
            // Four fifths are saved here, so 72,000 of 100,000 newcomers are expected to merge.
            (800_000, 71_900, 100_000, false), (800_000, 72_100, 100_000, true),
            (800_000, 72_100, 99_999, false), (250_000, 22_600, 100_000, true), (249_000, 90_000, 100_000, false),
        ] as [(Int64, Int64, Int64, Bool)])
    func `a scan ends within the pass in which all newcomers merged as usual here`(
        saved: Int64, merged: Int64, visited: Int64, isOver: Bool
    ) {
        var run = newcomers(saved: saved)
        run.step {
            $0.sharing += Pages(merged)
            $0.scanned += Pages(visited)
        }
        #expect(run.goesOn != isOver)
        if isOver { #expect(run.learned.lastPassEnd == Self.moment(run.now)) }
    }

    // MARK: Steps

    @Test(arguments: 0..<5) func `ksmd that does anything is not asleep`(sign: Int) {
        var run = Run(.burst, seen: 1000, new: 100_000)
        for _ in 0..<4 {
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

    @Test func `it is asleep after two seconds, and where nothing is counted nobody knows`() {
        for (cpu, scanned, isKnown) in [
            (Duration?.some(.zero), Int64(0), true), (nil, 5, true), (nil, 0, false),
        ] {
            var run = Run(.burst, seen: 1000, new: 100_000, cpu: cpu)
            run.counters.scanned = Pages(scanned)
            run.look(at: 1000)
            run.look(at: 1001.9)
            #expect(!run.scan.isStalled)
            run.look(at: 1002)
            #expect(run.scan.isStalled == isKnown)
            run.counters.cpu = cpu.map { $0 + .milliseconds(1) }
            run.counters.scanned += 1
            run.look(at: 1002.1)
            #expect(!run.scan.isStalled, "it wakes by itself")
        }
    }

    @Test func `a scan without new memory ends when ksmd is asleep`() {
        var run = Run(.burst, seen: 1000)
        for second in [1001.0, 1002] {
            #expect(run.goesOn)
            run.look(at: second)
        }
        #expect(run.scan.isStalled && !run.goesOn)
    }

    @Test func `a burst is watched closely, a gentle scan less, and a sleeping ksmd as at rest`() {
        var ledger = GuestLedger()
        func pause(_ kind: Scanning.Kind, _ change: (inout Configuration) -> Void = { _ in }) -> Duration {
            let run = Run(kind, seen: 1000, change)
            return run.scan.pause(run.settings, ledger)
        }
        #expect(pause(.burst) == .milliseconds(100) && pause(.request) == .milliseconds(100))
        #expect(pause(.probe) == .milliseconds(500) && pause(.recheck) == .milliseconds(500))
        #expect(pause(.probe) { $0.idleStep = .milliseconds(300) } == .milliseconds(300))
        #expect(pause(.probe) { $0.idleStep = .seconds(9) } == .milliseconds(500))
        #expect(pause(.probe) { $0.burstStep = .milliseconds(800) } == .milliseconds(800))
        var run = Run(.burst, seen: 1000, new: 100_000)
        for second in [1001.0, 1003] { run.look(at: second) }
        #expect(run.scan.pause(run.settings, ledger) == .milliseconds(500))
        ledger.update((0..<200).map { GuestMemory(id: $0, resident: 1024) })
        #expect(run.scan.pause(run.settings, ledger) == .seconds(1))
        #expect(pause(.burst) == .milliseconds(100))
    }

    @Test func `guests are looked at once in a second, and more seldom where there are many`() {
        let run = Run(.burst, seen: 1000)
        var ledger = GuestLedger()
        #expect(run.scan.wants(at: Self.moment(5), nil, ledger) == [.counters, .guests, .cpuPressure])
        #expect(run.scan.wants(at: Self.moment(5.9), Self.moment(5), ledger) == .counters)
        #expect(run.scan.wants(at: Self.moment(6), Self.moment(5), ledger) == [.counters, .guests, .cpuPressure])
        ledger.update((0..<400).map { GuestMemory(id: $0, resident: 1024) })
        #expect(run.scan.wants(at: Self.moment(6.9), Self.moment(5), ledger) == .counters)
        #expect(run.scan.wants(at: Self.moment(7), Self.moment(5), ledger) == [.counters, .guests, .cpuPressure])
        // What ended guests shared leaves the counters in one step.
        ledger.update([])
        #expect(run.scan.wants(at: Self.moment(5), Self.moment(5), ledger) == [.counters, .allCounters])
    }

    @Test func `a gentle scan takes the share of a probe`() {
        #expect(Run(.burst, seen: 1000).learned.throttle.pace.sleepMilliseconds == 2)
        #expect(Run(.request, seen: 1000).learned.throttle.pace.sleepMilliseconds == 2)
        #expect(Run(.probe, seen: 1000).learned.throttle.pace.sleepMilliseconds == 45)
        #expect(Run(.recheck, seen: 1000).learned.throttle.pace.sleepMilliseconds == 45)
    }

    // MARK: What comes of it

    private static func isDue(_ run: Run, after seconds: Double) -> Bool {
        run.learned.isActivityLookDue(at: moment(run.now + seconds))
    }

    @Test func `after new memory guests are looked at soon`() {
        // A pass that saw 16 MiB for the first time has found new memory.
        for (fresh, isSoon) in [(Int64(4096), true), (4095, false)] {
            var run = Run(.burst, seen: 1000)
            run.pass(fresh: fresh)
            #expect(!run.goesOn)
            #expect(Self.isDue(run, after: 15) == isSoon)
            #expect(Self.isDue(run, after: 60))
        }
    }

    @Test func `a probe that did not pay doubles the time to the next, and one that did does not`() {
        // Half a second of CPU time is worth 25 MiB, or 6400 pages.
        for (merged, isLater) in [(Int64(6399), true), (6400, false)] {
            var run = Run(.probe, seen: 1000)
            run.pass(merged: merged)
            #expect(!run.goesOn)
            #expect(!Self.isDue(run, after: 59))
            #expect(Self.isDue(run, after: 60) != isLater && Self.isDue(run, after: 120))
        }
    }
}
