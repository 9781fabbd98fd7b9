import HostInspection
import HostKernel
import KSMPolicy

struct GuestsReport: Report {
    static let command = "guests"

    var guests: [Guest]
    var totals: Totals
    /// Guests of which the kernel shows what KSM does only to root and to their own user.
    var hiddenGuests: Int
    /// Processes that are guests, or may be, and could not be read: they are in no row and no total.
    var unreadableGuests: Int
    /// Processes that do not count as guests and offer memory to KSM, by the program's name.
    let others: [Program]
    /// What of ``others`` would make the daemon count them; `nil` without any.
    let othersPattern: String?
    /// What could not be seen of the guests, as sentences.
    let unseen: [String]
    /// Files that say more of a guest and could not be read.
    let failures: [KernelFileError]
    /// That as a sentence.
    let unknown: String?
    /// Why it is not known of other processes whether they use KSM.
    let othersFailures: [KernelFileError]
    /// Limits of cgroups that are too small.
    let shortages: [LimitShortage]
    let criterion: Criterion
    /// What they are sorted by.
    let column: GuestColumn
    var showsLimits = false

    private enum Key: String, CodingKey {
        case guests, totals, hiddenGuests, unreadableGuests, others, othersPattern, notes
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(guests, forKey: .guests)
        try container.encode(totals, forKey: .totals)
        try container.encode(hiddenGuests, forKey: .hiddenGuests)
        try container.encode(unreadableGuests, forKey: .unreadableGuests)
        try container.encode(others, forKey: .others)
        try container.encodeIfPresent(othersPattern, forKey: .othersPattern)
        try container.encode(notes, forKey: .notes)
    }

    struct Guest: Encodable {
        var pid: Int32
        var name: String
        var comm: String
        var uid: UInt32?
        var user: String?
        var manager: String?
        var residentBytes: Int64?
        var swappedBytes: Int64?
        var hugePageBytes: Int64?
        var lockedBytes: Int64?
        var pinnedBytes: Int64?
        var mergedBytes: Int64?
        var zeroBytes: Int64?
        var profitBytes: Int64?
        var items: Int64?
        var itemsPerMergedPage: Double?
        var configuredBytes: Int64?
        /// What a plan counts: of RAM and swap in ordinary pages, and how much of that cannot go to swap.
        var neededBytes: Int64
        var unswappableBytes: Int64
        /// Whether it holds clearly more than it was started with.
        var hasGrown: Bool
        var balloonedBytes: Int64?
        var vcpus: Int?
        var balloon: String?
        var mergeable: Bool?
        var obstacles: [String]
        var cgroup: Cgroup?
    }

    /// Processes of one name that offer memory to KSM.
    struct Program: Encodable {
        var comm: String
        var processes: Int
        /// How many of them hold a virtual machine of KVM.
        var machines: Int
        var residentBytes: Int64
        var mergedBytes: Int64
        var profitBytes: Int64
        var items: Int64
    }

    struct Cgroup: Encodable {
        var path: String
        var memoryMaxBytes: Int64?
        var memoryHighBytes: Int64?
        var memoryLowBytes: Int64?
        var memoryMinBytes: Int64?
        var swapMaxBytes: Int64?
        /// How many processes the kernel ended for want of memory.
        var oomKills: Int64?
        /// What the guest needs with its monitor, where that is above the limit.
        var neededBytes: Int64?
        var cpuWeight: Int64?
        /// In CPUs.
        var cpuMax: Double?
    }

    /// Sums of what is known.
    struct Totals: Encodable {
        var guests: Int
        var residentBytes: Int64?
        var swappedBytes: Int64?
        var mergedBytes: Int64?
        var zeroBytes: Int64?
        var profitBytes: Int64?
        var configuredBytes: Int64?
        var neededBytes: Int64?
        var vcpus: Int64?
    }

    /// What makes a process a guest.
    struct Criterion {
        var profile: String
        var pattern: String?

        init(_ configuration: Configuration) {
            profile = configuration.profile.word
            pattern = configuration.guestPattern
        }
    }

    /// - Parameter configuration: Says whom the daemon counts.
    init(
        _ list: GuestList, _ configuration: Configuration = Configuration(), users: (UInt32) -> String?,
        sortedBy column: GuestColumn
    ) {
        criterion = Criterion(configuration)
        self.column = column
        others = KSMProgram.programs(list.others).map { Program($0) }
        othersPattern =
            others.isEmpty ? nil : GuestPattern.counting(others.map { $0.comm } + list.unnamed, beside: configuration)
        guests = column.sorted(list.guests.map { Guest($0, users: users) })
        totals = Totals(guests)
        hiddenGuests = list.guests.count { $0.isHidden }
        unreadableGuests = list.unreadable.count
        unseen = list.unseen
        failures = list.unknownFiles
        unknown = list.unknown
        othersFailures = list.othersFailures
        shortages = LimitShortage.find(list.guests)
    }
}

extension GuestsReport.Guest {
    init(_ details: GuestDetails, users: (UInt32) -> String?) {
        pid = details.pid
        name = details.name
        comm = details.comm
        uid = details.user
        user = details.user.flatMap(users)
        manager = details.manager?.word
        residentBytes = details.resident?.bytes
        swappedBytes = details.swapped?.bytes
        hugePageBytes = details.neededInHugePages > .zero ? details.neededInHugePages.bytes : nil
        lockedBytes = details.locked?.bytes
        pinnedBytes = details.pinned?.bytes
        mergedBytes = details.merged?.bytes
        zeroBytes = details.zero?.bytes
        profitBytes = details.profit?.count
        items = details.items?.count
        itemsPerMergedPage = details.itemsPerMergedPage
        configuredBytes = details.configured?.bytes
        neededBytes = details.needed.bytes
        unswappableBytes = details.unswappable.bytes
        hasGrown = details.hasGrown
        balloonedBytes = details.ballooned?.bytes
        vcpus = details.vcpus
        balloon = details.balloon?.rawValue
        mergeable = details.isMergeable
        obstacles = details.obstacles.map { $0.rawValue }
        let isShort = !LimitShortage.find([details]).isEmpty
        cgroup = details.limits.map { GuestsReport.Cgroup($0, needed: isShort ? details.neededWithMonitor : nil) }
    }
}

extension GuestsReport.Program {
    init(_ program: KSMProgram) {
        comm = program.comm
        processes = program.processes
        machines = program.machines
        residentBytes = program.resident.bytes
        mergedBytes = program.merged.bytes
        profitBytes = program.profit.count
        items = program.items.count
    }
}

extension GuestsReport.Cgroup {
    init(_ limits: GuestLimits, needed: KiB?) {
        path = limits.path
        memoryMaxBytes = limits.memoryMax?.count
        memoryHighBytes = limits.memoryHigh?.count
        memoryLowBytes = limits.memoryLow?.count
        memoryMinBytes = limits.memoryMin?.count
        swapMaxBytes = limits.swapMax?.count
        oomKills = limits.oomKills
        neededBytes = needed?.bytes
        cpuWeight = limits.cpuWeight
        cpuMax = limits.cpuMax
    }
}

extension GuestsReport.Totals {
    init(_ guests: [GuestsReport.Guest]) {
        self.guests = guests.count
        residentBytes = Self.sum(guests.map { $0.residentBytes })
        swappedBytes = Self.sum(guests.map { $0.swappedBytes })
        mergedBytes = Self.sum(guests.map { $0.mergedBytes })
        zeroBytes = Self.sum(guests.map { $0.zeroBytes })
        profitBytes = Self.sum(guests.map { $0.profitBytes })
        configuredBytes = Self.sum(guests.map { $0.configuredBytes })
        neededBytes = Self.sum(guests.map { $0.neededBytes })
        vcpus = Self.sum(guests.map { $0.vcpus.map { Int64($0) } })
    }

    /// Within 64 bits. `nil` where nothing is known.
    private static func sum(_ amounts: [Int64?]) -> Int64? {
        let known = amounts.compactMap { $0 }
        return known.isEmpty ? nil : known.reduce(0) { $0.addingSaturated($1) }
    }
}
