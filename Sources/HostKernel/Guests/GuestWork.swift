package import KSMPolicy

/// What a guest has done since it started; see proc_pid_stat(5).
package struct GuestWork: Equatable, Sendable {
    /// On a CPU, all threads together.
    package var time: Duration
    /// Pages that it touched and did not have, in memory that the kernel could give at once: one for a huge page, and one
    /// for a merged page that it wrote to.
    package var faults: Pages
    /// What it held at that moment: read a little earlier or later, it would miss what a guest that fills its memory
    /// touched meanwhile.
    package var resident: Pages
}
