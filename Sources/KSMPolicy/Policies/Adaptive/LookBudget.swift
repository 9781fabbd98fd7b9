/// What looks at memory that no counter tells of may cost.
///
/// The more looks in a row found nothing, the less likely the next one finds something: about one in *n* does after *n* in
/// vain (Laplace's rule of succession). So the budget is divided by that, down to the one for guests that do next to
/// nothing.
struct LookBudget: Sendable {
    private typealias Parameters = AdaptivePolicy.Parameters

    /// What looks are for.
    enum Target: Equatable, Sendable {
        /// What guests change that do a little.
        case quietGuests
        case busyGuests
        /// What passes have passed over, at guests that do nothing. It is as likely to merge as all pages that KSM knows, of
        /// which this share has.
        case hiddenPages(usual: Double)
    }

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
    private var target = Target.quietGuests
    /// Looks in a row that found nothing, each at busy guests, and at hidden pages.
    private var inVain = (busy: 0, hidden: 0)

    mutating func begin(_ target: Target) {
        self.target = target
        // Guests that become busy again may do something else.
        if target != .busyGuests { inVain.busy = 0 }
    }

    /// - Parameter cpu: What the look took of ksmd's time; `nil` where that is not known.
    mutating func end(_ outcome: Outcome, cpu: Duration?, at now: Instant) {
        last = now
        cost = cpu ?? .zero
        switch target {
        case .quietGuests: break
        case .busyGuests: Self.count(outcome, &inVain.busy)
        case .hiddenPages: Self.count(outcome, &inVain.hidden)
        }
    }

    private static func count(_ outcome: Outcome, _ inVain: inout Int) {
        switch outcome {
        case .found: inVain = 0
        case .foundNothing: inVain += 1
        case .interrupted: break
        }
    }

    /// The share of a CPU that looks may take on average.
    func share(_ target: Target) -> Double {
        let share =
            switch target {
            case .quietGuests: 0.0
            case .busyGuests: Parameters.greatestLookBudget / Double(1 + inVain.busy)
            case .hiddenPages(let usual): Parameters.greatestLookBudget * usual / Double(1 + inVain.hidden)
            }
        return max(share, Parameters.lookBudget)
    }

    /// Whether the last look is paid for.
    func isPaid(at now: Instant, _ target: Target) -> Bool {
        now - last >= Duration(rounding: cost.seconds / share(target))
    }
}
