package import HostKernel
package import KSMPolicy

/// How KSM is left, but for the write to `run`.
package struct Leaving: Equatable, Sendable {
    /// What to write to `run`; `nil` to leave it.
    package var run: Int64?
    /// Whether all else is back that was to be put back.
    package var isRestPutBack: Bool
    /// Whether the kernel refused some of it, so that what was found is still to be put back.
    package var isRefused: Bool
}

extension Tuner {
    /// Does what `KSM_ON_EXIT=` says, except for the write to `run`, which may take long.
    ///
    /// ksmd's scheduling and the advisor are put back whatever is said: they are the operator's, and the daemon only displaced
    /// them. What cannot be put back is reported, and does not keep the rest from it.
    ///
    /// - Parameters:
    ///   - found: What the knobs held before the first decision.
    ///   - missing: Of the files that were written to, those of which that is not known.
    package mutating func leave(
        found: KnobValues, missing: [KSMFile] = [], _ observer: inout some StepObserver & ~Copyable
    ) -> Leaving {
        applier.releaseKsmd(&observer)
        let isSmartScanBack = attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.override(smartScan: nil, &tuner.knobs)
        }
        var isPaceBack = true
        var isPaceKnown = true
        switch configuration.onExit {
        case .restore:
            if !missing.isEmpty { observer.report(.notKnownToRestore(missing)) }
            isPaceBack = restorePace(found, &observer)
            // Under the advisor the pages are the kernel's own.
            let isOfPace = { (file: KSMFile) in file != .run && (file != .pagesToScan || found.advisorMode != .scanTime)
            }
            isPaceKnown = !missing.contains(where: isOfPace)
        default:
            if missing.contains(.advisorMode) { observer.report(.notKnownToRestore([.advisorMode])) }
            if found.advisorMode == AdvisorMode.none, policy.kind == .advisor || written.contains(.advisorMode) {
                isPaceBack = set(.none, &observer)
            }
        }
        if found.advisorMode == .scanTime, !set(.scanTime, &observer) { isPaceBack = false }
        let isPaceRestored = isPaceBack && isPaceKnown
        let run = lastRun(missing.contains(.run) ? 0 : found.run, isPaceRestored: isPaceRestored, &observer)
        return Leaving(
            run: run, isRestPutBack: isPaceRestored && isSmartScanBack, isRefused: !(isPaceBack && isSmartScanBack))
    }

    /// What `run` is to hold at last; `nil` to leave it.
    ///
    /// - Parameter restored: The value that puts it back.
    private func lastRun(
        _ restored: Int64?, isPaceRestored: Bool, _ observer: inout some StepObserver & ~Copyable
    ) -> Int64? {
        let run: Int64? =
            switch configuration.onExit {
            // What adapts needs somebody who watches: ksmd is not left at the pace of a burst.
            case .keep: policy.kind == .adaptive && ownsScan ? 0 : nil
            case .stop: 0
            case .restore: restored
            case .unmerge: 2
            }
        if run == 1, !isPaceRestored {
            observer.report(.leftStopped)
            return 0
        }
        if run == 2, let objection = objectionToUnmerging {
            observer.report(.unmergeDoesNotFit(objection))
            return 0
        }
        return run
    }

    /// Each value by itself: one that is refused leaves the others to be put back.
    ///
    /// - Returns: Whether all were.
    private mutating func restorePace(_ found: KnobValues, _ observer: inout some StepObserver & ~Copyable) -> Bool {
        var isRestored = attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.set(found.advisor)
        }
        if let sleep = found.sleepMilliseconds {
            isRestored =
                attempt(&observer) { (tuner) throws(KernelFileError) in
                    try tuner.applier.write(String(sleep), to: .sleepMilliseconds)
                } && isRestored
        }
        // Under the advisor the pages are the kernel's own, and it starts from its own again.
        guard found.advisorMode != .scanTime, let pages = found.pagesToScan else { return isRestored }
        isRestored = set(.none, &observer) && isRestored
        return attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.write(String(pages), to: .pagesToScan)
        } && isRestored
    }

    /// Gives the advisor a mode. Where the present one cannot be told, it is written in any case.
    ///
    /// - Returns: Whether it has it, or this kernel has no advisor.
    private mutating func set(_ mode: AdvisorMode, _ observer: inout some StepObserver & ~Copyable) -> Bool {
        do throws(KernelFileError) {
            guard let present = try control.readAdvisorMode(), present != mode else { return true }
        } catch {
            // It is there.
        }
        return attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.write(mode.word, to: .advisorMode)
        }
    }

    /// - Returns: Whether it was done.
    private mutating func attempt(
        _ observer: inout some StepObserver & ~Copyable, _ deed: (inout Tuner) throws(KernelFileError) -> Void
    ) -> Bool {
        do throws(KernelFileError) {
            try deed(&self)
            return true
        } catch {
            observer.report(.notPutBack(error))
            return false
        }
    }
}
