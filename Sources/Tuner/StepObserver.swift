package import KSMPolicy

/// Hears what a step does, while it does it.
package protocol StepObserver: ~Copyable {
    /// The decision is made, and the kernel is not yet written to.
    mutating func willApply(_ decision: Decision, guests: Int)

    /// The kernel was written to.
    ///
    /// - Parameter isRefused: Whether it did not take a write, so that KSM does not follow.
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool)

    mutating func report(_ notice: Notice)
}
