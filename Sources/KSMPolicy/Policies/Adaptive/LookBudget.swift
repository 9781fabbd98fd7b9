/// What looks at memory that no counter tells of may cost.
///
/// The more looks in a row found nothing, the less likely the next one finds something: about one in *n* does after *n* in
/// vain (Laplace's rule of succession). So the budget for busy guests is divided by that, down to the budget for others.
struct LookBudget: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    enum Outcome: Sendable {
        /// What pays.
        case found
        case foundNothing
        /// Something else came first.
        case interrupted
    }

    private var last = Instant(nanoseconds: 0)
    /// ksmd's CPU time for the last look.
    private var cost = Duration.zero
    /// Whether guests were busy when it began.
    private var wasBusy = false
    /// Looks in a row that found nothing, each at busy guests.
    private var inVain = 0

    mutating func begin(isBusy: Bool) {
        wasBusy = isBusy
        // Guests that become busy again may do something else.
        if !isBusy { inVain = 0 }
    }

    /// - Parameter cpu: What the look took of ksmd's time; `nil` where that is not known.
    mutating func end(_ outcome: Outcome, cpu: Duration?, at now: Instant) {
        last = now
        cost = cpu ?? .zero
        switch outcome {
        case .found: inVain = 0
        case .foundNothing: if wasBusy { inVain += 1 }
        case .interrupted: break
        }
    }

    /// The share of a CPU that looks may take on average.
    ///
    /// - Parameter isBusy: Whether guests are.
    func share(isBusy: Bool) -> Double {
        isBusy ? max(Parameters.busyLookBudget / Double(1 + inVain), Parameters.lookBudget) : Parameters.lookBudget
    }

    /// Whether the last look is paid for.
    ///
    /// - Parameter isBusy: Whether guests are.
    func isPaid(at now: Instant, isBusy: Bool) -> Bool {
        now - last >= Duration(rounding: cost.seconds / share(isBusy: isBusy))
    }
}
