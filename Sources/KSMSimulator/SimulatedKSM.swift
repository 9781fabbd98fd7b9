package import KSMPolicy

/// A KSM in simulated time, as `mm/ksm.c` works, by groups of pages: a pass over 4 TiB costs the test no more than one
/// over 4 GiB.
///
/// Every value follows from the calls alone. The times are those of the hosts that were measured, and can be changed.
package struct SimulatedKSM: Sendable {
    /// What the pages of a region hold.
    package enum Contents: Equatable, Sendable {
        /// The same in all guests that have a region of this template and size.
        case same(template: Int)
        case zero
        /// Like no other page.
        case unique
        /// Like no other page, and rewritten once in a period of so many seconds.
        case volatile(period: Double)
        /// Rewritten each second until this time, and the same in all guests from then on.
        case settling(until: Double, template: Int)
    }

    package struct Region: Equatable, Sendable {
        package var contents: Contents
        package var pages: Int64

        package init(_ contents: Contents, pages: Int64) {
            self.contents = contents
            self.pages = pages
        }
    }

    /// CPU time per page, in seconds.
    package struct Costs: Sendable {
        package var hashed = 1 / 1.5e6
        package var compared = 1 / 0.25e6
        package var merged = 0.4e-6
        package var skipped = 0.05e-6

        package init() {}
    }

    // MARK: Files

    package private(set) var run: Int64 = 0
    package var pagesToScan: Int64 = 100
    package var sleepMilliseconds: Int64 = 20
    package var smartScan = true
    package var usesZeroPages = false
    package private(set) var counters = ScanCounters()

    /// In seconds since boot.
    package private(set) var now = 0.0
    /// In seconds.
    package private(set) var cpu = 0.0

    private let costs: Costs
    private var guests: [Guest] = []
    private var classes: [ClassKey: Class] = [:]
    private var cursor = Cursor()
    /// The pages left of the batch under way; `nil` while ksmd sleeps.
    private var batch: Int64?
    private var batchSize: Int64 = 0
    private var asleepUntil = 0.0

    /// Pages that are handled alike: growth and passes go by these.
    private struct Block {
        enum State { case unseen, hashed, unstable, merged, zeroed }
        var contents: Contents
        var pages: Int64
        var index: Int
        /// When it is filled.
        var comes: Double
        var state = State.unseen
        var version = 0
        var age = 0
        var remainingSkips = 0
    }

    private struct Guest {
        var id: Int64
        var blocks: [Block]
        /// When it lets KSM merge it.
        var offered: Double
        var isGone = false
        /// When it has filled its memory, and what it holds then.
        var filled: Double
        var pages: Int64
    }

    private struct ClassKey: Hashable {
        var template: Int
        var index: Int
        var pages: Int64
    }

    private struct Class {
        /// Blocks that share one.
        var copies = 0
        /// A block in the unstable tree of a pass, which waits for its like.
        var candidate: (pass: Int64, guest: Int64, block: Int)?
    }

    /// What a visit does to each page of a block.
    private struct Visit {
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

    private struct Cursor {
        var guest = 0
        var block = 0
        /// Pages of the block that were visited, and what happens to them; `nil` before the block.
        var visit: Visit?
        var page: Int64 = 0
    }

    package init(costs: Costs = Costs()) {
        self.costs = costs
        counters.cpu = .zero
    }

    // MARK: Guests

    private static let blocksPerRegion: Int64 = 64
    private static let zeroTemplate = -1

    /// A guest starts. Its pages come right before the cursor, so they are visited last,
    /// by the next pass where one is under way.
    ///
    /// - Parameters:
    ///   - growth: The seconds in which it fills its memory, every region at the same rate.
    ///   - offered: The seconds after which it lets KSM merge it, with `madvise`; infinity for one that never does.
    package mutating func start(_ id: Int64, _ regions: [Region], growth: Double = 0, offered: Double = 0) {
        var blocks: [Block] = []
        for (place, region) in regions.enumerated() {
            let count = min(max(region.pages / 256, 1), Self.blocksPerRegion)
            for index in 0..<count {
                let size = region.pages * (index + 1) / count - region.pages * index / count
                let part = (Double(index) + Double(place + 1) / Double(regions.count)) / Double(count)
                blocks.append(
                    Block(contents: region.contents, pages: size, index: Int(index), comes: now + growth * part))
            }
        }
        let guest = Guest(
            id: id, blocks: blocks, offered: now + offered, filled: now + growth,
            pages: regions.reduce(0) { $0 + $1.pages })
        // Between two passes the cursor is at the list's head, whose place before is the end.
        if cursor.guest == 0, cursor.block == 0, cursor.visit == nil {
            guests.append(guest)
        } else {
            guests.insert(guest, at: cursor.guest)
            cursor.guest += 1
        }
    }

    /// A guest ends. Its pages stay counted until ksmd comes to them.
    package mutating func end(_ id: Int64) {
        guard let index = guests.firstIndex(where: { $0.id == id }) else { return }
        guests[index].isGone = true
        guard index == cursor.guest, let visit = cursor.visit else { return }
        account(visit, pages: guests[index].blocks[cursor.block].pages - cursor.page)
        finish(visit)
    }

    /// What each guest holds, as `/proc` tells it.
    package func residents(pageSize: Int64 = 4096) -> [GuestMemory] {
        guests.filter { !$0.isGone }.map { guest in
            // Hosts at rest are looked at for hours.
            if guest.filled <= now { return GuestMemory(id: guest.id, resident: KiB(guest.pages * (pageSize / 1024))) }
            var pages: Int64 = 0
            for block in guest.blocks where block.comes <= now { pages += block.pages }
            return GuestMemory(id: guest.id, resident: KiB(pages * (pageSize / 1024)))
        }
    }

    /// Pages that could be saved now, by endless scanning.
    package var mergeable: Int64 {
        var counts: [ClassKey: Int64] = [:]
        var sum: Int64 = 0
        for guest in guests where !guest.isGone {
            for block in guest.blocks where block.comes <= now {
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

    // MARK: Time

    /// As a write to `run`.
    package mutating func setRun(_ value: Int64) {
        if value == 2 { unmerge() }
        // The batch under way goes to its end in the kernel; here what it has left is too little to matter.
        if value != 1, let left = batch {
            counters.scanned += Pages(batchSize - left)
            batch = nil
        }
        if value == 1, run != 1 { asleepUntil = now }
        run = value
    }

    package mutating func setPace(pagesToScan: Int64, sleepMilliseconds: Int64) {
        self.pagesToScan = pagesToScan
        // The kernel ends the sleep under way when its length changes.
        if sleepMilliseconds != self.sleepMilliseconds { asleepUntil = min(asleepUntil, now) }
        self.sleepMilliseconds = sleepMilliseconds
    }

    package mutating func advance(to end: Double) {
        while now < end {
            // With nothing to scan ksmd sleeps until there is.
            let offered = guests.lazy.map(\.offered).min() ?? .infinity
            guard run == 1, offered <= end else {
                now = end
                break
            }
            if offered > now {
                now = offered
                asleepUntil = now
            }
            if batch == nil {
                guard asleepUntil <= end else {
                    now = end
                    break
                }
                now = max(now, asleepUntil)
                batch = pagesToScan
                batchSize = pagesToScan
            }
            if !scan(until: end) { fallAsleep() }
        }
        counters.cpu = Duration(rounding: cpu)
    }

    private mutating func fallAsleep() {
        // `ksm_do_scan` leaves without counting the batch in which a pass ends.
        if batch == 0 { counters.scanned += Pages(batchSize) }
        batch = nil
        // A timeout is rounded up to jiffies, and the one under way does not count.
        let jiffies = (sleepMilliseconds + 3) / 4 + 1
        asleepUntil = now + Double(jiffies) * 0.004
    }

    /// - Returns: Whether the batch goes on.
    private mutating func scan(until end: Double) -> Bool {
        while let left = batch, left > 0 {
            guard now < end else { return true }
            guard prepareVisit() else { return false }
            guard let visit = cursor.visit else { return false }
            var pages = guests[cursor.guest].blocks[cursor.block].pages - cursor.page
            if visit.isCounted { pages = min(pages, left) }
            // At least one, so that time goes on.
            pages = min(pages, max(Int64((end - now) / visit.cost), 1))
            now += Double(pages) * visit.cost
            cpu += Double(pages) * visit.cost
            if visit.isCounted { batch = left - pages }
            account(visit, pages: pages)
            cursor.page += pages
            if cursor.page >= guests[cursor.guest].blocks[cursor.block].pages { finish(visit) }
        }
        return false
    }

    /// Goes to the next block that is there.
    ///
    /// - Returns: Whether there is one in this pass. The end of a pass is the end of its batch.
    private mutating func prepareVisit() -> Bool {
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
            } else if guests[cursor.guest].blocks[cursor.block].comes > now
                || guests[cursor.guest].blocks[cursor.block].pages == 0
            {
                cursor.block += 1
            } else {
                cursor.page = 0
                cursor.visit = visit(&guests[cursor.guest].blocks[cursor.block], of: guests[cursor.guest].id)
            }
        }
        return true
    }

    // MARK: A visit

    private func version(_ contents: Contents) -> Int {
        switch contents {
        case .volatile(let period): Int(now / period) + 1
        case .settling(let until, _): now < until ? Int(now) + 1 : .max
        default: 0
        }
    }

    private func key(_ block: Block) -> ClassKey? {
        switch block.contents {
        case .same(let template): ClassKey(template: template, index: block.index, pages: block.pages)
        case .zero: ClassKey(template: Self.zeroTemplate, index: 0, pages: 0)
        case .settling(let until, let template):
            now < until ? nil : ClassKey(template: template, index: block.index, pages: block.pages)
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
        let present = version(block.contents)
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

    private mutating func account(_ visit: Visit, pages: Int64) {
        counters.shared += Pages(visit.shared * pages)
        counters.sharing += Pages(visit.sharing * pages)
        counters.unshared += Pages(visit.unshared * pages)
        counters.volatile += Pages(visit.volatile * pages)
        counters.zero += Pages(visit.zero * pages)
        counters.skipped += Pages(visit.skipped * pages)
    }

    private mutating func finish(_ visit: Visit) {
        let guest = guests[cursor.guest].id
        let block = guests[cursor.guest].blocks[cursor.block]
        if let key = key(block), key.template != Self.zeroTemplate {
            if visit.state == .unstable {
                classes[key, default: Class()].candidate = (counters.passes, guest, cursor.block)
            }
            if visit.state == .merged, block.state != .merged { classes[key, default: Class()].copies += 1 }
            if let partner = visit.partner, let index = guests.firstIndex(where: { $0.id == partner.guest }) {
                guests[index].blocks[partner.block].state = .merged
                classes[key, default: Class()].copies += 1
            }
        }
        guests[cursor.guest].blocks[cursor.block].state = visit.state
        guests[cursor.guest].blocks[cursor.block].version = visit.version
        cursor.visit = nil
        cursor.block += 1
    }

    /// Takes an ended guest's pages off the counters.
    private mutating func forget(_ guest: Guest) {
        for block in guest.blocks {
            switch block.state {
            case .unseen: break
            case .hashed: counters.volatile -= Pages(block.pages)
            case .unstable: counters.unshared -= Pages(block.pages)
            case .zeroed: counters.zero -= Pages(block.pages)
            case .merged:
                guard let key = key(block), key.template != Self.zeroTemplate else {
                    counters.sharing -= Pages(block.pages)
                    continue
                }
                let copies = classes[key, default: Class()].copies
                if copies > 1 { counters.sharing -= Pages(block.pages) } else { counters.shared -= Pages(block.pages) }
                classes[key]?.copies = copies - 1
            }
        }
    }

    private mutating func unmerge() {
        let before = counters
        counters = ScanCounters()
        counters.skipped = before.skipped
        counters.scanned = before.scanned
        counters.cpu = Duration(rounding: cpu)
        classes = [:]
        cursor = Cursor()
        guests.removeAll { $0.isGone }
        for guest in guests.indices {
            for block in guests[guest].blocks.indices {
                guests[guest].blocks[block].state = .unseen
                guests[guest].blocks[block].age = 0
                guests[guest].blocks[block].remainingSkips = 0
            }
        }
    }
}
