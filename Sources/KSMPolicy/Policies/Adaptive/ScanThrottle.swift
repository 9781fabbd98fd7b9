/// Keeps ksmd's share of a CPU by what it was seen to take.
///
/// The time for a page changes tenfold between hashing and comparing, and no file tells which of them comes next. So
/// the sleep is fixed, and the pages of a batch follow the share that the last step took. What was taken too much is
/// paid back, so that the mean over some seconds holds, whatever a single step took.
package struct ScanThrottle: Sendable {
    /// A scan and the sleep behind it should take this long together, in milliseconds: long enough that ksmd does
    /// not wake for nothing, short enough that a write to `run`, which waits for the scan, is not held up.
    static let period = 50.0
    /// The time in which a debt is paid back, in seconds.
    static let payback = 1.0
    /// Pages that a slow host compares in a millisecond: the first batch, before anything was measured.
    static let firstRate = 150.0
    static let pages = 16.0...200_000

    private var batch: Double?
    /// What the last steps took, the newest counting most: near the whole of a CPU a batch and its sleep are longer than
    /// a step, and a single step says little.
    private var recent = (used: 0.0, elapsed: 0.0)
    /// CPU time taken above the share, in seconds.
    private var debt = 0.0
    /// The share that the last step took, of one CPU.
    package private(set) var measured: Double?

    package init() {}

    /// A pace, as the kernel's files take it.
    package struct Pace: Equatable, Sendable {
        package var pagesToScan: Int64
        package var sleepMilliseconds: Int64
    }

    /// - Parameters:
    ///   - share: What ksmd may take, of one CPU, more than 0 and at most 1.
    ///   - elapsed: The time since the last call, in seconds; 0 for the first of a burst.
    ///   - used: CPU time that ksmd took meanwhile, in seconds; `nil` where it cannot be told. Then the batch stays
    ///     the first one, which is slow rather than too much.
    ///   - waited: The time that it was ready and had no CPU. Longer batches would not get it one sooner.
    package mutating func pace(share: Double, elapsed: Double, used: Double?, waited: Double) -> Pace {
        let sleep = max(Self.period * (1 - share), 1)
        let wanted = Self.period * share
        var pages = batch ?? Self.firstRate * wanted
        if elapsed <= 0 { recent = (0, 0) }
        if elapsed > 0, let used {
            measured = min(max(used / elapsed, 0), 1)
            recent = (used + recent.used / 2, elapsed + recent.elapsed / 2)
            let taken = min(max(recent.used / recent.elapsed, 0), 1)
            debt = max(debt + used - share * elapsed, 0)
            // ksmd that did nothing says nothing of its speed.
            guard used > 0 else { return Pace(pagesToScan: Int64(pages), sleepMilliseconds: Int64(sleep)) }
            let aim = max(share - debt / Self.payback, share / 8)
            // Of what a step took: the batch and its sleep are as the share to the rest. Near the whole of a CPU the
            // rest is lost in the noise, and a batch may even be longer than the step.
            let present = max(taken, 0.001) / max(1 - taken, 0.02)
            let change = aim / (1 - min(aim, 0.98)) / present
            // One that is hardly ever asleep gets no more by a longer batch: others have the CPU.
            let isStarved = (used + waited) / elapsed > 0.9
            pages *= min(max(change, 0.1), isStarved ? 1 : 3)
        }
        pages = min(max(pages, Self.pages.lowerBound), Self.pages.upperBound)
        batch = pages
        return Pace(pagesToScan: Int64(pages), sleepMilliseconds: Int64(sleep))
    }
}
