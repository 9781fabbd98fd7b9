/// What samples said of the host, kept for the samples that do not hold it.
struct HostConditions: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// Whether the operator asked for a scan, and none has begun since.
    var isRequested = false
    /// How fast the guests grow.
    var growth = GuestGrowth()
    /// The share of time in which some task other than ksmd waits for a CPU, at least.
    private var cpuPressure: (at: Instant, share: Double)?
    /// ksmd's own waiting when that was last known.
    private var ksmdWaited: (at: Instant, time: Duration)?
    /// When memory was last short, or the kernel announced that it was.
    private var lastShortage: Instant?
    private var lastMemoryLook: Instant?

    mutating func observe(_ sample: AdaptiveSample) {
        if sample.isRequested { isRequested = true }
        if sample.isUnderPressure { lastShortage = sample.now }
        if let available = sample.available {
            lastMemoryLook = sample.now
            if available < Parameters.shortAvailable { lastShortage = sample.now }
        }
        if let pressure = sample.cpuPressure, pressure.isFinite {
            // The first of a scan is the mean of all the time since the scan before.
            let isOfNow = ksmdWaited.map { sample.now - $0.at <= Parameters.pressureLasts } ?? true
            cpuPressure = isOfNow ? (sample.now, max(pressure - ownShare(sample), 0)) : nil
            ksmdWaited = (sample.now, sample.counters.waited)
        }
    }

    /// The share of the time in which ksmd itself waited: under SCHED_IDLE that is whenever anything else runs, and no
    /// reason to take less.
    private func ownShare(_ sample: AdaptiveSample) -> Double {
        guard let ksmdWaited, sample.now > ksmdWaited.at else { return 0 }
        return max(sample.counters.waited - ksmdWaited.time, .zero) / (sample.now - ksmdWaited.at)
    }

    func isMemoryShort(at now: Instant) -> Bool {
        lastShortage.map { now - $0 < Parameters.shortageLasts } ?? false
    }

    /// Whether the host's memory has not been looked at for a while.
    func isMemoryLookDue(at now: Instant) -> Bool {
        lastMemoryLook.map { now - $0 >= Parameters.memoryStep } ?? true
    }

    /// The part of its share that ksmd takes while others wait for a CPU: whoever waits goes first.
    func partOfShare(at now: Instant) -> Double {
        if isMemoryShort(at: now) { return 1 }
        guard let cpuPressure, now - cpuPressure.at <= Parameters.pressureLasts else { return 1 }
        return min(max(1 + Parameters.toleratedCPUPressure - cpuPressure.share, Parameters.leastPressedShare), 1)
    }
}
