import HostInspection
import HostKernel
import KSMPolicy

struct GuestsReport: Report {
    static let command = "guests"

    var guests: [Guest]
    var totals: Totals
    /// Guests of which the kernel shows what KSM does only to root and to their own user.
    var hiddenGuests: Int
    /// Whether `/proc` hides other users' processes, so that there may be more guests.
    var isBlind = false
    var criterion = Criterion(Configuration())
    var showsLimits = false

    private enum Key: String, CodingKey { case guests, totals, hiddenGuests, notes }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(guests, forKey: .guests)
        try container.encode(totals, forKey: .totals)
        try container.encode(hiddenGuests, forKey: .hiddenGuests)
        try container.encode(notes, forKey: .notes)
    }

    struct Guest: Encodable {
        var pid: Int32
        var name: String
        var comm: String
        var uid: UInt32?
        var user: String?
        var residentBytes: Int64?
        var mergedBytes: Int64?
        var zeroBytes: Int64?
        var profitBytes: Int64?
        var configuredBytes: Int64?
        var vcpus: Int?
        var balloon: String?
        var mergeable: Bool?
        var obstacles: [String]
        var cgroup: Cgroup?
    }

    struct Cgroup: Encodable {
        var path: String
        var memoryMaxBytes: Int64?
        var memoryHighBytes: Int64?
        var memoryLowBytes: Int64?
        var memoryMinBytes: Int64?
        var swapMaxBytes: Int64?
        var cpuWeight: Int64?
        /// In CPUs.
        var cpuMax: Double?
    }

    /// Sums of what is known.
    struct Totals: Encodable {
        var guests: Int
        var residentBytes: Int64?
        var mergedBytes: Int64?
        var zeroBytes: Int64?
        var profitBytes: Int64?
        var configuredBytes: Int64?
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

    init(_ details: [GuestDetails], users: (UInt32) -> String?, sortedBy column: GuestColumn) {
        guests = column.sorted(details.map { Guest($0, users: users) })
        totals = Totals(guests)
        hiddenGuests = details.count { $0.isHidden }
    }
}

extension GuestsReport.Guest {
    init(_ details: GuestDetails, users: (UInt32) -> String?) {
        pid = details.pid
        name = details.name
        comm = details.comm
        uid = details.user
        user = details.user.flatMap(users)
        residentBytes = details.resident?.bytes
        mergedBytes = details.merged?.bytes
        zeroBytes = details.zero?.bytes
        profitBytes = details.profit
        configuredBytes = details.configured?.bytes
        vcpus = details.vcpus
        balloon = details.balloon?.rawValue
        mergeable = details.isMergeable
        obstacles = details.obstacles.map { $0.rawValue }
        cgroup = details.limits.map { GuestsReport.Cgroup($0) }
    }
}

extension GuestsReport.Cgroup {
    init(_ limits: GuestLimits) {
        path = limits.path
        memoryMaxBytes = limits.memoryMax
        memoryHighBytes = limits.memoryHigh
        memoryLowBytes = limits.memoryLow
        memoryMinBytes = limits.memoryMin
        swapMaxBytes = limits.swapMax
        cpuWeight = limits.cpuWeight
        cpuMax = limits.cpuMax
    }
}

extension GuestsReport.Totals {
    init(_ guests: [GuestsReport.Guest]) {
        self.guests = guests.count
        residentBytes = Self.sum(guests.map { $0.residentBytes })
        mergedBytes = Self.sum(guests.map { $0.mergedBytes })
        zeroBytes = Self.sum(guests.map { $0.zeroBytes })
        profitBytes = Self.sum(guests.map { $0.profitBytes })
        configuredBytes = Self.sum(guests.map { $0.configuredBytes })
        vcpus = Self.sum(guests.map { $0.vcpus.map { Int64($0) } })
    }

    /// Within 64 bits. `nil` where nothing is known.
    private static func sum(_ amounts: [Int64?]) -> Int64? {
        let known = amounts.compactMap { $0 }
        guard !known.isEmpty else { return nil }
        return known.reduce(0) { sum, amount in
            let (sum, isBeyond) = sum.addingReportingOverflow(amount)
            return isBeyond ? (amount < 0 ? .min : .max) : sum
        }
    }
}
