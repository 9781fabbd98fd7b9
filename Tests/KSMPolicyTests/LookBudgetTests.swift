import Testing

@testable import KSMPolicy

/// Looks that took a CPU second each.
struct LookBudgetTests {
    private static func moment(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    /// After these looks, the last of which ended at 1,000 s: the seconds until the next one is paid for.
    private static func pause(after looks: [(isBusy: Bool, LookBudget.Outcome)], isBusy: Bool) -> Double? {
        var budget = LookBudget()
        for (index, look) in looks.enumerated() {
            budget.begin(isBusy: look.isBusy)
            budget.end(look.1, cpu: .seconds(1), at: moment(1001 - Double(looks.count) + Double(index)))
        }
        return [50.0, 100, 150, 200, 250].first {
            budget.isPaid(at: moment(1000 + $0), isBusy: isBusy)
                && !budget.isPaid(at: moment(1000 + $0 - 0.001), isBusy: isBusy)
        }
    }

    @Test(arguments: [(0, 50.0), (1, 100), (2, 150), (3, 200), (4, 250), (5, 250), (1000, 250)] as [(Int, Double)])
    func `the more looks at busy guests were in vain, the less the next may cost`(inVain: Int, pause: Double) {
        let looks = [(true, LookBudget.Outcome.found)] + Array(repeating: (true, .foundNothing), count: inVain)
        #expect(Self.pause(after: looks, isBusy: true) == pause)
        #expect(Self.pause(after: looks, isBusy: false) == 250)
    }

    @Test(
        arguments: [
            (true, .found, 50), (true, .interrupted, 150), (true, .foundNothing, 200),
            // It stands for guests that do something else from now on.
            (false, .foundNothing, 50), (false, .interrupted, 50), (false, .found, 50),
        ] as [(Bool, LookBudget.Outcome, Double)])
    func `what a look found counts, and that guests were not busy`(
        isBusy: Bool, outcome: LookBudget.Outcome, pause: Double
    ) {
        let looks = [(true, LookBudget.Outcome.foundNothing), (true, .foundNothing), (isBusy, outcome)]
        #expect(Self.pause(after: looks, isBusy: true) == pause)
    }

    @Test func `a look whose cost nobody knows is paid for at once`() {
        var budget = LookBudget()
        budget.begin(isBusy: true)
        budget.end(.foundNothing, cpu: nil, at: Self.moment(10))
        #expect(budget.isPaid(at: Self.moment(10), isBusy: false))
    }
}
