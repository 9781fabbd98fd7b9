package import KSMPolicy

/// What was or would be decided at each sample of a trace.
package struct DecisionSeries: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        package var action: Decision.Action
        /// `nil` where the trace does not say.
        package var reason: Decision.Reason?
        /// `nil` where the kernel's advisor chooses it, or the trace does not say.
        package var pagesToScan: Int64?
        package var sleepMilliseconds: Int64?
        package var threshold: KiB?
        /// Whether no decision was due, so that the one before held on.
        package var isHeld = false

        package init(action: Decision.Action, reason: Decision.Reason?) {
            self.action = action
            self.reason = reason
        }

        init(_ decision: Decision) {
            action = decision.action
            reason = decision.reason
            pagesToScan = decision.pagesToScan
            sleepMilliseconds = decision.sleepMilliseconds
            threshold = decision.threshold
        }

        /// Whether KSM does the same in both. While it does not scan, the pages are for later.
        package func isSame(as other: Step) -> Bool {
            action == other.action && (action == .stop || pagesToScan == other.pagesToScan)
        }
    }

    /// One for each sample.
    package var steps: [Step]

    package init(steps: [Step]) {
        self.steps = steps
    }

    /// What the trace itself holds; `nil` where it does not say what was decided.
    package init?(recordedIn trace: Trace) {
        guard trace.hasActions else { return nil }
        steps = trace.records.map { record in
            var step = Step(action: record.action, reason: record.reason)
            if trace.hasPace {
                step.pagesToScan = record.pagesToScan
                step.sleepMilliseconds = record.sleepMilliseconds
            }
            if record.threshold > .zero { step.threshold = record.threshold }
            return step
        }
    }

    // MARK: In sum

    /// What a series comes to over the time of a trace.
    package struct Summary: Equatable, Sendable {
        /// The time that KSM runs.
        package var running = Duration.zero
        /// The same as a share of the time for which the samples hold, 0 to 1.
        package var share = 0.0
        /// How often KSM begins to run, at the first sample too.
        package var starts = 0
        /// Pages per scan while KSM runs, weighed by time; `nil` where it never runs, or they are not known.
        package var meanPagesToScan: Double?
        package var mostPagesToScan: Int64?
        /// Pages that ksmd scans at most: running time by ``ScanPeriod``, as if a scan itself took no time. `nil`
        /// where the pace is not known.
        package var scannedPages: Double?

        package init() {}
    }

    package func summary(over timeline: Timeline) -> Summary {
        var summary = Summary()
        var isRunning = false
        // Over the running time in seconds; `nil` as soon as a step does not say.
        var weighed: Double? = 0
        var scanned: Double? = 0
        for (step, duration) in zip(steps, timeline.durations) {
            defer { isRunning = step.action == .scan }
            guard step.action == .scan else { continue }
            if !isRunning { summary.starts += 1 }
            summary.running += duration
            weighed = weighed.flatMap { sum in step.pagesToScan.map { sum + Double($0) * duration.seconds } }
            scanned = scanned.flatMap { sum in Self.pagesPerSecond(step).map { sum + $0 * duration.seconds } }
            if let pages = step.pagesToScan { summary.mostPagesToScan = max(summary.mostPagesToScan ?? 0, pages) }
        }
        summary.scannedPages = scanned
        let covered = timeline.covered
        if covered > .zero { summary.share = summary.running / covered }
        if let weighed, summary.running > .zero { summary.meanPagesToScan = weighed / summary.running.seconds }
        if weighed == nil { summary.mostPagesToScan = nil }
        return summary
    }

    private static func pagesPerSecond(_ step: Step) -> Double? {
        guard let pages = step.pagesToScan, let sleep = step.sleepMilliseconds,
            let period = ScanPeriod.length(sleepMilliseconds: sleep)
        else { return nil }
        return Double(pages) / period.seconds
    }
}
