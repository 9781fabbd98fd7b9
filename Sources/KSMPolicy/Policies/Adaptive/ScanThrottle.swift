/// Keeps ksmd's share of a CPU by what it was seen to take.
///
/// The time for a page changes tenfold between hashing and comparing, and no file says which of them comes next. So
/// the sleep is fixed, and the pages of a batch follow the share that the last step took. What was taken too much is
/// paid back, so that the mean over some seconds holds, whatever a single step took.
package struct ScanThrottle: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// A pace, as the kernel's files take it.
    package struct Pace: Equatable, Sendable {
        package var pagesToScan: Int64 = 0
        package var sleepMilliseconds: Int64 = 0
    }

    /// ksmd's pace; zeros before the first step.
    package private(set) var pace = Pace()
    /// The share that the last step took, of one CPU; `nil` before one was measured.
    package private(set) var measured: Double?
    /// The pages of a batch, before they are made whole.
    private var batch: Double?
    /// The share that they are meant for.
    private var share = 1.0
    /// What the last steps would have taken at the pace of now, in seconds, the newest counting most: near the whole of a
    /// CPU a batch and its sleep are longer than a step, and a single step says little.
    private var recent = (used: 0.0, elapsed: 0.0)
    /// CPU time taken above the share, in seconds; a little below 0 where less was taken.
    private var debt = 0.0

    package init() {}

    /// Sets the pace of a scan that begins.
    ///
    /// - Parameters:
    ///   - share: What ksmd may take, of one CPU, more than 0 and at most 1.
    ///   - most: Pages of a batch, at most.
    package mutating func begin(share: Double, most: Pages = .greatest) {
        recent = (0, 0)
        let first = Parameters.firstPagesPerMillisecond * (Parameters.batchMilliseconds * share)
        set(batch(for: share) ?? first, share, most)
    }

    /// The pages of a batch that are as right for this share as those of now are for theirs.
    private func batch(for share: Double) -> Double? {
        batch.map { share == self.share ? $0 : $0 * share / self.share }
    }

    /// Sets the pace by what a step took.
    ///
    /// - Parameters:
    ///   - share: What ksmd may take, of one CPU, more than 0 and at most 1.
    ///   - elapsed: The length of the step.
    ///   - used: CPU time that ksmd took in it; `nil` where it cannot be known. Then the batch stays the first one,
    ///     which is slow rather than too much.
    ///   - waited: The time that it was ready and had no CPU. Longer batches would not get it one sooner.
    ///   - most: Pages of a batch, at most.
    package mutating func adjust(
        share: Double, elapsed: Duration, used: Duration?, waited: Duration, most: Pages = .greatest
    ) {
        guard elapsed > .zero, let batch = batch(for: share) else { return begin(share: share, most: most) }
        guard let used = used?.seconds else { return set(batch, share, most) }
        let (elapsed, waited) = (elapsed.seconds, waited.seconds)
        measured = min(max(used / elapsed, 0), 1)
        let weight = Parameters.weightOfEarlierSteps
        recent = (used + recent.used * weight, elapsed + recent.elapsed * weight)
        // Near the whole of a CPU batches and sleeps do not fit into steps: without a little credit the mean would stay
        // below the share.
        debt = max(debt + used - share * elapsed, -share * Parameters.creditSeconds)
        set(batch, share, most)
        // ksmd that did nothing says nothing of its speed.
        guard used > 0 else { return }
        let aim = max(share - debt / Parameters.paybackSeconds, share * Parameters.leastPaybackPart)
        // A batch and its sleep are as the share to the rest. Near the whole of a CPU the rest is lost in the noise,
        // and a batch may even be longer than the step.
        let change = aim / (1 - min(aim, 1 - Parameters.leastMeasuredRest)) / recentRatio
        let isStarved = (used + waited) / elapsed > Parameters.starvedShare
        let greatest = isStarved ? 1 : Parameters.batchChange.upperBound
        set(batch * min(max(change, Parameters.batchChange.lowerBound), greatest), share, most)
    }

    /// What the last steps took, against the rest.
    private var recentRatio: Double {
        let taken = min(max(recent.used / recent.elapsed, 0), 1)
        return max(taken, Parameters.leastMeasuredShare) / max(1 - taken, Parameters.leastMeasuredRest)
    }

    private mutating func set(_ pages: Double, _ share: Double, _ most: Pages) {
        let greatest = min(Parameters.batchPages.upperBound, Double(most.count))
        let pages = max(min(pages, greatest), Parameters.batchPages.lowerBound)
        let sleep = Self.sleep(share)
        let change = pages / (batch ?? pages) * (Self.sleep(self.share) / sleep)
        if recent.elapsed > 0, change != 1 {
            let ratio = recentRatio * change
            recent.used = recent.elapsed * ratio / (1 + ratio)
        }
        batch = pages
        self.share = share
        pace = Pace(pagesToScan: Int64(pages), sleepMilliseconds: Int64(sleep))
    }

    /// The sleep behind a batch, in milliseconds.
    private static func sleep(_ share: Double) -> Double {
        max(Parameters.batchMilliseconds * (1 - share), Parameters.leastSleepMilliseconds)
    }
}
