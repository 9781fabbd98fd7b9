extension AdaptivePolicy {
    /// How long the steps of a scan are, by what ksmd did in the last one.
    struct ScanSteps: Sendable {
        /// The end of the last step.
        private(set) var last: (now: Instant, counters: ScanCounters)
        /// How fast ksmd came to pages in it, or in the last one in which it did: the kernel counts them at the end of a
        /// batch.
        private var pagesPerSecond = 0.0
        /// Pages that it had yet to come to at the end of that step before there is more to tell.
        private var left = Pages.zero
        /// Since when ksmd has come to no pages, or should have come to where there is more to tell.
        private var waitingSince: Instant?

        init(_ sample: AdaptiveSample) {
            last = (sample.now, sample.counters)
        }

        /// What ksmd took in a step.
        struct Step {
            var elapsed: Duration
            /// The time that it was on a CPU; `nil` where that is not known.
            var used: Duration?
            /// The time that it was ready and had none.
            var waited = Duration.zero
        }

        /// Ends the step under way.
        ///
        /// - Parameter left: Pages that ksmd has yet to come to before there is more to tell.
        mutating func end(_ sample: AdaptiveSample, left: Pages) -> Step {
            var step = Step(elapsed: sample.now - last.now)
            if let before = last.counters.cpu, let cpu = sample.counters.cpu {
                step.used = cpu - before
                step.waited = sample.counters.waited - last.counters.waited
            }
            let visited = Double((sample.counters.visited - last.counters.visited).count)
            if step.elapsed > .zero, visited > 0 { pagesPerSecond = visited / step.elapsed.seconds }
            self.left = left
            waitingSince = left > .zero && visited > 0 ? nil : waitingSince ?? sample.now
            last = (sample.now, sample.counters)
            return step
        }

        /// How long the next one is: a part of the time that it takes ksmd to come to where there is more to tell, since in
        /// between there is only its pace to be seen to; and the last one all of it, since what ksmd comes to behind the end
        /// of a scan may be in vain. Where it is late, or came to nothing, a part of the time that it has been so.
        func next(_ settings: Settings) -> Duration {
            let shortest = settings.burstStep
            guard pagesPerSecond > 0 else { return shortest }
            let time = Duration(rounding: Double(left.count) / pagesPerSecond)
            if time <= shortest {
                let waited = waitingSince.map { last.now - $0 } ?? .zero
                return min(max(time, waited * Parameters.partOfTime, Parameters.leastStep), shortest)
            }
            let longest = max(shortest, min(settings.idleStep, Parameters.longestStep))
            return min(max(time * Parameters.partOfTime, shortest), longest)
        }
    }
}
