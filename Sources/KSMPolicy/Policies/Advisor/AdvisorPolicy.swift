/// Hands the pace to the kernel's scan-time advisor, and sees to it that the advisor does its work.
///
/// Whether to scan is decided by ``ClassicPolicy``. The advisor then aims at a time for a pass; see
/// `Documentation/admin-guide/mm/ksm.rst`. It has two traps. After its first pass it can fall to a few pages and stay
/// there, since its bound for CPU time comes after its minimum, which so is no more than the value that it starts
/// from. And with little to scan it climbs to its maximum. So the minimum and the maximum that it gets are drawn
/// around what the known pages need, and where it lies far below, it is started anew.
package struct AdvisorPolicy: Sendable {
    package let classic: ClassicPolicy
    private let settings: Settings
    private var slowLooks = 0
    private var last: (now: Instant, cpu: Duration?)?

    private struct Settings: Equatable, Sendable {
        var scanTime: Duration
        var cpuMaximumPercent: Int64
        var pagesMinimum: Int64
        var pagesMaximum: Int64
    }

    /// The time between two looks while the kernel scans.
    package static let step = Duration.seconds(10)
    /// This many looks in a row have to find it too slow: its value changes only at the end of a pass.
    static let mostSlowLooks = 3
    /// Its room above what is needed, and the factor below it that counts as too slow.
    static let room: Int64 = 4

    package init(_ configuration: Configuration, classic: ClassicPolicy) {
        self.classic = classic
        settings = Settings(
            scanTime: configuration.advisorScanTime, cpuMaximumPercent: configuration.advisorCPUMaximumPercent,
            pagesMinimum: configuration.advisorPagesMinimum, pagesMaximum: configuration.advisorPagesMaximum)
    }

    /// What the advisor is to be given.
    package struct Order: Equatable, Sendable {
        /// The time that a pass should take, in whole seconds. The corresponding file is `advisor_target_scan_time`.
        package var scanTime: Duration
        /// Of one CPU. The corresponding file is `advisor_max_cpu`.
        package var cpuMaximumPercent: Int64
        package var pagesMinimum: Int64
        package var pagesMaximum: Int64
        /// Whether it has to begin anew.
        package var restarts = false

        package init(scanTime: Duration, cpuMaximumPercent: Int64, pagesMinimum: Int64, pagesMaximum: Int64) {
            self.scanTime = scanTime
            self.cpuMaximumPercent = cpuMaximumPercent
            self.pagesMinimum = pagesMinimum
            self.pagesMaximum = pagesMaximum
        }
    }

    /// What the kernel shows of its advisor's work.
    package struct Sample: Sendable {
        package var now: Instant
        package var counters: ScanCounters
        package var isOn: Bool
        package var pagesToScan: Int64
        package var sleepMilliseconds: Int64

        package init(
            now: Instant, counters: ScanCounters, isOn: Bool, pagesToScan: Int64, sleepMilliseconds: Int64
        ) {
            self.now = now
            self.counters = counters
            self.isOn = isOn
            self.pagesToScan = pagesToScan
            self.sleepMilliseconds = sleepMilliseconds
        }
    }

    /// Decides whether KSM should scan until the next sample, and within which bounds.
    package mutating func decide(_ memory: MemorySample, _ sample: Sample) -> Decision {
        var decision = classic.decide(memory, previous: sample.pagesToScan)
        decision.pagesToScan = sample.pagesToScan
        decision.sleepMilliseconds = sample.sleepMilliseconds
        decision.pause = Self.step
        decision.policy = .advisor
        defer { last = (sample.now, sample.counters.cpu) }
        guard decision.action == .scan else {
            slowLooks = 0
            return decision
        }
        let needed = pagesNeeded(sample)
        var order = Order(
            scanTime: settings.scanTime, cpuMaximumPercent: settings.cpuMaximumPercent, pagesMinimum: within(needed),
            pagesMaximum: within(needed.multipliedSaturated(by: Self.room)))
        // One that has just been switched on begins at its minimum anyway.
        if sample.isOn, sample.pagesToScan < order.pagesMinimum / Self.room, !isAtItsCPUMaximum(sample) {
            slowLooks += 1
        } else {
            slowLooks = 0
        }
        if slowLooks >= Self.mostSlowLooks {
            order.restarts = true
            slowLooks = 0
        }
        decision.advisor = order
        return decision
    }

    /// Pages for each scan with which a pass over all that KSM knows takes the time asked for, if scans took none.
    private func pagesNeeded(_ sample: Sample) -> Int64 {
        let product = sample.counters.seen.nonNegative.count.multipliedSaturated(by: max(sample.sleepMilliseconds, 1))
        return product == .max ? .max : product / settings.scanTime.milliseconds
    }

    private func within(_ pages: Int64) -> Int64 {
        min(max(pages, settings.pagesMinimum), settings.pagesMaximum)
    }

    /// Above this part of `KSM_ADVISOR_CPU_MAX=` a pass that is slow is put down to that bound.
    private static let nearMaximum = 0.5

    /// Slow because it may not take more: then it is as it should be.
    private func isAtItsCPUMaximum(_ sample: Sample) -> Bool {
        guard let last, let before = last.cpu, let cpu = sample.counters.cpu, sample.now > last.now else {
            return false
        }
        let most = Double(settings.cpuMaximumPercent) / 100
        return (cpu - before) / (sample.now - last.now) > most * Self.nearMaximum
    }
}
