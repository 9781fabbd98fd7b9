import KSMPolicy
import KSMSimulator

/// The kernel's scan-time advisor, `scan_time_advisor()` of `mm/ksm.c` (6.8 to 6.18), with its default limits.
///
/// At the end of each pass it sets `pages_to_scan` so that the next one takes the target time. The kernel calculates
/// with whole numbers, and so does this: their rounding decides at small values. It starts as on a host where the
/// advisor is on since boot.
struct KernelAdvisor {
    /// `advisor_target_scan_time`, in seconds.
    let target: Int64
    /// The kernel's `sleep_millisecs`, which the advisor leaves alone.
    private static let sleepMilliseconds: Int64 = 20
    /// `advisor_min_pages_to_scan`: no limit but the value to start from.
    private static let startPages: Int64 = 500
    /// `advisor_max_pages_to_scan`
    private static let mostPages: Int64 = 30_000
    /// Percent of a CPU: a constant of the kernel, and `advisor_max_cpu`.
    private static let leastCPU: Int64 = 10
    private static let mostCPU: Int64 = 70
    /// The weight of the present pass in the moving average, in percent.
    private static let weight: Int64 = 30

    private var passes: Int64 = 0
    private var passBegan = 0.0
    /// Of the pass before; 0 before the first.
    private var lastSeconds: Int64 = 0
    private var lastCPU = 0.0
    /// How the time of a pass changes, in percent of the one before: a moving average, which begins at 0.
    private var change: Int64 = 0

    init(target: Int64) { self.target = target }

    mutating func begin(_ ksm: inout SimulatedKSM) {
        ksm.setPace(pagesToScan: Self.startPages, sleepMilliseconds: Self.sleepMilliseconds)
        ksm.setRun(1)
        passBegan = ksm.now
    }

    /// To be called at the end of each pass; does nothing within one.
    mutating func step(_ ksm: inout SimulatedKSM) {
        guard ksm.counters.passes != passes else { return }
        passes = ksm.counters.passes
        let seconds = max(Int64(ksm.now - passBegan), 1)
        let milliseconds = Int64((ksm.cpu - lastCPU) * 1000)
        let pages = next(pages: ksm.pagesToScan, seconds: seconds, cpuMilliseconds: milliseconds)
        (passBegan, lastCPU) = (ksm.now, ksm.cpu)
        ksm.setPace(pagesToScan: pages, sleepMilliseconds: Self.sleepMilliseconds)
    }

    /// What `pages_to_scan` becomes.
    ///
    /// - Parameters:
    ///   - pages: What it was in the pass that has ended.
    ///   - seconds: What the pass took, at least 1.
    private mutating func next(pages: Int64, seconds: Int64, cpuMilliseconds: Int64) -> Int64 {
        let cpuPercent = max(cpuMilliseconds / (seconds * 10), 1)
        let changed = max(seconds * 100 / (lastSeconds == 0 ? seconds : lastSeconds), 1)
        change = ((100 - Self.weight) * change + Self.weight * changed) / 100
        lastSeconds = seconds
        let tooSlow = max(target * 100 / seconds, 1)
        let wanted = pages * 100 / tooSlow * change / 100
        let pagesPerPercent = max(pages / cpuPercent, 1)
        return min(
            max(min(wanted, pagesPerPercent * Self.mostCPU), pagesPerPercent * Self.leastCPU), Self.mostPages)
    }
}
