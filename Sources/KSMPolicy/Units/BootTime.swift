/// A moment by a clock that nobody sets: the time since the host's boot, suspends included, and which boot that was.
///
/// It stands beside the wall time of what others read later, so that an age stays right when the wall clock is set.
package struct BootTime: Equatable, Sendable {
    package var uptime: Duration
    /// 0 where the kernel does not say.
    package var boot: UInt64

    package init(uptime: Duration, boot: UInt64) {
        self.uptime = uptime
        self.boot = boot
    }

    /// How long before `later` it was; `nil` where that was another boot, or may have been.
    package func age(at later: BootTime) -> Duration? {
        guard boot != 0, boot == later.boot, uptime <= later.uptime else { return nil }
        return later.uptime - uptime
    }
}
