/// How fast the guests' mergeable memory grows.
struct GuestGrowth: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// When guests were last looked at.
    private(set) var lastLook: Instant?
    /// In the last look alone, in bytes per second: a guest that has filled its memory is not waited for.
    private(set) var present = 0.0
    /// On average over ``AdaptivePolicy/Parameters/growthMemory`` or the time of some passes, in bytes per second.
    private(set) var usual = 0.0

    /// In bytes per second.
    var rate: Double { max(present, usual) }

    /// Takes the growth from the last look to this one.
    ///
    /// - Parameter passSeconds: What a pass costs, in seconds: on a large host guests come minutes apart, and yet several
    ///   within the time of a scan.
    mutating func observe(_ ledger: GuestLedger, at now: Instant, passSeconds: Double) {
        guard let lastLook else {
            // Nothing says when what is there came.
            self.lastLook = now
            return
        }
        guard now > lastLook else { return }
        let seconds = (now - lastLook).seconds
        let memory = max(Parameters.growthMemory.seconds, Parameters.growthPasses * passSeconds)
        let grown = ledger.lastGrowth.byteCount
        present = grown / seconds
        usual += (present - usual) * seconds / (memory + seconds)
        self.lastLook = now
    }
}
