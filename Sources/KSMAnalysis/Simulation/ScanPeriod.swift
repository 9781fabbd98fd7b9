internal import KSMPolicy

/// How often ksmd scans.
package enum ScanPeriod {
    /// A jiffy of a kernel with HZ=250: what distributions build.
    static let jiffy = Duration.milliseconds(4)

    /// The time from the beginning of one scan of `pages_to_scan` pages to the next, the time of the scan itself not
    /// counted.
    ///
    /// The kernel's timers round `sleep_millisecs` up to whole jiffies and end one jiffy later: 10 ms are 16.
    ///
    /// - Returns: `nil` for a sleep of 0, with which ksmd scans without a pause.
    package static func length(sleepMilliseconds: Int64) -> Duration? {
        guard sleepMilliseconds > 0 else { return nil }
        let whole = (sleepMilliseconds - 1) / jiffy.milliseconds
        return .milliseconds(whole.addingSaturated(2).multipliedSaturated(by: jiffy.milliseconds))
    }
}
