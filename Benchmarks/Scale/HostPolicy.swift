import KSMPolicy

/// The ways to drive KSM that are compared on hosts of every size.
enum HostPolicy: String, CaseIterable, Sendable {
    case kernel, decayed, boosted
    case advisor
    case advisor20 = "advisor-20"
    case noSleep = "no-sleep"
    case adaptive

    var about: String {
        switch self {
        case .kernel: "the kernel's 100 pages every 20 ms"
        case .decayed: "the original at its least: 64 pages"
        case .boosted: "the original at its most: 1250 pages"
        case .advisor: "the kernel's advisor, 200 s for a pass"
        case .advisor20: "the same, 20 s for a pass"
        case .noSleep: "20000 pages without a pause"
        case .adaptive: "this project's law"
        }
    }

    /// - Parameter host: Its memory in GiB.
    func driver(host: Int64, cpus: Int) throws(ClassicPolicy.Refusal) -> Driver {
        // The original's rule: KSM_SLEEP_MSEC for 16 GiB, less on larger hosts, and 10 at least.
        let sleep = max(10 * 16 / host, 10)
        switch self {
        case .kernel: return .fixed(.init(pagesToScan: 100, sleepMilliseconds: 20))
        case .decayed: return .fixed(.init(pagesToScan: 64, sleepMilliseconds: sleep))
        case .boosted: return .fixed(.init(pagesToScan: 1250, sleepMilliseconds: sleep))
        case .advisor: return .advisor(KernelAdvisor(target: 200))
        case .advisor20: return .advisor(KernelAdvisor(target: 20))
        case .noSleep: return .fixed(.init(pagesToScan: 20_000, sleepMilliseconds: 0))
        case .adaptive:
            var configuration = Configuration()
            configuration.policy = .adaptive
            return .adaptive(try AdaptiveDriver(configuration, hostMemory: KiB(host << 20), cpus: cpus))
        }
    }
}
