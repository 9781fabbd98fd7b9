/// Every setting, valid by itself. Whether they fit a host together, ``ClassicPolicy/init(_:total:)`` says.
///
/// The defaults are those of ``Setting``.
package struct Configuration: Equatable, Sendable {
    package var monitorInterval: Duration
    /// For a 16 GiB host; see ``ClassicPolicy/sleepMilliseconds``.
    package var sleepMilliseconds: Int64
    package var pagesBoost: Int64
    package var pagesDecay: Int64
    package var pagesMinimum: Int64
    package var pagesMaximum: Int64
    package var thresholdPercent: Int64
    package var thresholdConstant: KiB
    /// `nil` where debug lines go to the journal or to standard error.
    package var logFile: String?
    package var isDebugging: Bool
    package var pidFile: String
    package var profile: Profile
    /// A POSIX extended regular expression on `comm`; `nil` leaves it to the profile.
    package var guestPattern: String?
    package var guestMetric: GuestMetric
    package var freeMetric: FreeMetric
    package var firstDecision: FirstDecision
    package var onExit: ExitAction
    package var policy: PolicyKind
    /// Whether a guest that starts or ends is a reason to decide at once.
    package var retuneOnGuests: Bool
    /// `nil` where memory pressure is no reason to decide.
    package var pressure: PressureThreshold?

    /// How ksmd is scheduled while it scans by the daemon's word.
    package var ksmdScheduling: KsmdScheduling

    // MARK: The adaptive policy

    /// The most that ksmd may take in a burst, of one CPU.
    package var cpuMaximumPercent: Int64
    /// The same of all CPUs together; the less of both counts.
    package var hostCPUMaximumPercent: Int64
    /// What ksmd may take for a probe, of one CPU.
    package var probeCPUPercent: Int64
    package var idleStep: Duration
    package var burstStep: Duration
    /// A pass that merges less than this per second of ksmd's CPU time does not pay.
    package var yieldMinimum: Bytes
    package var adaptiveStart: AdaptiveStart

    // MARK: The kernel's advisor

    /// The time that a pass should take.
    package var advisorScanTime: Duration
    /// The most that ksmd may take, of one CPU.
    package var advisorCPUMaximumPercent: Int64
    package var advisorPagesMinimum: Int64
    package var advisorPagesMaximum: Int64

    // MARK: Knobs that are left alone unless they are set

    package var mergeAcrossNodes: Switch?
    package var maxPageSharing: Int64?
    package var useZeroPages: Switch?
    package var smartScan: Switch?
    /// Whether everything may be unmerged for a knob that the kernel changes only then.
    package var allowsUnmerge: Bool

    /// Whether the threshold's share and the sleep are those of ``Profile/scaled``, which follow the host's memory, and
    /// were not set.
    package var scalesThreshold: Bool
    package var scalesSleep: Bool

    /// Every setting at its default.
    package init() {
        var diagnostics: [Diagnostic] = []
        self.init(SettingValues([]), diagnostics: &diagnostics)
    }

    /// The same settings on a host that has this much memory now.
    package func scaled(to total: KiB) -> Configuration {
        let defaults = Defaults(.scaled, total: total)
        var scaled = self
        if scalesThreshold, let percent = Int64(defaults[.thresholdPercent]) { scaled.thresholdPercent = percent }
        if scalesSleep, let sleep = Int64(defaults[.sleepMilliseconds]) { scaled.sleepMilliseconds = sleep }
        return scaled
    }
}
