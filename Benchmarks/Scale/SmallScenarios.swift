import KSMPolicy
import KSMSimulator

/// What happens on a small host: as long as a law can be watched at work, line by line.
struct Scenario {
    var name: String
    /// In GiB.
    var host: Int64
    var cpus = 2
    /// Between two looks at what is saved, in seconds.
    var interval = 0.5
    /// In seconds.
    var duration: Double
    var events: [(time: Double, happens: (inout SimulatedKSM) -> Void)] = []

    init(_ name: String, host: Int64, duration: Double) {
        (self.name, self.host, self.duration) = (name, host, duration)
    }

    mutating func at(_ time: Double, _ happens: @escaping (inout SimulatedKSM) -> Void) {
        events.append((time, happens))
    }
}

extension Scenario {
    static func pages(_ mebibytes: Double) -> Int64 { Int64(mebibytes * 256) }

    /// A guest of which these shares are the same in all, zeros, and like no other.
    static func regions(_ mebibytes: Double, same: Double = 0.6, zero: Double = 0.1) -> [SimulatedKSM.Region] {
        [
            .init(.same(template: 0), pages: pages(mebibytes * same)), .init(.zero, pages: pages(mebibytes * zero)),
            .init(.unique, pages: pages(mebibytes * (1 - same - zero))),
        ]
    }

    static var all: [Scenario] {
        [
            storm(), churn(), volatile(), giveAndTake(), inPlace(), mixed(), hundred(), slowFiller(), hot(), unique(),
            lateChange(), booting(), terabyte(),
        ]
    }

    static func storm() -> Scenario {
        var scenario = Scenario("storm", host: 16, duration: 60)
        for guest: Int64 in 0..<8 { scenario.at(1) { $0.start(guest, regions(512), growth: 3.5) } }
        return scenario
    }

    static func churn() -> Scenario {
        var scenario = Scenario("churn", host: 16, duration: 180)
        for guest: Int64 in 0..<8 { scenario.at(1) { $0.start(guest, regions(512), growth: 3.5) } }
        for (index, time) in stride(from: 16.0, to: 180, by: 15).enumerated() {
            scenario.at(time) {
                $0.end(Int64(index))
                $0.start(Int64(8 + index), regions(512), growth: 0.6)
            }
        }
        return scenario
    }

    static func volatile() -> Scenario {
        var scenario = Scenario("volatile", host: 16, duration: 120)
        for guest: Int64 in 0..<8 {
            scenario.at(1) {
                $0.start(
                    guest,
                    [
                        .init(.same(template: 0), pages: pages(512 * 0.3)), .init(.zero, pages: pages(512 * 0.05)),
                        .init(.unique, pages: pages(512 * 0.15)),
                        .init(.volatile(period: 5), pages: pages(512 * 0.5)),
                    ], growth: 3.5)
            }
        }
        return scenario
    }

    static func giveAndTake() -> Scenario {
        var scenario = Scenario("give and take", host: 16, duration: 180)
        var random = SeededGenerator(seed: 7)
        for guest: Int64 in 0..<8 {
            scenario.at(1) {
                $0.start(
                    guest,
                    [
                        .init(.same(template: 1), pages: pages(128)),
                        .init(.same(template: 0), pages: pages(128)), .init(.zero, pages: pages(38)),
                        .init(.unique, pages: pages(90)),
                    ], growth: 3)
            }
            var time = Double.random(in: 10...40, using: &random)
            var template = 1
            while time < 175 {
                // The same contents in all guests that fill it at about this time.
                let next = 100 + Int(time / 40)
                let old = template
                scenario.at(time) { $0.giveBack(guest, template: old) }
                scenario.at(time + 1) { $0.takeAgain(guest, template: old, as: next) }
                template = next
                time += Double.random(in: 25...46, using: &random)
            }
        }
        return scenario
    }

    static func inPlace() -> Scenario {
        changing("in place", from: 10, duration: 200)
    }

    /// The same, on a host that has been at rest for long.
    static func lateChange() -> Scenario {
        changing("late change", from: 300, duration: 600)
    }

    /// Guests of which 40 % become the same in all, part by part, over 90 s.
    private static func changing(_ name: String, from start: Double, duration: Double) -> Scenario {
        var scenario = Scenario(name, host: 16, duration: duration)
        for guest: Int64 in 0..<8 {
            let becoming = (0..<45).map { part in
                SimulatedKSM.Region(
                    .becoming(at: start + Double(part) * 2 + 0.1 * Double(guest), template: 10 + part),
                    pages: pages(384 * 0.4 / 45))
            }
            scenario.at(1) {
                $0.start(
                    guest,
                    [
                        .init(.same(template: 0), pages: pages(384 * 0.4)), .init(.unique, pages: pages(384 * 0.2)),
                    ] + becoming, growth: 3)
            }
        }
        return scenario
    }

    static func mixed() -> Scenario {
        var scenario = Scenario("mixed sizes", host: 16, duration: 170)
        let sizes: [Double] = [128, 1024, 256, 512, 768, 384, 192, 640]
        for (index, size) in sizes.enumerated() {
            let growth = index == 1 ? 60.0 : index == 4 ? 40 : 1.5
            scenario.at(1 + Double(index) * 8) { $0.start(Int64(index), regions(size), growth: growth) }
        }
        return scenario
    }

    static func hundred() -> Scenario {
        var scenario = Scenario("a hundred", host: 16, duration: 120)
        for guest: Int64 in 0..<100 {
            scenario.at(1 + Double(guest) * 0.6) { $0.start(guest, regions(48), growth: 0.1) }
        }
        return scenario
    }

    static func slowFiller() -> Scenario {
        var scenario = Scenario("slow filler", host: 16, duration: 140)
        for guest: Int64 in 0..<10 { scenario.at(1) { $0.start(guest, regions(256), growth: 2) } }
        scenario.at(25) { $0.start(20, regions(768), growth: 90) }
        for guest: Int64 in 0..<3 {
            scenario.at(35 + 20 * Double(guest)) { $0.start(30 + guest, regions(256), growth: 1) }
        }
        return scenario
    }

    static func hot() -> Scenario {
        var scenario = Scenario("hot", host: 16, duration: 150)
        for guest: Int64 in 0..<8 {
            scenario.at(1) {
                $0.start(
                    guest,
                    [
                        .init(.same(template: 0), pages: pages(512 * 0.25)),
                        .init(.unique, pages: pages(512 * 0.15)),
                        .init(.volatile(period: 3), pages: pages(512 * 0.6)),
                    ], growth: 3.5)
            }
        }
        return scenario
    }

    static func unique() -> Scenario {
        var scenario = Scenario("nothing", host: 16, duration: 120)
        for guest: Int64 in 0..<8 {
            scenario.at(1) { $0.start(guest, [.init(.unique, pages: pages(512))], growth: 3.5) }
        }
        return scenario
    }

    /// Linux guests that boot: what they write last for a while, and then rest.
    static func booting() -> Scenario {
        var scenario = Scenario("booting", host: 16, duration: 120)
        for guest: Int64 in 0..<6 {
            scenario.at(1) {
                $0.start(
                    guest,
                    [
                        .init(.same(template: 0), pages: pages(140)), .init(.unique, pages: pages(40)),
                        .init(.settling(until: 20, template: 5), pages: pages(30)),
                    ], growth: 20)
            }
        }
        return scenario
    }

    /// Guests of 4 GiB which fill 80 % of 1 TiB, one of them replaced every 211 s: all within a day.
    static func terabyte() -> Scenario {
        var scenario = Scenario("terabyte", host: 1024, duration: 4 * 3600)
        (scenario.cpus, scenario.interval) = (32, 5)
        for guest: Int64 in 0..<204 { scenario.at(1) { $0.start(guest, regions(4096), growth: 20) } }
        for (index, time) in stride(from: 3600.0, to: scenario.duration, by: 211).enumerated() {
            scenario.at(time) {
                $0.end(Int64(index))
                $0.start(Int64(204 + index), regions(4096), growth: 20)
            }
        }
        return scenario
    }
}
