import HostFixtures
import KSMPolicy
import KSMSimulator

/// The adaptive policy over a simulated KSM, as the daemon drives it.
struct PolicyRun {
    var ksm: SimulatedKSM
    var policy: AdaptivePolicy
    let configuration: Configuration
    /// Whether guests are reported busy where the policy asks.
    var isBusy = false
    /// Whether what offers memory are no guests.
    var hidesGuests = false
    var isRequested = false
    var isUnderPressure = false
    /// The share of time in which some task waits for a CPU.
    var cpuPressure = 0.0
    /// The share of the host's memory that can be had without swapping.
    var available = 0.5
    /// What guests hold by the configured metric.
    var committed = KiB.zero
    var accountsForCPU = true
    /// What smart_scan holds while the policy leaves it alone.
    var smartScan = true
    private var counters: ScanCounters?
    private var nextStep = 0.0
    private(set) var last: Decision?
    /// What ``AdaptivePolicy`` decided, where the reason changed.
    private(set) var reasons: [Decision.Reason] = []
    /// ksmd's CPU time at each step, by the time of the step, both in seconds.
    private(set) var times: [(now: Double, cpu: Double)] = []
    private(set) var steps: [Step] = []
    var keepsSteps = false
    private(set) var widest = (pages: Int64(0), sleep: Int64(0), leastPages: Int64.max, leastSleep: Int64.max)

    /// - Parameter hostMemory: In GiB.
    init(_ ksm: SimulatedKSM = SimulatedKSM(), hostMemory: Int64 = 16, cpus: Int = 4, _ configuration: Configuration) {
        self.ksm = ksm
        self.configuration = configuration
        let classic = try! ClassicPolicy(configuration, total: KiB(hostMemory * 1024 * 1024))
        policy = AdaptivePolicy(configuration, classic: classic, cpus: cpus, pageSize: Bytes(4096))
    }

    init(_ ksm: SimulatedKSM = SimulatedKSM(), hostMemory: Int64 = 16, cpus: Int = 4) {
        var configuration = Configuration()
        configuration.policy = .adaptive
        self.init(ksm, hostMemory: hostMemory, cpus: cpus, configuration)
    }

    /// Goes on until this time, in seconds.
    mutating func advance(to end: Double) {
        while nextStep <= end {
            ksm.advance(to: nextStep)
            step()
        }
        ksm.advance(to: end)
    }

    /// Goes on until a condition holds after a step.
    ///
    /// - Returns: The time of it, or `nil` where it did not come before `end`.
    mutating func advance(to end: Double, until condition: (PolicyRun) -> Bool) -> Double? {
        while nextStep <= end {
            ksm.advance(to: nextStep)
            step()
            if condition(self) { return ksm.now }
        }
        return nil
    }

    private mutating func step() {
        let now = Instant(nanoseconds: Int64(ksm.now * 1e9))
        let wants = policy.wants(at: now)
        let isCounted = wants.hasCounters
        var seen = isCounted ? ksm.counters : counters ?? ksm.counters
        if !wants.contains(.allCounters), let known = counters, known.passes == seen.passes {
            let present = seen
            seen = known
            seen.skipped = present.skipped
            seen.scanned = present.scanned
            seen.cpu = present.cpu
        }
        if !accountsForCPU { seen.cpu = nil }
        counters = seen
        var sample = AdaptiveSample(
            now: now, memory: MemorySample(free: policy.classic.total, committed: committed), counters: seen)
        sample.isCounted = isCounted
        if wants.contains(.guests) { sample.guests = hidesGuests ? [] : ksm.residents() }
        if wants.contains(.memory) { sample.available = available }
        if wants.contains(.activity) { sample.activity = GuestActivity(busiest: isBusy ? 1 : 0) }
        if wants.contains(.cpuPressure) { sample.cpuPressure = cpuPressure }
        sample.isRequested = isRequested
        sample.isUnderPressure = isUnderPressure
        isRequested = false
        isUnderPressure = false
        apply(policy.decide(sample), wants)
    }

    private mutating func apply(_ decision: Decision, _ wants: AdaptivePolicy.Wants) {
        if last?.reason != decision.reason { reasons.append(decision.reason) }
        last = decision
        if keepsSteps { steps.append(Step(time: ksm.now, wants: wants, decision: decision)) }
        times.append((ksm.now, ksm.cpu))
        if decision.action == .scan {
            widest = (
                max(widest.pages, decision.pagesToScan), max(widest.sleep, decision.sleepMilliseconds),
                min(widest.leastPages, decision.pagesToScan), min(widest.leastSleep, decision.sleepMilliseconds)
            )
            ksm.setPace(pagesToScan: decision.pagesToScan, sleepMilliseconds: decision.sleepMilliseconds)
            ksm.smartScan = decision.scan?.smartScan ?? smartScan
            ksm.setRun(1)
        } else {
            ksm.setRun(0)
        }
        nextStep = ksm.now + (decision.pause ?? .seconds(60)).seconds
    }

    struct Step: Equatable {
        /// In seconds.
        var time: Double
        /// What the sample was to hold.
        var wants: AdaptivePolicy.Wants
        var decision: Decision
    }

    /// The most CPU time in any so many seconds between two steps, as a share of them.
    func greatestShare(over window: Double) -> Double {
        var greatest = 0.0
        var first = 0
        for step in times {
            while first + 1 < times.count, step.now - times[first + 1].now >= window { first += 1 }
            let length = step.now - times[first].now
            if length >= window { greatest = max(greatest, (step.cpu - times[first].cpu) / length) }
        }
        return greatest
    }
}
