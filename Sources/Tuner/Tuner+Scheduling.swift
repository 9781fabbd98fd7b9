internal import HostKernel
package import KSMPolicy

/// What ``KsmdScheduler`` says is done here.
extension Tuner {
    /// What is changed of ksmd's scheduling, for the state file; `nil` while ksmd has its own.
    package var ksmdChange: SchedulingChange? { applier.ksmd.change }

    /// After a decision to scan: finds out what is to be changed of ksmd's scheduling.
    ///
    /// - Returns: Whether there is something that was not known before. To lose nothing by a crash, it should be in the
    ///   state file before ``scheduleKsmd(at:_:)`` changes it.
    package mutating func rememberKsmd(at now: Instant) -> Bool {
        // While a write waits for ksmd, it keeps its own.
        pending == nil && applier.ksmd.remember(at: now, control)
    }

    /// After a decision to scan: has ksmd scheduled as the operator wants it.
    package mutating func scheduleKsmd(at now: Instant, _ observer: inout some StepObserver & ~Copyable) {
        guard pending == nil else { return }
        applier.ksmd.apply(at: now, &applier.control, &observer)
    }
}
