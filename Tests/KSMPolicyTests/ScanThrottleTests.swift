import Testing

@testable import KSMPolicy

/// ksmd's share of a CPU: by single steps, whose batches follow from the comments in ``ScanThrottle``, and beside a
/// thread that takes as long for a page as the test says.
@Suite struct ScanThrottleTests {
    /// A throttle at its first batch, which is 3750 pages for half of a CPU.
    private static func begun(share: Double = 0.5) -> ScanThrottle {
        var throttle = ScanThrottle()
        throttle.begin(share: share)
        return throttle
    }

    /// ksmd, as far as the throttle sees it: batches of pages with sleeps between.
    private struct Thread {
        var secondsPerPage: Double

        func used(_ pace: ScanThrottle.Pace, in elapsed: Double) -> Double {
            let batch = Double(pace.pagesToScan) * secondsPerPage
            return elapsed * batch / (batch + Double(pace.sleepMilliseconds) / 1000)
        }
    }

    /// Steps of a tenth of a second.
    ///
    /// - Returns: What the thread took in each, in seconds.
    private static func run(
        _ throttle: inout ScanThrottle, share: Double, steps: Int, _ thread: Thread
    ) -> [Double] {
        (0..<steps).map { _ in
            let used = thread.used(throttle.pace, in: 0.1)
            throttle.adjust(
                share: share, elapsed: .milliseconds(100), used: Duration(rounding: used), waited: .zero)
            return used
        }
    }

    @Test(arguments: [(0.01, 75, 49), (0.1, 750, 45), (0.5, 3750, 25), (1, 7500, 1)] as [(Double, Int64, Int64)])
    func `the first batch and its sleep are a period of 50 ms at a slow host's speed`(
        share: Double, pages: Int64, sleep: Int64
    ) {
        #expect(Self.begun(share: share).pace == ScanThrottle.Pace(pagesToScan: pages, sleepMilliseconds: sleep))
    }

    @Test(
        arguments: [
            // Two fifths were taken: the batch is to its rest as 2 to 3, and shall be as 1 to 1. The twentieth of the
            // share that is made up for asks for 21 to 19.
            (400, 6217), (500, 3750),
            // A third of what was asked for asks for a batch three times as long or longer; that is the most.
            (250, 11_250), (100, 11_250), (10, 11_250),
            // All of a CPU, more than there is, and none: a tenth is the least, and nothing says nothing.
            (1000, 375), (1200, 375), (0, 3750),
        ] as [(Int, Int64)])
    func `a batch follows the share that was taken`(milliseconds: Int, pages: Int64) {
        var throttle = Self.begun()
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(milliseconds), waited: .zero)
        #expect(abs(throttle.pace.pagesToScan - pages) <= 1 && throttle.pace.sleepMilliseconds == 25)
    }

    // From 7125 pages. What was taken too much is paid back, so the batch shall be to its rest as 93 to 7 where it was as 97
    // to 3; as 91 to 9, where 10 ms of rest count as 20; and as 89 to 11, where what was more than all counts as all.
    @Test(arguments: [(970, 2928), (990, 1455), (1010, 1153)] as [(Int, Int64)])
    func `near the whole of a CPU the rest is as it was seen, down to a fiftieth`(milliseconds: Int, pages: Int64) {
        var throttle = Self.begun(share: 0.95)
        throttle.adjust(share: 0.95, elapsed: .seconds(1), used: .milliseconds(milliseconds), waited: .zero)
        #expect(abs(throttle.pace.pagesToScan - pages) <= 1)
    }

    @Test func `the steps before count half`() {
        var throttle = Self.begun()
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(400), waited: .zero)
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(500), waited: .zero)
        // With the batch of 6217 the first step had taken 21 of 40, so 0.7625 s of 1.5 s is 61 to 59, and the batch changes by
        // 59 to 61, and by 21 to 19 as before.
        #expect(throttle.pace.pagesToScan == 6646)
        // A scan that begins knows the batch, and nothing of the steps before.
        throttle.begin(share: 0.5)
        #expect(throttle.pace.pagesToScan == 6646)
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(500), waited: .zero)
        #expect(throttle.pace.pagesToScan == 7345)
        throttle.begin(share: 0.5, most: 1000)
        #expect(throttle.pace.pagesToScan == 1000)
        throttle.begin(share: 0.5, most: 2000)
        #expect(throttle.pace.pagesToScan == 1000)
    }

    @Test func `a host that is steady is met by one change of the batch`() {
        // At 4 microseconds a page, of which a batch takes 6250.
        var throttle = Self.begun()
        var pages: [Int64] = []
        for _ in 0..<6 {
            let busy = Double(throttle.pace.pagesToScan) * 4e-3
            let used = busy / (busy + Double(throttle.pace.sleepMilliseconds))
            throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .microseconds(Int64(used * 1e6)), waited: .zero)
            pages.append(throttle.pace.pagesToScan)
        }
        // What was taken too little before is made up for, and then it stays.
        #expect(pages.allSatisfy { (6200...7000).contains($0) }, "\(pages)")
    }

    @Test(arguments: [(0.1, 0.95), (0.95, 0.1), (0.5, 0.05)])
    func `another share takes the batch that this host has for it, at once`(before: Double, after: Double) {
        var throttle = Self.begun(share: before)
        let pages = Double(throttle.pace.pagesToScan)
        // What was taken was the share.
        throttle.adjust(share: before, elapsed: .seconds(1), used: .milliseconds(Int64(before * 1000)), waited: .zero)
        #expect(abs(Double(throttle.pace.pagesToScan) - pages) <= 1)
        throttle.begin(share: after)
        #expect(throttle.pace == Self.begun(share: after).pace)
        // Also in the midst of a scan, where a look becomes one by the full share.
        var changing = Self.begun(share: before)
        changing.adjust(share: after, elapsed: .seconds(1), used: .milliseconds(Int64(before * 1000)), waited: .zero)
        let expected = Double(Self.begun(share: after).pace.pagesToScan)
        let pace = Double(changing.pace.pagesToScan)
        if after > before {
            // A little more, for what was taken too little meanwhile.
            #expect((expected...(expected * 3)).contains(pace))
        } else {
            // Less, for what was taken too much.
            #expect((expected * 0.1...expected).contains(pace))
        }
    }

    @Test(
        arguments: [
            (.milliseconds(400), 5000, 5000), (nil, 3000, 3000), (.zero, 3000, 3000), (.milliseconds(400), 3, 16),
        ]
            as [(Duration?, Int64, Int64)])
    func `a batch has no more pages than it may, and as many as it takes to go on`(
        used: Duration?, most: Int64, pages: Int64
    ) {
        var throttle = Self.begun()
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: used, waited: .zero, most: Pages(most))
        #expect(throttle.pace.pagesToScan == pages)
        var first = ScanThrottle()
        first.adjust(share: 0.5, elapsed: .seconds(1), used: used, waited: .zero, most: Pages(most))
        #expect(first.pace.pagesToScan == min(pages, 3750))
    }

    @Test(arguments: [(400, 6217), (490, 6217), (510, 3750), (600, 3750)] as [(Int, Int64)])
    func `one that is ready to run for nine tenths of a step gets no longer batch`(waited: Int, pages: Int64) {
        var throttle = Self.begun()
        throttle.adjust(
            share: 0.5, elapsed: .seconds(1), used: .milliseconds(400), waited: .milliseconds(waited))
        #expect(abs(throttle.pace.pagesToScan - pages) <= 1)
    }

    @Test func `one that takes too much gets a shorter batch also while it waits`() {
        var throttle = Self.begun()
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(600), waited: .milliseconds(400))
        #expect(throttle.pace.pagesToScan < 3750)
    }

    @Test(arguments: [(-5, 0), (0, 0), (30, 0.3), (100, 1), (120, 1)] as [(Int, Double)])
    func `what was taken is a share of one CPU`(milliseconds: Int, share: Double) {
        var throttle = Self.begun()
        #expect(throttle.measured == nil)
        throttle.adjust(
            share: 0.5, elapsed: .milliseconds(100), used: .milliseconds(milliseconds), waited: .zero)
        #expect(throttle.measured == share)
    }

    @Test func `a step without length begins anew`() {
        var throttle = Self.begun()
        throttle.adjust(share: 0.25, elapsed: .zero, used: .seconds(1), waited: .zero)
        #expect(throttle.measured == nil)
        #expect(throttle.pace == ScanThrottle.Pace(pagesToScan: 1875, sleepMilliseconds: 37))
        var first = ScanThrottle()
        first.adjust(share: 0.5, elapsed: .seconds(1), used: .seconds(1), waited: .zero)
        #expect(first.pace == Self.begun().pace)
    }

    @Test(arguments: [0.05, 0.2, 0.5, 0.8], [2e-6, 20e-6]) func `the share is met and kept`(
        share: Double, secondsPerPage: Double
    ) throws {
        var throttle = Self.begun(share: share)
        _ = Self.run(&throttle, share: share, steps: 60, Thread(secondsPerPage: secondsPerPage))
        for used in Self.run(&throttle, share: share, steps: 20, Thread(secondsPerPage: secondsPerPage)) {
            #expect(abs(used / 0.1 - share) < share * 0.03)
        }
    }

    @Test func `what was taken too much is paid back`() {
        let share = 0.2
        var throttle = Self.begun(share: share)
        let quick = Thread(secondsPerPage: 1e-6)
        let slow = Thread(secondsPerPage: 20e-6)
        _ = Self.run(&throttle, share: share, steps: 60, quick)
        // Pages are compared that were hashed before: each batch takes twenty times as long.
        let used = Self.run(&throttle, share: share, steps: 60, slow)
        #expect(used[0] > 0.08)
        let excess = used.prefix(2).reduce(0, +) - share * 0.2
        #expect(excess > 0.06)
        // All of it is made up for, and then the share holds.
        #expect(abs(used.reduce(0, +) / 6 - share) < share * 0.02)
        #expect(used.suffix(10).allSatisfy { abs($0 / 0.1 - share) < share * 0.05 })
    }

    @Test func `a pass goes on by an eighth of the share while it is paid back`() {
        let share = 0.4
        var throttle = Self.begun(share: share)
        // Four seconds of a CPU, where 1.6 s would have been right: more than can be paid back in the next four.
        for _ in 0..<4 { throttle.adjust(share: share, elapsed: .seconds(1), used: .seconds(1), waited: .zero) }
        let used = Self.run(&throttle, share: share, steps: 40, Thread(secondsPerPage: 5e-6))
        for taken in used.suffix(20) { #expect(abs(taken / 0.1 - share / 8) < share * 0.02) }
    }

    @Test func `one that takes next to nothing while that is paid back gets longer batches`() {
        var throttle = Self.begun(share: 0.01)
        throttle.adjust(share: 0.01, elapsed: .seconds(1), used: .seconds(1), waited: .zero)
        for _ in 0..<20 {
            throttle.adjust(share: 0.01, elapsed: .milliseconds(100), used: .nanoseconds(1), waited: .zero)
        }
        // By a fourth each time, as a thousandth of a CPU is to an eighth of the share.
        let before = Double(throttle.pace.pagesToScan)
        for _ in 0..<10 {
            throttle.adjust(share: 0.01, elapsed: .milliseconds(100), used: .nanoseconds(1), waited: .zero)
        }
        #expect(abs(Double(throttle.pace.pagesToScan) / before - 9.4) < 0.6)
    }

    @Test func `what was left over is next to no credit`() {
        var throttle = Self.begun()
        for _ in 0..<20 { throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .zero, waited: .zero) }
        throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .seconds(1), waited: .zero)
        let used = Self.run(&throttle, share: 0.5, steps: 30, Thread(secondsPerPage: 5e-6))
        // The half second above the share is missing in the three seconds behind it.
        #expect(abs(used.reduce(0, +) - (1.5 - 0.5)) < 0.1)
    }

    @Test func `a batch stays within its bounds`() {
        var throttle = Self.begun()
        for _ in 0..<12 {
            throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .milliseconds(1), waited: .zero)
        }
        #expect(throttle.pace.pagesToScan == 200_000)
        for _ in 0..<12 { throttle.adjust(share: 0.5, elapsed: .seconds(1), used: .seconds(1), waited: .zero) }
        #expect(throttle.pace.pagesToScan == 16)
    }
}
