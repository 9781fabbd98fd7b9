import HostFixtures
import Testing

@testable import KSMPolicy

/// The law itself, with a row on each side of every comparison.
@Suite struct ProspectTests {
    private typealias Prospect = AdaptivePolicy.Prospect

    private static let settings = AdaptivePolicy.Settings(Configuration(), cpus: 4, pageSize: 4096)
    private static let mebibyte = 1_048_576.0

    /// The verdict on amounts in MiB and times in seconds.
    private static func verdict(
        gain: Double, cost: Double, wait: Double = 1e9, saved: Double = 0, patience: Double = 1, isUrgent: Bool = false
    ) -> Prospect.Verdict {
        Prospect(gain: gain * mebibyte, cost: cost, wait: wait)
            .verdict(saved: saved * mebibyte, patience: patience, isUrgent: isUrgent, settings)
    }

    @Test(arguments: [(499, 1, false), (500, 1, true), (249, 2, false), (250, 2, true)] as [(Double, Double, Bool)])
    func `it pays from 50 MiB per CPU second, and from less with patience`(
        gain: Double, patience: Double, pays: Bool
    ) {
        #expect(Self.verdict(gain: gain, cost: 10, patience: patience) == (pays ? .pays : .no))
    }

    // 2000 MiB are saved or can be, so a CPU is worth 333 of them: of 10 s twice that are 6667 MiB seconds.
    @Test(arguments: [(6.6, false), (6.7, true)] as [(Double, Bool)])
    func `it waits until waiting has lost as much as the scan costs`(seconds: Double, pays: Bool) {
        let verdict = Self.verdict(gain: 1000, cost: 10, wait: seconds, saved: 1000)
        #expect(verdict == (pays ? .pays : .wait))
        #expect(Self.verdict(gain: 1000, cost: 10, wait: seconds, saved: 1000, isUrgent: true) == .pays)
    }

    @Test func `a host on which more is saved waits for longer, a cheap scan does not wait`() {
        #expect(Self.verdict(gain: 1000, cost: 10, wait: 6.7, saved: 1400) == .wait)
        #expect(Self.verdict(gain: 1000, cost: 9, wait: 6.7, saved: 1000) == .pays)
        #expect(Self.verdict(gain: 1000, cost: 0, wait: 0, saved: 1e9) == .pays)
    }

    // While r comes in a second, and each scan costs c, the rule makes each lot as large as the economic one.
    @Test(arguments: [(10, 1, 10_000), (30, 2, 2000), (100, 0.5, 50_000)] as [(Double, Double, Double)])
    func `lots that come at a steady rate are as large as is best`(rate: Double, cost: Double, saved: Double) {
        var gain = 1.0
        while Self.verdict(gain: gain, cost: cost, wait: gain / rate, saved: saved) != .pays { gain *= 1.001 }
        let worth = saved / AdaptivePolicy.Parameters.processorsForAll
        // The CPU time that this lot takes, and what is unmerged meanwhile, in MiB; and by a larger and a smaller one.
        func loss(_ lot: Double) -> Double { worth * cost * rate / lot + lot / 2 }
        #expect(loss(gain) <= loss(gain * 1.3) && loss(gain) <= loss(gain / 1.3))
    }
}
