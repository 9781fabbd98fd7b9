package import KSMPolicy

/// Samples of a host, decided once more by another configuration.
///
/// The samples stay as they were recorded. What one configuration would have merged and another not is not in them, so
/// a replay shows when and how hard KSM would have scanned, not what would have come of it.
package enum Simulation {
    /// Why a configuration cannot be replayed.
    package enum Refusal: Error, Equatable, Sendable {
        /// What its policy would have done cannot be known.
        case policy
        /// The settings do not fit a host of the size that the trace names.
        case arithmetic(ClassicPolicy.Refusal, total: KiB)
    }

    /// Timers are late and early: a sample counts as the end of an interval from this share of it on.
    static let leastShare = 0.9

    /// What the configuration's policy decides at each sample, beginning as a daemon that has just been started, and
    /// anew after each time that the recording daemon was away.
    ///
    /// A sample that comes before the configured interval is over is passed over, and the decision before holds. So is
    /// what guests and memory pressure gave rise to between two intervals. Where samples are further apart than the
    /// interval, each is decided once.
    ///
    /// The classic policy is replayed as it is. Of the advisor policy it is known when it starts and stops KSM, by the
    /// same comparison; the pages are the kernel's own choice, and not known.
    package static func replay(
        _ trace: Trace, over timeline: Timeline, by configuration: Configuration
    ) throws(Refusal) -> DecisionSeries {
        guard configuration.policy.traits.canBeReplayed else { throw .policy }
        let least = interval(of: configuration) * leastShare
        var policy: ClassicPolicy?
        var pages: Int64 = 0
        var decidedAt = WallTime(microseconds: 0)
        var steps: [DecisionSeries.Step] = []
        steps.reserveCapacity(trace.records.count)
        for (index, record) in trace.records.enumerated() {
            if timeline.beginnings[index] {
                // It does not remember the pages of its former life.
                pages = 0
            } else if var held = steps.last, record.time - decidedAt < least {
                held.isHeld = true
                steps.append(held)
                continue
            }
            if policy?.total != record.total { policy = try classic(configuration, total: record.total) }
            guard let policy else { break }
            let decision = policy.decide(sample(record, configuration), previous: pages)
            pages = decision.pagesToScan
            decidedAt = record.time
            var step = DecisionSeries.Step(decision)
            if configuration.policy.traits.leavesPaceToKernel {
                step.pagesToScan = nil
                step.sleepMilliseconds = nil
            }
            steps.append(step)
        }
        return DecisionSeries(steps: steps)
    }

    /// The time between two decisions.
    package static func interval(of configuration: Configuration) -> Duration {
        configuration.policy == .advisor ? AdvisorPolicy.step : configuration.monitorInterval
    }

    private static func classic(_ configuration: Configuration, total: KiB) throws(Refusal) -> ClassicPolicy {
        do throws(ClassicPolicy.Refusal) {
            return try ClassicPolicy(configuration, total: total)
        } catch {
            throw .arithmetic(error, total: total)
        }
    }

    private static func sample(_ record: HistoryRecord, _ configuration: Configuration) -> MemorySample {
        var memory = record.memory
        if configuration.freeMetric == .available, let available = record.available { memory.free = available }
        return memory
    }
}
