/// Every setting, valid by itself. Whether they fit a host together, ``ClassicPolicy/init(_:total:)`` says.
package struct Configuration: Equatable, Sendable {
    package var monitorInterval = Interval(nanoseconds: 60_000_000_000)
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
    package var pressure: PressureThreshold? = PressureThreshold(.some, stall: 300_000, window: 2_000_000)

    // MARK: The adaptive policy

    /// The most that ksmd may take in a burst, in percent of one CPU.
    package var cpuMaximum: Int64 = 95
    /// The same in percent of all CPUs; the less of both counts.
    package var hostCPUMaximum: Int64 = 50
    /// What ksmd may take for a probe, in percent of one CPU.
    package var probeCPU: Int64 = 10
    package var idleStep = Interval(nanoseconds: 500_000_000)
    package var burstStep = Interval(nanoseconds: 100_000_000)
    /// A pass that merges less than this per second of ksmd's CPU time does not pay; in MiB.
    package var yieldMinimum: Int64 = 50
    package var adaptiveStart = AdaptiveStart.always

    // MARK: The kernel's advisor

    /// The time that a pass should take, in seconds.
    package var advisorScanTime: Int64 = 200
    /// The most that ksmd may take, in percent of one CPU.
    package var advisorCPUMaximum: Int64 = 70
    package var advisorPagesMinimum: Int64 = 500
    package var advisorPagesMaximum: Int64 = 30000

    // MARK: Knobs that are left alone unless they are set

    package var mergeAcrossNodes: Switch?
    package var maxPageSharing: Int64?
    package var useZeroPages: Switch?
    package var smartScan: Switch?
    /// Whether everything may be unmerged for a knob that the kernel changes only then.
    package var allowsUnmerge = false

    package init() {}
}
