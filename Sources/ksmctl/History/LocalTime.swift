import Charts
import Glibc

/// The host's local time, as `TZ` and `/etc/localtime` say.
enum LocalTime {
    /// Seconds beyond which localtime(3) has no year.
    private static let furthest = 6e16

    private static func parts(_ time: Double) -> tm {
        var clock = time_t(min(max(time.rounded(.down), -furthest), furthest))
        var parts = unsafe tm()
        tzset()
        _ = unsafe localtime_r(&clock, &parts)
        return unsafe parts
    }

    /// The seconds by which local time is ahead of UTC at a time.
    ///
    /// - Parameter time: In seconds since 1970.
    static func offset(at time: Double) -> Int { unsafe parts(time).tm_gmtoff }

    /// Date and time of day on the local clock.
    static func civil(_ time: Double) -> CivilTime { unsafe CivilTime(parts(time)) }

    /// `2026-11-21 10:08:15`
    static func text(_ time: Double) -> String {
        let civil = civil(time)
        return "\(civil.date) \(civil.timeOfDay)"
    }

    /// The time at which the local clock shows this.
    static func time(_ civil: CivilTime) -> Double {
        tzset()
        var parts = unsafe civil.parts
        return unsafe Double(mktime(&parts))
    }
}
