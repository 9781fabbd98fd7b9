internal import HostKernel
package import KSMPolicy

extension Tuner {
    /// Does what `KSM_ON_EXIT=` says, except for the write to `run`, which may take long.
    ///
    /// The advisor is put back whatever is said: it is the operator's, and the daemon only displaced it.
    ///
    /// - Parameter found: What the knobs held before the first decision.
    /// - Returns: The value to write to `run`, or `nil` to leave it.
    package mutating func leave(
        found: KnobValues, _ observer: inout some StepObserver & ~Copyable
    ) -> Int64? {
        do throws(KernelFileError) {
            try applier.override(smartScan: nil, &knobs)
            if configuration.onExit == .restore { try restorePace(found) }
            if found.advisorMode == .scanTime, try control.readAdvisorMode() == AdvisorMode.none {
                try control.write(AdvisorMode.scanTime.word, to: .advisorMode)
            }
        } catch {
            observer.report(.failed(.knobs, error))
        }
        let run: Int64? =
            switch configuration.onExit {
            // What adapts needs somebody who watches: ksmd is not left at the pace of a burst.
            case .keep: policy.kind == .adaptive && applier.isScanning ? 0 : nil
            case .stop: 0
            case .restore: found.run
            case .unmerge: 2
            }
        if run == 2, let shortage = unmergeShortage() {
            observer.report(.unmergeDoesNotFit(needed: shortage.needed, available: shortage.available))
            return 0
        }
        return run
    }

    private mutating func restorePace(_ found: KnobValues) throws(KernelFileError) {
        if let advisor = found.advisor { try applier.set(advisor) }
        if let sleep = found.sleepMilliseconds { try control.write(String(sleep), to: .sleepMilliseconds) }
        // Under the advisor the pages are the kernel's own, and it starts from its own again.
        guard found.advisorMode != .scanTime, let pages = found.pagesToScan else { return }
        if try control.readAdvisorMode() == .scanTime { try control.write(AdvisorMode.none.word, to: .advisorMode) }
        try control.write(String(pages), to: .pagesToScan)
    }
}
