/// Keeps account of how much memory of the guests no pass has seen.
///
/// It is kept per guest: where one guest ends and another begins, the sum of all stays as it was.
package struct GuestLedger: Sendable {
    private struct Entry {
        var id: Int64
        var resident: KiB
        /// What it held when the present pass began.
        var atPassStart: KiB
        /// What it held when the last whole pass began, less what it has given back since: all of that has been seen.
        var scanned: KiB
        /// The most that it held when a whole pass began. KSM knows the addresses below: what is taken again there counts
        /// as changed, and not as new.
        var summit: KiB
        /// The shares of its growth above the summit, and below, that KSM finds, learnt: a monitor's own memory grows
        /// too, and is never merged.
        var newRate: Double
        var refillRate: Double
        var isPresent: Bool

        private var edge: KiB { max(scanned, summit) }
        /// Growth that no pass has seen.
        var new: KiB { (resident - edge).nonNegative }
        var refilled: KiB { (min(resident, edge) - scanned).nonNegative }
        /// That part of it which was there when the pass under way began.
        var newAtPassStart: KiB { (atPassStart - edge).nonNegative }
        var refilledAtPassStart: KiB { (min(atPassStart, edge) - scanned).nonNegative }

        /// So much of what is new has been seen.
        mutating func see(_ amount: KiB) {
            summit = edge + amount
            scanned += amount
        }
    }

    private var entries: [Entry] = []
    /// What parts of passes saw of what a whole one expects to see.
    private var seenAhead = KiB.zero
    private var changedAhead = KiB.zero
    /// What the last pass saw of growth that came while it was under way, until the next look at the guests tells of it.
    private var seenUnexpectedly = KiB.zero
    /// What came in the last update, of all guests that grew, as far as it is likely to be mergeable.
    package private(set) var lastGrowth = KiB.zero
    /// Whether guests ended since ``forgetEnded()``: what they shared is counted until the next pass.
    package private(set) var hasEndedGuests = false

    package init() {}

    package var resident: KiB {
        entries.sum { $0.resident }
    }

    package var guests: Int { entries.count }

    /// The time between two looks at the guests, at least, so that looking costs next to nothing.
    package var lookPause: Duration { AdaptivePolicy.Parameters.pausePerGuest * guests }

    /// What the guests hold and no pass has seen, as far as it is likely to be mergeable.
    package var unscanned: KiB {
        var sum = 0.0
        for entry in entries {
            sum += Double(entry.new.count) * entry.newRate + Double(entry.refilled.count) * entry.refillRate
        }
        return KiB(ofBytes: sum * 1024)
    }

    /// What the pass under way is to see for the first time, as far as it was there when it began.
    package var expected: KiB {
        entries.sum { $0.newAtPassStart }
    }

    /// What of it, and of what was given back and taken again before, is likely to be mergeable.
    package var likely: KiB {
        var sum = 0.0
        for entry in entries {
            sum += Double(entry.newAtPassStart.count) * entry.newRate
            sum += Double(entry.refilledAtPassStart.count) * entry.refillRate
        }
        return KiB(ofBytes: sum * 1024)
    }

    /// What the pass under way is to find changed, since it was given back and taken again before it began.
    package var expectedRefilled: KiB {
        entries.sum { $0.refilledAtPassStart }
    }

    /// Takes what the guests hold now, all of them.
    package mutating func update(_ guests: [GuestMemory]) {
        for index in entries.indices { entries[index].isPresent = false }
        var growth = 0.0
        var next = 0
        for guest in guests {
            next = entries.firstIndex(expectedAt: next) { $0.id == guest.id } ?? entries.count
            if next == entries.count {
                entries.append(
                    Entry(
                        id: guest.id, resident: .zero, atPassStart: .zero, scanned: .zero, summit: .zero, newRate: 1,
                        refillRate: 1, isPresent: true))
            }
            let unscanned = (entries[next].new, entries[next].refilled)
            entries[next].resident = guest.resident
            growth += Double((entries[next].new - unscanned.0).nonNegative.count) * entries[next].newRate
            growth += Double((entries[next].refilled - unscanned.1).nonNegative.count) * entries[next].refillRate
            // What was given back and comes again is new.
            entries[next].scanned = min(entries[next].scanned, guest.resident)
            entries[next].atPassStart = min(entries[next].atPassStart, guest.resident)
            entries[next].isPresent = true
            next += 1
        }
        lastGrowth = KiB(ofBytes: growth * 1024)
        takeUnexpected()
        seenUnexpectedly = .zero
        let count = entries.count
        entries.removeAll { !$0.isPresent }
        if entries.count < count { hasEndedGuests = true }
    }

    /// Counts this share of all that the guests hold as seen: the work of a daemon before this one.
    package mutating func assumeScanned(share: Double) {
        (seenAhead, changedAhead, seenUnexpectedly) = (.zero, .zero, .zero)
        for index in entries.indices {
            entries[index].scanned = KiB(ofBytes: Double(entries[index].resident.count) * 1024 * min(max(share, 0), 1))
            entries[index].summit = entries[index].scanned
        }
    }

    /// A pass begins: it will see what is there now.
    package mutating func beginPass() {
        for index in entries.indices { entries[index].atPassStart = entries[index].resident }
    }

    /// A whole pass has ended.
    ///
    /// - Parameters:
    ///   - seen: How much memory was seen for the first time since the pass before it ended.
    ///   - changed: How much was known and had changed.
    package mutating func endPass(seen: KiB, changed: KiB) {
        let (new, refilled) = (expected, expectedRefilled)
        let found = (seen + seenAhead).nonNegative
        // What a pass came by while it was given back KSM has forgotten: taken again, it is seen for the first time.
        let again = min((found - new).nonNegative, refilled)
        seenUnexpectedly = (found - new).nonNegative - again
        seenAhead = .zero
        let rates = (
            new: Self.share(found, of: new), refilled: Self.share(again + changed + changedAhead, of: refilled)
        )
        changedAhead = .zero
        for index in entries.indices {
            if entries[index].newAtPassStart > .zero { Self.learn(&entries[index].newRate, rates.new) }
            if entries[index].refilledAtPassStart > .zero { Self.learn(&entries[index].refillRate, rates.refilled) }
            entries[index].summit = max(entries[index].summit, entries[index].atPassStart)
            entries[index].scanned = max(entries[index].scanned, entries[index].atPassStart)
        }
        takeUnexpected()
    }

    /// A pass sees what comes while it is under way as far as it comes to it. Expected again by the next pass, it would
    /// be new for ever.
    private mutating func takeUnexpected() {
        for index in entries.indices where seenUnexpectedly > .zero {
            let seen = min(entries[index].new, seenUnexpectedly)
            entries[index].see(seen)
            seenUnexpectedly = seenUnexpectedly - seen
        }
    }

    private static func share(_ found: KiB, of expected: KiB) -> Double {
        expected > .zero ? min(found.nonNegative.share(of: expected), 1) : 1
    }

    private static func learn(_ rate: inout Double, _ found: Double) {
        let weight = AdaptivePolicy.Parameters.weightOfLastPass
        rate = max((rate + weight * found) / (weight + 1), AdaptivePolicy.Parameters.leastHitRate)
    }

    /// A pass has ended that saw some of what a later one expects to see.
    package mutating func seeAhead(_ seen: KiB, changed: KiB) {
        seenAhead += seen
        changedAhead += changed
    }

    /// A pass has taken what ended guests shared from the counters.
    package mutating func forgetEnded() {
        hasEndedGuests = false
    }
}

extension Array {
    /// The first that fits, looked for where it is expected before anywhere else: what is told of guests comes in the same
    /// order each time, but for those that came or went.
    package func firstIndex(expectedAt index: Int, where fits: (Element) -> Bool) -> Int? {
        indices.contains(index) && fits(self[index]) ? index : firstIndex(where: fits)
    }
}
