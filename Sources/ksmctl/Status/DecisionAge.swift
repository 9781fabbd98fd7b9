import HostKernel
import KSMPolicy

/// How old the daemon's last decision may be before the daemon is held to hang.
enum DecisionAge {
    /// By the daemon's own interval, as ``StateRecord/Report/isOverdue(_:)`` has it. A daemon that has decided nothing
    /// yet is held to when its first decision was due.
    case byInterval
    /// At most this old, and a daemon that has decided nothing yet fails.
    case seconds(Double)
}

extension StateRecord.Report {
    /// At a decision this number of intervals late something is wrong. It decides once an interval, and a
    /// reading of many guests by KSM_PS_METRIC=pss can take seconds.
    private static var lateIntervals: Int { 3 }
    /// For intervals so short that a busy host makes it late. A policy that looks often reports each tenth second.
    fileprivate static var leastLateness: Duration { .seconds(30) }

    /// Whether the next decision is so late that the daemon hangs, cannot decide, or cannot say so.
    ///
    /// Never where decisions come on signals only: what is due in a year is not due at all.
    func isOverdue(_ now: WallTime) -> Bool {
        guard let pause, pause > .zero, pause < .seconds(365 * 86400) else { return false }
        return now - time > max(pause * Self.lateIntervals, Self.leastLateness)
    }
}

extension StateRecord {
    /// Whether there is no decision yet, and the first one is so late that the daemon hangs or cannot make it.
    ///
    /// - Parameter uptime: The time since boot.
    func isFirstOverdue(_ uptime: Duration) -> Bool {
        guard report == nil, let firstDue else { return false }
        return uptime - firstDue > Report.leastLateness
    }
}

extension StatusReport {
    /// Whether the running daemon decides as it should.
    func isFresh(_ limit: DecisionAge) -> Bool {
        switch limit {
        case .byInterval: daemon.isPublishing && decision?.isOverdue != true && !daemon.isFirstOverdue
        case .seconds(let most): decision.map { $0.ageSeconds <= most } ?? false
        }
    }
}
