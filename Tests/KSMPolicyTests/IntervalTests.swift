import HostFixtures
import KSMPolicy
import Testing

@Suite struct IntervalTests {
    @Test(arguments: [
        ("60", 60_000_000_000), ("0.5", 500_000_000), (".5", 500_000_000), ("5.", 5_000_000_000),
        ("0.1", 100_000_000), ("0.100000000", 100_000_000), ("0.1000000009", 100_000_000),
        ("30s", 30_000_000_000), ("2m", 120_000_000_000), ("1h", 3_600_000_000_000), ("1d", 86_400_000_000_000),
        ("0.5m", 30_000_000_000), ("1.5h", 5_400_000_000_000), (".25d", 21_600_000_000_000),
        ("1m 30s", 90_000_000_000), ("  1 \t 1 ", 2_000_000_000), ("0.05 0.05", 100_000_000),
        ("060", 60_000_000_000), ("0", nil), ("0.05", nil), ("0.0999999999", nil), ("0s", nil),
        ("9223372036", 9_223_372_036_000_000_000), ("infinity", Int64.max), ("inf", .max), ("infinity 5", .max),
        ("5 infinity", .max),
    ])
    func `Times as sleep(1) reads them, from 0.1 seconds`(_ text: String, _ nanoseconds: Int64?) {
        #expect((try? Interval.parse(text))?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", " ", "s", ".", ".s", "m", "-1", "+1x", "1e3", "0x10", "1,5", "1.2.3", "1ms", "1 s", "1mm", "5 minutes", "１",
        "nan", "infinit", "1\n", "60\0",
    ])
    func `Other text is no time`(_ text: String) {
        #expect(throws: Interval.ParseError.notADuration) { try Interval.parse(text) }
    }

    @Test(arguments: [
        "9223372037", "99999999999999999999999999", "106752d", "2562048h", "153722868m", "9223372036 1",
        "9223372036s 0.9s",
    ])
    func `More than 64 bits of nanoseconds is refused`(_ text: String) {
        #expect(throws: Interval.ParseError.tooLong) { try Interval.parse(text) }
    }

    @Test(arguments: ["0", "0.0", "0.05", "0.0999999999", "0m", "0 0.05s", ".000000000000000000000000000001d"])
    func `Less than 0.1 seconds is refused`(_ text: String) {
        #expect(throws: Interval.ParseError.tooShort) { try Interval.parse(text) }
    }

    // In processes of their own, since overflow would end the one that runs the tests.

    @Test func `A fraction that goes beyond 64 bits of nanoseconds is refused and ends nothing`() async {
        await #expect(processExitsWith: .success) {
            for text in ["9223372036.9", "9223372036.854775808", "106751.99133d", "153722867.28092m"] {
                guard (try? Interval.parse(text)) == nil else { fatalError("\(text) was taken") }
            }
        }
    }

    @Test func `Random text of digits, points and units ends nothing`() async {
        await #expect(processExitsWith: .success) {
            for seed in Seed.all {
                var generator = SeededGenerator(seed: seed.value)
                for _ in 0..<3000 {
                    let length = Int.random(in: 0...24, using: &generator)
                    let text = (0..<length).map { _ in
                        generator.pick([
                            "9", "2", "3", "7", "0", "1", ".", "9", "9", "3", "7", "5", "8", "s", "d", " ", "inf",
                        ])
                    }.joined()
                    if let interval = try? Interval.parse(text), interval.nanoseconds < 100_000_000 {
                        fatalError("\(text) gives \(interval.nanoseconds), \(seed.description)")
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ("60", "60 s"), ("0.5", "0.5 s"), ("0.25", "0.25 s"), ("1.005", "1.005 s"), ("2m", "120 s"),
        ("infinity", "infinity"), ("0.1", "0.1 s"), ("10.10", "10.1 s"), ("1.001", "1.001 s"),
    ])
    func `An interval is told in seconds`(_ text: String, _ description: String) throws {
        #expect(try Interval.text(Interval.parse(text)) == description)
    }
}
