import Testing

@testable import KSMPolicy

/// Looks that took a CPU second each.
struct LookBudgetTests {
    private static func moment(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    /// After these looks, the last of which ended at 1,000 s: the seconds until the next one is paid for.
    private static func pause(
        after looks: [(target: LookBudget.Target, LookBudget.Outcome)], _ target: LookBudget.Target
    ) -> Double? {
        var budget = LookBudget()
        for (index, look) in looks.enumerated() {
            budget.begin(look.target)
            budget.end(look.1, cpu: .seconds(1), at: moment(1001 - Double(looks.count) + Double(index)))
        }
        return [50.0, 100, 150, 200, 250].first {
            budget.isPaid(at: moment(1000 + $0), target) && !budget.isPaid(at: moment(1000 + $0 - 0.001), target)
        }
    }

    @Test(arguments: [(0, 50.0), (1, 100), (2, 150), (3, 200), (4, 250), (5, 250), (1000, 250)] as [(Int, Double)])
    func `the more looks at busy guests were in vain, the less the next may cost`(inVain: Int, pause: Double) {
        let looks =
            [(LookBudget.Target.busyGuests, LookBudget.Outcome.found)]
            + Array(repeating: (.busyGuests, .foundNothing), count: inVain)
        #expect(Self.pause(after: looks, .busyGuests) == pause)
        #expect(Self.pause(after: looks, .quietGuests) == 250)
        #expect(Self.pause(after: looks, .hiddenPages(usual: 1)) == 50)
    }

    @Test(
        arguments: [(0, 1, 50.0), (0, 0.5, 100), (0, 0.2, 250), (0, 0, 250), (1, 1, 100), (1, 0.5, 200), (4, 1, 250)]
            as [(Int, Double, Double)])
    func `hidden pages are looked at as they are likely to merge, and the less the more often that was in vain`(
        inVain: Int, usual: Double, pause: Double
    ) {
        let looks =
            [(LookBudget.Target.hiddenPages(usual: 0.7), LookBudget.Outcome.found)]
            + Array(repeating: (.hiddenPages(usual: 0.3), .foundNothing), count: inVain)
        #expect(Self.pause(after: looks, .hiddenPages(usual: usual)) == pause)
        #expect(Self.pause(after: looks, .busyGuests) == 50)
    }

    @Test(
        arguments: [
            (.busyGuests, .found, 50), (.busyGuests, .interrupted, 150), (.busyGuests, .foundNothing, 200),
            // It stands for guests that do something else from now on.
            (.quietGuests, .foundNothing, 50), (.quietGuests, .interrupted, 50), (.quietGuests, .found, 50),
            (.hiddenPages(usual: 1), .foundNothing, 50),
        ] as [(LookBudget.Target, LookBudget.Outcome, Double)])
    func `what a look found counts, and that guests were not busy`(
        target: LookBudget.Target, outcome: LookBudget.Outcome, pause: Double
    ) {
        let looks = [
            (LookBudget.Target.busyGuests, LookBudget.Outcome.foundNothing), (.busyGuests, .foundNothing),
            (target, outcome),
        ]
        #expect(Self.pause(after: looks, .busyGuests) == pause)
    }

    @Test func `a look whose cost nobody knows is paid for at once`() {
        var budget = LookBudget()
        budget.begin(.busyGuests)
        budget.end(.foundNothing, cpu: nil, at: Self.moment(10))
        #expect(budget.isPaid(at: Self.moment(10), .quietGuests))
    }
}
