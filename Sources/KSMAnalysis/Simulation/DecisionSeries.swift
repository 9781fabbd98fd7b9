package import KSMPolicy

/// What was or would be decided at each sample of a trace.
package struct DecisionSeries: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        package var action: Decision.Action
        /// `nil` where the trace does not tell.
        package var reason: Decision.Reason?
        /// `nil` where the kernel's advisor chooses it, or the trace does not tell.
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

    /// What the trace itself holds; `nil` where it does not tell what was decided.
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
        /// The time that KSM runs, in microseconds.
        package var running: Int64 = 0
        /// The same as a share of the time of which the trace tells, 0 to 1.
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
        // Over the running time, in microseconds; `nil` as soon as a step does not tell.
        var weighed: Double? = 0
        var scanned: Double? = 0
        for (step, duration) in zip(steps, timeline.durations) {
            defer { isRunning = step.action == .scan }
            guard step.action == .scan else { continue }
            if !isRunning { summary.starts += 1 }
            summary.running = Timeline.sum(summary.running, duration)
            weighed = weighed.flatMap { sum in step.pagesToScan.map { sum + Double($0) * Double(duration) } }
            scanned = scanned.flatMap { sum in
                Self.pagesPerMicrosecond(step).map { sum + $0 * Double(duration) }
            }
            if let pages = step.pagesToScan { summary.mostPagesToScan = max(summary.mostPagesToScan ?? 0, pages) }
        }
        summary.scannedPages = scanned
        let covered = timeline.covered
        if covered > 0 { summary.share = Double(summary.running) / Double(covered) }
        if let weighed, summary.running > 0 { summary.meanPagesToScan = weighed / Double(summary.running) }
        if weighed == nil { summary.mostPagesToScan = nil }
        return summary
    }

    private static func pagesPerMicrosecond(_ step: Step) -> Double? {
        guard let pages = step.pagesToScan, let sleep = step.sleepMilliseconds,
            let period = ScanPeriod.milliseconds(sleep: sleep)
        else { return nil }
        return Double(pages) / (Double(period) * 1000)
    }
}
