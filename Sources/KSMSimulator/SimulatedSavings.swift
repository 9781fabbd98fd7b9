// What merging saves, by the guests' page tables: KSM's own counters learn of what has ended, was given back or was
// written to when ksmd comes there.
extension SimulatedKSM {
    /// Pages that are saved now.
    package var savedNow: Int64 {
        var copies: [ClassKey: Int64] = [:]
        copies.reserveCapacity(classes.count)
        var sum: Int64 = 0
        for guest in guests where !guest.isGone {
            for block in guest.blocks where block.isThere(at: now) && version(block) == block.version {
                switch block.state {
                case .zeroed: sum += block.pages
                case .merged:
                    guard let key = block.mergedAs else {
                        sum += block.pages
                        continue
                    }
                    if copies[key, default: 0] > 0 { sum += block.pages }
                    copies[key, default: 0] += 1
                case .unseen, .hashed, .unstable: break
                }
            }
        }
        return sum
    }

    /// Pages that could be saved now, by endless scanning.
    package var mergeable: Int64 {
        var counts: [ClassKey: Int64] = [:]
        counts.reserveCapacity(classes.count)
        var sum: Int64 = 0
        for guest in guests where !guest.isGone {
            for block in guest.blocks where block.isThere(at: now) {
                guard let key = key(block) else { continue }
                if key.template == Self.zeroTemplate {
                    sum += block.pages
                } else {
                    if counts[key, default: 0] > 0 { sum += block.pages }
                    counts[key, default: 0] += 1
                }
            }
        }
        return sum
    }

    /// Pages of a guest that are merged now; 0 for one that is unknown or has ended.
    package func merged(in id: Int64) -> Int64 {
        guard let guest = guests.first(where: { $0.id == id && !$0.isGone }) else { return 0 }
        var sum: Int64 = 0
        for block in guest.blocks where block.isThere(at: now) && version(block) == block.version {
            if block.state == .merged || block.state == .zeroed { sum += block.pages }
        }
        return sum
    }

    /// Pages of a guest that hold what another guest's hold now, or zeros: what endless scanning would merge of it.
    package func mergeable(in id: Int64) -> Int64 {
        guard let own = guests.first(where: { $0.id == id && !$0.isGone }) else { return 0 }
        var partners: [ClassKey: Bool] = [:]
        for block in own.blocks where block.isThere(at: now) {
            if let key = key(block) { partners[key] = key.template == Self.zeroTemplate }
        }
        for guest in guests where !guest.isGone && guest.id != id {
            for block in guest.blocks where block.isThere(at: now) {
                if let key = key(block), partners[key] != nil { partners[key] = true }
            }
        }
        var sum: Int64 = 0
        for block in own.blocks where block.isThere(at: now) {
            if let key = key(block), partners[key] == true { sum += block.pages }
        }
        return sum
    }
}
