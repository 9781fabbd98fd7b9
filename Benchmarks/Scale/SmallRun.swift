import Charts
import KSMPolicy
import KSMSimulator

/// What became of one small scenario under one policy.
struct SmallOutcome {
    /// MiB, on average over the run.
    var mean = 0.0
    var possible = 0.0
    /// MiB after 30 s, after 60 s, and at the end.
    var at30 = 0.0
    var at60 = 0.0
    var end = 0.0
    /// Seconds of ksmd: in all, and in the second minute.
    var cpu = 0.0
    var secondMinute = 0.0
    /// Seconds.
    var reached95: Double?
    /// Decisions of the adaptive policy.
    var steps = 0
}

extension Scenario {
    func run(_ driver: Driver, log: ((Double, Decision) -> Void)? = nil) -> SmallOutcome {
        var ksm = SimulatedKSM()
        ksm.pauseWithoutSleep = 0.0001
        var driver = driver
        if case .adaptive(var own) = driver {
            own.log = log
            driver = .adaptive(own)
        }
        let events = events.sorted { $0.time < $1.time }
        var next = 0
        var outcome = SmallOutcome()
        driver.begin(&ksm)
        var looks = 0.0
        var cpuAt60 = 0.0
        while ksm.now < duration {
            let look = looks * interval
            let event = next < events.count ? events[next].time : .infinity
            let time = min(event, driver.nextStep, look, duration)
            ksm.advance(to: time)
            if time >= look {
                let saved = Double(ksm.savedNow) / 256
                let possible = Double(ksm.mergeable) / 256
                outcome.mean += saved
                outcome.possible += possible
                looks += 1
                if look == 30 { outcome.at30 = saved }
                if look == 60 { (outcome.at60, cpuAt60) = (saved, ksm.cpu) }
                if look == 120 { outcome.secondMinute = ksm.cpu - cpuAt60 }
                if possible > 100, saved >= 0.95 * possible, outcome.reached95 == nil { outcome.reached95 = time }
                outcome.end = saved
            }
            while next < events.count, events[next].time <= time {
                events[next].happens(&ksm)
                next += 1
            }
            if driver.nextStep <= time { driver.step(&ksm) }
        }
        outcome.mean /= looks
        outcome.possible /= looks
        outcome.cpu = ksm.cpu
        if case .adaptive(let own) = driver { outcome.steps = own.steps }
        return outcome
    }

    /// Both no-sleep and the law, a row for each scenario.
    ///
    /// - Parameter names: Of the scenarios; all where it is empty.
    static func table(_ names: [String], isVerbose: Bool) throws(ClassicPolicy.Refusal) -> TextTable {
        var table = TextTable([
            "MiB, s", "possible", "no-sleep", "adaptive", "%", "at 30", "adaptive", "at 60", "adaptive", "95 % s",
            "adaptive", "end", "adaptive", "CPU s", "adaptive", "%", "2nd min", "steps",
        ])
        for scenario in all where names.isEmpty || names.contains(scenario.name) {
            let best = scenario.run(try HostPolicy.noSleep.driver(host: scenario.host, cpus: scenario.cpus))
            if isVerbose { print(scenario.name) }
            let own = scenario.run(try HostPolicy.adaptive.driver(host: scenario.host, cpus: scenario.cpus)) {
                time, decision in
                if isVerbose { print(line(time, decision)) }
            }
            table.add([
                scenario.name, best.possible.text(decimals: 0), best.mean.text(decimals: 0),
                own.mean.text(decimals: 0), (100 * own.mean / max(best.mean, 1)).text(decimals: 1),
                best.at30.text(decimals: 0), own.at30.text(decimals: 0), best.at60.text(decimals: 0),
                own.at60.text(decimals: 0), HostReport.seconds(best.reached95), HostReport.seconds(own.reached95),
                best.end.text(decimals: 0), own.end.text(decimals: 0), best.cpu.text(decimals: 1),
                own.cpu.text(decimals: 1), (100 * own.cpu / best.cpu).text(decimals: 1),
                own.secondMinute.text(decimals: 2), "\(own.steps)",
            ])
        }
        return table
    }

    /// A decision in one line; amounts in MiB.
    private static func line(_ time: Double, _ decision: Decision) -> String {
        var words = ["  \(time.text(decimals: 1)) s", "\(decision.reason)"]
        guard let scan = decision.scan else { return words.joined(separator: " ") }
        words.append("pass \(scan.pass) smart_scan \(scan.smartScan.map { $0 ? "1" : "0" } ?? "-")")
        words.append("new \(scan.unscanned.count / 1024) changed \(scan.changed.count / 1024)")
        if let ended = scan.ended {
            words.append(
                "gained \(ended.gained.count / 256) fresh \(ended.fresh.count / 256) left \(ended.left.count / 256)")
        }
        return words.joined(separator: " ")
    }
}
