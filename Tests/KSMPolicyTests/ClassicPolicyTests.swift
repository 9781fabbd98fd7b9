import HostFixtures
import KSMPolicy
import Testing

@Suite struct ClassicPolicyTests {
    // MARK: One decision

    /// On a host of 1,000,000 KiB with the defaults: threshold 200,000, so the guests may commit less than 800,000.
    struct Case: CustomTestStringConvertible, Sendable {
        var rule: String
        var committed: Int64
        var free: Int64
        var previous: Int64
        var minimum: Int64 = 64
        var maximum: Int64 = 1250
        var boost: Int64 = 300
        var decay: Int64 = -50
        var pages: Int64
        var reason: Decision.Reason

        var testDescription: String { rule }
    }

    @Test(arguments: [
        // Whether to scan at all.
        Case(
            rule: "one KiB below the total with one KiB above the threshold stops, and keeps the pages",
            committed: 799_999, free: 200_001, previous: 900, pages: 900, reason: .plenty),
        Case(
            rule: "committed and threshold exactly the total scans",
            committed: 800_000, free: 200_001, previous: 900, pages: 850, reason: .easing),
        Case(
            rule: "committed and threshold one KiB above the total scans",
            committed: 800_001, free: 200_001, previous: 900, pages: 850, reason: .easing),
        Case(
            rule: "free exactly the threshold scans, though little is committed",
            committed: 0, free: 200_000, previous: 900, pages: 850, reason: .easing),
        Case(
            rule: "free one KiB below the threshold scans harder, though little is committed",
            committed: 0, free: 199_999, previous: 900, pages: 1200, reason: .shortage),
        Case(
            rule: "a stop keeps the pages of before the first scan",
            committed: 0, free: 900_000, previous: 0, pages: 0, reason: .plenty),
        Case(
            rule: "a stop keeps pages outside of the bounds",
            committed: 0, free: 900_000, previous: 9999, pages: 9999, reason: .plenty),
        // Harder or easier.
        Case(
            rule: "committed host with free one KiB above the threshold eases",
            committed: 900_000, free: 200_001, previous: 900, pages: 850, reason: .easing),
        Case(
            rule: "committed host with free exactly the threshold eases",
            committed: 900_000, free: 200_000, previous: 900, pages: 850, reason: .easing),
        Case(
            rule: "committed host with free one KiB below the threshold boosts",
            committed: 900_000, free: 199_999, previous: 900, pages: 1200, reason: .shortage),
        Case(
            rule: "no free memory at all boosts",
            committed: 900_000, free: 0, previous: 300, pages: 600, reason: .shortage),
        // The lower bound.
        Case(
            rule: "the first decay gives the minimum",
            committed: 900_000, free: 300_000, previous: 0, pages: 64, reason: .easing),
        Case(
            rule: "a decay to one above the minimum stays",
            committed: 900_000, free: 300_000, previous: 115, pages: 65, reason: .easing),
        Case(
            rule: "a decay to the minimum stays",
            committed: 900_000, free: 300_000, previous: 114, pages: 64, reason: .easing),
        Case(
            rule: "a decay to one below the minimum gives the minimum",
            committed: 900_000, free: 300_000, previous: 113, pages: 64, reason: .easing),
        Case(
            rule: "a boost to below the minimum gives the minimum",
            committed: 0, free: 0, previous: 0, minimum: 500, pages: 500, reason: .shortage),
        // The upper bound.
        Case(
            rule: "a boost to one below the maximum stays",
            committed: 0, free: 0, previous: 949, pages: 1249, reason: .shortage),
        Case(
            rule: "a boost to the maximum stays",
            committed: 0, free: 0, previous: 950, pages: 1250, reason: .shortage),
        Case(
            rule: "a boost to one above the maximum gives the maximum",
            committed: 0, free: 0, previous: 951, pages: 1250, reason: .shortage),
        Case(
            rule: "a decay that stays above the maximum gives the maximum",
            committed: 900_000, free: 300_000, previous: 1301, pages: 1250, reason: .easing),
        Case(
            rule: "the minimum as the maximum leaves one pace",
            committed: 0, free: 0, previous: 100, minimum: 100, maximum: 100, pages: 100, reason: .shortage),
        // A minimum above the maximum.
        Case(
            rule: "with the minimum above the maximum, a boost to below the minimum gives the minimum",
            committed: 0, free: 0, previous: 100, minimum: 500, maximum: 100, pages: 500, reason: .shortage),
        Case(
            rule: "with the minimum above the maximum, a boost to above both gives the maximum",
            committed: 0, free: 0, previous: 500, minimum: 500, maximum: 100, pages: 100, reason: .shortage),
        Case(
            rule: "with the minimum above the maximum, a decay from the minimum stays at the minimum",
            committed: 900_000, free: 300_000, previous: 500, minimum: 500, maximum: 100, pages: 500,
            reason: .easing),
        Case(
            rule: "with the minimum above the maximum, a boost to the minimum gives the maximum",
            committed: 0, free: 0, previous: 200, minimum: 500, maximum: 100, pages: 100, reason: .shortage),
        // Odd steps.
        Case(
            rule: "a boost of zero keeps the pages",
            committed: 0, free: 0, previous: 700, boost: 0, pages: 700, reason: .shortage),
        Case(
            rule: "a decay of zero keeps the pages",
            committed: 900_000, free: 300_000, previous: 700, decay: 0, pages: 700, reason: .easing),
        Case(
            rule: "steps of zero begin at the minimum",
            committed: 0, free: 0, previous: 0, boost: 0, decay: 0, pages: 64, reason: .shortage),
        Case(
            rule: "a positive decay is added",
            committed: 900_000, free: 300_000, previous: 700, decay: 50, pages: 750, reason: .easing),
        Case(
            rule: "a negative boost is added",
            committed: 0, free: 0, previous: 700, boost: -300, pages: 400, reason: .shortage),
        Case(
            rule: "a sum beyond 64 bits gives the maximum",
            committed: 0, free: 0, previous: .max, pages: 1250, reason: .shortage),
        Case(
            rule: "a sum below 64 bits gives the minimum",
            committed: 900_000, free: 300_000, previous: .min, pages: 64, reason: .easing),
        // Absurd samples.
        Case(
            rule: "committed beyond 64 bits with the threshold scans",
            committed: .max, free: 300_000, previous: 900, pages: 850, reason: .easing),
    ])
    func `Each side of every comparison and clamp`(_ test: Case) throws {
        var configuration = Configuration()
        configuration.pagesMinimum = test.minimum
        configuration.pagesMaximum = test.maximum
        configuration.pagesBoost = test.boost
        configuration.pagesDecay = test.decay
        let policy = try ClassicPolicy(configuration, total: KiB(1_000_000))
        let sample = MemorySample(free: KiB(test.free), committed: KiB(test.committed))

        let decision = policy.decide(sample, previous: test.previous)

        #expect(decision.reason == test.reason)
        #expect(decision.action == (test.reason == .plenty ? .stop : .scan))
        #expect(decision.pagesToScan == test.pages)
    }

    @Test func `A decision carries everything that was compared`() throws {
        let policy = try ClassicPolicy(Configuration(), total: KiB(1_000_000))
        let sample = MemorySample(free: KiB(150_000), committed: KiB(700_000))

        let decision = policy.decide(sample, previous: 300)

        #expect(decision.memory == sample)
        #expect(decision.total == KiB(1_000_000))
        #expect(decision.threshold == KiB(200_000))
        #expect(decision.committedWithThreshold == KiB(900_000))
        #expect(decision.previousPagesToScan == 300)
        #expect(decision.pagesToScan == 600)
        #expect(decision.sleepMilliseconds == 167)
    }

    // MARK: Many decisions

    /// The pages after each sample, from 0 at start, on a host of 1,000,000 KiB.
    private func pages(_ samples: [(committed: Int64, free: Int64)], _ configuration: Configuration = .init()) throws
        -> [Int64]
    {
        let policy = try ClassicPolicy(configuration, total: KiB(1_000_000))
        var previous: Int64 = 0
        return samples.map { sample in
            let memory = MemorySample(free: KiB(sample.free), committed: KiB(sample.committed))
            previous = policy.decide(memory, previous: previous).pagesToScan
            return previous
        }
    }

    private let shortage: (committed: Int64, free: Int64) = (900_000, 100_000)
    private let easing: (committed: Int64, free: Int64) = (900_000, 300_000)
    private let plenty: (committed: Int64, free: Int64) = (0, 900_000)

    @Test func `A lasting shortage climbs by the boost up to the maximum`() throws {
        let climb = try pages([shortage, shortage, shortage, shortage, shortage, shortage])
        #expect(climb == [300, 600, 900, 1200, 1250, 1250])
    }

    @Test func `A committed host begins at the minimum and stays there`() throws {
        #expect(try pages([easing, easing, easing]) == [64, 64, 64])
    }

    @Test func `A committed host sinks by the decay down to the minimum`() throws {
        #expect(
            try pages([shortage, easing, easing, easing, easing, easing, easing]) == [300, 250, 200, 150, 100, 64, 64])
    }

    @Test func `Scanning resumes after a stop at the speed at which it left off`() throws {
        #expect(try pages([shortage, shortage, plenty, plenty, shortage]) == [300, 600, 600, 600, 900])
        #expect(try pages([shortage, shortage, plenty, easing]) == [300, 600, 600, 550])
    }

    @Test func `A minimum above the maximum alternates under a shortage`() throws {
        var configuration = Configuration()
        configuration.pagesMinimum = 500
        configuration.pagesMaximum = 250
        #expect(try pages([shortage, shortage, shortage, shortage], configuration) == [500, 250, 250, 250])
        configuration.pagesMaximum = 100
        #expect(try pages([shortage, shortage, shortage, shortage], configuration) == [500, 100, 500, 100])
    }

    @Test func `Steps of zero scan at one constant rate`() throws {
        var configuration = Configuration()
        configuration.pagesBoost = 0
        configuration.pagesDecay = 0
        configuration.pagesMinimum = 200
        #expect(try pages([shortage, easing, plenty, shortage, easing], configuration) == [200, 200, 200, 200, 200])
    }

    // MARK: The start

    struct Host: CustomTestStringConvertible, Sendable {
        var name: String
        var total: Int64
        var sleepSetting: Int64 = 10
        var percent: Int64 = 20
        var constant: Int64 = 2048
        var sleep: Int64
        var threshold: Int64

        var testDescription: String { name }
    }

    @Test(arguments: [
        Host(
            name: "16 GiB is the host that the sleep is meant for",
            total: 16 << 20, sleep: 10, threshold: 3_355_443),
        Host(
            name: "one KiB below 16 GiB still sleeps 10, rounded down",
            total: 16 << 20 - 1, sleep: 10, threshold: 3_355_443),
        Host(name: "8 GiB sleeps twice as long", total: 8 << 20, sleep: 20, threshold: 1_677_721),
        Host(name: "1 GiB sleeps 160", total: 1 << 20, sleep: 160, threshold: 209_715),
        Host(name: "512 MiB sleeps 320", total: 512 << 10, sleep: 320, threshold: 104_857),
        Host(name: "a real host of 3.8 GiB rounds both down", total: 4_030_000, sleep: 41, threshold: 806_000),
        Host(name: "32 GiB sleeps 10, the floor", total: 32 << 20, sleep: 10, threshold: 6_710_886),
        Host(name: "2 TiB sleeps 10, the floor", total: 2 << 30, sleep: 10, threshold: 429_496_729),
        Host(
            name: "8 PiB sleeps 10, and nothing overflows",
            total: 8 << 40, sleep: 10, threshold: 1_759_218_604_441),
        Host(
            name: "a scaled sleep of 11 is above the floor",
            total: 16 << 20, sleepSetting: 11, sleep: 11, threshold: 3_355_443),
        Host(
            name: "a scaled sleep of 9 is raised to the floor",
            total: 16 << 20, sleepSetting: 9, sleep: 10, threshold: 3_355_443),
        Host(
            name: "a sleep setting of zero sleeps 10, the floor",
            total: 1 << 20, sleepSetting: 0, sleep: 10, threshold: 209_715),
        Host(
            name: "Proxmox's 100 on 128 GiB sleeps 12",
            total: 128 << 20, sleepSetting: 100, sleep: 12, threshold: 26_843_545),
        Host(
            name: "one KiB of host sleeps long, and keeps the constant",
            total: 1, sleep: 167_772_160, threshold: 2048),
        // The larger of share and constant.
        Host(
            name: "a share one KiB below the constant gives the constant",
            total: 10_235, sleep: 16392, threshold: 2048),
        Host(name: "a share of exactly the constant gives it", total: 10_240, sleep: 16384, threshold: 2048),
        Host(
            name: "a share one KiB above the constant gives the share",
            total: 10_245, sleep: 16376, threshold: 2049),
        Host(
            name: "a percentage of zero leaves the constant",
            total: 16 << 20, percent: 0, sleep: 10, threshold: 2048),
        Host(
            name: "a constant of zero leaves the share",
            total: 16 << 20, constant: 0, sleep: 10, threshold: 3_355_443),
        Host(name: "both zero leave no reserve", total: 16 << 20, percent: 0, constant: 0, sleep: 10, threshold: 0),
        Host(name: "100 percent reserves all", total: 16 << 20, percent: 100, sleep: 10, threshold: 16 << 20),
        Host(
            name: "a constant above the total is kept",
            total: 16 << 20, constant: 1 << 30, sleep: 10, threshold: 1 << 30),
    ])
    func `The settings are scaled to the host`(_ host: Host) throws {
        var configuration = Configuration()
        configuration.sleepMilliseconds = host.sleepSetting
        configuration.thresholdPercent = host.percent
        configuration.thresholdConstant = KiB(host.constant)

        let policy = try ClassicPolicy(configuration, total: KiB(host.total))

        #expect(policy.sleepMilliseconds == host.sleep)
        #expect(policy.threshold == KiB(host.threshold))
        #expect(policy.total == KiB(host.total))
    }

    @Test func `A host that tells of no memory sleeps as one of a KiB`() throws {
        #expect(try ClassicPolicy(Configuration(), total: .zero).sleepMilliseconds == 167_772_160)
        #expect(try ClassicPolicy(Configuration(), total: 1).sleepMilliseconds == 167_772_160)
    }

    struct RefusedHost: CustomTestStringConvertible, Sendable {
        var name: String
        var total: Int64
        var sleepSetting: Int64 = 10
        var percent: Int64 = 20
        var constant: Int64 = 2048
        /// `nil` where it fits.
        var refusal: ClassicPolicy.Refusal?

        var testDescription: String { name }
    }

    @Test(arguments: [
        RefusedHost(
            name: "the largest sleep setting whose product fits 64 bits, on a host large enough",
            total: 16 << 40, sleepSetting: 549_755_813_887, refusal: nil),
        RefusedHost(
            name: "a sleep setting one above that",
            total: 16 << 40, sleepSetting: 549_755_813_888, refusal: .overflow(.sleepMilliseconds)),
        RefusedHost(name: "a sleep of exactly 32 bits", total: 16 << 20, sleepSetting: 4_294_967_295, refusal: nil),
        RefusedHost(
            name: "a sleep one above 32 bits", total: 16 << 20, sleepSetting: 4_294_967_296,
            refusal: .sleepTooLong(milliseconds: 4_294_967_296)),
        RefusedHost(
            name: "a sleep that is too long only on this small host", total: 1 << 20,
            sleepSetting: 268_435_456, refusal: .sleepTooLong(milliseconds: 4_294_967_296)),
        RefusedHost(
            name: "a product of host and percentage that just fits",
            total: 1 << 32, percent: 1 << 30, refusal: nil),
        RefusedHost(
            name: "a product of host and percentage beyond 64 bits",
            total: 1 << 32, percent: 1 << 31, refusal: .overflow(.thresholdPercent)),
        RefusedHost(
            name: "the defaults on a host too large for 20 percent of it",
            total: .max, refusal: .overflow(.thresholdPercent)),
        RefusedHost(
            name: "a constant whose sum with the total just fits",
            total: 16 << 20, constant: .max - 16 << 20, refusal: nil),
        RefusedHost(
            name: "a constant whose sum with the total is beyond 64 bits",
            total: 16 << 20, constant: .max - 16 << 20 + 1, refusal: .overflow(.thresholdConstant)),
        RefusedHost(
            name: "a share whose sum with the total is beyond 64 bits",
            total: .max, percent: 1, refusal: .overflow(.thresholdPercent)),
        RefusedHost(
            name: "such a share, and a constant that is no more",
            total: .max, percent: 1, constant: .max / 100, refusal: .overflow(.thresholdPercent)),
    ])
    func `Arithmetic that does not fit is refused`(_ host: RefusedHost) {
        var configuration = Configuration()
        configuration.sleepMilliseconds = host.sleepSetting
        configuration.thresholdPercent = host.percent
        configuration.thresholdConstant = KiB(host.constant)

        var refusal: ClassicPolicy.Refusal?
        do throws(ClassicPolicy.Refusal) {
            _ = try ClassicPolicy(configuration, total: KiB(host.total))
        } catch {
            refusal = error
        }

        #expect(refusal == host.refusal)
    }

    // MARK: Properties

    @Test(arguments: Seed.all)
    func `Every accepted configuration keeps the pages within its bounds, whatever the host reports`(_ seed: Seed) {
        var generator = SeededGenerator(seed: seed.value)
        var accepted = 0
        for _ in 0..<300 {
            var text = ""
            for setting in [
                Setting.sleepMilliseconds, .pagesBoost, .pagesDecay, .pagesMinimum, .pagesMaximum,
                .thresholdPercent, .thresholdConstant,
            ]
            where Bool.random(using: &generator) {
                text += "\(setting.name)=\(generator.amount())\n"
            }
            let reading = Reading(text)
            guard !reading.messages.contains(where: { $0.contains(" error: ") }) else { continue }
            let configuration = reading.configuration
            let total = KiB(max(generator.amount(), 1))
            guard let policy = try? ClassicPolicy(configuration, total: total) else { continue }
            accepted += 1

            var pages: Int64 = 0
            for _ in 0..<20 {
                let sample = MemorySample(free: KiB(generator.amount()), committed: KiB(generator.amount()))
                let decision = policy.decide(sample, previous: pages)
                let bounds = [configuration.pagesMinimum, configuration.pagesMaximum].sorted()
                if decision.action == .stop {
                    #expect(decision.pagesToScan == pages, "a stop keeps the pages, with \(text)")
                } else {
                    #expect(
                        (bounds[0]...bounds[1]).contains(decision.pagesToScan),
                        "\(seed.description), total \(total.count), \(sample), \(text)")
                }
                #expect((0...Int64(UInt32.max)).contains(decision.sleepMilliseconds))
                #expect(!decision.sentence.isEmpty)
                pages = decision.pagesToScan
            }
        }
        #expect(accepted > 15, "the generator makes mostly configurations that are refused")
    }
}
