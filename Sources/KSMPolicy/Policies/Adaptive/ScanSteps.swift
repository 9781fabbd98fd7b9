extension AdaptivePolicy {
    /// How long the steps of a scan are, by what ksmd did in the last one.
    struct ScanSteps: Sendable {
        /// The end of the last step.
        private(set) var last: (now: Instant, counters: ScanCounters)
        /// How fast ksmd came to pages in it.
        private var pagesPerSecond = 0.0
        /// The part of the time in which it wanted a CPU that it had one.
        private var partWithCPU = 1.0

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
        mutating func end(_ sample: AdaptiveSample) -> Step {
            var step = Step(elapsed: sample.now - last.now)
            if let before = last.counters.cpu, let cpu = sample.counters.cpu {
                step.used = cpu - before
                step.waited = sample.counters.waited - last.counters.waited
            }
            let onCPU = step.used ?? .zero
            partWithCPU = onCPU + step.waited > .zero ? onCPU / (onCPU + step.waited) : 1
            let visited = Double((sample.counters.visited - last.counters.visited).count)
            pagesPerSecond = step.elapsed > .zero ? visited / step.elapsed.seconds : 0
            last = (sample.now, sample.counters)
            return step
        }

        /// The longest: of one that is not watched closely.
        static func longest(_ settings: Settings) -> Duration {
            max(settings.burstStep, min(settings.idleStep, Parameters.lookStep))
        }

        /// The next one.
        ///
        /// - Parameter left: Pages that ksmd has yet to come to in this pass, at least.
        func next(left: Pages, _ settings: Settings) -> Duration {
            let longest = Self.longest(settings)
            // Where others have the CPUs, as much happens in a longer one.
            let step = partWithCPU > 0 ? min(settings.burstStep / partWithCPU, longest) : longest
            guard pagesPerSecond > 0 else { return step }
            let untilEnd = Duration(rounding: Double(left.nonNegative.count) / pagesPerSecond)
            return min(step, max(untilEnd, Parameters.leastStep))
        }
    }
}
