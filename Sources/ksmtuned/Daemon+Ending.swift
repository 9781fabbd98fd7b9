import HostKernel
import KSMPolicy
import Systemd
import Tuner

extension Daemon {
    /// Does what `KSM_ON_EXIT=` says; after a single decision it leaves what was decided.
    mutating func end(_ loop: inout Loop<Waiter>) {
        isEnding = true
        reporter.isEnding = true
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
        let leaving = options.isOnce ? nil : leave()
        let isLeft = leaving?.run.map { write(run: $0, &loop) } ?? true
        // What was found is kept until a daemon has put it back, or left it on purpose.
        let areKnobsKept = !options.isOnce && configuration.onExit == .restore && !tuner.foundKnobs.isEmpty
        let isAllDone = isLeft && !areKnobsKept && leaving?.isRefused != true
        if !isAllDone, leaving?.isRestPutBack == true { publishEnded(isRunLeft: isLeft) }
        publisher.end(isKept: options.isOnce && isStateInherited || !isAllDone)
        guard !options.isOnce else { return }
        reporter.log.write(.info, .ended, "ended, KSM_ON_EXIT=\(configuration.onExit.word)")
    }

    private mutating func leave() -> Leaving {
        let missing = found.missing(written: tuner.written)
        return tuner.leave(found: found.values, missing: missing, &reporter)
    }

    /// A change of a knob can take one write after the other.
    private mutating func finishWrites(_ loop: inout Loop<Waiter>) {
        while let write = tuner.pending, !loop.isToldAgain {
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
