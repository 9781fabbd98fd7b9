import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy

struct PlanReport: Report {
    static let command = "plan"

    var rule: String
    var guests: Guests
    var hostOsBytes: Int64
    var hostSwapBytes: Int64
    var ramBytes: Int64
    var neededSwapBytes: Int64
    /// What there is to compare with, without that in compressed memory.
    var swapBytes: Int64?
    /// Swap that is compressed memory itself and not counted.
    var zramSwapBytes: Int64?
    var missingSwapBytes: Int64?
    var verdict: String
    var memoryRatio: Double
    var cpus: Int64?
    var vcpuRatio: Double?
    /// What is saved now, and not counted on. Only of what this host has now.
    var bonuses: [Bonus]
    var findings: [Finding]

    /// Where a value comes from, for the form for people.
    let sources: Sources
    let plan: OvercommitPlan

    struct Guests: Encodable {
        var count: Int64
        var memoryBytes: Int64
        var vcpus: Int64
        /// Whether they run on this host.
        var areRunning: Bool
        /// Processes that are guests, or may be, and could not be read.
        var unreadable: Int
        var groups: [Group]
    }

    struct Group: Encodable {
        var name: String?
        var count: Int64
        var memoryBytes: Int64
        var vcpus: Int64?
        var isConfigured: Bool
    }

    struct Bonus: Encodable {
        /// `ksm`, `balloon`, `zram` or `zswap`.
        var kind: String
        var savedBytes: Int64
        /// Of compressed memory: what it was, what it takes, and how many times smaller that is.
        var originalBytes: Int64?
        var takenBytes: Int64?
        var ratio: Double?
        /// Of balloons: how many guests have one.
        var guests: Int64?
    }

    struct Finding: Encodable {
        var kind: String
        var isWarning: Bool
        var text: String
    }

    struct Sources {
        var ram = "--ram"
        var swap = "--swap"
        var hostOS = "--host-os"
        var hostSwap = "--host-swap"
    }

    enum CodingKeys: CodingKey {
        case rule, guests, hostOsBytes, hostSwapBytes, ramBytes, neededSwapBytes, swapBytes, zramSwapBytes
        case missingSwapBytes, verdict, memoryRatio, cpus, vcpuRatio, bonuses, findings
    }

    init(_ command: PlanCommand) throws {
        // Guests and a host that are both supposed have nothing to do with this one.
        let view = command.ram == nil || command.guests.isEmpty ? try HostView(command.host.paths) : nil
        let seen = try command.guests.isEmpty ? view.map { try GuestReader.read($0.paths, $0.configuration) } : nil
        let running = seen?.guests
        let present = command.ram == nil ? view : nil

        let room = command.swap == nil ? try present.flatMap { try SwapDevice.all($0.paths) }.map { SwapRoom($0) } : nil
        let zramSwap = room?.inMemory
        // Without /proc/swaps what it lies on is not known.
        let swap = command.swap ?? room?.usable ?? present?.memory.swapTotal
        plan = OvercommitPlan(
            command.rule,
            host: OvercommitPlan.Host(
                ram: try command.ram ?? Self.ram(present), swap: swap, system: command.hostOS,
                systemSwap: command.hostSwap, cpus: try command.cpus ?? present.map { try Self.cpus($0.paths) } ?? nil),
            groups: running?.map { GuestGroup($0) } ?? command.guests,
            unseen: seen.flatMap { $0.unseen.isEmpty ? nil : $0.unseen.joined(separator: "; ") })
        sources = Sources(command)

        rule = plan.rule.word
        guests = Guests(
            count: plan.guests, memoryBytes: plan.guestMemory.bytes, vcpus: plan.vcpus, areRunning: running != nil,
            unreadable: seen?.unreadable.count ?? 0, groups: plan.groups.map { Group($0) })
        hostOsBytes = plan.system.bytes
        hostSwapBytes = plan.systemSwap.bytes
        ramBytes = plan.host.ram.bytes
        neededSwapBytes = plan.neededSwap.bytes
        swapBytes = swap?.bytes
        zramSwapBytes = zramSwap.flatMap { $0 > .zero ? $0.bytes : nil }
        missingSwapBytes = plan.missingSwap?.bytes
        verdict = plan.verdict.word
        memoryRatio = plan.memoryRatio
        cpus = plan.host.cpus
        vcpuRatio = plan.vcpuRatio
        bonuses = try Self.bonuses(present: present, running: running.flatMap { guests in view.map { ($0, guests) } })
        findings = plan.findings.map { Finding(kind: $0.kind.word, isWarning: $0.kind.isWarning, text: $0.text) }
    }

    private static func ram(_ view: HostView?) throws -> KiB {
        guard let view, let total = view.memory.total, total > .zero else {
            throw Refusal(
                "\(view?.paths.meminfo ?? "/proc/meminfo") has no MemTotal line with a number above 0; give --ram",
                .unavailable)
        }
        return total
    }

    private static func cpus(_ paths: HostPaths) throws -> Int64? {
        // Of a tree that stands for a host, this machine knows nothing.
        try CPUList.online(paths) ?? (paths.isStandIn ? nil : Int64(Host.cpus))
    }

    /// For scripts; `nil` is success.
    var exitStatus: Int32? {
        switch plan.verdict {
        case .enough, .notCompared: nil
        case .tooSmall, .incomplete: 1
        case .forcedShutdowns: 2
        }
    }
}

extension PlanReport.Sources {
    fileprivate init(_ command: PlanCommand) {
        if command.ram == nil { ram = "MemTotal" }
        if command.swap == nil { swap = command.ram == nil ? "SwapTotal" : "" }
        if command.hostOS == nil { hostOS = "default, at most a quarter of the RAM" }
        if command.hostSwap == nil {
            hostSwap = command.rule == .rhel6 ? "recommended for this RAM" : "default"
        }
    }
}

extension PlanReport.Group {
    fileprivate init(_ group: GuestGroup) {
        name = group.name
        count = group.count
        memoryBytes = group.memory.bytes
        vcpus = group.vcpus
        isConfigured = !group.isResident
    }
}

// MARK: Bonuses

extension PlanReport {
    /// - Parameters:
    ///   - present: The host that is planned, if it is this one.
    ///   - running: The guests that are planned, if they are those that run here.
    private static func bonuses(
        present: HostView?, running: (view: HostView, guests: [GuestDetails])?
    ) throws -> [Bonus] {
        var bonuses: [Bonus] = []
        if let running {
            if let saved = running.view.savedBytes { bonuses.append(Bonus(kind: "ksm", savedBytes: saved)) }
            // Huge pages are no part of what a process is told to hold.
            let ballooned = running.guests.filter { guest in
                (guest.balloon == .manual || guest.balloon == .autodeflate) && !guest.obstacles.contains(.hugePages)
            }
            if !ballooned.isEmpty {
                let absent = ballooned.reduce(KiB.zero) { sum, guest in
                    guard let configured = guest.configured, let resident = guest.resident else { return sum }
                    return sum + max(configured - resident, .zero)
                }
                bonuses.append(Bonus(kind: "balloon", savedBytes: absent.bytes, guests: Int64(ballooned.count)))
            }
        }
        if let present {
            if let zram = try CompressedMemory.zram(present.paths) { bonuses.append(Bonus("zram", zram)) }
            if let zswap = CompressedMemory.zswap(present.memory) { bonuses.append(Bonus("zswap", zswap)) }
        }
        return bonuses
    }
}

extension PlanReport.Bonus {
    fileprivate init(_ kind: String, _ memory: CompressedMemory) {
        self.init(
            kind: kind, savedBytes: memory.saved.count, originalBytes: memory.original.count,
            takenBytes: memory.taken.count, ratio: memory.ratio)
    }
}
