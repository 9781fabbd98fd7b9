package import KSMPolicy

/// For how long the end waits for the kernel.
///
/// To unmerge takes 0.7 s for each GiB, on a large host more than any fixed time, and a write to `run` waits for ksmd's
/// batch. But ksmd can be stuck, behind a guest that is: then what is merged stays as it is, and the stop, and with it the
/// host's shutdown, would have no end.
package struct LastWritePatience: Sendable {
    /// What merging saves must change within this time: as long as the unit's TimeoutStopSec=.
    package static let most = Duration.seconds(600)

    private var saved: KiB?
    private var changed: Instant?

    package init() {}

    /// Whether it is to be waited on.
    ///
    /// - Parameter saved: What merging saves now; `nil` where that is not known.
    package mutating func lasts(saved: KiB?, at now: Instant) -> Bool {
        if changed == nil || saved != self.saved { changed = now }
        self.saved = saved
        return changed.map { now - $0 < Self.most } ?? true
    }
}
