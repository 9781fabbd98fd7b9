/// KSM's own counters at one moment; see `Documentation/admin-guide/mm/ksm.rst`.
package struct ScanCounters: Equatable, Sendable {
    /// Passes over all mergeable memory since the last unmerging. `full_scans`
    package var passes: Int64 = 0
    /// Pages that stand for several. `pages_shared`
    package var shared = Pages.zero
    /// Pages that are saved, since a shared one stands for them. `pages_sharing`
    package var sharing = Pages.zero
    /// Pages that were compared and are like no other. `pages_unshared`
    package var unshared = Pages.zero
    /// Pages that were seen once, changed since they were seen, or were skipped in this pass. `pages_volatile`
    package var volatile = Pages.zero
    /// Pages that became the kernel's zero page. `ksm_zero_pages`, 0 where the kernel does not count them.
    package var zero = Pages.zero
    /// Pages passed over because they were unlike all others several times, counted since boot. `pages_skipped`, 0
    /// where the kernel skips none.
    package var skipped = Pages.zero
    /// Pages that ksmd looked at, counted since boot. `pages_scanned`, 0 where the kernel does not count them.
    package var scanned = Pages.zero
    /// The time that ksmd has been on a CPU; `nil` where it is not known.
    package var cpu: Duration?
    /// The time that ksmd was ready to run and had none, since others took them all.
    package var waited = Duration.zero

    package init() {}

    /// Pages that KSM knows of.
    package var seen: Pages { shared + sharing + unshared + volatile }

    /// Pages that ksmd came to, looked at or passed over.
    package var visited: Pages { scanned + skipped }

    /// Pages of memory that merging saves.
    package var saved: Pages { sharing + zero }
}
