/// What the adaptive policy looks at.
package struct AdaptiveSample: Sendable {
    /// Monotonic time in nanoseconds.
    package var now: Int64
    package var memory: MemorySample
    package var counters: ScanCounters
    /// What each guest holds; `nil` where they were not looked at in this step.
    package var guests: [GuestMemory]?
    /// The share of the host's memory that can be had without swapping, by the kernel's estimate.
    package var available: Double?
    /// The share of time in which some task waited for a CPU, since the last sample that had it.
    package var cpuPressure: Double?
    /// Whether the kernel announced memory pressure since the last sample.
    package var isUnderPressure = false
    /// Whether the operator asked for a scan.
    package var isRequested = false
    /// Whether some guest was busy since the last sample that had this, or merged pages were written to.
    package var isGuestBusy: Bool?

    package init(now: Int64, memory: MemorySample, counters: ScanCounters) {
        self.now = now
        self.memory = memory
        self.counters = counters
    }
}
