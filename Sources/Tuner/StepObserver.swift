package import KSMPolicy

/// Hears what a step does, while it does it.
package protocol StepObserver: ~Copyable {
    /// The decision is made, and the kernel is not yet written to.
    mutating func willApply(_ decision: Decision, guests: Int)

    /// The kernel was written to, or refused.
    mutating func didApply(_ decision: Decision, guests: Int)

    mutating func report(_ notice: Notice)
}
