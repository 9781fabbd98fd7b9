import HostKernel
import Tuner

/// Keeps one missing capability from being told twice: as such, at a start or a reload, and by the first guest that
/// cannot be read for want of it.
struct MetricSilence {
    /// Whether it was said that the configured metric needs a capability which this process lacks.
    var isMissingKnown = false
    /// Whether a failure was left out, so that nobody heard of it and its end is no news.
    private var hasLeftOut = false

    /// Whether a notice says no more than what was said.
    mutating func covers(_ notice: Notice) -> Bool {
        switch notice {
        case .failed(.metric, let error):
            hasLeftOut = isMissingKnown && error.isDenied
            return hasLeftOut
        case .recovered(.metric):
            defer { hasLeftOut = false }
            return hasLeftOut
        default: return false
        }
    }
}
