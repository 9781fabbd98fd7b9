import Charts

/// What is printed and written of hosts of several sizes under several policies.
struct HostReport {
    var outcomes: [HostOutcome]

    private var hosts: [Int64] { Set(outcomes.map(\.host)).sorted() }
    private var policies: [HostPolicy] {
        HostPolicy.allCases.filter { policy in outcomes.contains { $0.policy == policy } }
    }

    private func outcome(_ policy: HostPolicy, _ host: Int64) -> HostOutcome? {
        outcomes.first { $0.policy == policy && $0.host == host }
    }

    /// One row for each host and policy.
    var table: TextTable {
        var table = TextTable([
            "host", "policy", "90 % s", "saved %", "CPU % 1st hour", "CPU % later", "newcomers", "merged", "p50 s",
            "p95 s", "took s",
        ])
        for host in hosts {
            for policy in policies {
                guard let outcome = outcome(policy, host) else { continue }
                let newcomers = outcome.newcomers
                table.add([
                    Self.size(host), policy.rawValue, Self.seconds(outcome.reached90),
                    (100 * outcome.savedShare).text(decimals: 1),
                    (100 * outcome.cpuShare(from: 0, to: HostOutcome.settled)).text(decimals: 1),
                    (100 * outcome.cpuShare(from: HostOutcome.settled)).text(decimals: 1), "\(newcomers.count)",
                    "\(newcomers.done)", Self.wait(newcomers, 0.5), Self.wait(newcomers, 0.95),
                    outcome.realSeconds.text(decimals: 1),
                ])
            }
        }
        return table
    }

    /// What each figure of a host is, as a multiple of that on the smallest.
    var growth: TextTable? {
        guard let smallest = hosts.first, hosts.count > 1 else { return nil }
        var table = TextTable(["policy", "figure"] + hosts.map(Self.size))
        let figures: [(String, (HostOutcome) -> Double?)] = [
            ("90 %", \.reached90), ("saved", \.savedShare), ("CPU later", { $0.cpuShare(from: HostOutcome.settled) }),
            ("p50", { $0.newcomers.quantile(0.5) }), ("p95", { $0.newcomers.quantile(0.95) }),
        ]
        for policy in policies {
            for (name, figure) in figures {
                let base = outcome(policy, smallest).flatMap(figure)
                table.add(
                    [policy.rawValue, name]
                        + hosts.map { host in
                            guard let base, base > 0, let value = outcome(policy, host).flatMap(figure) else {
                                return "-"
                            }
                            return (value / base).text(decimals: 2)
                        })
            }
        }
        return table
    }

    /// What `adaptive` has to reach on a host of 1 TiB; `nil` where it was not simulated.
    var bar: TextTable? {
        guard let own = outcome(.adaptive, 1024) else { return nil }
        var table = TextTable(["adaptive on 1 TiB", "has to be", "is", ""])
        func row(_ name: String, _ limit: String, _ value: String, _ holds: Bool) {
            table.add([name, limit, value, holds ? "ok" : "MISSED"])
        }
        row(
            "saved, of what can be, from the 2nd hour on", ">= 97.0 %", (100 * own.savedShare).text(decimals: 1) + " %",
            own.savedShare >= 0.97)
        let cpu = own.cpuShare(from: HostOutcome.settled)
        row("ksmd, of a CPU, from the 2nd hour on", "<= 25.0 %", (100 * cpu).text(decimals: 1) + " %", cpu <= 0.25)
        let best = outcome(.noSleep, 1024)
        if let best = best?.reached90, let time = own.reached90 {
            row("90 %, beside no-sleep", "<= 1.05 x", (time / best).text(decimals: 2) + " x", time <= 1.05 * best)
        } else {
            row("90 %, beside no-sleep", "<= 1.05 x", best == nil ? "no-sleep was not simulated" : "never", false)
        }
        return table
    }

    /// Of one host: memory saved and ksmd's CPU time over the hours.
    func picture(of host: Int64) -> String {
        let own = policies.compactMap { outcome($0, host) }
        let end = own.compactMap { $0.samples.last?.time }.max() ?? 0
        let saved = own.map { outcome in
            let style = Self.style(outcome.policy)
            return Chart.Series(
                outcome.policy.rawValue, style.color, .line,
                outcome.samples.map {
                    .init($0.time, $0.possible > 0 ? 100 * $0.share : nil)
                }, isDashed: style.isDashed)
        }
        let cpu = own.map { outcome in
            let style = Self.style(outcome.policy)
            // Two samples can be one second apart; over a minute the line can be read.
            var points: [Chart.Point] = []
            var last = outcome.samples.first
            for sample in outcome.samples {
                guard let previous = last, sample.time - previous.time >= 60 else { continue }
                points.append(.init(sample.time, 100 * (sample.cpu - previous.cpu) / (sample.time - previous.time)))
                last = sample
            }
            return Chart.Series(outcome.policy.rawValue, style.color, .line, points, isDashed: style.isDashed)
        }
        let chart = Chart(
            title: "A host of \(Self.size(host)), simulated", details: ["80 % filled"], time: 0...end,
            timeAxis: .elapsed,
            panels: [
                Chart.Panel("Saved", .percent("what can be saved"), saved, weight: 2),
                Chart.Panel("ksmd", .percent("a CPU"), cpu),
            ])
        return SVGChart(chart).text
    }

    private static func style(_ policy: HostPolicy) -> (color: Chart.Color, isDashed: Bool) {
        switch policy {
        case .kernel: (.grey, false)
        case .decayed: (.violet, true)
        case .boosted: (.violet, false)
        case .advisor: (.orange, true)
        case .advisor20: (.orange, false)
        case .noSleep: (.rose, false)
        case .adaptive: (.green, false)
        }
    }

    /// Every sample: amounts in MiB, times in seconds.
    var samples: TextTable {
        var table = TextTable(["host_gib", "policy", "time_s", "saved_mib", "possible_mib", "ksmd_cpu_s"])
        for outcome in outcomes {
            for sample in outcome.samples {
                table.add([
                    "\(outcome.host)", outcome.policy.rawValue, sample.time.text(decimals: 1),
                    "\(sample.saved / 256)", "\(sample.possible / 256)", sample.cpu.text(decimals: 2),
                ])
            }
        }
        return table
    }

    static func size(_ gibibytes: Int64) -> String {
        gibibytes >= 1024 && gibibytes % 1024 == 0 ? "\(gibibytes / 1024) TiB" : "\(gibibytes) GiB"
    }

    private static func wait(_ newcomers: Observations, _ share: Double) -> String {
        newcomers.count == 0 ? "-" : seconds(newcomers.quantile(share))
    }

    static func seconds(_ time: Double?) -> String { time.map { $0.text(decimals: $0 < 100 ? 1 : 0) } ?? "never" }
}
