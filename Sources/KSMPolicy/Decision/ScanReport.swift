/// Where ksmd's work stands, as the adaptive policy sees it.
package struct ScanReport: Equatable, Sendable {
    /// What the guests hold and no pass has seen, as far as it is likely to be mergeable.
    package var unscanned: KiB
    /// What the last pass did not compare, since it had changed.
    package var changed: KiB
    /// The pass under way, from 1; 0 where ksmd does not scan.
    package var pass = 0
    /// The pass that ended since the last decision.
    package var ended: ScanPass?
    /// What ksmd took of one CPU since the last decision; `nil` where that is not known.
    package var cpuShare: Double?
    /// Whether the kernel should pass over pages that were unlike all others several times; `nil` leaves it.
    package var smartScan: Bool?

    package init(unscanned: KiB, changed: KiB) {
        self.unscanned = unscanned
        self.changed = changed
    }
}
