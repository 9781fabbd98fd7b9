internal import CSystemd
internal import Glibc

/// Reports to the service manager what the daemon is doing; see sd_notify(3). Without a manager it does nothing.
package enum Notifier {
    /// Whether there is a manager that wants to hear.
    package static var isManaged: Bool { unsafe getenv("NOTIFY_SOCKET") != nil }

    /// - Parameter state: Lines such as `READY=1` and `STATUS=…`.
    package static func notify(_ state: String) {
        _ = unsafe sd_notify(0, state)
    }

    /// The time within which the manager wants a sign of life, or `nil` where it wants none.
    package static var watchdog: Duration? {
        var microseconds: UInt64 = 0
        guard unsafe sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }
}
