internal import HostKernel
internal import KSMPolicy

/// Has ksmd scheduled as `KSM_KSMD_SCHEDULING=` says while it scans by the daemon's word, and puts back what it had.
///
/// It is changed after `run` was written for a scan, and put back before each write to `run` and before the knobs are
/// written: those wait until ksmd has finished its batch, and under SCHED_IDLE on a busy host that is late. While ksmd
/// rests its scheduling means nothing, so nothing of it is left changed then, and a crash can leave it changed only in a
/// scan. What it had is in the state file before it is changed.
struct KsmdScheduler {
    /// Between two looks at ksmd while it scans.
    static var lookPause: Duration { .seconds(1) }
    /// Until it is tried again where the kernel refused.
    static var retryPause: Duration { .seconds(60) }

    private var wish: KsmdScheduling
    /// What is changed, or is about to be; `nil` while ksmd has its own.
    private(set) var change: SchedulingChange?
    /// Whether ``change`` was made, and not only remembered.
    private var isMade: Bool
    /// Whether ksmd is left alone until the operator speaks: somebody else has changed it, or it has what this daemon
    /// cannot put back.
    private var isLeftAlone = false
    /// Goes on while the same scan is written again, which gives ksmd its own for a moment.
    private var starvation = KsmdStarvation()
    private var looked: Instant?
    /// Before this moment it is not changed again.
    private var due: Instant?

    // What was reported, so that it is reported once.

    private var hasFailed = false
    /// ksmd was found starving, and it is yet to be told.
    private var starved: (change: SchedulingChange, share: Double)?
    private var hasReportedStarvation = false
    private var hasReportedLeaving = false

    /// - Parameter change: What a daemon left that had no orderly end.
    init(_ configuration: Configuration, inheriting change: SchedulingChange?) {
        wish = configuration.ksmdScheduling
        self.change = change
        isMade = change != nil
    }

    /// The operator spoke: everything may be tried and reported again.
    mutating func adopt(_ configuration: Configuration) {
        wish = configuration.ksmdScheduling
        isLeftAlone = false
        due = nil
        starvation = KsmdStarvation()
        hasFailed = false
        hasReportedStarvation = false
        hasReportedLeaving = false
    }

    /// Finds out what is to be changed while ksmd scans.
    ///
    /// - Returns: Whether there is something that was not known before. To lose nothing by a crash, it should be in the
    ///   state file before ``apply(at:_:_:)``.
    mutating func remember(at now: Instant, _ control: some KSMControl) -> Bool {
        guard wish != .keep, change == nil, !isLeftAlone else { return false }
        if let due, now < due { return false }
        // Where ksmd cannot be seen it cannot be changed, and its CPU time is not known either.
        guard let present = (try? control.readKsmd()) ?? nil, let wanted = wish.wanted(over: present.scheduling) else {
            due = now + Self.retryPause
            return false
        }
        guard present.scheduling != wanted else {
            due = now + Self.lookPause
            return false
        }
        // Whoever gave ksmd a priority of real time had a reason.
        guard present.scheduling.policy.isPlain else {
            isLeftAlone = true
            return false
        }
        let change = SchedulingChange(found: present.scheduling, given: wanted)
        if control.takesEffect, starves(present, change, at: now) { return false }
        self.change = change
        isMade = false
        return control.takesEffect
    }

    /// Whether ksmd starves under SCHED_IDLE, so that it keeps its own for a while.
    private mutating func starves(_ present: KsmdState, _ change: SchedulingChange, at now: Instant) -> Bool {
        guard change.given.policy == .idle else { return false }
        let moment = KsmdStarvation.Moment(
            time: now, cpu: present.cpu, waited: present.waited, isReady: present.isReady)
        guard let share = starvation.observe(moment) else { return false }
        starved = (change, share)
        starvation = KsmdStarvation()
        due = now + KsmdStarvation.pause
        return true
    }

    /// Changes what ``remember(at:_:)`` found; later, looks whether ksmd starves and whether somebody else changed it.
    mutating func apply(
        at now: Instant, _ control: inout some KSMControl, _ observer: inout some StepObserver & ~Copyable
    ) {
        defer { reportStarvation(&observer) }
        guard let change else { return }
        guard isMade else { return make(change, at: now, &control, &observer) }
        guard control.takesEffect, looked.map({ now - $0 >= Self.lookPause }) ?? true else { return }
        looked = now
        // One that cannot be read is asked again.
        guard let present = (try? control.readKsmd()) ?? nil else { return }
        guard present.scheduling == change.given else { return leave(to: present.scheduling, change, &observer) }
        if starves(present, change, at: now) { release(&control, &observer, endsScan: false) }
    }

    private mutating func reportStarvation(_ observer: inout some StepObserver & ~Copyable) {
        guard let (starving, share) = starved else { return }
        starved = nil
        // Where it could not be given its own, that was reported.
        guard change == nil, !hasReportedStarvation else { return }
        hasReportedStarvation = true
        observer.report(.ksmdStarved(starving, share: share))
    }

    private mutating func make(
        _ change: SchedulingChange, at now: Instant, _ control: inout some KSMControl,
        _ observer: inout some StepObserver & ~Copyable
    ) {
        do throws(KernelFileError) {
            try control.schedule(ksmd: change.given)
            isMade = true
            looked = nil
            if hasFailed { observer.report(.ksmdScheduled(change.given)) }
            hasFailed = false
        } catch {
            self.change = nil
            starvation = KsmdStarvation()
            due = now + Self.retryPause
            if !hasFailed { observer.report(.ksmdNotScheduled(wish, error)) }
            hasFailed = true
        }
    }

    /// Puts back what ksmd had, before something that waits for it.
    ///
    /// - Parameter endsScan: Whether the scan ends, or another one may begin: that may be tried at once, but where the
    ///   kernel refuses, and is another one for ksmd to starve in.
    mutating func release(
        _ control: inout some KSMControl, _ observer: inout some StepObserver & ~Copyable, endsScan: Bool = true
    ) {
        if endsScan {
            if !hasFailed { due = nil }
            starvation = KsmdStarvation()
        }
        guard let change else { return }
        guard isMade else {
            self.change = nil
            return
        }
        do throws(KernelFileError) {
            if control.takesEffect, let present = try control.readKsmd()?.scheduling, present != change.given {
                return leave(to: present, change, &observer)
            }
            try control.schedule(ksmd: change.found)
            self.change = nil
            if hasReportedLeaving { observer.report(.ksmdScheduled(change.found)) }
            hasReportedLeaving = false
        } catch {
            if !hasReportedLeaving { observer.report(.ksmdNotPutBack(change, error)) }
            hasReportedLeaving = true
        }
    }

    /// Somebody else changed it: it is theirs. Where it has again what it had, nothing is to be said.
    private mutating func leave(
        to present: Scheduling, _ change: SchedulingChange, _ observer: inout some StepObserver & ~Copyable
    ) {
        self.change = nil
        hasReportedLeaving = false
        guard present != change.found else { return }
        isLeftAlone = true
        observer.report(.foreignScheduling(expected: change.given, found: present))
    }
}
