/// KSM's own counters at one moment; see `Documentation/admin-guide/mm/ksm.rst`. Amounts are in pages.
package struct ScanCounters: Equatable, Sendable {
    /// Passes over all mergeable memory since the last unmerging. `full_scans`
    package var passes: Int64 = 0
    /// Pages that stand for several. `pages_shared`
    package var shared: Int64 = 0
    /// Pages that are saved, since a shared one stands for them. `pages_sharing`
    package var sharing: Int64 = 0
    /// Pages that were compared and are like no other. `pages_unshared`
    package var unshared: Int64 = 0
    /// Pages that were seen once, changed since they were seen, or were skipped in this pass. `pages_volatile`
    package var volatile: Int64 = 0
    /// Pages that became the kernel's zero page. `ksm_zero_pages`, 0 where the kernel does not count them.
    package var zero: Int64 = 0
    /// Pages passed over because they were unlike all others several times, counted since boot. `pages_skipped`, 0
    /// where the kernel skips none.
    package var skipped: Int64 = 0
    /// Pages that ksmd looked at, counted since boot. `pages_scanned`, 0 where the kernel does not count them.
    package var scanned: Int64 = 0
    /// The time that ksmd has been on a CPU, in nanoseconds; `nil` where it cannot be told.
    package var cpu: Int64?
    /// The time that ksmd was ready to run and had none, since others took them all; in nanoseconds.
    package var waited: Int64 = 0

    package init() {}

    /// Pages that KSM knows of.
    package var seen: Int64 { shared + sharing + unshared + volatile }

    /// The same with every number small enough that sums and differences of a few stay within 64 bits: a kernel's file
    /// with an absurd number must not end the daemon.
    package var bounded: ScanCounters {
        func bound(_ number: Int64) -> Int64 { min(max(number, 0), 1 << 58) }
        var counters = ScanCounters()
        counters.passes = bound(passes)
        counters.shared = bound(shared)
        counters.sharing = bound(sharing)
        counters.unshared = bound(unshared)
        counters.volatile = bound(volatile)
        counters.zero = bound(zero)
        counters.skipped = bound(skipped)
        counters.scanned = bound(scanned)
        counters.cpu = cpu.map { bound($0) }
        counters.waited = bound(waited)
        return counters
    }

    /// Pages that ksmd came to, looked at or passed over.
    package var visited: Int64 { scanned + skipped }

    /// Pages of memory that merging saves.
    package var saved: Int64 { sharing + zero }
}
