/// Every setting, valid by itself. Whether they fit a host together, ``ClassicPolicy/init(_:total:)`` says.
package struct Configuration: Equatable, Sendable {
    package var monitorInterval = Duration.seconds(60)
    /// For a 16 GiB host; see ``ClassicPolicy/sleepMilliseconds``.
    package var sleepMilliseconds: Int64 = 10
    package var pagesBoost: Int64 = 300
    package var pagesDecay: Int64 = -50
    package var pagesMinimum: Int64 = 64
    package var pagesMaximum: Int64 = 1250
    package var thresholdPercent: Int64 = 20
    package var thresholdConstant = KiB(2048)
    /// `nil` where debug lines go to the journal or to standard error.
    package var logFile: String?
    package var isDebugging = false
    package var pidFile = "/var/run/ksmtune.pid"
    package var profile = Profile.union
    /// A POSIX extended regular expression on `comm`; `nil` leaves it to the profile.
    package var guestPattern: String?
    package var guestMetric = GuestMetric.rsz
    package var freeMetric = FreeMetric.cached
    package var firstDecision = FirstDecision.start
    package var onExit = ExitAction.keep
    package var policy = PolicyKind.classic
    /// Whether a guest that starts or ends is a reason to decide at once.
    package var retuneOnGuests = true
    /// `nil` where memory pressure is no reason to decide.
    package var pressure: PressureThreshold? = PressureThreshold(.some, stall: .milliseconds(300), window: .seconds(2))

    /// How ksmd is scheduled while it scans by the daemon's word.
    package var ksmdScheduling = KsmdScheduling.keep

    // MARK: The adaptive policy

    /// The most that ksmd may take in a burst, of one CPU.
    package var cpuMaximumPercent: Int64 = 95
    /// The same of all CPUs together; the less of both counts.
    package var hostCPUMaximumPercent: Int64 = 50
    /// What ksmd may take for a probe, of one CPU.
    package var probeCPUPercent: Int64 = 10
    package var idleStep = Duration.milliseconds(500)
    package var burstStep = Duration.milliseconds(100)
    /// A pass that merges less than this per second of ksmd's CPU time does not pay.
    package var yieldMinimum = Bytes(mebibytes: 50)
    package var adaptiveStart = AdaptiveStart.always

    // MARK: The kernel's advisor

    /// The time that a pass should take.
    package var advisorScanTime = Duration.seconds(200)
    /// The most that ksmd may take, of one CPU.
    package var advisorCPUMaximumPercent: Int64 = 70
    package var advisorPagesMinimum: Int64 = 500
    package var advisorPagesMaximum: Int64 = 30000

    // MARK: Knobs that are left alone unless they are set

    package var mergeAcrossNodes: Switch?
    package var maxPageSharing: Int64?
    package var useZeroPages: Switch?
    package var smartScan: Switch?
    /// Whether everything may be unmerged for a knob that the kernel changes only then.
    package var allowsUnmerge = false

    /// Whether the threshold's share and the sleep are those of ``Profile/scaled``, which follow the host's memory, and
    /// were not set.
    package var scalesThreshold = false
    package var scalesSleep = false

    package init() {}

    /// The same settings on a host that has this much memory now.
    package func scaled(to total: KiB) -> Configuration {
        let defaults = Defaults(.scaled, total: total)
        var scaled = self
        if scalesThreshold, let percent = Int64(defaults[.thresholdPercent]) { scaled.thresholdPercent = percent }
        if scalesSleep, let sleep = Int64(defaults[.sleepMilliseconds]) { scaled.sleepMilliseconds = sleep }
        return scaled
    }
}
