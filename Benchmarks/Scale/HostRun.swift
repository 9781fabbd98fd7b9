import KSMPolicy
import KSMSimulator

/// What became of one host under one policy.
struct HostOutcome: Sendable {
    struct Sample: Sendable {
        /// In seconds.
        var time: Double
        /// In pages.
        var saved: Int64
        var possible: Int64
        /// Seconds of ksmd since the start.
        var cpu: Double

        /// Of what can be saved; 0 where nothing can.
        var share: Double { possible > 0 ? Double(saved) / Double(possible) : 0 }
    }

    var policy: HostPolicy
    /// In GiB.
    var host: Int64
    var samples: [Sample] = []
    /// Seconds until 90 % of what can be saved is saved; `nil` for never.
    var reached90: Double?
    var newcomers = Observations()
    /// Seconds that the simulation took.
    var realSeconds = 0.0

    /// Seconds from which on the host counts as settled.
    static let settled = 3600.0

    /// Of what can be saved, from the second hour on.
    var savedShare: Double {
        let late = samples.filter { $0.time >= Self.settled }
        var (saved, possible) = (0.0, 0.0)
        for (sample, next) in zip(late, late.dropFirst()) {
            saved += Double(sample.saved) * (next.time - sample.time)
            possible += Double(sample.possible) * (next.time - sample.time)
        }
        return possible > 0 ? saved / possible : 0
    }

    /// Of one CPU, between two times in seconds.
    func cpuShare(from start: Double, to end: Double = .infinity) -> Double {
        let within = samples.filter { $0.time >= start && $0.time <= end }
        guard let first = within.first, let last = within.last, last.time > first.time else { return 0 }
        return (last.cpu - first.cpu) / (last.time - first.time)
    }
}

/// How long something took, of which some was still under way when it was last seen (Kaplan and Meier's estimate: who
/// leaves early says nothing of what would have come later, and is not left out either).
struct Observations: Sendable {
    private var times: [(seconds: Double, isDone: Bool)] = []

    var count: Int { times.count }
    var done: Int { times.count { $0.isDone } }

    mutating func add(_ seconds: Double, isDone: Bool) { times.append((seconds, isDone)) }

    /// The time within which this share is done; `nil` where that was not seen.
    func quantile(_ share: Double) -> Double? {
        var left = 1.0
        // What is done at a time comes before what is given up at the same one.
        let sorted = times.sorted { ($0.seconds, $0.isDone ? 0 : 1) < ($1.seconds, $1.isDone ? 0 : 1) }
        for (index, time) in sorted.enumerated() where time.isDone {
            left *= 1 - 1 / Double(sorted.count - index)
            if left <= 1 - share + 1e-9 { return time.seconds }
        }
        return nil
    }
}

/// Drives one simulated host through its hours.
struct HostRun {
    private let workload: HostWorkload
    /// When the guests with which the host began are full, in seconds.
    private let firstFilled: Double
    private var ksm: SimulatedKSM
    private var driver: Driver
    private var outcome: HostOutcome
    /// Newcomers that are not merged yet, with the time of the next look and, once they are full, the pages to reach.
    private var waiting: [(guest: HostWorkload.Guest, look: Double, wanted: Int64?)] = []

    init(_ policy: HostPolicy, _ workload: HostWorkload, cpus: Int) throws(ClassicPolicy.Refusal) {
        self.workload = workload
        firstFilled = workload.guests.lazy.filter { !$0.isNewcomer }.map(\.filled).max() ?? 0
        driver = try policy.driver(host: workload.host, cpus: cpus)
        outcome = HostOutcome(policy: policy, host: workload.host)
        ksm = SimulatedKSM()
        // A batch without a sleep is followed by the next at once; the start of a pass takes some time.
        ksm.pauseWithoutSleep = 0.0001
    }

    mutating func result() -> HostOutcome {
        let clock = ContinuousClock()
        let elapsed = clock.measure { runAll() }
        outcome.realSeconds = elapsed.seconds
        return outcome
    }

    private mutating func runAll() {
        var next = 0
        var look = 0.0
        driver.begin(&ksm)
        while ksm.now < workload.duration {
            let event = next < workload.events.count ? workload.events[next].time : .infinity
            let newcomer = waiting.lazy.map(\.look).min() ?? .infinity
            let time = min(event, driver.nextStep, look, newcomer, workload.duration)
            ksm.advance(to: time, stopsAtPassEnd: driver.actsAtPassEnd)
            if driver.nextStep <= ksm.now || driver.actsAtPassEnd { driver.step(&ksm) }
            // A pass has ended before.
            guard ksm.now >= time else { continue }
            if time >= look {
                sample()
                look += interval(at: time)
            }
            while next < workload.events.count, workload.events[next].time <= time {
                perform(workload.events[next].action)
                next += 1
            }
            if time >= newcomer { lookAtNewcomers() }
        }
        sample()
        for newcomer in waiting { outcome.newcomers.add(ksm.now - newcomer.guest.starts, isDone: false) }
    }

    /// Until 90 % is merged a hundredth of the time that went by, behind that a minute; five at most.
    private func interval(at time: Double) -> Double {
        min(max(time * 0.01, outcome.reached90 == nil ? 1 : 60), 300)
    }

    private mutating func sample() {
        let sample = HostOutcome.Sample(time: ksm.now, saved: ksm.savedNow, possible: ksm.mergeable, cpu: ksm.cpu)
        // While the first guests fill their memory little can be saved, and all of it may be.
        if outcome.reached90 == nil, sample.time >= firstFilled, sample.share >= 0.9 {
            outcome.reached90 = sample.time
            // Between two looks it rises evenly.
            if let last = outcome.samples.last, last.time >= firstFilled, last.share < 0.9 {
                let part = (0.9 - last.share) / (sample.share - last.share)
                outcome.reached90 = last.time + part * (sample.time - last.time)
            }
        }
        outcome.samples.append(sample)
    }

    private mutating func perform(_ action: HostWorkload.Event.Action) {
        switch action {
        case .start(let id, let regions, let growth):
            ksm.start(id, regions, growth: growth)
            let guest = workload.guests[Int(id)]
            if guest.isNewcomer { waiting.append((guest, guest.filled, nil)) }
        case .end(let id):
            ksm.end(id)
            guard let index = waiting.firstIndex(where: { $0.guest.id == id }) else { return }
            outcome.newcomers.add(ksm.now - waiting[index].guest.starts, isDone: false)
            waiting.remove(at: index)
        case .giveBack(let id, let template): ksm.giveBack(id, template: template)
        case .takeAgain(let id, let template, let other): ksm.takeAgain(id, template: template, as: other)
        }
    }

    private mutating func lookAtNewcomers() {
        for index in waiting.indices.reversed() where waiting[index].look <= ksm.now {
            let guest = waiting[index].guest
            // What it gives back and takes again later is not awaited.
            let wanted = waiting[index].wanted ?? ksm.mergeable(in: guest.id) * 9 / 10
            if ksm.merged(in: guest.id) >= wanted {
                outcome.newcomers.add(ksm.now - guest.starts, isDone: true)
                waiting.remove(at: index)
            } else {
                waiting[index].wanted = wanted
                waiting[index].look = ksm.now + max((ksm.now - guest.starts) * 0.01, 1)
            }
        }
    }
}
