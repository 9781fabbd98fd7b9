import HostKernel
import KSMPolicy
import Tuner

extension Tuner {
    /// Decides once, and makes the kernel follow.
    mutating func step(
        at now: Instant, _ observer: inout some StepObserver & ~Copyable
    ) -> (decision: Decision, guests: Int)? {
        guard let (decision, guests) = decide(at: now, &observer) else { return nil }
        _ = rememberSmartScan(for: decision)
        follow(decision, guests: guests, at: now, &observer)
        return (decision, guests)
    }

    /// Ends where a daemon before this one may have written to everything.
    mutating func leave(
        found: KnobValues, missing: [KSMFile] = [], _ observer: inout some StepObserver & ~Copyable
    ) -> Leaving {
        var all = KSMFileSet()
        for file in KSMFile.allCases { all.insert(file) }
        return leave(found: found, missing: missing, inherited: all, &observer)
    }
}
