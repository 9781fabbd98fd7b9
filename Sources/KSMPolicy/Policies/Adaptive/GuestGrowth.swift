/// How fast guests grow, and whether they still fill their memory.
struct GuestGrowth: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// When guests were last looked at.
    private(set) var lastLook: Instant?
    /// Whether guests fill their memory: what is hashed now changes before it is compared.
    private(set) var isFilling = false
    /// The fastest growth since they began, in KiB per second.
    private var peak = 0.0

    /// Takes the growth from the last look to this one.
    mutating func observe(_ ledger: GuestLedger, at now: Instant) {
        defer { lastLook = now }
        if let lastLook {
            guard now > lastLook else { return }
            let rate = Double(ledger.lastGrowth.count) / (now - lastLook).seconds
            let least = max(
                Double(Parameters.fillingAmount.count), Double(ledger.resident.count) * Parameters.fillingShare)
            peak = rate >= least ? max(peak, rate) : 0
            isFilling = rate >= max(least, peak * Parameters.fillingEnd)
        } else {
            // Nothing says how old the guests are.
            isFilling = ledger.unscanned >= Parameters.leastGrowth
        }
    }
}
