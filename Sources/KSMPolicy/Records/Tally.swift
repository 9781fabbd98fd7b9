/// What a daemon has counted since it started.
package struct Tally: Equatable, Sendable {
    /// Decisions that have ksmd scan, and that have it stop.
    package var scanDecisions: Int64 = 0
    package var stopDecisions: Int64 = 0
    /// Times that the kernel announced memory pressure.
    package var pressureEvents: Int64 = 0
    /// Decisions before which something else had changed a knob.
    package var foreignWrites: Int64 = 0
    /// Decisions that the kernel refused, wholly or in part.
    package var failedWrites: Int64 = 0

    package init() {}

    package mutating func count(_ action: Decision.Action) {
        switch action {
        case .scan: scanDecisions += 1
        case .stop: stopDecisions += 1
        }
    }
}
