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

    package init() {}
}
