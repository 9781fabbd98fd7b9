/// How the kernel schedules a thread; see sched(7).
package struct Scheduling: Equatable, Sendable {
    /// Those of the kernel's, by their numbers.
    package enum Policy: Int64, CaseIterable, Sendable {
        case other = 0
        case fifo = 1
        case roundRobin = 2
        case batch = 3
        case idle = 5
        case deadline = 6
        case ext = 7

        /// The name of sched(7), in small letters and without what all have in front.
        package var word: String {
            switch self {
            case .other: "other"
            case .fifo: "fifo"
            case .roundRobin: "rr"
            case .batch: "batch"
            case .idle: "idle"
            case .deadline: "deadline"
            case .ext: "ext"
            }
        }

        package init?(word: String) {
            guard let policy = Policy.allCases.first(where: { $0.word == word }) else { return nil }
            self = policy
        }

        /// Whether it is one of those that a nice value and nothing else goes with, so that it can be put back.
        package var isPlain: Bool { self == .other || self == .batch || self == .idle }
    }

    /// The nice values that there are: the lower, the more CPU time.
    package static let niceValues: ClosedRange<Int64> = -20...19

    package var policy: Policy
    /// Kept by the kernel, and without effect, under every policy but SCHED_OTHER and SCHED_BATCH.
    package var nice: Int64

    package init(_ policy: Policy, nice: Int64) {
        self.policy = policy
        self.nice = nice
    }
}

extension Scheduling: CustomStringConvertible {
    /// `SCHED_OTHER, nice 5`
    package var description: String {
        let name =
            switch policy {
            case .other: "SCHED_OTHER"
            case .fifo: "SCHED_FIFO"
            case .roundRobin: "SCHED_RR"
            case .batch: "SCHED_BATCH"
            case .idle: "SCHED_IDLE"
            case .deadline: "SCHED_DEADLINE"
            case .ext: "SCHED_EXT"
            }
        return policy == .other || policy == .batch ? "\(name), nice \(nice)" : name
    }
}

/// What ksmd had before the daemon changed it, and what the daemon gave it.
package struct SchedulingChange: Equatable, Sendable {
    package var found: Scheduling
    package var given: Scheduling

    package init(found: Scheduling, given: Scheduling) {
        self.found = found
        self.given = given
    }
}
