import Charts
import Glibc

/// The host's local time, as `TZ` and `/etc/localtime` say.
enum LocalTime {
    /// The seconds by which local time is ahead of UTC at a time.
    ///
    /// - Parameter time: In seconds since 1970.
    static func offset(at time: Double) -> Int {
        var clock = time_t(time.rounded(.down))
        var parts = unsafe tm()
        tzset()
        guard unsafe localtime_r(&clock, &parts) != nil else { return 0 }
        return unsafe parts.tm_gmtoff
    }

    /// Date and time of day on the local clock.
    static func civil(_ time: Double) -> CivilTime {
        CivilTime(seconds: Int(time.rounded(.down)) + offset(at: time))
    }

    /// `2026-11-21 10:08:15`
    static func text(_ time: Double) -> String {
        let civil = civil(time)
        return "\(civil.date) \(civil.timeOfDay)"
    }

    /// The time at which the local clock shows this.
    static func time(_ civil: CivilTime) -> Double {
        // The zone's offset is known for a time only: that of about then, and then that of the time found with it.
        let local = Double(civil.seconds)
        let near = local - Double(offset(at: local))
        return local - Double(offset(at: near))
    }
}
