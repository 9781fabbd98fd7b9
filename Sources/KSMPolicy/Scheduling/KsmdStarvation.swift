/// Whether ksmd gets no CPU under SCHED_IDLE.
///
/// While ksmd looks at a guest it holds that guest's `mmap_lock` for reading, and a page's lock while it compares and
/// merges. A guest that maps memory waits for the first, and behind that writer each page fault of the guest. Where no
/// CPU is ever idle, ksmd loses its turn while it holds them, and gets the next one after a second or more.
///
/// The kernel adds a wait to the thread's run delay only when it ends. So a thread that is ready, and whose times do not
/// move, is taken to wait since they last did.
package struct KsmdStarvation: Sendable {
    /// ksmd at one moment.
    package struct Moment: Equatable, Sendable {
        package var time: Instant
        /// On a CPU, since boot.
        package var cpu: Duration
        /// Ready without a CPU, since boot, as far as that wait has ended. The second field of `/proc/PID/schedstat`
        package var waited: Duration
        /// Whether it runs or is ready to run now: the state `R` of `/proc/PID/stat`.
        package var isReady: Bool

        package init(time: Instant, cpu: Duration, waited: Duration, isReady: Bool) {
            self.time = time
            self.cpu = cpu
            self.waited = waited
            self.isReady = isReady
        }
    }

    /// The least time that is judged by. A host whose CPUs are all taken for a moment starves nobody.
    package static let window = Duration.seconds(2)
    /// The share of it, ready without a CPU, above which ksmd starves.
    ///
    /// With two processes that never rest on each CPU it was 0.99 under SCHED_IDLE, with 0.2 % of a CPU for ksmd, no
    /// page merged in 20 s and a guest's mmap that took 491 ms; and 0.37 to 0.66 under SCHED_OTHER and nice 5, where the
    /// longest took 13 ms. With two that take 95 % of a CPU each it was 0.5 to 0.77 under SCHED_IDLE, and ksmd got a
    /// seventh of a CPU or more: that is what SCHED_IDLE is for. See docs/neighbours.md.
    package static let greatestShare = 0.8
    /// How long ksmd has its own scheduling then, unless the scan ends before.
    package static let pause = Duration.seconds(60)

    /// The beginning of what is judged, and the last look.
    private var began: Moment?
    private var last: Moment?
    /// When its times last moved, or it slept.
    private var moved = Instant.never

    package init() {}

    /// Takes a look at ksmd.
    ///
    /// - Returns: The share of the time since ``window`` began in which it was ready without a CPU, where that is more
    ///   than ``greatestShare``; `nil` where it is not, or the window has not ended.
    package mutating func observe(_ now: Moment) -> Double? {
        guard let began, let last else {
            self.began = now
            self.last = now
            moved = now.time
            return nil
        }
        // One that slept at the last look has waited since then at most, and may have been woken this very moment.
        if !now.isReady || !last.isReady || now.cpu != last.cpu || now.waited != last.waited { moved = now.time }
        self.last = now
        let length = now.time - began.time
        guard length >= Self.window else { return nil }
        self.began = now
        let share = min(max(now.waited - began.waited + (now.time - moved), .zero) / length, 1)
        return share > Self.greatestShare ? share : nil
    }
}
