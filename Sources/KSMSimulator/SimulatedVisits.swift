import KSMPolicy

// What ksmd does to the pages that it comes to.
extension SimulatedKSM {
    /// What a visit does to each page of a block.
    struct Visit {
        var cost = 0.0
        var isCounted = true
        var shared: Int64 = 0
        var sharing: Int64 = 0
        var unshared: Int64 = 0
        var volatile: Int64 = 0
        var zero: Int64 = 0
        var skipped: Int64 = 0
        var state: Block.State
        var version: Int
        var partner: (guest: Int64, block: Int)?
    }

    struct Cursor {
        var guest = 0
        var block = 0
        /// Pages of the block that were visited, and what happens to them; `nil` before the block.
        var visit: Visit?
        var page: Int64 = 0
    }

    /// Goes to the next block that is there.
    ///
    /// - Returns: Whether there is one in this pass. The end of a pass is the end of its batch.
    mutating func prepareVisit() -> Bool {
        while cursor.visit == nil {
            guard cursor.guest < guests.count else {
                counters.passes += 1
                cursor = Cursor()
                return false
            }
            if guests[cursor.guest].offered > now {
                cursor.guest += 1
                cursor.block = 0
            } else if guests[cursor.guest].isGone {
                forget(guests.remove(at: cursor.guest))
                cursor.block = 0
            } else if cursor.block >= guests[cursor.guest].blocks.count {
                cursor.guest += 1
                cursor.block = 0
            } else if !guests[cursor.guest].blocks[cursor.block].isThere(at: now) {
                var block = guests[cursor.guest].blocks[cursor.block]
                forget(&block)
                guests[cursor.guest].blocks[cursor.block] = block
                cursor.block += 1
            } else {
                cursor.page = 0
                // Given in place, it would be changed while `self` is read, which costs a copy of all blocks.
                var block = guests[cursor.guest].blocks[cursor.block]
                cursor.visit = visit(&block, of: guests[cursor.guest].id)
                guests[cursor.guest].blocks[cursor.block] = block
            }
        }
        return true
    }

    /// Which of the contents that a block holds one after the other it holds now.
    func version(_ block: Block) -> Int {
        switch block.contents {
        case .volatile(let period): Int(now / period) + 1
        case .settling(let until, _): now < until ? Int(now) + 1 : .max
        case .becoming(let time, _): now < time ? 0 : 1
        default: block.takes
        }
    }

    func key(_ block: Block) -> ClassKey? {
        switch block.contents {
        case .same(let template): ClassKey(template: template, index: block.index, pages: block.pages)
        case .zero: ClassKey(template: Self.zeroTemplate, index: 0, pages: 0)
        case .settling(let until, let template):
            now < until ? nil : ClassKey(template: template, index: block.index, pages: block.pages)
        case .becoming(let time, let template):
            now < time ? nil : ClassKey(template: template, index: block.index, pages: block.pages)
        case .unique, .volatile: nil
        }
    }

    /// `should_skip_rmap_item`
    private func skips(_ block: inout Block) -> Bool {
        guard block.state != .merged, block.state != .zeroed else { return false }
        let age = block.age
        block.age = min(age + 1, 255)
        guard smartScan, age >= 3 else { return false }
        guard block.remainingSkips > 0 else {
            block.remainingSkips = age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8
            return false
        }
        block.remainingSkips -= 1
        return true
    }

    private func visit(_ block: inout Block, of guest: Int64) -> Visit {
        let present = version(block)
        var visit = Visit(state: block.state, version: present)
        if skips(&block) {
            visit.cost = costs.skipped
            visit.isCounted = false
            visit.skipped = 1
            visit.version = block.version
            leave(block.state, &visit)
            visit.volatile += block.state == .unseen ? 0 : 1
            visit.state = .hashed
            return visit
        }
        switch block.state {
        case .merged where present != block.version:
            visit.cost = costs.hashed
            if isLastCopy(block) { visit.shared -= 1 } else { visit.sharing -= 1 }
            visit.volatile = 1
            visit.state = .hashed
        case .zeroed where present != block.version:
            visit.cost = costs.hashed
            visit.zero = -1
            visit.volatile = 1
            visit.state = .hashed
        case .merged, .zeroed: visit.cost = costs.merged
        case .unseen:
            visit.cost = costs.hashed
            visit.volatile = 1
            visit.state = .hashed
        case .hashed where present != block.version, .unstable where present != block.version:
            visit.cost = costs.hashed
            leave(block.state, &visit)
            visit.volatile += 1
            visit.state = .hashed
        case .hashed, .unstable:
            visit.cost = costs.compared
            leave(block.state, &visit)
            compare(block, of: guest, &visit)
        }
        return visit
    }

    private func leave(_ state: Block.State, _ visit: inout Visit) {
        if state == .hashed { visit.volatile -= 1 }
        if state == .unstable { visit.unshared -= 1 }
    }

    private func compare(_ block: Block, of guest: Int64, _ visit: inout Visit) {
        visit.state = .merged
        guard let key = key(block) else {
            visit.unshared += 1
            visit.state = .unstable
            return
        }
        if key.template == Self.zeroTemplate {
            // Zero pages are like each other within a block, so one of them stands for all at once.
            visit.zero = usesZeroPages ? 1 : 0
            visit.sharing = usesZeroPages ? 0 : 1
            visit.state = usesZeroPages ? .zeroed : .merged
        } else if let known = classes[key], known.copies > 0 {
            visit.sharing = 1
        } else if let candidate = classes[key]?.candidate, candidate.pass == counters.passes, candidate.guest != guest,
            guests.contains(where: { $0.id == candidate.guest && !$0.isGone })
        {
            visit.partner = (candidate.guest, candidate.block)
            visit.shared = 1
            visit.sharing = 1
            visit.unshared -= 1
        } else {
            visit.unshared += 1
            visit.state = .unstable
        }
    }

    mutating func account(_ visit: Visit, pages: Int64) {
        counters.shared += Pages(visit.shared * pages)
        counters.sharing += Pages(visit.sharing * pages)
        counters.unshared += Pages(visit.unshared * pages)
        counters.volatile += Pages(visit.volatile * pages)
        counters.zero += Pages(visit.zero * pages)
        counters.skipped += Pages(visit.skipped * pages)
    }

    mutating func finish(_ visit: Visit) {
        let guest = guests[cursor.guest].id
        let block = guests[cursor.guest].blocks[cursor.block]
        if block.state == .merged, visit.state != .merged, let old = block.mergedAs {
            classes[old]?.copies -= 1
            guests[cursor.guest].blocks[cursor.block].mergedAs = nil
        }
        if let key = key(block), key.template != Self.zeroTemplate {
            if visit.state == .unstable {
                classes[key, default: Class()].candidate = (counters.passes, guest, cursor.block)
            }
            if visit.state == .merged, block.state != .merged {
                classes[key, default: Class()].copies += 1
                guests[cursor.guest].blocks[cursor.block].mergedAs = key
            }
            if let partner = visit.partner, let index = guests.firstIndex(where: { $0.id == partner.guest }) {
                guests[index].blocks[partner.block].state = .merged
                guests[index].blocks[partner.block].mergedAs = key
                classes[key, default: Class()].copies += 1
            }
        }
        guests[cursor.guest].blocks[cursor.block].state = visit.state
        guests[cursor.guest].blocks[cursor.block].version = visit.version
        cursor.visit = nil
        cursor.block += 1
    }

    /// Takes an ended guest's pages off the counters.
    mutating func forget(_ guest: Guest) {
        var guest = guest
        for block in guest.blocks.indices { forget(&guest.blocks[block]) }
    }

    /// Takes a block that is there no more off the counters. What it was merged as may have changed since.
    private mutating func forget(_ block: inout Block) {
        switch block.state {
        case .unseen: return
        case .hashed: counters.volatile -= Pages(block.pages)
        case .unstable: counters.unshared -= Pages(block.pages)
        case .zeroed: counters.zero -= Pages(block.pages)
        case .merged:
            if isLastCopy(block) {
                counters.shared -= Pages(block.pages)
            } else {
                counters.sharing -= Pages(block.pages)
            }
            if let key = block.mergedAs { classes[key]?.copies -= 1 }
        }
        block.state = .unseen
        block.age = 0
        block.remainingSkips = 0
        block.mergedAs = nil
    }

    /// Zero pages are like each other within a block: one more stands for them.
    private func isLastCopy(_ block: Block) -> Bool {
        block.mergedAs.map { classes[$0, default: Class()].copies <= 1 } ?? false
    }
}
