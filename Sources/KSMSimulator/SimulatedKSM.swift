package import KSMPolicy

/// A KSM in simulated time, as `mm/ksm.c` works, by groups of pages: a pass over 4 TiB costs the test no more than one
/// over 4 GiB.
///
/// Every value follows from the calls alone. The times are those of the hosts that were measured, and can be changed.
package struct SimulatedKSM: Sendable {
    // MARK: Files

    package private(set) var run: Int64 = 0
    package var pagesToScan: Int64 = 100
    package var sleepMilliseconds: Int64 = 20
    package var smartScan = true
    package var usesZeroPages = false
    /// The seconds from one batch to the next where `sleep_millisecs` is 0. The kernel has no pause there; the default
    /// leaves time to look between two passes.
    package var pauseWithoutSleep = 0.004
    /// The seconds that a second of ksmd's CPU time takes, 1 at least: more where it has to wait for a CPU.
    package var stretch = 1.0
    package internal(set) var counters = ScanCounters()

    /// In seconds since boot.
    package private(set) var now = 0.0
    /// In seconds.
    package private(set) var cpu = 0.0

    let costs: Costs
    var guests: [Guest] = []
    var classes: [ClassKey: Class] = [:]
    var cursor = Cursor()
    /// The pages left of the batch under way; `nil` while ksmd sleeps.
    private var batch: Int64?
    private var batchSize: Int64 = 0
    private var asleepUntil = 0.0

    package init(costs: Costs = Costs()) {
        self.costs = costs
        counters.cpu = .zero
    }

    // MARK: Guests

    private static let blocksPerRegion: Int64 = 64
    static let zeroTemplate = -1

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

    /// A guest gives back the memory that holds a template, as a balloon does. KSM learns of it when ksmd comes there.
    package mutating func giveBack(_ id: Int64, template: Int) {
        guard let index = guests.firstIndex(where: { $0.id == id && !$0.isGone }) else { return }
        for block in guests[index].blocks.indices
        where guests[index].blocks[block].contents == .same(template: template) {
            guests[index].blocks[block].isAbsent = true
            guests[index].absent += 1
        }
    }

    /// A guest takes again what it had given back of a template, and fills it with another.
    package mutating func takeAgain(_ id: Int64, template: Int, as other: Int) {
        guard let index = guests.firstIndex(where: { $0.id == id && !$0.isGone }) else { return }
        for block in guests[index].blocks.indices
        where guests[index].blocks[block].isAbsent && guests[index].blocks[block].contents == .same(template: template)
        {
            guests[index].blocks[block].contents = .same(template: other)
            guests[index].blocks[block].isAbsent = false
            guests[index].blocks[block].takes += 1
            guests[index].absent -= 1
        }
    }

    /// What each guest holds, as `/proc` shows it.
    package func residents(pageSize: Int64 = 4096) -> [GuestMemory] {
        guests.filter { !$0.isGone }.map { guest in
            // Hosts at rest are looked at for hours.
            if guest.filled <= now, guest.absent == 0 {
                return GuestMemory(id: guest.id, resident: KiB(guest.pages * (pageSize / 1024)))
            }
            var pages: Int64 = 0
            for block in guest.blocks where block.isThere(at: now) { pages += block.pages }
            return GuestMemory(id: guest.id, resident: KiB(pages * (pageSize / 1024)))
        }
    }

    /// Whether a guest writes to memory that it has.
    package var isChanging: Bool {
        guests.contains { guest in
            !guest.isGone
                && guest.blocks.contains { block in
                    switch block.contents {
                    case .same, .zero, .unique: block.comes > now
                    case .volatile: true
                    case .settling(let until, _): now < until
                    case .becoming(let time, _): now < time
                    }
                }
        }
    }

    // MARK: Time

    /// As a write to `run`. It waits for the end of the batch under way, so ``now`` is later where there is one.
    package mutating func setRun(_ value: Int64) {
        if value != run, batch != nil {
            while scan(until: now + 1) {}
            fallAsleep()
            counters.cpu = Duration(rounding: cpu)
        }
        if value == 2 { unmerge() }
        if value == 1, run != 1 { asleepUntil = now }
        run = value
    }

    package mutating func setPace(pagesToScan: Int64, sleepMilliseconds: Int64) {
        self.pagesToScan = pagesToScan
        // The kernel ends the sleep under way when its length changes.
        if sleepMilliseconds != self.sleepMilliseconds { asleepUntil = min(asleepUntil, now) }
        self.sleepMilliseconds = sleepMilliseconds
    }

    /// - Parameter stopsAtPassEnd: Whether it goes no further than to the end of the pass under way: the kernel's
    ///   advisor decides there.
    package mutating func advance(to end: Double, stopsAtPassEnd: Bool = false) {
        let pass = counters.passes
        while now < end, !stopsAtPassEnd || counters.passes == pass {
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
        guard sleepMilliseconds > 0 else {
            asleepUntil = now + pauseWithoutSleep
            return
        }
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
            pages = min(pages, max(Int64((end - now) / (visit.cost * stretch)), 1))
            now += Double(pages) * visit.cost * stretch
            cpu += Double(pages) * visit.cost
            if visit.isCounted { batch = left - pages }
            account(visit, pages: pages)
            cursor.page += pages
            if cursor.page >= guests[cursor.guest].blocks[cursor.block].pages { finish(visit) }
        }
        return false
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
                guests[guest].blocks[block].mergedAs = nil
            }
        }
    }
}
