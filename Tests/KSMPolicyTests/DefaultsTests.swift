import KSMPolicy
import Testing

@Suite struct DefaultsTests {
    private static func gibibytes(_ count: Double) -> KiB { KiB(Int64(count * 1024 * 1024)) }

    @Test(arguments: [
        (0.5, 50, 80), (15.6, 50, 80), (16, 50, 80), (16.0001, 40, 60), (31.3, 40, 60), (32, 40, 60),
        (32.0001, 30, 40), (62.7, 30, 40), (64, 30, 40), (64.0001, 20, 20), (125.7, 20, 20), (128, 20, 20),
        (128.0001, 10, 10), (251, 10, 10), (6144, 10, 10),
    ])
    func `With the profile scaled the threshold and the sleep follow the host's memory`(
        _ size: Double, _ percent: Int64, _ sleep: Int64
    ) {
        let reading = Reading("KSM_PROFILE=scaled", total: Self.gibibytes(size))
        #expect(reading.configuration.thresholdPercent == percent)
        #expect(reading.configuration.sleepMilliseconds == sleep)
        #expect(reading.values[.thresholdPercent].origin.description == "profile scaled")
        #expect(reading.values[.sleepMilliseconds].origin.description == "profile scaled")
        #expect(reading.messages == [])
    }

    @Test(arguments: [Int64(16), 32, 64, 128])
    func `A bound counts to the smaller hosts, to the KiB`(_ size: Int64) {
        let bound = size * 1024 * 1024
        let below = Defaults(.scaled, total: KiB(bound - 1))
        #expect(Defaults(.scaled, total: KiB(bound))[.thresholdPercent] == below[.thresholdPercent])
        #expect(Defaults(.scaled, total: KiB(bound + 1))[.thresholdPercent] != below[.thresholdPercent])
        #expect(Defaults(.scaled, total: KiB(bound))[.sleepMilliseconds] == below[.sleepMilliseconds])
        #expect(Defaults(.scaled, total: KiB(bound + 1))[.sleepMilliseconds] != below[.sleepMilliseconds])
    }

    @Test(arguments: [(8.0, 160), (15.6, 82), (16, 80), (31.3, 30), (62.7, 10), (125.7, 10), (251, 10)])
    func `The sleep is what would stand in the file, so that the classic rule scales it further`(
        _ size: Double, _ sleep: Int64
    ) throws {
        let total = Self.gibibytes(size)
        let policy = try ClassicPolicy(Reading("KSM_PROFILE=scaled", total: total).configuration, total: total)
        #expect(policy.sleepMilliseconds == sleep)
    }

    @Test func `All other defaults of the profile scaled are the usual ones`() {
        let scaled = Defaults(.scaled, total: Self.gibibytes(64))
        for setting in Setting.allCases where setting != .thresholdPercent && setting != .sleepMilliseconds {
            #expect(scaled[setting] == Defaults.union[setting], "\(setting.name)")
        }
        #expect(Reading("KSM_PROFILE=scaled").values[.pagesMaximum].origin == .builtIn)
    }

    @Test(arguments: [Profile.union, .upstream, .debian, .proxmox])
    func `No other profile asks for the host's memory`(_ profile: Profile) {
        for setting in Setting.allCases {
            #expect(Defaults(profile, total: KiB(1))[setting] == Defaults(profile, total: KiB(1 << 40))[setting])
        }
    }

    @Test(arguments: [(Profile.union, true), (.scaled, true), (.upstream, false), (.debian, false), (.proxmox, false)])
    func `Exactly a variant of the original decides once an interval and on signals`(
        _ profile: Profile, _ isOn: Bool
    ) {
        let reading = Reading("KSM_PROFILE=\(profile.word)")
        #expect(reading.configuration.retuneOnGuests == isOn)
        #expect((reading.configuration.pressure != nil) == isOn)
        #expect((reading.values[.pressure].origin == .builtIn) == isOn)
    }

    @Test func `What is set wins over the profile scaled, wherever it is set`() {
        let total = Self.gibibytes(64)
        let file = Reading("KSM_THRES_COEF=20\nKSM_PROFILE=scaled\nKSM_SLEEP_MSEC=10", total: total)
        #expect(file.configuration.thresholdPercent == 20)
        #expect(file.configuration.sleepMilliseconds == 10)
        #expect(file.values[.thresholdPercent].origin.description == "f:1:1")
        let environment = Reading("KSM_PROFILE=scaled", environment: ["KSM_THRES_COEF": "7"], total: total)
        #expect(environment.configuration.thresholdPercent == 7)
        #expect(environment.configuration.sleepMilliseconds == 40)
    }

    @Test func `Without a word of the host's memory it is 16 GiB`() {
        #expect(Defaults(.scaled)[.thresholdPercent] == "50")
        #expect(Defaults.assumedTotal == KiB(16 * 1024 * 1024))
    }
}
