import Charts
import Foundation
import KSMPolicy
import KSMSimulator

/// What the model counts under a fixed pace: to be held against the real KSM by `Benchmarks/scale-check`.
struct ModelTrace: Decodable {
    struct Guest: Decodable {
        /// In seconds.
        var starts: Double
        /// Seconds in which it fills its memory.
        var growth: Double
        /// In seconds; `nil` for one that stays.
        var ends: Double?
        var mebibytes: Double
        /// Shares of its pages, 0 to 1; the rest is like no other.
        var same: Double
        var zero: Double
    }

    /// Seconds of CPU per page.
    struct Costs: Decodable {
        var hashed: Double
        var compared: Double
        var merged: Double
        var skipped: Double
    }

    var guests: [Guest]
    var costs: Costs
    var pagesToScan: Int64
    var sleepMilliseconds: Int64
    var smartScan: Bool
    /// Seconds that a second of ksmd's CPU time took, since it had to wait for a CPU.
    var stretch: Double
    /// When KSM is switched on, in seconds.
    var runs: Double
    /// In seconds.
    var duration: Double
    var interval: Double

    /// A row for each interval: what `/sys/kernel/mm/ksm` would say, and the CPU time of ksmd.
    func table() -> TextTable {
        var own = SimulatedKSM.Costs()
        (own.hashed, own.compared, own.merged, own.skipped) = (
            costs.hashed, costs.compared, costs.merged, costs.skipped
        )
        var ksm = SimulatedKSM(costs: own)
        ksm.pauseWithoutSleep = 0.0001
        ksm.smartScan = smartScan
        ksm.stretch = stretch
        ksm.setPace(pagesToScan: pagesToScan, sleepMilliseconds: sleepMilliseconds)
        var scenario = Scenario("", host: 0, duration: duration)
        for (id, guest) in guests.enumerated() {
            let regions = Scenario.regions(guest.mebibytes, same: guest.same, zero: guest.zero)
            scenario.at(guest.starts) { $0.start(Int64(id), regions, growth: guest.growth) }
            if let end = guest.ends { scenario.at(end) { $0.end(Int64(id)) } }
        }
        scenario.at(runs) { $0.setRun(1) }
        let events = scenario.events.sorted { $0.time < $1.time }
        var table = TextTable(["time", "shared", "sharing", "unshared", "volatile", "passes", "cpu"])
        var (next, look) = (0, 0.0)
        while look <= duration {
            while next < events.count, events[next].time <= look {
                ksm.advance(to: events[next].time)
                events[next].happens(&ksm)
                next += 1
            }
            ksm.advance(to: look)
            let counters = ksm.counters
            table.add([
                look.text(decimals: 2), "\(counters.shared.count)", "\(counters.sharing.count)",
                "\(counters.unshared.count)", "\(counters.volatile.count)", "\(counters.passes)",
                ksm.cpu.text(decimals: 4),
            ])
            look += interval
        }
        return table
    }
}
