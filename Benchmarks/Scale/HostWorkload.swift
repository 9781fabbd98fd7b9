import Glibc
import KSMSimulator

/// The guests of a host over hours: who comes when, with which contents, and what becomes of them. It follows from the
/// seed alone, so every policy gets the same.
///
/// - The host is filled to 80 %. Guests have 1 to 64 GiB, at most a quarter of the host, small ones more often; each
///   fills its memory at 5 s per GiB. The host begins with all of its first guests starting at once.
/// - Of a guest's pages 30 % are the same in all guests of its system (one of three), as far as both are large enough;
///   10 % are zeros, 5 % are rewritten twice a minute, 45 % are like no other page. The rest is page cache:
///   - 5 % are the same as well; in each third guest they are like no other page first, and become so in place, part by
///     part, half an hour to six hours after its start.
///   - 5 % are the same as well; each third guest gives them back, once in 70 min on average, and takes them again five
///     minutes later with other contents, the same in all that do so within four hours.
/// - A guest's life is log-normal: a mean of `turnover` hours, a median of a third of that (σ = 1.5). The first guests
///   have of it what is left to a guest that is met at a random time.
/// - At exponential intervals, on average as often as guests end, the host is filled again.
struct HostWorkload: Sendable {
    struct Event: Sendable {
        enum Action: Sendable {
            /// `growth`: the seconds in which it fills its memory.
            case start(Int64, [SimulatedKSM.Region], growth: Double)
            case end(Int64)
            case giveBack(Int64, template: Int)
            case takeAgain(Int64, template: Int, as: Int)
        }
        /// In seconds.
        var time: Double
        var action: Action
    }

    struct Guest: Sendable {
        var id: Int64
        var gibibytes: Int64
        /// In seconds; the end may lie behind that of the run.
        var starts: Double
        var filled: Double
        var ends: Double
        /// Whether it came after the host had been filled.
        var isNewcomer: Bool
    }

    /// In GiB.
    let host: Int64
    /// In seconds.
    let duration: Double
    private(set) var events: [Event] = []
    private(set) var guests: [Guest] = []

    private static let fill = 0.8
    private static let secondsPerGibibyte = 5.0
    private static let spread = 1.5
    /// GiB, and how many of a hundred guests have them.
    private static let sizes: [(gibibytes: Int64, weight: Int)] = [
        (1, 20), (2, 20), (4, 20), (8, 18), (16, 12), (32, 7), (64, 3),
    ]

    private var random: SeededGenerator
    /// The mean life of a guest, in seconds.
    private let meanLife: Double

    /// - Parameters:
    ///   - host: In GiB, at least 4.
    ///   - turnover: Hours in which as much memory as all guests have is replaced.
    init(host: Int64, hours: Double, turnover: Double, seed: UInt64) {
        self.host = host
        duration = hours * 3600
        meanLife = turnover * 3600
        random = SeededGenerator(seed: seed)
        fillHost(at: 0)
        let interval = meanLife / Double(guests.count)
        var time = exponential(interval)
        while time < duration {
            fillHost(at: time)
            time += exponential(interval)
        }
        events.sort { $0.time < $1.time }
    }

    /// Starts guests until none fits.
    private mutating func fillHost(at time: Double) {
        let taken = guests.filter { $0.ends > time }.reduce(0) { $0 + $1.gibibytes }
        var free = Int64(Double(host) * Self.fill) - taken
        var misses = 0
        while free > 0, misses < 10 {
            let size = size()
            if size > free {
                misses += 1
                continue
            }
            start(size, at: time)
            free -= size
        }
    }

    private mutating func size() -> Int64 {
        let possible = Self.sizes.filter { $0.gibibytes <= max(host / 4, 1) }
        var place = Int.random(in: 0..<possible.reduce(0) { $0 + $1.weight }, using: &random)
        for (gibibytes, weight) in possible {
            if place < weight { return gibibytes }
            place -= weight
        }
        return 1
    }

    private mutating func start(_ gibibytes: Int64, at time: Double) {
        let id = Int64(guests.count)
        let growth = Self.secondsPerGibibyte * Double(gibibytes)
        let guest = Guest(
            id: id, gibibytes: gibibytes, starts: time, filled: time + growth, ends: time + life(isNew: time > 0),
            isNewcomer: time > 0)
        guests.append(guest)
        events.append(Event(time: time, action: .start(id, contents(of: guest), growth: growth)))
        if guest.ends < duration { events.append(Event(time: guest.ends, action: .end(id))) }
    }

    /// In seconds, and at least two minutes.
    private mutating func life(isNew: Bool) -> Double {
        let logarithm = log(meanLife) - Self.spread * Self.spread / 2
        // Whoever is met at a random time lives longer than most, and has lived a part of it.
        let shift = isNew ? 0 : Self.spread * Self.spread
        let whole = exp(logarithm + shift + Self.spread * normal())
        return max(isNew ? whole : whole * Double.random(in: 0..<1, using: &random), 120)
    }

    private mutating func exponential(_ mean: Double) -> Double {
        -mean * log(1 - Double.random(in: 0..<1, using: &random))
    }

    /// Box and Muller's.
    private mutating func normal() -> Double {
        let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
    }
}

// What the memory of a guest holds.
extension HostWorkload {
    private enum Kind: Int { case system, fileCache, refilledCache }

    /// Which third of the guests one belongs to.
    private enum Habit: Int { case keeps, becomesAlike, givesBack }

    private static let refillPeriod = 4.0 * 3600
    private static let away = 300.0

    private static func template(_ kind: Kind, system: Int, generation: Int = 0, part: Int) -> Int {
        ((kind.rawValue * 3 + system) * 1000 + generation) * 16 + part
    }

    /// The parts of a guest's memory in GiB, each as large as all before it: guests of different sizes have the first
    /// ones in common.
    private static func parts(of gibibytes: Int64) -> [Int64] {
        var parts: [Int64] = [1]
        while parts.reduce(0, +) < gibibytes { parts.append(parts.reduce(0, +)) }
        return parts
    }

    private mutating func contents(of guest: Guest) -> [SimulatedKSM.Region] {
        let system = Int.random(in: 0..<3, using: &random)
        let habit = Habit(rawValue: Int.random(in: 0..<3, using: &random)) ?? .keeps
        let sizes = Self.parts(of: guest.gibibytes)
        func pages(_ gibibytes: Int64, _ share: Double) -> Int64 { Int64(Double(gibibytes) * 262_144 * share) }
        var regions: [SimulatedKSM.Region] = []
        for (part, size) in sizes.enumerated() {
            regions.append(
                .init(.same(template: Self.template(.system, system: system, part: part)), pages: pages(size, 0.3)))
            let file = Self.template(.fileCache, system: system, part: part)
            let time = guest.filled + Double.random(in: 1800...21_600, using: &random)
            let becomes = SimulatedKSM.Contents.becoming(at: time, template: file)
            regions.append(
                .init(habit == .becomesAlike ? becomes : .same(template: file), pages: pages(size, 0.05)))
            let cache = Self.template(.refilledCache, system: system, part: part)
            regions.append(.init(.same(template: cache), pages: pages(size, 0.05)))
        }
        regions.append(.init(.zero, pages: pages(guest.gibibytes, 0.1)))
        regions.append(.init(.volatile(period: 30), pages: pages(guest.gibibytes, 0.05)))
        regions.append(.init(.unique, pages: pages(guest.gibibytes, 0.45)))
        if habit == .givesBack { planRefills(of: guest, system: system, parts: sizes.count) }
        return regions
    }

    private mutating func planRefills(of guest: Guest, system: Int, parts: Int) {
        var generation = 0
        var time = guest.filled + 1800 + exponential(3600)
        while time + Self.away < min(guest.ends, duration) {
            let next = 1 + Int(time / Self.refillPeriod)
            for part in 0..<parts {
                let old = Self.template(.refilledCache, system: system, generation: generation, part: part)
                let new = Self.template(.refilledCache, system: system, generation: next, part: part)
                events.append(Event(time: time, action: .giveBack(guest.id, template: old)))
                events.append(Event(time: time + Self.away, action: .takeAgain(guest.id, template: old, as: new)))
            }
            generation = next
            time += Self.away + 600 + exponential(3300)
        }
    }
}

/// splitmix64: small, and the same values from the same seed.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
