import HostFixtures
import KSMPolicy
import KSMSimulator
import Testing

/// A storm: guests that start at once, on a host of some size.
struct Workload: CustomTestStringConvertible, Sendable {
    var seed: UInt64
    /// In GiB.
    var host: Int64
    /// In percent of a CPU.
    var share: Int64

    var testDescription: String { "seed \(seed), \(host) GiB, \(share) % of a CPU" }

    func run(growth: Double? = nil, isQuiet: Bool = false) -> PolicyRun {
        var configuration = Configuration()
        configuration.policy = .adaptive
        configuration.cpuMaximumPercent = share
        configuration.probeCPUPercent = min(configuration.probeCPUPercent, share)
        return PolicyRun(storm(growth: growth, isQuiet: isQuiet), hostMemory: host, cpus: 8, configuration)
    }

    func storm(growth: Double? = nil, isQuiet: Bool = false) -> SimulatedKSM {
        var random = SeededGenerator(seed: seed)
        var ksm = SimulatedKSM()
        let guests = Int64.random(in: 2...12, using: &random)
        let pages = host * 262_144 * 7 / 10 / guests
        let same = Double.random(in: 0.2...0.7, using: &random)
        let zero = Double.random(in: 0...0.15, using: &random)
        let volatile = isQuiet ? 0 : Double.random(in: 0...0.1, using: &random)
        let period = Double.random(in: 0.3...20, using: &random)
        let seconds = Double.random(in: 0...8, using: &random)
        for guest in 0..<guests {
            let part = { (share: Double) in Int64(Double(pages) * share) }
            ksm.start(
                guest,
                [
                    .init(.same(template: 0), pages: part(same)), .init(.zero, pages: part(zero)),
                    .init(.volatile(period: period), pages: part(volatile)),
                    .init(.unique, pages: part(max(1 - same - zero - volatile, 0))),
                ], growth: growth ?? seconds)
        }
        return ksm
    }

    static let all: [Workload] = {
        var random = SeededGenerator(seed: 20_261_121)
        let hosts: [Int64] = [1, 2, 4, 8, 16, 64, 256, 1024, 4096]
        let shares: [Int64] = [5, 10, 25, 50, 75, 90, 100]
        return (0..<28).map { index in
            Workload(seed: random.next(), host: hosts[index % hosts.count], share: shares[index % shares.count])
        }
    }()

    static let ordinary = all.filter { $0.host <= 16 && $0.share >= 25 }
}
