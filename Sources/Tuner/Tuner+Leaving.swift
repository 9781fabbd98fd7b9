package import HostKernel
package import KSMPolicy

/// How KSM is left, but for the write to `run`.
package struct Leaving: Equatable, Sendable {
    /// What to write to `run`; `nil` to leave it.
    package var run: Int64?
    /// What is still to be put back, since the kernel refused it.
    package var kept: KnobValues

    package init(run: Int64?, kept: KnobValues = KnobValues()) {
        self.run = run
        self.kept = kept
    }
}

extension Tuner {
    /// What the knobs held that could not be put back, and is to be.
    package var keptKnobs: KnobSettings { configuration.onExit == .restore ? knobs.found : knobs.unwanted }

    /// Does what `KSM_ON_EXIT=` says, except for the write to `run`, which may take long.
    ///
    /// ksmd's scheduling and the advisor are put back whatever is said: they are the operator's, and the daemon only displaced
    /// them. What cannot be put back is reported, and does not keep the rest from it. What was never written to is left alone.
    ///
    /// - Parameters:
    ///   - found: What the knobs held before the first decision.
    ///   - missing: Of the files that were written to, those of which that is not known.
    ///   - inherited: Files that a daemon before this one may have written to.
    package mutating func leave(
        found: KnobValues, missing: [KSMFile] = [], inherited: KSMFileSet,
        _ observer: inout some StepObserver & ~Copyable
    ) -> Leaving {
        applier.releaseKsmd(&observer)
        var touched = written.union(inherited)
        // With another mode the kernel takes its own pages.
        if touched.contains(.advisorMode) { touched.insert(.pagesToScan) }
        // A refusal leaves it among the knobs that are to be put back.
        _ = attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.override(smartScan: nil, &tuner.knobs)
        }
        var leaving = Leaving(run: nil)
        var isPaceKnown = true
        switch configuration.onExit {
        case .restore:
            if !missing.isEmpty { observer.report(.notKnownToRestore(missing)) }
            restorePace(found, touched, &leaving, &observer)
            // Under the advisor the pages are the kernel's own.
            let isOfPace = { (file: KSMFile) in file != .run && (file != .pagesToScan || found.advisorMode != .scanTime)
            }
            isPaceKnown = !missing.contains(where: isOfPace)
        default:
            if missing.contains(.advisorMode) { observer.report(.notKnownToRestore([.advisorMode])) }
            // The kernel takes its own pages then, and not those that it had.
            if putBack(AdvisorMode.none, found, touched, &leaving, &observer) {
                if missing.contains(.pagesToScan) { observer.report(.notKnownToRestore([.pagesToScan])) }
                putBack(.pagesToScan, found, touched, &leaving, &observer)
            }
        }
        putBack(.scanTime, found, touched, &leaving, &observer)
        let restored = missing.contains(.run) ? 0 : touched.contains(.run) ? found.run : nil
        let isPaceBack = leaving.kept == KnobValues()
        leaving.run = lastRun(restored, isPaceRestored: isPaceBack && isPaceKnown, &observer)
        if configuration.onExit == .restore, !isPaceBack { leaving.kept.run = found.run }
        return leaving
    }

    /// How KSM is left after a single decision: as it was decided, where nobody has to watch that.
    ///
    /// - Parameter found: What the knobs held before.
    package func leaveDecided(found: KnobValues) -> Leaving { Leaving(run: keptRun(found.run)) }

    /// What `run` is to hold at last; `nil` to leave it.
    ///
    /// - Parameter restored: The value that puts it back.
    private func lastRun(
        _ restored: Int64?, isPaceRestored: Bool, _ observer: inout some StepObserver & ~Copyable
    ) -> Int64? {
        let run: Int64? =
            switch configuration.onExit {
            case .keep: keptRun(restored)
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

    /// What adapts needs somebody who watches: ksmd is not left at the pace of a burst. And what this daemon wrote only to
    /// clear the way for a knob is nobody's decision.
    private func keptRun(_ restored: Int64?) -> Int64? {
        if isCleared { return policy.kind == .adaptive && written.contains(.pagesToScan) ? 0 : restored ?? 0 }
        return policy.kind == .adaptive && ownsScan ? 0 : nil
    }

    /// Each value by itself: one that is refused leaves the others to be put back.
    private mutating func restorePace(
        _ found: KnobValues, _ touched: KSMFileSet, _ leaving: inout Leaving,
        _ observer: inout some StepObserver & ~Copyable
    ) {
        var advisor = KnobValues()
        advisor.advisor = found.advisor
        for file in KSMFile.allCases where !touched.contains(file) { advisor[file] = nil }
        for (file, failure) in applier.set(advisor.advisor) {
            observer.report(.notPutBack(failure))
            leaving.kept[file] = found[file]
        }
        putBack(.sleepMilliseconds, found, touched, &leaving, &observer)
        // Under the advisor the pages are the kernel's own, and it starts from its own again.
        guard found.advisorMode != .scanTime else { return }
        putBack(AdvisorMode.none, found, touched, &leaving, &observer)
        putBack(.pagesToScan, found, touched, &leaving, &observer)
    }

    private mutating func putBack(
        _ file: KSMFile, _ found: KnobValues, _ touched: KSMFileSet, _ leaving: inout Leaving,
        _ observer: inout some StepObserver & ~Copyable
    ) {
        guard touched.contains(file), let value = found[file] else { return }
        let isBack = attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.write(String(value), to: file)
        }
        if !isBack { leaving.kept[file] = value }
    }

    /// Gives the advisor a mode, where that was found. Where the present one cannot be told, it is written in any case.
    ///
    /// - Returns: Whether it was.
    @discardableResult
    private mutating func putBack(
        _ mode: AdvisorMode, _ found: KnobValues, _ touched: KSMFileSet, _ leaving: inout Leaving,
        _ observer: inout some StepObserver & ~Copyable
    ) -> Bool {
        guard touched.contains(.advisorMode), found.advisorMode == mode else { return false }
        do throws(KernelFileError) {
            // This kernel has no advisor, or it has that mode.
            guard let present = try control.readAdvisorMode(), present != mode else { return false }
        } catch {
            // It is there.
        }
        let isBack = attempt(&observer) { (tuner) throws(KernelFileError) in
            try tuner.applier.write(mode.word, to: .advisorMode)
        }
        if !isBack { leaving.kept.advisorMode = mode }
        return isBack
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
