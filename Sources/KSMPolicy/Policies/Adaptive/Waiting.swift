extension AdaptivePolicy {
    /// Guests still fill their memory: what is hashed now would change before it is compared.
    package struct Waiting: Sendable {
        var since: Instant

        /// A scan begins with any of these samples.
        var wants: Wants { [.guests, .allCounters] }

        func isOver(at now: Instant, _ host: HostConditions) -> Bool {
            host.isRequested || !host.growth.isFilling || host.isMemoryShort(at: now)
                || now - since >= Parameters.longestWait
        }

        func pause(_ settings: Settings, _ ledger: GuestLedger) -> Duration {
            max(min(Parameters.growthStep, settings.idleStep), ledger.lookPause)
        }
    }
}
