/// SplitMix64: the same numbers for the same seed, on every machine.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number as hosts and operators produce it, or one of the extremes.
    package mutating func amount() -> Int64 {
        switch UInt64.random(in: 0..<8, using: &self) {
        case 0: .max
        case 1: .min
        case 2: Int64.random(in: .min ... .max, using: &self)
        case 3: Int64.random(in: -2...2, using: &self)
        case 4: .max - Int64.random(in: 0...1 << 33, using: &self)
        default: Int64.random(in: 0...1 << 32, using: &self)
        }
    }

    package mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: 0..<choices.count, using: &self)]
    }
}

/// The seed of a property test. It is the test's argument, so that a failure names it.
package struct Seed: CustomStringConvertible, Sendable {
    package var value: UInt64

    package var description: String { "seed \(value)" }

    /// A fixed one, and some that follow from it.
    package static let all: [Seed] = {
        var generator = SeededGenerator(seed: 20_260_101)
        return [Seed(value: 20_260_101)] + (0..<7).map { _ in Seed(value: generator.next()) }
    }()
}
