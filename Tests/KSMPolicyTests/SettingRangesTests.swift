import Testing

@testable import KSMPolicy

/// The first and the last value that each setting takes, as the manual has them.
@Suite struct SettingRangesTests {
    private static let most32 = Int64(UInt32.max)

    @Test(
        arguments: [
            (.sleepMilliseconds, 0, .max / (16 << 20)), (.pagesBoost, .min, .max - most32),
            (.pagesDecay, .min, .max - most32), (.pagesMinimum, 0, most32), (.pagesMaximum, 0, most32),
            (.thresholdPercent, 0, .max), (.thresholdConstant, 0, .max), (.cpuMaximum, 1, 100),
            (.hostCPUMaximum, 1, 100), (.probeCPU, 1, 100), (.yieldMinimum, 0, 1_000_000),
            (.advisorScanTime, 1, most32), (.advisorCPUMaximum, 1, 100), (.advisorPagesMinimum, 1, most32),
            (.advisorPagesMaximum, 1, most32), (.maxPageSharing, 2, Int64(Int32.max)),
        ] as [(Setting, Int64, Int64)])
    func `a number is taken at both ends of its range, and not beyond`(setting: Setting, least: Int64, most: Int64) {
        func errors(_ number: Int64) -> [String] {
            Reading("\(setting.name)=\(number)\n").messages.filter { $0.contains("error: \(setting.name)=\(number) ") }
        }
        // A minimum may be refused beside its maximum, and not for itself.
        #expect(errors(least).allSatisfy { $0.contains("is above") || $0.contains("is below") })
        #expect(errors(most).allSatisfy { $0.contains("is above") || $0.contains("is below") })
        if least > .min { #expect(errors(least - 1).count == 1) }
        if most < .max { #expect(errors(most + 1).count == 1) }
    }

    @Test(
        arguments: [
            (.monitorInterval, "0.1", true), (.monitorInterval, "0.099", false), (.monitorInterval, "infinity", true),
            (.idleStep, "0.1", true), (.idleStep, "60", true), (.idleStep, "60.001", false), (.idleStep, "0.09", false),
            (.burstStep, "1", true), (.burstStep, "1.001", false), (.burstStep, "0.1", true),
            (.burstStep, "0.099", false),
        ] as [(Setting, String, Bool)])
    func `a time is taken at both ends of its range, and not beyond`(setting: Setting, text: String, isTaken: Bool) {
        #expect(Reading("\(setting.name)=\(text)\n").messages.isEmpty == isTaken)
    }

    @Test(
        arguments: [
            ("some 150ms/500ms", true), ("some 150ms/499ms", false), ("some 1s/10s", true), ("some 1s/10001ms", false),
            ("full 1us/1s", true), ("full 0us/1s", false), ("some 1s/1s", true), ("some 1001ms/1s", false),
            ("some 9223372036854775807s/1s", false), ("some 1s", false), ("most 1s/2s", false), ("some 1/2", false),
            ("some 1s/2s/3s", false), ("some  1s/2s", true), ("some 1s /2s", false),
        ])
    func `a threshold of pressure is one that the kernel takes`(text: String, isTaken: Bool) {
        #expect(Reading("KSM_PRESSURE='\(text)'\n").messages.isEmpty == isTaken)
    }

    @Test(
        arguments: [
            (16 << 20, "50", "80"), ((16 << 20) + 1, "40", "60"), (32 << 20, "40", "60"), ((32 << 20) + 1, "30", "40"),
            (64 << 20, "30", "40"), ((64 << 20) + 1, "20", "20"), (128 << 20, "20", "20"),
            ((128 << 20) + 1, "10", "10"), (1, "50", "80"),
        ] as [(Int64, String, String)])
    func `the scaled profile has a step at each size`(total: Int64, percent: String, sleep: String) {
        let defaults = Defaults(.scaled, total: KiB(total))
        #expect(defaults[.thresholdPercent] == percent && defaults[.sleepMilliseconds] == sleep)
    }

    @Test(arguments: ["${}", "${ }", "${-x}", "${A", "${A-b}", "${A:-b}"])
    func `only a name is expanded in braces`(text: String) {
        let messages = Reading("KSM_GUEST_PATTERN=\(text)\n").messages
        #expect(messages.count == 1 && messages[0].contains("only $NAME and ${NAME} are expanded"))
    }

    @Test(
        arguments: [
            // One letter less, one more, another, two exchanged, and as many as a third of the name.
            ("KSM_NPAGES_MI", .pagesMinimum), ("KSM_NPAGES_MINI", .pagesMinimum), ("KSM_NPAGES_MIX", nil),
            ("KSM_SLEEP_MESC", .sleepMilliseconds), ("SM_SLEEP_MSEC", .sleepMilliseconds),
            ("XKSM_SLEEP_MSEC", .sleepMilliseconds), ("KSM_SLXXX_MSEC", .sleepMilliseconds),
            ("KSM_XXXXX_MSEC", nil), ("ABCDEBUG", nil), ("ABDEBUG", .debug),
        ] as [(String, Setting?)])
    func `a name is told that is not far away`(name: String, setting: Setting?) {
        // Where two are as near, either will do.
        if let setting {
            #expect(Setting.nearest(to: name) == setting)
        } else if let nearest = Setting.nearest(to: name) {
            #expect([.pagesMinimum, .pagesMaximum].contains(nearest))
        }
    }

    @Test(
        arguments: [
            (100, 20, false), (101, 20, true), (20, 100, false), (20, 101, true),
        ] as [(Int64, Int64, Bool)])
    func `a share of more than all is warned of`(percent: Int64, probe: Int64, isWarned: Bool) {
        let text = "KSM_THRES_COEF=\(percent)\nKSM_CPU_MAX=100\nKSM_CPU_PROBE=\(probe)\n"
        #expect(Reading(text).messages.isEmpty != isWarned)
    }

    @Test(arguments: [(50, 50, false), (50, 51, true), (51, 50, false)] as [(Int64, Int64, Bool)])
    func `a probe above the maximum is warned of`(most: Int64, probe: Int64, isWarned: Bool) {
        #expect(Reading("KSM_CPU_MAX=\(most)\nKSM_CPU_PROBE=\(probe)\n").messages.isEmpty != isWarned)
        #expect(Reading("KSM_CPU_MAX=5\n").messages.isEmpty, "the default of the probe needs no word")
    }

    @Test func `what is added in the wrong direction is warned of`() {
        for (text, isWarned) in [
            ("KSM_NPAGES_DECAY=0", false), ("KSM_NPAGES_DECAY=1", true), ("KSM_NPAGES_BOOST=0", false),
            ("KSM_NPAGES_BOOST=-1", true), ("KSM_NPAGES_MIN=5\nKSM_NPAGES_MAX=5", false),
            ("KSM_NPAGES_MIN=6\nKSM_NPAGES_MAX=5", true), ("KSM_ADVISOR_NPAGES_MIN=7\nKSM_ADVISOR_NPAGES_MAX=7", false),
            ("KSM_ADVISOR_NPAGES_MIN=8\nKSM_ADVISOR_NPAGES_MAX=7", true),
        ] {
            #expect(Reading(text + "\n").messages.isEmpty != isWarned, "\(text)")
        }
    }

    @Test func `a constant below a hundredth of memory is warned of, as long as it counts nowhere`() {
        func warns(_ text: String) -> Bool {
            !Reading(text, total: KiB(1_000_000), isTotalKnown: true).messages.isEmpty
        }
        #expect(warns("KSM_THRES_CONST=9999\n"))
        #expect(!warns("KSM_THRES_CONST=10000\n"))
        #expect(!warns("KSM_THRES_CONST=2048\n"), "the default means no more")
        #expect(!warns("KSM_THRES_CONST=9999\nKSM_THRES_COEF=0\n"))
        #expect(warns("KSM_THRES_CONST=9999\nKSM_THRES_COEF=1\n"))
    }
}
