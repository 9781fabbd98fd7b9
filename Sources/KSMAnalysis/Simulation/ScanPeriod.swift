internal import KSMPolicy

/// How often ksmd scans.
package enum ScanPeriod {
    /// A jiffy of a kernel with HZ=250, in milliseconds: what distributions build.
    static let jiffy: Int64 = 4

    /// The time from the beginning of one scan of `pages_to_scan` pages to the next, in milliseconds, the time of the
    /// scan itself not counted.
    ///
    /// The kernel's timers round `sleep_millisecs` up to whole jiffies and end one jiffy later: 10 ms are 16.
    ///
    /// - Returns: `nil` for a sleep of 0, with which ksmd scans without a pause.
    package static func milliseconds(sleep: Int64) -> Int64? {
        guard sleep > 0 else { return nil }
        let jiffies = (sleep - 1) / jiffy + 2
        let (period, overflow) = jiffies.multipliedReportingOverflow(by: jiffy)
        return overflow ? .max : period
    }
}
