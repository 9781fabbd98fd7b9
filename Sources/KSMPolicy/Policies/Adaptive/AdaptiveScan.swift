extension AdaptivePolicy {
    /// What ksmd is made to do.
    package enum Phase: Sendable {
        case idle
        /// Guests still fill their memory: what is hashed now changes before it is compared.
        case waiting(since: Instant)
        case scanning(Scan)
    }

    /// Passes in a row.
    package struct Scan: Sendable {
        package enum Kind: Equatable, Sendable {
            /// For new memory, or since the pass before it paid.
            case burst
            /// For memory that had changed when it was last looked at, and has had time to settle.
            case recheck
            /// Whether anything changed that no counter tells of.
            case probe
            /// Because the operator asked.
            case request
        }
        package var kind: Kind
        /// Passes that have ended.
        package var passes = 0
        /// Whether KSM saw memory for the first time.
        var foundNew = false
        /// How many pages came since the last scan, and how many pages from the beginning of a pass, at most, they end.
        /// Hashed in the second pass, they are compared at the beginning of the third, and the rest of that pass has
        /// nothing to compare.
        var newcomers: (pages: Pages, end: Pages)?
        /// Whether smart_scan is off, so that what it passes over is compared as well.
        var isFull = false
        var savedAtStart: Pages
        var cpuAtStart: Duration?
        /// When ksmd last did anything.
        var movedAt: Instant
        /// Whether ksmd sleeps, since no process has offered it memory. It wakes by itself when one does.
        var isStalled = false
    }
}

extension AdaptivePolicy.Scan {
    /// Whether it takes the share of a probe.
    var isGentle: Bool { kind == .recheck || kind == .probe }
}

extension AdaptivePolicy.Scan.Kind {
    var reason: Decision.Reason {
        switch self {
        case .burst: .newMemory
        case .recheck: .settled
        case .probe: .probing
        case .request: .requested
        }
    }
}
