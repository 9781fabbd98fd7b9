/// Keeps account of how much memory of the guests no pass has seen.
///
/// It is kept per guest: where one guest ends and another begins, the sum of all stays as it was.
package struct GuestLedger: Sendable {
    private struct Entry {
        var id: Int64
        var resident: KiB
        /// What it held when the present pass began.
        var atPassStart: KiB
        /// What it held when the last whole pass began: all of that has been seen.
        var scanned: KiB
        /// The share of its growth that KSM finds mergeable, learnt: a monitor's own memory grows too.
        var hitRate: Double
        var isPresent: Bool
    }

    private var entries: [Entry] = []
    /// What passes saw of growth that came while they were under way. The next pass expects it, and sees it no more.
    private var seenAhead = KiB.zero
    /// What came in the last update, of all guests that grew.
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
            sum += Double((entry.resident - entry.scanned).nonNegative.count) * entry.hitRate
        }
        return KiB(ofBytes: sum * 1024)
    }

    /// What the pass under way is to see for the first time, as far as it was there when it began.
    package var expected: KiB {
        entries.sum { ($0.atPassStart - $0.scanned).nonNegative }
    }

    /// Takes what the guests hold now, all of them.
    package mutating func update(_ guests: [GuestMemory]) {
        for index in entries.indices { entries[index].isPresent = false }
        var growth = KiB.zero
        var next = 0
        for guest in guests {
            // They come in the same order each time, but for those that came or went.
            if next >= entries.count || entries[next].id != guest.id {
                next = entries.firstIndex { $0.id == guest.id } ?? entries.count
            }
            if next == entries.count {
                entries.append(
                    Entry(
                        id: guest.id, resident: .zero, atPassStart: .zero, scanned: .zero, hitRate: 1, isPresent: true))
            }
            growth += (guest.resident - entries[next].resident).nonNegative
            entries[next].resident = guest.resident
            // What was given back and comes again is new.
            entries[next].scanned = min(entries[next].scanned, guest.resident)
            entries[next].atPassStart = min(entries[next].atPassStart, guest.resident)
            entries[next].isPresent = true
            next += 1
        }
        lastGrowth = growth
        let count = entries.count
        entries.removeAll { !$0.isPresent }
        if entries.count < count { hasEndedGuests = true }
    }

    /// Counts this share of all that the guests hold as seen: the work of a daemon before this one.
    package mutating func assumeScanned(share: Double) {
        for index in entries.indices {
            entries[index].scanned = KiB(ofBytes: Double(entries[index].resident.count) * 1024 * min(max(share, 0), 1))
        }
    }

    /// A pass begins: it will see what is there now.
    package mutating func beginPass() {
        for index in entries.indices { entries[index].atPassStart = entries[index].resident }
    }

    /// A whole pass has ended.
    ///
    /// - Parameter seen: How much memory was seen for the first time since the pass before it ended.
    package mutating func endPass(seen: KiB) {
        let expected = expected
        let found = seen + seenAhead
        seenAhead = (found - expected).nonNegative
        let hitRate = expected > .zero ? min(Double(found.nonNegative.count) / Double(expected.count), 1) : 1
        let weight = AdaptivePolicy.Parameters.weightOfLastPass
        for index in entries.indices where entries[index].atPassStart > entries[index].scanned {
            entries[index].hitRate = max(
                (entries[index].hitRate + weight * hitRate) / (weight + 1), AdaptivePolicy.Parameters.leastHitRate)
            entries[index].scanned = entries[index].atPassStart
        }
    }

    /// A pass has ended that saw some of what a later one expects to see.
    package mutating func seeAhead(_ seen: KiB) {
        seenAhead += seen
    }

    /// A pass has taken what ended guests shared from the counters.
    package mutating func forgetEnded() {
        hasEndedGuests = false
    }
}
