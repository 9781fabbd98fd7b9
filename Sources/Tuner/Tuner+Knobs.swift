package import HostKernel
package import KSMPolicy

/// What ``KnobSettler`` says is done here.
extension Tuner {
    /// What the changed knobs held before, for the state file.
    package var foundKnobs: KnobSettings { knobs.found }

    /// What this daemon has written to.
    package var written: KSMFileSet { applier.written }

    /// Whether ``applyKnobs(_:)`` left KSM at rest, so that a decision has to say what it does next.
    package var isCleared: Bool { knobs.isCleared }

    /// Remembers what the knobs hold that are to be changed.
    ///
    /// - Returns: Whether there is something that was not remembered before. To lose nothing by a crash, it should be
    ///   in the state file before ``applyKnobs(_:)`` changes it.
    package mutating func rememberKnobs() -> Bool {
        let before = knobs.found
        for knob in Knob.allCases {
            // One that cannot be read is not changed either, and that is reported then.
            guard let wanted = knobs.wanted(knob), let present = (try? control.read(knob.file)) ?? nil else { continue }
            knobs.remember(knob, present: present, wanted: wanted)
        }
        return knobs.found != before
    }

    /// Remembers what a decision is to change of `smart_scan`, where the operator has not set it.
    ///
    /// - Returns: As ``rememberKnobs()``, before ``follow(_:guests:at:_:)``.
    package mutating func rememberSmartScan(for decision: Decision) -> Bool {
        // Read where it is news alone: a scan has up to ten steps a second.
        guard decision.action == .scan, let value: Int64 = decision.scan?.smartScan.map({ $0 ? 1 : 0 }),
            knobs.smartScanOfPolicy != value, let target = knobs.smartScan(wanted: value),
            let present = (try? control.read(.smartScan)) ?? nil
        else { return false }
        let before = knobs.found
        knobs.remember(.smartScan, present: present, wanted: target)
        return knobs.found != before
    }

    /// Gives the knobs the values that the operator set, and those that are set no more what they held before.
    ///
    /// A change that needs everything unmerged is only begun here; it goes on when the child of ``pending`` has ended.
    package mutating func applyKnobs(_ observer: inout some StepObserver & ~Copyable) {
        // Some of them wait for ksmd's batch, and a reload may want another scheduling.
        applier.releaseKsmd(&observer)
        guard pending == nil else {
            areKnobsDue = true
            return
        }
        areKnobsDue = false
        settleKnobs(mayClear: true, &observer)
    }

    /// Puts back what the knobs held before, as far as `KSM_ON_EXIT=` wants it.
    package mutating func putBackKnobs(_ observer: inout some StepObserver & ~Copyable) {
        guard configuration.onExit == .restore else { return }
        knobs.leave()
        applyKnobs(&observer)
    }

    /// Between two looks at the knobs. One costs a read for each that is set.
    private static var lookPause: Duration { .seconds(10) }

    /// Now and then: whether another hand changed a knob, whether one that had to wait can be changed now, and whether the
    /// way can be cleared for which there was no child. One that could not be read or written is tried again at each
    /// decision.
    mutating func lookAtKnobs(at now: Instant, _ observer: inout some StepObserver & ~Copyable) {
        let looked = knobsLooked ?? now
        knobsLooked = looked
        let isDue = now - looked >= Self.lookPause
        // What came of clearing the way was told when it was, and a decision says first what KSM does next.
        guard control.takesEffect, !knobs.isCleared, knobs.hasFailed || isDue else { return }
        if isDue { knobsLooked = now }
        for knob in Knob.allCases where knobs.written[knob] != nil {
            // What cannot be read is not compared; to settle it below reports that.
            let present = (try? control.read(knob.file)) ?? nil
            if let notice = knobs.checkForeign(knob, present: present) { observer.report(notice) }
        }
        settleKnobs(mayClear: isDue && knobs.mayClearAgain, &observer)
    }

    /// Goes on with a change when the child has ended that cleared the way for it.
    mutating func goOnWithKnobs(
        after failure: KernelFileError?, _ observer: inout some StepObserver & ~Copyable
    ) {
        guard let run = knobs.childEnded() else {
            if areKnobsDue { applyKnobs(&observer) }
            return
        }
        areKnobsDue = false
        // All that was merged is to be merged anew.
        if run == 2, failure == nil { request() }
        if let failure { knobs.failedToClear(failure) }
        // Pages can have been merged before the scan ended.
        settleKnobs(mayClear: run == 0 && failure == nil, hasFailed: failure != nil, &observer)
    }

    private mutating func settleKnobs(
        mayClear: Bool, hasFailed: Bool = false, _ observer: inout some StepObserver & ~Copyable
    ) {
        knobs.begin(knobView(), mayClear: mayClear, hasFailed: hasFailed)
        while true {
            switch knobs.next() {
            case .rest: return
            case .report(let notice): observer.report(notice)
            case .write(let knob, let value):
                knobs.wrote(
                    KernelFileError.caught { () throws(KernelFileError) in
                        try applier.write(String(value), to: knob.file)
                    })
            case .clear(let run):
                let failure = KernelFileError.caught { () throws(KernelFileError) in
                    try applier.begin(run: run, &observer)
                }
                if let failure {
                    knobs.couldNotClear(failure)
                } else if pending == nil {
                    return goOnWithKnobs(after: nil, &observer)
                }
            }
        }
    }

    /// Of the kernel's files, those that the settling will ask for.
    private func knobView() -> KnobSettler.View {
        var view = KnobSettler.View()
        for knob in Knob.allCases where knobs.wanted(knob) != nil {
            view.present[knob] = Result { () throws(KernelFileError) in try control.read(knob.file) }
        }
        guard !view.present.isEmpty else { return view }
        view.isAnythingMerged = Result { () throws(KernelFileError) in try control.read(.pagesShared) ?? 0 > 0 }
        view.isInLongBatch = Result { () throws(KernelFileError) in
            guard try control.read(.run) == 1 else { return false }
            if applier.mayHaveToWait { return true }
            return try control.read(.pagesToScan) ?? 0 > Self.longestBatch
        }
        if configuration.allowsUnmerge {
            view.saved = saved ?? .zero
            view.objection = objectionToUnmerging
        }
        return view
    }
}
