package import Glibc

/// A date of the Gregorian calendar with a time of day, in no zone of its own.
package struct CivilTime: Equatable, Sendable {
    package var year: Int
    /// 1 to 12.
    package var month: Int
    /// 1 to 31.
    package var day: Int
    package var hour = 0
    package var minute = 0
    package var second = 0

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// The years that gmtime(3) can write end near this many seconds before and after 1970.
    private static let furthest = 60_000_000_000_000_000

    /// - Parameter seconds: Since the beginning of 1970, days of 86400 s each; negative before. A time that no calendar
    ///   of the system reaches counts as its last or first.
    package init(seconds: Int) {
        var time = time_t(min(max(seconds, -Self.furthest), Self.furthest))
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&time, &parts)
        unsafe self.init(parts)
    }

    /// What gmtime(3) and localtime(3) write.
    package init(_ parts: tm) {
        year = unsafe Int(parts.tm_year) + 1900
        month = unsafe Int(parts.tm_mon) + 1
        day = unsafe Int(parts.tm_mday)
        hour = unsafe Int(parts.tm_hour)
        minute = unsafe Int(parts.tm_min)
        second = unsafe Int(parts.tm_sec)
    }

    /// What timegm(3) and mktime(3) read. Whether the clocks are put forward is left to them.
    package var parts: tm {
        var parts = unsafe tm()
        unsafe parts.tm_year = Int32(clamping: year - 1900)
        unsafe parts.tm_mon = Int32(clamping: month - 1)
        unsafe parts.tm_mday = Int32(clamping: day)
        unsafe parts.tm_hour = Int32(clamping: hour)
        unsafe parts.tm_min = Int32(clamping: minute)
        unsafe parts.tm_sec = Int32(clamping: second)
        unsafe parts.tm_isdst = -1
        return unsafe parts
    }

    /// Since the beginning of 1970.
    package var seconds: Int {
        var parts = unsafe parts
        return unsafe timegm(&parts)
    }

    /// `2026-11-21`
    package var date: String { "\(year)-\(Self.two(month))-\(Self.two(day))" }

    /// `10:08:15`
    package var timeOfDay: String { "\(Self.two(hour)):\(Self.two(minute)):\(Self.two(second))" }

    /// `21 Nov`
    package var dayAndMonth: String {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(day) \(names[month - 1])"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
