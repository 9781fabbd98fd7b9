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
    /// What could not be seen of the guests, as sentences.
    private let unseen: [String]
    /// Files that say more of a guest and could not be read.
    private let failures: [KernelFileError]
    var criterion = Criterion(Configuration())
    var showsLimits = false

    private enum Key: String, CodingKey { case guests, totals, hiddenGuests, unreadableGuests, notes }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(guests, forKey: .guests)
        try container.encode(totals, forKey: .totals)
        try container.encode(hiddenGuests, forKey: .hiddenGuests)
        try container.encode(unreadableGuests, forKey: .unreadableGuests)
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

    init(_ list: GuestList, users: (UInt32) -> String?, sortedBy column: GuestColumn) {
        guests = column.sorted(list.guests.map { Guest($0, users: users) })
        totals = Totals(guests)
        hiddenGuests = list.guests.count { $0.isHidden }
        unreadableGuests = list.unreadable.count
        unseen = list.unseen
        failures = list.guests.flatMap { $0.failures }
    }
}

extension GuestsReport {
    // MARK: Notes

    /// What could not be seen, and why.
    var notes: [String] {
        var notes = unseen
        if unreadableGuests > 0 { notes[0] += ": in no row and no total" }
        if let first = failures.first {
            let others = failures.count == 1 ? "" : ", and \(failures.count - 1) other files"
            notes.append("not known, since it could not be read: what \(first.path) says\(others) (\(first))")
        }
        if hiddenGuests > 0 {
            let whose = hiddenGuests == 1 ? "1 guest" : "\(hiddenGuests) guests"
            notes.append("hidden, and in no total: merged, zero and profit of \(whose); run it as root to see them")
        }
        // Of a guest that is not hidden, what is missing is what the kernel does not have.
        if guests.count > hiddenGuests, failures.isEmpty {
            let missing = [
                totals.mergedBytes == nil ? "merged" : nil, totals.zeroBytes == nil ? "zero pages" : nil,
                totals.profitBytes == nil ? "profit" : nil,
            ].compactMap { $0 }
            if !missing.isEmpty {
                notes.append("this kernel does not say of a process: \(missing.joined(separator: ", "))")
            }
        }
        return notes
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
        profitBytes = details.profit?.count
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
        memoryMaxBytes = limits.memoryMax?.count
        memoryHighBytes = limits.memoryHigh?.count
        memoryLowBytes = limits.memoryLow?.count
        memoryMinBytes = limits.memoryMin?.count
        swapMaxBytes = limits.swapMax?.count
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
        return known.isEmpty ? nil : known.reduce(0) { $0.addingSaturated($1) }
    }
}
