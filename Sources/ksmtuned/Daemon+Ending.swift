import HostKernel
import KSMPolicy
import Systemd
import Tuner

extension Daemon {
    /// Does what `KSM_ON_EXIT=` says; after a single decision it leaves what was decided.
    mutating func end(_ loop: inout Loop<Waiter>) {
        isEnding = true
        reporter.isEnding = true
        reporter.tellLeftOut()
        Notifier.notify("STOPPING=1\nSTATUS=ending, KSM_ON_EXIT=\(configuration.onExit.word)")
        finishWrites(&loop)
        if !options.isOnce {
            tuner.putBackKnobs(&reporter)
            finishWrites(&loop)
        }
        // KSM rests after a knob was changed, which the ways to end that write nothing to run would leave it at.
        if tuner.isCleared, options.isOnce || configuration.onExit == .keep {
            decide()
            finishWrites(&loop)
        }
        var leaving = options.isOnce ? tuner.leaveDecided(found: found.values) : leave()
        if options.isOnce, leaving.run == 0, tuner.policy.kind == .adaptive {
            reporter.log.write(
                .notice, .scanStopped,
                "stopping the scan, since without a daemon nobody would end it: run ksmtuned as a service")
        }
        // One that nobody waits for any more may still come to something.
        isRunLeft = (leaving.run.map { write(run: $0, &loop) } ?? true) && tuner.pending == nil
        if !isRunLeft { keepRun(&leaving) }
        endPublication(leaving)
        guard !options.isOnce else { return }
        reporter.log.write(.info, .ended, "ended, KSM_ON_EXIT=\(configuration.onExit.word)")
    }

    private mutating func leave() -> Leaving {
        let missing = found.missing(written: tuner.written)
        return tuner.leave(found: found.values, missing: missing, inherited: found.inherited, &reporter)
    }

    /// Nobody knows that `run` is as it is to be.
    private func keepRun(_ leaving: inout Leaving) {
        // Where the pace was left on purpose, ksmd must not come to run at it.
        let needsPace = configuration.onExit != .restore && found.values.run == 1
        if needsPace { leaving.kept = found.values } else { leaving.kept.run = found.values.run }
    }

    /// What was found stays in the state until a daemon has put it back, or left it on purpose.
    private mutating func endPublication(_ leaving: Leaving) {
        var kept = leaving.kept
        var knobs = options.isOnce ? KnobSettings() : tuner.keptKnobs
        if options.isOnce, let inherited {
            // A daemon that was killed had put back nothing.
            guard inherited.isEnded else { return publisher.end(isKept: true) }
            kept = inherited.found
            for knob in Knob.allCases where inherited.foundKnobs[knob] != nil { knobs[knob] = tuner.foundKnobs[knob] }
        }
        let isKept = kept != KnobValues() || !knobs.isEmpty || tuner.ksmdChange != nil
        if isKept { publisher.publishEnded(found: kept, foundKnobs: knobs, ksmd: tuner.ksmdChange, reporter.log) }
        publisher.end(isKept: isKept)
    }

    /// A change of a knob can take one write after the other.
    private mutating func finishWrites(_ loop: inout Loop<Waiter>) {
        while let write = tuner.pending, !loop.isGivenUp {
            guard loop.runToEnd(of: write, &self) else {
                reporter.log.write(
                    .warning, .failed, "told to end again, not waiting for the kernel's answer to the last write")
                return
            }
            _ = finishWrite()
        }
    }

    /// - Returns: Whether KSM is known to be left as it is to be.
    private mutating func write(run: Int64, _ loop: inout Loop<Waiter>) -> Bool {
        do throws(KernelFileError) {
            if try loop.writeLast(run: run, &self) { return true }
            reporter.log.write(
                .warning, .failed, "told to end again, not waiting for the kernel to take run=\(run)")
            return false
        } catch {
            reporter.log.write(.error, .failed, "\(error), leaving KSM as it is")
            return false
        }
    }

    mutating func beginLastWrite(run: Int64) throws(KernelFileError) -> ChildWrite? {
        try tuner.control.beginWriting(run: run)
    }

    mutating func writeLast(run: Int64, after failure: KernelFileError) throws(KernelFileError) {
        reporter.log.write(
            .warning, .failed,
            "\(failure): there is no process for this write, so the daemon waits itself until ksmd has finished its batch"
        )
        try tuner.control.write(String(run), to: .run)
    }
}
