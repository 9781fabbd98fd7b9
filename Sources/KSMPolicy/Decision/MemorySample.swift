/// The host's memory at one moment, as far as the policy looks at it.
package struct MemorySample: Equatable, Sendable {
    /// What could be had without swapping, by the configured ``FreeMetric``.
    package var free: KiB
    /// What the guests hold together, by the configured ``GuestMetric``.
    package var committed: KiB

    package init(free: KiB, committed: KiB) {
        self.free = free
        self.committed = committed
    }
}
