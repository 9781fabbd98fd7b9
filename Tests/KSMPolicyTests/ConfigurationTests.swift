import KSMPolicy
import Testing

@Suite struct ConfigurationTests {
    // MARK: Accepted values

    @Test func `An empty file means every default, without a word`() {
        let reading = Reading("")
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
    }

    @Test func `The defaults are the original's`() {
        let configuration = Reading("").configuration
        #expect(configuration.monitorInterval == .seconds(60))
        #expect(configuration.sleepMilliseconds == 10)
        #expect(configuration.pagesBoost == 300)
        #expect(configuration.pagesDecay == -50)
        #expect(configuration.pagesMinimum == 64)
        #expect(configuration.pagesMaximum == 1250)
        #expect(configuration.thresholdPercent == 20)
        #expect(configuration.thresholdConstant == KiB(2048))
        #expect(configuration.logFile == nil)
        #expect(!configuration.isDebugging)
        #expect(configuration.pidFile == "/var/run/ksmtune.pid")
        #expect(configuration.profile == .union)
        #expect(configuration.guestPattern == nil)
        #expect(configuration.guestMetric == .rsz)
        #expect(configuration.freeMetric == .cached)
        #expect(configuration.firstDecision == .start)
        #expect(configuration.onExit == .keep)
        #expect(configuration.policy == .classic)
        for knob in [configuration.mergeAcrossNodes, configuration.useZeroPages, configuration.smartScan] {
            #expect(knob == nil)
        }
        #expect(configuration.maxPageSharing == nil)
        #expect(!configuration.allowsUnmerge)
    }

    @Test func `Every default, written out, means the same as its absence`() {
        let text = Setting.allCases.map { "\($0.name)='\(Defaults.union[$0])'\n" }.joined()
        let reading = Reading(text)
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
    }

    @Test(arguments: Setting.allCases)
    func `An empty value means the default`(_ setting: Setting) {
        let reading = Reading("\(setting.name)=\n")
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
    }

    @Test func `Every setting reaches the configuration`() {
        let reading = Reading(
            """
            KSM_MONITOR_INTERVAL=0.5
            KSM_SLEEP_MSEC=20
            KSM_NPAGES_BOOST=400
            KSM_NPAGES_DECAY=-60
            KSM_NPAGES_MIN=65
            KSM_NPAGES_MAX=1251
            KSM_THRES_COEF=21
            KSM_THRES_CONST=2049
            LOGFILE=/var/log/ksmtuned
            DEBUG=1
            PIDFILE=/run/x.pid
            KSM_PROFILE=debian
            KSM_GUEST_PATTERN='^(a|b)$'
            KSM_PS_METRIC=pss
            KSM_FREE_METRIC=available
            KSM_FIRST_DECISION=interval
            KSM_ON_EXIT=restore
            KSM_POLICY=adaptive
            KSM_RETUNE_ON_GUESTS=no
            KSM_PRESSURE="full 1s/2s"
            KSM_CPU_MAX=84
            KSM_CPU_MAX_HOST=49
            KSM_CPU_PROBE=9
            KSM_STEP_IDLE=0.6
            KSM_STEP_BURST=0.2
            KSM_YIELD_MIN=51
            KSM_ADAPTIVE_START=threshold
            KSM_KSMD_SCHEDULING="nice 6"
            KSM_ADVISOR_SCAN_TIME=201
            KSM_ADVISOR_CPU_MAX=71
            KSM_ADVISOR_NPAGES_MIN=501
            KSM_ADVISOR_NPAGES_MAX=30001
            KSM_MERGE_ACROSS_NODES=no
            KSM_MAX_PAGE_SHARING=257
            KSM_USE_ZERO_PAGES=yes
            KSM_SMART_SCAN=no
            KSM_ALLOW_UNMERGE=yes
            """)
        var expected = Configuration()
        expected.monitorInterval = .milliseconds(500)
        expected.sleepMilliseconds = 20
        expected.pagesBoost = 400
        expected.pagesDecay = -60
        expected.pagesMinimum = 65
        expected.pagesMaximum = 1251
        expected.thresholdPercent = 21
        expected.thresholdConstant = KiB(2049)
        expected.logFile = "/var/log/ksmtuned"
        expected.isDebugging = true
        expected.pidFile = "/run/x.pid"
        expected.profile = .debian
        expected.guestPattern = "^(a|b)$"
        expected.guestMetric = .pss
        expected.freeMetric = .available
        expected.firstDecision = .interval
        expected.onExit = .restore
        expected.policy = .adaptive
        expected.retuneOnGuests = false
        expected.pressure = PressureThreshold(.full, stall: .microseconds(1_000_000), window: .microseconds(2_000_000))
        expected.cpuMaximumPercent = 84
        expected.hostCPUMaximumPercent = 49
        expected.probeCPUPercent = 9
        expected.idleStep = .milliseconds(600)
        expected.burstStep = .milliseconds(200)
        expected.yieldMinimum = Bytes(mebibytes: 51)
        expected.adaptiveStart = .threshold
        expected.ksmdScheduling = .nice(6)
        expected.advisorScanTime = .seconds(201)
        expected.advisorCPUMaximumPercent = 71
        expected.advisorPagesMinimum = 501
        expected.advisorPagesMaximum = 30001
        expected.mergeAcrossNodes = .no
        expected.maxPageSharing = 257
        expected.useZeroPages = .yes
        expected.smartScan = .no
        expected.allowsUnmerge = true
        #expect(reading.configuration == expected)
        #expect(reading.messages == [])
    }

    @Test(arguments: ["1", "0", "no", "false", "' '", "off"])
    func `Any value of DEBUG enables, as in the original`(_ value: String) {
        #expect(Reading("DEBUG=\(value)").configuration.isDebugging)
    }

    @Test func `A later DEBUG without a value disables again`() {
        #expect(!Reading("DEBUG=1\nDEBUG=\n").configuration.isDebugging)
    }

    @Test(arguments: [
        ("rsz", GuestMetric.rsz), ("rss", .rsz), ("pss", .pss), ("unmerged", .unmerged), ("rsz+swap", .residentAndSwap),
    ])
    func `The words of KSM_PS_METRIC`(_ word: String, _ metric: GuestMetric) {
        #expect(Reading("KSM_PS_METRIC=\(word)").configuration.guestMetric == metric)
    }

    @Test(arguments: [
        ("keep", ExitAction.keep), ("stop", .stop), ("restore", .restore), ("unmerge", .unmerge),
    ])
    func `The words of KSM_ON_EXIT`(_ word: String, _ action: ExitAction) {
        #expect(Reading("KSM_ON_EXIT=\(word)").configuration.onExit == action)
    }

    @Test(arguments: [
        ("upstream", Profile.upstream), ("debian", .debian), ("proxmox", .proxmox), ("scaled", .scaled),
        ("''", .union),
    ])
    func `The words of KSM_PROFILE`(_ word: String, _ profile: Profile) {
        let reading = Reading("KSM_PROFILE=\(word)")
        #expect(reading.configuration.profile == profile)
        #expect(reading.values.profile == profile)
        #expect(reading.messages == [])
    }

    @Test(arguments: [("classic", PolicyKind.classic), ("adaptive", .adaptive), ("advisor", .advisor)])
    func `The words of KSM_POLICY`(_ word: String, _ policy: PolicyKind) {
        #expect(Reading("KSM_POLICY=\(word)").configuration.policy == policy)
    }

    @Test(arguments: [("always", AdaptiveStart.always), ("threshold", .threshold)])
    func `The words of KSM_ADAPTIVE_START`(_ word: String, _ start: AdaptiveStart) {
        #expect(Reading("KSM_ADAPTIVE_START=\(word)").configuration.adaptiveStart == start)
    }

    @Test(arguments: [
        ("yes", true), ("1", true), ("on", true), ("true", true), ("no", false), ("0", false), ("off", false),
        ("false", false),
    ])
    func `The words of what is on or off`(_ word: String, _ isOn: Bool) {
        let names = [
            "KSM_RETUNE_ON_GUESTS", "KSM_ALLOW_UNMERGE", "KSM_MERGE_ACROSS_NODES", "KSM_USE_ZERO_PAGES",
            "KSM_SMART_SCAN",
        ]
        let reading = Reading(names.map { "\($0)=\(word)\n" }.joined())
        #expect(reading.messages == [])
        #expect(reading.configuration.retuneOnGuests == isOn)
        #expect(reading.configuration.allowsUnmerge == isOn)
        let knob: Switch = isOn ? .yes : .no
        #expect(reading.configuration.mergeAcrossNodes == knob)
        #expect(reading.configuration.useZeroPages == knob)
        #expect(reading.configuration.smartScan == knob)
    }

    @Test func `KSM_PRESSURE is off, or a threshold`() {
        #expect(Reading("KSM_PRESSURE=off").configuration.pressure == nil)
        #expect(
            Reading("KSM_PRESSURE='full 10ms/500ms'").configuration.pressure
                == PressureThreshold(.full, stall: .microseconds(10_000), window: .microseconds(500_000)))
    }

    @Test(arguments: ["+300", " 300 ", "300"])
    func `A number may have a sign and blanks around it`(_ value: String) {
        let reading = Reading("KSM_NPAGES_BOOST='\(value)'")
        #expect(reading.configuration.pagesBoost == 300)
        #expect(reading.messages == [])
    }

    @Test(arguments: [
        ("KSM_NPAGES_BOOST=0\nKSM_NPAGES_DECAY=0", "a constant rate"),
        ("KSM_NPAGES_MIN=0\nKSM_NPAGES_MAX=0", "no pages"),
        ("KSM_NPAGES_MAX=4294967295", "32 bits"),
        ("KSM_NPAGES_MIN=64\nKSM_NPAGES_MAX=64", "a minimum as large as the maximum"),
        ("KSM_SLEEP_MSEC=0", "a sleep of zero"),
        ("KSM_SLEEP_MSEC=549755813887", "the longest sleep whose product fits 64 bits"),
        ("KSM_THRES_COEF=100", "100 percent"),
        ("KSM_THRES_COEF=0\nKSM_THRES_CONST=0", "no reserve"),
        ("KSM_THRES_CONST=9223372036854775807", "63 bits"),
        ("KSM_NPAGES_DECAY=-9223372036854775808", "the least number of 64 bits"),
        ("KSM_NPAGES_BOOST=9223372032559808512", "a boost whose sum with 32 bits fits 64"),
        ("KSM_NPAGES_DECAY=-0", "minus zero"),
        ("KSM_CPU_MAX=1\nKSM_CPU_MAX_HOST=1", "the least CPU"),
        ("KSM_CPU_MAX=100\nKSM_CPU_MAX_HOST=100\nKSM_CPU_PROBE=100", "the most CPU"),
        ("KSM_CPU_PROBE=1", "the least CPU for a probe"),
        ("KSM_CPU_MAX=9", "a maximum below the default of the probe"),
        ("KSM_STEP_IDLE=0.1\nKSM_STEP_BURST=0.1", "the shortest steps"),
        ("KSM_STEP_IDLE=60\nKSM_STEP_BURST=1", "the longest steps"),
        ("KSM_STEP_IDLE=1m", "a step in another unit"),
        ("KSM_YIELD_MIN=0", "every yield"),
        ("KSM_YIELD_MIN=1000000", "a yield that is never reached"),
        ("KSM_ADVISOR_SCAN_TIME=1\nKSM_ADVISOR_CPU_MAX=1", "the least of the advisor"),
        ("KSM_ADVISOR_SCAN_TIME=4294967295\nKSM_ADVISOR_CPU_MAX=100", "the most of the advisor"),
        ("KSM_ADVISOR_NPAGES_MIN=1\nKSM_ADVISOR_NPAGES_MAX=1", "one page for the advisor"),
        ("KSM_ADVISOR_NPAGES_MIN=30000", "an advisor without room"),
        ("KSM_ADVISOR_NPAGES_MAX=500", "an advisor without room from above"),
        ("KSM_ADVISOR_NPAGES_MIN=4294967295\nKSM_ADVISOR_NPAGES_MAX=4294967295", "32 bits for the advisor"),
        ("KSM_MAX_PAGE_SHARING=2", "two pages share one"),
        ("KSM_MAX_PAGE_SHARING=2147483647", "31 bits of pages share one"),
        ("KSM_POLICY=advisor\nKSM_CPU_MAX=50\nKSM_NPAGES_MIN=65", "settings of another policy"),
    ])
    func `Unusual values are taken without a word`(_ text: String, _ name: String) {
        #expect(Reading(text).messages == [], "\(name)")
    }

    // MARK: Order

    @Test func `The last assignment wins, also over an earlier file`() {
        #expect(Reading("KSM_NPAGES_MIN=1\nKSM_NPAGES_MIN=2").configuration.pagesMinimum == 2)
        #expect(Reading("KSM_NPAGES_MIN=1", "KSM_NPAGES_MIN=2", "KSM_NPAGES_MIN=3").configuration.pagesMinimum == 3)
        #expect(Reading("KSM_NPAGES_MIN=1", "KSM_NPAGES_MIN=").configuration.pagesMinimum == 64)
    }

    @Test func `The environment counts below the file`() {
        #expect(Reading("", environment: ["KSM_NPAGES_MIN": "7"]).configuration.pagesMinimum == 7)
        #expect(Reading("KSM_NPAGES_MIN=8", environment: ["KSM_NPAGES_MIN": "7"]).configuration.pagesMinimum == 8)
    }

    @Test func `An empty value in the file is the default, also over the environment`() {
        #expect(Reading("KSM_NPAGES_MIN=", environment: ["KSM_NPAGES_MIN": "7"]).configuration.pagesMinimum == 64)
    }

    @Test func `The profile counts below the environment and the file`() {
        let proxmox = Reading("KSM_PROFILE=proxmox")
        #expect(proxmox.configuration.sleepMilliseconds == 100)
        #expect(proxmox.configuration.guestMetric == .pss)
        #expect(proxmox.values[.sleepMilliseconds].origin == .profile(.proxmox))
        #expect(proxmox.values[.pagesMinimum].origin == .builtIn)

        let environment = Reading("KSM_PROFILE=proxmox", environment: ["KSM_SLEEP_MSEC": "30"])
        #expect(environment.configuration.sleepMilliseconds == 30)
        #expect(environment.values[.sleepMilliseconds].origin == .environment)

        let file = Reading("KSM_SLEEP_MSEC=40\nKSM_PS_METRIC=rsz\nKSM_PROFILE=proxmox")
        #expect(file.configuration.sleepMilliseconds == 40)
        #expect(file.configuration.guestMetric == .rsz)
    }

    @Test func `The profile itself may come from the environment`() {
        #expect(Reading("", environment: ["KSM_PROFILE": "proxmox"]).configuration.sleepMilliseconds == 100)
    }

    @Test(arguments: [Profile.upstream, .debian])
    func `The other profiles have the original's defaults`(_ profile: Profile) {
        let values = Reading("KSM_PROFILE=\(profile.word)").configuration
        #expect(values.sleepMilliseconds == 10)
        #expect(values.guestMetric == .rsz)
    }

    @Test func `Each value knows where it comes from`() {
        let reading = Reading("# x\n  KSM_NPAGES_MAX=2", environment: ["KSM_NPAGES_MIN": "7"])
        #expect(reading.values[.pagesMaximum].origin.description == "f:2:3")
        #expect(reading.values[.pagesMinimum].origin.description == "environment")
        #expect(reading.values[.pagesBoost].origin.description == "default")
        #expect(Reading("KSM_PROFILE=proxmox").values[.guestMetric].origin.description == "profile proxmox")
    }

    // MARK: Refused values

    struct Refused: CustomTestStringConvertible, Sendable {
        var text: String
        var messages: [String]
        var environment: KeyValuePairs<String, String> = [:]

        var testDescription: String { text }
    }

    private static let octal =
        "has a leading zero: the original read the same text as octal in one place and as decimal in another"
    private static let hexadecimal =
        "is hexadecimal, which the original understood in one place and not in another; "
        + "write it in decimal"
    private static let noNumber = "is not a decimal integer; write digits only, with an optional sign"
    private static let no32Bits = "is beyond the 32 bits of the kernel's file; write 4294967295 or less"
    private static let noRange = "write a number in that range"
    private static let noTimeRange = "write a time in that range"
    private static let noThreshold = "is not a threshold; write one such as \"some 300ms/2s\", or off"
    private static let noTime = "is not a time; write seconds such as 60 or 0.5, or 30s, 2m, 1h, 1d"

    @Test(arguments: [
        // Not a number.
        Refused(text: "KSM_NPAGES_MIN=many", messages: ["f:1:1: error: KSM_NPAGES_MIN=many \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX=1.5", messages: ["f:1:1: error: KSM_NPAGES_MAX=1.5 \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX=1k", messages: ["f:1:1: error: KSM_NPAGES_MAX=1k \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX=1e3", messages: ["f:1:1: error: KSM_NPAGES_MAX=1e3 \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX='1 2'", messages: ["f:1:1: error: KSM_NPAGES_MAX=1 2 \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX=1_250", messages: ["f:1:1: error: KSM_NPAGES_MAX=1_250 \(noNumber)"]),
        Refused(text: "KSM_NPAGES_MAX=' '", messages: ["f:1:1: error: KSM_NPAGES_MAX=  \(noNumber)"]),
        Refused(
            text: "KSM_NPAGES_MAX=1250\u{00A0}",
            messages: [
                "f:1:1: error: KSM_NPAGES_MAX=1250\u{00A0} \(noNumber)"
            ]),
        Refused(text: "KSM_NPAGES_MAX=１２", messages: ["f:1:1: error: KSM_NPAGES_MAX=１２ \(noNumber)"]),
        Refused(text: "KSM_NPAGES_DECAY=--50", messages: ["f:1:1: error: KSM_NPAGES_DECAY=--50 \(noNumber)"]),
        Refused(text: "KSM_NPAGES_DECAY=-", messages: ["f:1:1: error: KSM_NPAGES_DECAY=- \(noNumber)"]),
        Refused(text: "KSM_NPAGES_DECAY='- 50'", messages: ["f:1:1: error: KSM_NPAGES_DECAY=- 50 \(noNumber)"]),
        Refused(text: "KSM_THRES_COEF=20%", messages: ["f:1:1: error: KSM_THRES_COEF=20% \(noNumber)"]),
        Refused(text: "KSM_THRES_CONST=1/2", messages: ["f:1:1: error: KSM_THRES_CONST=1/2 \(noNumber)"]),
        // Not decimal.
        Refused(
            text: "KSM_NPAGES_MIN=064",
            messages: [
                "f:1:1: error: KSM_NPAGES_MIN=064 \(octal); write 64 if decimal was meant"
            ]),
        Refused(
            text: "KSM_NPAGES_MIN=08",
            messages: [
                "f:1:1: error: KSM_NPAGES_MIN=08 \(octal); write 8 if decimal was meant"
            ]),
        Refused(
            text: "KSM_NPAGES_MIN=00",
            messages: [
                "f:1:1: error: KSM_NPAGES_MIN=00 \(octal); write 0 if decimal was meant"
            ]),
        Refused(
            text: "KSM_NPAGES_DECAY=-050",
            messages: [
                "f:1:1: error: KSM_NPAGES_DECAY=-050 \(octal); write -50 if decimal was meant"
            ]),
        Refused(text: "KSM_NPAGES_MAX=0x4E2", messages: ["f:1:1: error: KSM_NPAGES_MAX=0x4E2 \(hexadecimal)"]),
        Refused(text: "KSM_NPAGES_MAX=0X4e2", messages: ["f:1:1: error: KSM_NPAGES_MAX=0X4e2 \(hexadecimal)"]),
        Refused(text: "KSM_NPAGES_DECAY=-0x10", messages: ["f:1:1: error: KSM_NPAGES_DECAY=-0x10 \(hexadecimal)"]),
        Refused(text: "KSM_NPAGES_MAX=0b1", messages: ["f:1:1: error: KSM_NPAGES_MAX=0b1 \(noNumber)"]),
        // Too large.
        Refused(
            text: "KSM_NPAGES_BOOST=12345678901234567890",
            messages: [
                "f:1:1: error: KSM_NPAGES_BOOST=12345678901234567890 is beyond 64 bits; write a smaller number"
            ]),
        Refused(
            text: "KSM_NPAGES_DECAY=-9223372036854775809",
            messages: [
                "f:1:1: error: KSM_NPAGES_DECAY=-9223372036854775809 is beyond 64 bits; write a smaller number"
            ]),
        Refused(text: "KSM_NPAGES_MIN=4294967296", messages: ["f:1:1: error: KSM_NPAGES_MIN=4294967296 \(no32Bits)"]),
        Refused(text: "KSM_NPAGES_MAX=4294967296", messages: ["f:1:1: error: KSM_NPAGES_MAX=4294967296 \(no32Bits)"]),
        Refused(
            text: "KSM_NPAGES_BOOST=9223372032559808513",
            messages: [
                "f:1:1: error: KSM_NPAGES_BOOST=9223372032559808513 is so large that the arithmetic with it is beyond "
                    + "64 bits; write 9223372032559808512 or less"
            ]),
        Refused(
            text: "KSM_SLEEP_MSEC=549755813888",
            messages: [
                "f:1:1: error: KSM_SLEEP_MSEC=549755813888 is so large that the arithmetic with it is beyond 64 bits; "
                    + "write 549755813887 or less"
            ]),
        // Negative.
        Refused(
            text: "KSM_NPAGES_MIN=-1",
            messages: [
                "f:1:1: error: KSM_NPAGES_MIN=-1 is negative; write 0 or more"
            ]),
        Refused(
            text: "KSM_NPAGES_MAX=-1",
            messages: [
                "f:1:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more"
            ]),
        Refused(
            text: "KSM_SLEEP_MSEC=-1",
            messages: [
                "f:1:1: error: KSM_SLEEP_MSEC=-1 is negative; write 0 or more"
            ]),
        Refused(
            text: "KSM_THRES_COEF=-1",
            messages: [
                "f:1:1: error: KSM_THRES_COEF=-1 is negative; write 0 or more"
            ]),
        Refused(
            text: "KSM_THRES_CONST=-1",
            messages: [
                "f:1:1: error: KSM_THRES_CONST=-1 is negative; write 0 or more"
            ]),
        // Words.
        Refused(
            text: "KSM_ON_EXIT=Keep",
            messages: [
                "f:1:1: error: KSM_ON_EXIT=Keep is not one of its values; write keep, stop, restore, unmerge"
            ]),
        Refused(
            text: "KSM_PROFILE=redhat",
            messages: [
                "f:1:1: error: KSM_PROFILE=redhat is not one of its values; write upstream, debian, proxmox, scaled"
            ]),
        Refused(
            text: "KSM_PS_METRIC=uss",
            messages: [
                "f:1:1: error: KSM_PS_METRIC=uss is not one of its values; write rsz, pss, unmerged, rsz+swap"
            ]),
        Refused(
            text: "KSM_FREE_METRIC=free",
            messages: [
                "f:1:1: error: KSM_FREE_METRIC=free is not one of its values; write cached, available, available+arc"
            ]),
        Refused(
            text: "KSM_FIRST_DECISION=now",
            messages: [
                "f:1:1: error: KSM_FIRST_DECISION=now is not one of its values; write start, interval"
            ]),
        // Paths.
        Refused(
            text: "LOGFILE=ksmtuned.log",
            messages: [
                "f:1:1: error: LOGFILE=ksmtuned.log is not an absolute path; begin it with /"
            ]),
        Refused(
            text: "PIDFILE=run/x", messages: ["f:1:1: error: PIDFILE=run/x is not an absolute path; begin it with /"]),
        // Intervals.
        Refused(text: "KSM_MONITOR_INTERVAL=soon", messages: ["f:1:1: error: KSM_MONITOR_INTERVAL=soon \(noTime)"]),
        Refused(text: "KSM_MONITOR_INTERVAL=1e3", messages: ["f:1:1: error: KSM_MONITOR_INTERVAL=1e3 \(noTime)"]),
        Refused(text: "KSM_MONITOR_INTERVAL=-1", messages: ["f:1:1: error: KSM_MONITOR_INTERVAL=-1 \(noTime)"]),
        Refused(
            text: "KSM_MONITOR_INTERVAL=0",
            messages: [
                "f:1:1: error: KSM_MONITOR_INTERVAL=0 is under 0.1 s; write 0.1 or more"
            ]),
        Refused(
            text: "KSM_MONITOR_INTERVAL=0.05",
            messages: [
                "f:1:1: error: KSM_MONITOR_INTERVAL=0.05 is under 0.1 s; write 0.1 or more"
            ]),
        Refused(
            text: "KSM_MONITOR_INTERVAL=99999999999",
            messages: [
                "f:1:1: error: KSM_MONITOR_INTERVAL=99999999999 is beyond 64 bits of nanoseconds; write infinity to decide "
                    + "only on a signal"
            ]),
        // The policies, events and knobs.
        Refused(
            text: "KSM_POLICY=fast",
            messages: ["f:1:1: error: KSM_POLICY=fast is not one of its values; write classic, adaptive, advisor"]),
        Refused(
            text: "KSM_ADAPTIVE_START=never",
            messages: ["f:1:1: error: KSM_ADAPTIVE_START=never is not one of its values; write always, threshold"]),
        Refused(
            text: "KSM_RETUNE_ON_GUESTS=maybe",
            messages: ["f:1:1: error: KSM_RETUNE_ON_GUESTS=maybe is not one of its values; write yes, no"]),
        Refused(
            text: "KSM_ALLOW_UNMERGE=2",
            messages: ["f:1:1: error: KSM_ALLOW_UNMERGE=2 is not one of its values; write yes, no"]),
        Refused(
            text: "KSM_MERGE_ACROSS_NODES=Yes",
            messages: ["f:1:1: error: KSM_MERGE_ACROSS_NODES=Yes is not one of its values; write yes, no"]),
        Refused(
            text: "KSM_USE_ZERO_PAGES=maybe",
            messages: ["f:1:1: error: KSM_USE_ZERO_PAGES=maybe is not one of its values; write yes, no"]),
        Refused(
            text: "KSM_SMART_SCAN=auto",
            messages: ["f:1:1: error: KSM_SMART_SCAN=auto is not one of its values; write yes, no"]),
        Refused(
            text: "KSM_CPU_MAX=0", messages: ["f:1:1: error: KSM_CPU_MAX=0 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_CPU_MAX=101", messages: ["f:1:1: error: KSM_CPU_MAX=101 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_CPU_MAX_HOST=0",
            messages: ["f:1:1: error: KSM_CPU_MAX_HOST=0 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_CPU_MAX_HOST=101",
            messages: ["f:1:1: error: KSM_CPU_MAX_HOST=101 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_CPU_PROBE=0", messages: ["f:1:1: error: KSM_CPU_PROBE=0 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_CPU_PROBE=101",
            messages: ["f:1:1: error: KSM_CPU_PROBE=101 is not within 1 to 100; \(noRange)"]),
        Refused(text: "KSM_CPU_MAX=50%", messages: ["f:1:1: error: KSM_CPU_MAX=50% \(noNumber)"]),
        Refused(
            text: "KSM_STEP_IDLE=0.099",
            messages: ["f:1:1: error: KSM_STEP_IDLE=0.099 is not within 0.1 s to 60 s; \(noTimeRange)"]),
        Refused(
            text: "KSM_STEP_IDLE=60.000000001",
            messages: ["f:1:1: error: KSM_STEP_IDLE=60.000000001 is not within 0.1 s to 60 s; \(noTimeRange)"]),
        Refused(
            text: "KSM_STEP_IDLE=infinity",
            messages: ["f:1:1: error: KSM_STEP_IDLE=infinity is not within 0.1 s to 60 s; \(noTimeRange)"]),
        Refused(
            text: "KSM_STEP_BURST=0",
            messages: ["f:1:1: error: KSM_STEP_BURST=0 is not within 0.1 s to 1 s; \(noTimeRange)"]),
        Refused(
            text: "KSM_STEP_BURST=1.001",
            messages: ["f:1:1: error: KSM_STEP_BURST=1.001 is not within 0.1 s to 1 s; \(noTimeRange)"]),
        Refused(
            text: "KSM_STEP_BURST=99999999999",
            messages: ["f:1:1: error: KSM_STEP_BURST=99999999999 is not within 0.1 s to 1 s; \(noTimeRange)"]),
        Refused(text: "KSM_STEP_BURST=100ms", messages: ["f:1:1: error: KSM_STEP_BURST=100ms \(noTime)"]),
        Refused(
            text: "KSM_YIELD_MIN=-1", messages: ["f:1:1: error: KSM_YIELD_MIN=-1 is negative; write 0 or more"]),
        Refused(
            text: "KSM_YIELD_MIN=1000001",
            messages: ["f:1:1: error: KSM_YIELD_MIN=1000001 is not within 0 to 1000000; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_SCAN_TIME=0",
            messages: ["f:1:1: error: KSM_ADVISOR_SCAN_TIME=0 is not within 1 to 4294967295; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_SCAN_TIME=4294967296",
            messages: ["f:1:1: error: KSM_ADVISOR_SCAN_TIME=4294967296 \(no32Bits)"]),
        Refused(
            text: "KSM_ADVISOR_CPU_MAX=0",
            messages: ["f:1:1: error: KSM_ADVISOR_CPU_MAX=0 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_CPU_MAX=101",
            messages: ["f:1:1: error: KSM_ADVISOR_CPU_MAX=101 is not within 1 to 100; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=0",
            messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MIN=0 is not within 1 to 4294967295; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=4294967296",
            messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MIN=4294967296 \(no32Bits)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MAX=0",
            messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MAX=0 is not within 1 to 4294967295; \(noRange)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MAX=4294967296",
            messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MAX=4294967296 \(no32Bits)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=30001",
            messages: [
                "f:1:1: error: KSM_ADVISOR_NPAGES_MIN=30001 is above KSM_ADVISOR_NPAGES_MAX=30000; write a minimum at "
                    + "or below the maximum"
            ]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MAX=499",
            messages: [
                "f:1:1: error: KSM_ADVISOR_NPAGES_MAX=499 is below KSM_ADVISOR_NPAGES_MIN=500; write a minimum at or "
                    + "below the maximum"
            ]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=3\nKSM_ADVISOR_NPAGES_MAX=2",
            messages: [
                "f:1:1: error: KSM_ADVISOR_NPAGES_MIN=3 is above KSM_ADVISOR_NPAGES_MAX=2; write a minimum at or below "
                    + "the maximum"
            ]),
        // What was refused stands in the configuration as a harmless value, which says nothing of the other one.
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=x\nKSM_ADVISOR_NPAGES_MAX=2",
            messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MIN=x \(noNumber)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MIN=3000000\nKSM_ADVISOR_NPAGES_MAX=x",
            messages: ["f:2:1: error: KSM_ADVISOR_NPAGES_MAX=x \(noNumber)"]),
        Refused(
            text: "KSM_NPAGES_MIN=x\nKSM_NPAGES_MAX=10", messages: ["f:1:1: error: KSM_NPAGES_MIN=x \(noNumber)"]),
        Refused(
            text: "KSM_NPAGES_MIN=3000000\nKSM_NPAGES_MAX=x", messages: ["f:2:1: error: KSM_NPAGES_MAX=x \(noNumber)"]),
        Refused(
            text: "KSM_ADVISOR_NPAGES_MAX=some", messages: ["f:1:1: error: KSM_ADVISOR_NPAGES_MAX=some \(noNumber)"]),
        Refused(
            text: "KSM_MAX_PAGE_SHARING=1",
            messages: ["f:1:1: error: KSM_MAX_PAGE_SHARING=1 is not within 2 to 2147483647; \(noRange)"]),
        Refused(
            text: "KSM_MAX_PAGE_SHARING=2147483648",
            messages: ["f:1:1: error: KSM_MAX_PAGE_SHARING=2147483648 is not within 2 to 2147483647; \(noRange)"]),
        Refused(text: "KSM_PRESSURE=some", messages: ["f:1:1: error: KSM_PRESSURE=some \(noThreshold)"]),
        Refused(text: "KSM_PRESSURE=no", messages: ["f:1:1: error: KSM_PRESSURE=no \(noThreshold)"]),
        Refused(
            text: "KSM_PRESSURE='some 150ms/499ms'",
            messages: [
                "f:1:1: error: KSM_PRESSURE=some 150ms/499ms has a window that the kernel does not take; write 500ms "
                    + "to 10s behind the /"
            ]),
        Refused(
            text: "KSM_PRESSURE='some 2s/1s'",
            messages: [
                "f:1:1: error: KSM_PRESSURE=some 2s/1s has a time that is none or longer than its window; write a time "
                    + "above 0 and not above the one behind the /"
            ]),
        Refused(
            text: "KSM_PRESSURE=some 150ms/1s",
            messages: [
                "f:1:19: error: '150ms/1s' stands behind the blank that ends the value of KSM_PRESSURE; write quotes "
                    + "around the whole value: KSM_PRESSURE=\"some 150ms/1s\""
            ]),
        Refused(
            text: "KSM_MONITOR_INTERVAL=1m 30s",
            messages: [
                "f:1:25: error: '30s' stands behind the blank that ends the value of KSM_MONITOR_INTERVAL; write "
                    + "quotes around the whole value: KSM_MONITOR_INTERVAL=\"1m 30s\""
            ]),
        // Places, and everything at once.
        Refused(
            text: "A=1\n  KSM_NPAGES_MIN=x KSM_ON_EXIT=y\nKSM_NPAGES_MAX=-1\n",
            messages: [
                "f:2:3: error: KSM_NPAGES_MIN=x \(noNumber)",
                "f:3:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more",
                "f:2:20: error: KSM_ON_EXIT=y is not one of its values; write keep, stop, restore, unmerge",
            ]),
        Refused(
            text: "", messages: ["environment: error: KSM_NPAGES_MIN=x \(noNumber)"],
            environment: ["KSM_NPAGES_MIN": "x"]),
        Refused(text: "KSM_NPAGES_MIN=x\nKSM_NPAGES_MIN=5\n", messages: []),
        Refused(
            text: "LOGFILE='a\u{1B}\u{7F}'",
            messages: [
                "f:1:1: error: LOGFILE=a?? is not an absolute path; begin it with /"
            ]),
    ])
    func `What the original could make nothing of is refused, with what to write instead`(_ test: Refused) {
        let reading = Reading(test.text, environment: test.environment)
        #expect(reading.messages == test.messages)
    }

    // MARK: Odd values

    @Test(arguments: [
        Refused(
            text: "KSM_NPAGES_MIN=2000",
            messages: [
                "f:1:1: warning: KSM_NPAGES_MIN=2000 leaves the minimum of 2000 pages above the maximum of 1250, between "
                    + "which the scan will alternate; write KSM_NPAGES_MIN at or below KSM_NPAGES_MAX"
            ]),
        Refused(
            text: "KSM_NPAGES_MAX=63",
            messages: [
                "f:1:1: warning: KSM_NPAGES_MAX=63 leaves the minimum of 64 pages above the maximum of 63, between "
                    + "which the scan will alternate; write KSM_NPAGES_MIN at or below KSM_NPAGES_MAX"
            ]),
        Refused(
            text: "KSM_THRES_COEF=101",
            messages: [
                "f:1:1: warning: KSM_THRES_COEF=101 is more than all memory, so KSM will always run; write 100 or less"
            ]),
        Refused(
            text: "KSM_NPAGES_DECAY=50",
            messages: [
                "f:1:1: warning: KSM_NPAGES_DECAY=50 is added, so the scan will grow when memory is free; write a negative "
                    + "number"
            ]),
        Refused(
            text: "KSM_NPAGES_BOOST=-300",
            messages: [
                "f:1:1: warning: KSM_NPAGES_BOOST=-300 is added, so the scan will shrink when memory is short; write a "
                    + "positive number"
            ]),
        Refused(
            text: "KSM_CPU_PROBE=51\nKSM_CPU_MAX=50",
            messages: ["f:1:1: warning: KSM_CPU_PROBE=51 is above KSM_CPU_MAX=50, which bounds it; write 50 or less"]),
    ])
    func `What is odd but defined is kept, with a warning`(_ test: Refused) {
        let reading = Reading(test.text)
        #expect(reading.messages == test.messages)
    }

    @Test func `An odd value keeps the original's behaviour`() {
        let configuration = Reading("KSM_NPAGES_MIN=2000\nKSM_THRES_COEF=101\nKSM_NPAGES_DECAY=50").configuration
        #expect(configuration.pagesMinimum == 2000)
        #expect(configuration.pagesMaximum == 1250)
        #expect(configuration.thresholdPercent == 101)
        #expect(configuration.pagesDecay == 50)
    }

    @Test(arguments: ["0", "no", "off", "false", "n"])
    func `A word for off switches debugging on, as in the original, with a warning`(_ word: String) {
        let reading = Reading("DEBUG=\(word)")
        #expect(reading.configuration.isDebugging)
        #expect(
            reading.messages == [
                "f:1:1: warning: DEBUG=\(word) switches it on, as any text does; write DEBUG= to switch it off, or "
                    + "remove the line"
            ])
    }

    @Test(arguments: ["1", "yes", "on", "2", "''", "debug"])
    func `Other values of DEBUG need no word`(_ word: String) {
        #expect(Reading("DEBUG=\(word)").messages == [])
    }

    @Test func `A threshold below 1 % of the host's memory counts nowhere, and is in KiB`() {
        let total = KiB(62 << 20)
        #expect(
            Reading("KSM_THRES_CONST=8192", total: total, isTotalKnown: true).messages == [
                "f:1:1: warning: KSM_THRES_CONST=8192 is 8.0 MiB, less than 1 % of this host's 62.0 GiB, and counts nowhere: "
                    + "KSM_THRES_COEF=20 % is more; it is in KiB: write 650117 or more, or leave it out"
            ])
        // Where it does count, and where nobody meant anything by it.
        for text in [
            "KSM_THRES_CONST=650117", "KSM_THRES_CONST=8192\nKSM_THRES_COEF=0", "KSM_THRES_CONST=2048", "",
            "KSM_PROFILE=debian",
        ] {
            #expect(Reading(text, total: total, isTotalKnown: true).messages == [], "\(text)")
        }
        #expect(Reading("KSM_THRES_CONST=8192", total: total).messages == [])
        // What is refused is not compared as well.
        for text in ["KSM_THRES_CONST=x", "KSM_THRES_CONST=8192\nKSM_THRES_COEF=x"] {
            let messages = Reading(text, total: total, isTotalKnown: true).messages
            #expect(messages.count == 1 && messages[0].contains("error"), "\(messages)")
        }
    }

    @Test(arguments: [
        ("ksm_thres_coef", "KSM_THRES_COEF"), ("Ksm_Thres_Coef", "KSM_THRES_COEF"), ("debug", "DEBUG"),
        ("LogFile", "LOGFILE"), ("ksm_use_zero_pages", "KSM_USE_ZERO_PAGES"),
    ])
    func `A setting in lower case is none`(_ name: String, _ setting: String) {
        #expect(
            Reading("\(name)=4").messages == [
                "f:1:1: warning: \(name) is not a setting, and is ignored: their names are in capital letters; write "
                    + setting
            ])
    }

    @Test func `Settings of other files are named with their file`() {
        #expect(
            Reading("KSM_MAX_KERNEL_PAGES=0\nKSM_ENABLED=AUTO\nSLEEP_MILLISECS=200").messages == [
                "f:1:1: warning: KSM_MAX_KERNEL_PAGES is not a setting of this file, and is ignored; ksm.service reads it "
                    + "from /etc/default/ksm or /etc/sysconfig/ksm, for kernels before 2.6.33",
                "f:2:1: warning: KSM_ENABLED is not a setting of this file, and is ignored; it belongs to "
                    + "/etc/default/qemu-kvm of Debian and Ubuntu; systemctl enable --now ksm ksmtuned switches KSM on here",
                "f:3:1: warning: SLEEP_MILLISECS is not a setting of this file, and is ignored; it belongs to "
                    + "/etc/default/qemu-kvm of Debian and Ubuntu; write KSM_SLEEP_MSEC here",
            ])
    }

    @Test func `A name of the administrator's own needs no word`() {
        #expect(Reading("MINE=500\nksm=6\nKSM=7\nKSM_NPAGES_MAX=$MINE").messages == [])
    }

    @Test func `Warnings are shown beside errors`() {
        let reading = Reading("KSM_NPAGES_DECAY=50\nKSM_SLEEP_MSEC=10ms\nDEBUG=0")
        #expect(reading.messages.count == 3)
        #expect(reading.messages.contains { $0.hasPrefix("f:1:1: warning: KSM_NPAGES_DECAY=50 is added") })
        #expect(reading.messages.contains { $0.hasPrefix("f:2:1: error: KSM_SLEEP_MSEC=10ms") })
        // But a value that was refused has no oddities of its own.
        #expect(Reading("KSM_NPAGES_MAX=-1").messages.count == 1)
        #expect(Reading("KSM_CPU_MAX=0\nKSM_CPU_PROBE=50").messages.count == 1)
    }
}
