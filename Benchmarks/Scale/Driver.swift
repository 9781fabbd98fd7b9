import KSMPolicy
import KSMSimulator

/// Who decides when KSM scans, and how hard.
enum Driver {
    case fixed(Pace)
    case advisor(KernelAdvisor)
    case adaptive(AdaptiveDriver)

    struct Pace: Sendable {
        var pagesToScan: Int64
        var sleepMilliseconds: Int64
    }

    /// When it wants to act next; infinity for none, or for one that acts at the end of a pass.
    var nextStep: Double {
        switch self {
        case .fixed, .advisor: .infinity
        case .adaptive(let driver): driver.nextStep
        }
    }

    /// Whether it acts at the end of a pass as well.
    var actsAtPassEnd: Bool { if case .advisor = self { true } else { false } }

    mutating func begin(_ ksm: inout SimulatedKSM) {
        switch self {
        case .fixed(let pace):
            ksm.setPace(pagesToScan: pace.pagesToScan, sleepMilliseconds: pace.sleepMilliseconds)
            ksm.setRun(1)
        case .advisor(var advisor):
            advisor.begin(&ksm)
            self = .advisor(advisor)
        case .adaptive: break
        }
    }

    mutating func step(_ ksm: inout SimulatedKSM) {
        switch self {
        case .fixed: break
        case .advisor(var advisor):
            advisor.step(&ksm)
            self = .advisor(advisor)
        case .adaptive(var driver):
            driver.step(&ksm)
            self = .adaptive(driver)
        }
    }
}

/// The adaptive policy, as the daemon drives it.
struct AdaptiveDriver {
    private(set) var policy: AdaptivePolicy
    private(set) var nextStep = 0.0
    private var known: ScanCounters?
    /// Decisions, and those that scan.
    private(set) var steps = 0
    var log: ((Double, Decision) -> Void)?
    private var lastReason: Decision.Reason?

    /// - Parameter hostMemory: In KiB.
    init(_ configuration: Configuration, hostMemory: KiB, cpus: Int) throws(ClassicPolicy.Refusal) {
        let classic = try ClassicPolicy(configuration, total: hostMemory)
        policy = AdaptivePolicy(configuration, classic: classic, cpus: cpus, pageSize: 4096)
    }

    mutating func step(_ ksm: inout SimulatedKSM) {
        let now = Instant(nanoseconds: Int64(ksm.now * 1e9))
        let wants = policy.wants(at: now)
        let isCounted = !wants.isDisjoint(with: [.counters, .allCounters])
        var counters = isCounted ? ksm.counters : known ?? ksm.counters
        if isCounted, !wants.contains(.allCounters), let known, known.passes == counters.passes {
            let present = counters
            counters = known
            counters.skipped = present.skipped
            counters.scanned = present.scanned
            counters.cpu = present.cpu
        }
        known = counters
        var sample = AdaptiveSample(
            now: now, memory: MemorySample(free: policy.classic.total, committed: .zero), counters: counters)
        sample.isCounted = isCounted
        if wants.contains(.guests) { sample.guests = ksm.residents() }
        if wants.contains(.memory) { sample.available = 0.5 }
        if wants.contains(.activity) { sample.activity = GuestActivity(busiest: ksm.isChanging ? 0.002 : 0) }
        if wants.contains(.cpuPressure) { sample.cpuPressure = 0 }
        let decision = policy.decide(sample)
        steps += 1
        if decision.action == .scan {
            ksm.setPace(pagesToScan: decision.pagesToScan, sleepMilliseconds: decision.sleepMilliseconds)
            ksm.smartScan = decision.scan?.smartScan ?? true
            ksm.setRun(1)
        } else {
            ksm.setRun(0)
        }
        if decision.reason != lastReason || decision.scan?.ended != nil { log?(ksm.now, decision) }
        lastReason = decision.reason
        nextStep = ksm.now + max((decision.pause ?? .seconds(60)).seconds, 1e-3)
    }
}
