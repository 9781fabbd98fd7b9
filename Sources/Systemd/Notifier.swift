internal import CSystemd
internal import Glibc

/// Reports to the service manager what the daemon is doing; see sd_notify(3). Without a manager it does nothing.
package enum Notifier {
    /// Whether there is a manager that wants to hear.
    package static var isManaged: Bool { unsafe getenv("NOTIFY_SOCKET") != nil }

    /// - Parameters:
    ///   - state: Lines such as `READY=1` and `STATUS=…`.
    ///   - patience: For how long a manager that does not read is waited for.
    /// - Returns: Whether it was sent, also where there is no manager.
    @discardableResult
    package static func notify(_ state: String, patience: Duration = .milliseconds(100)) -> Bool {
        guard let socket = unsafe getenv("NOTIFY_SOCKET") else { return true }
        let (seconds, attoseconds) = patience.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        // Another kind of socket, vsock:, is that of a whole machine.
        let isLocal = unsafe [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(UInt8(bitPattern: socket[0]))
        if unsafe isLocal && systemd_takes_messages(socket, Int32(clamping: milliseconds)) == 0 { return false }
        return unsafe sd_notify(0, state) > 0
    }

    /// The time within which the manager wants a sign of life, or `nil` where it wants none.
    package static var watchdog: Duration? {
        var microseconds: UInt64 = 0
        guard unsafe sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }
}
