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
    /// Pools of huge pages within the RAM.
    var hugePageBytes: Int64
    var idleHugePageBytes: Int64?
    /// What ZFS's cache may take, as part of the host's own memory.
    var fileCacheBytes: Int64?
    var neededSwapBytes: Int64
    /// What there is to compare with, without that in compressed memory and without what is not counted on.
    var swapBytes: Int64?
    /// Swap that is compressed memory itself and not counted.
    var zramSwapBytes: Int64?
    /// Swap that may take no page when memory is short, and not counted.
    var doubtfulSwapBytes: Int64?
    var missingSwapBytes: Int64?
    var missingRamBytes: Int64?
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
        var hugePageBytes: Int64
        var unswappableBytes: Int64
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
        var hugePageBytes: Int64
        var unswappableBytes: Int64
        var vcpus: Int64?
        var isConfigured: Bool
        /// What it was started with, where it holds clearly more.
        var outgrownBytes: Int64?
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
        case rule, guests, hostOsBytes, hostSwapBytes, ramBytes, hugePageBytes, idleHugePageBytes, fileCacheBytes
        case neededSwapBytes, swapBytes, zramSwapBytes, doubtfulSwapBytes, missingSwapBytes, missingRamBytes, verdict
        case memoryRatio, cpus, vcpuRatio, bonuses, findings
    }

    init(_ command: PlanCommand) throws {
        // Guests and a host that are both supposed have nothing to do with this one.
        let view = command.ram == nil || command.guests.isEmpty ? try HostView(command.host.paths) : nil
        let seen = try command.guests.isEmpty ? view.map { try GuestReader.read($0.paths, $0.configuration) } : nil
        let running = seen?.guests
        let present = command.ram == nil ? view : nil
        let plan = OvercommitPlan(
            command.rule, host: try Self.host(command, present),
            groups: running?.map { GuestGroup($0) } ?? command.guests, unswappable: running?.unswappable ?? .zero,
            unread: seen.map { OvercommitPlan.Unread($0) } ?? OvercommitPlan.Unread())
        self.init(
            plan, Sources(command), areRunning: running != nil, unreadable: seen?.unreadable.count ?? 0,
            bonuses: try Self.bonuses(
                present: present, running: running.flatMap { guests in view.map { ($0, guests) } }))
    }

    /// - Parameters:
    ///   - areRunning: Whether the guests are those that run here.
    ///   - unreadable: Guests that are in no sum.
    init(_ plan: OvercommitPlan, _ sources: Sources, areRunning: Bool, unreadable: Int = 0, bonuses: [Bonus] = []) {
        self.plan = plan
        self.sources = sources
        self.bonuses = bonuses
        rule = plan.rule.word
        guests = Guests(plan, areRunning: areRunning, unreadable: unreadable)
        hostOsBytes = plan.system.bytes
        hostSwapBytes = plan.systemSwap.bytes
        ramBytes = plan.host.ram.bytes
        hugePageBytes = (plan.host.ram - plan.ram).bytes
        idleHugePageBytes = plan.host.hugePages.map { _ in plan.host.idleHugePages.bytes }
        fileCacheBytes = plan.cache > .zero ? plan.cache.bytes : nil
        neededSwapBytes = plan.neededSwap.bytes
        swapBytes = plan.host.swap?.bytes
        zramSwapBytes = plan.host.room.flatMap { $0.inMemory > .zero ? $0.inMemory.bytes : nil }
        doubtfulSwapBytes = plan.host.room.flatMap { room in
            room.doubtful.isEmpty ? nil : room.doubtful.sum { $0.area.size }.bytes
        }
        missingSwapBytes = plan.missingSwap?.bytes
        missingRamBytes = plan.missingRAM > .zero ? plan.missingRAM.bytes : nil
        verdict = plan.verdict.word
        memoryRatio = plan.memoryRatio
        cpus = plan.host.cpus
        vcpuRatio = plan.vcpuRatio
        findings = plan.findings.map { Finding(kind: $0.kind.word, isWarning: $0.kind.isWarning, text: $0.text) }
    }

    /// - Parameter present: This host, where it is the one that is planned.
    private static func host(_ command: PlanCommand, _ present: HostView?) throws -> OvercommitPlan.Host {
        var host: OvercommitPlan.Host
        if let present {
            host = OvercommitPlan.Host(
                ram: try ram(present), swapTotal: present.memory.swapTotal, try HostCapacity(present.paths))
        } else {
            host = OvercommitPlan.Host(ram: command.ram ?? .zero)
        }
        if let swap = command.swap {
            host.swap = swap
            host.room = nil
        }
        host.system = command.hostOS
        host.systemSwap = command.hostSwap
        host.cpus = command.cpus ?? host.cpus
        return host
    }

    private static func ram(_ view: HostView) throws -> KiB {
        guard let total = view.memory.total, total > .zero else {
            throw Refusal(
                "\(view.paths.meminfo) has no MemTotal line with a number above 0; give --ram", .unavailable)
        }
        return total
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

extension PlanReport.Guests {
    fileprivate init(_ plan: OvercommitPlan, areRunning: Bool, unreadable: Int) {
        count = plan.guests
        memoryBytes = plan.guestMemory.bytes
        hugePageBytes = plan.guestHugePages.bytes
        unswappableBytes = plan.unswappable.bytes
        vcpus = plan.vcpus
        self.areRunning = areRunning
        self.unreadable = unreadable
        groups = plan.groups.map { group in
            PlanReport.Group(
                name: group.name, count: group.count, memoryBytes: group.memory.bytes,
                hugePageBytes: group.inHugePages.bytes, unswappableBytes: group.unswappable.bytes, vcpus: group.vcpus,
                isConfigured: !group.isResident, outgrownBytes: group.outgrown?.bytes)
        }
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
            if let failure = running.view.ksm.savedFailure { Output.warn("what KSM saves is not known: \(failure)") }
            if let saved = running.view.savedBytes { bonuses.append(Bonus(kind: "ksm", savedBytes: saved)) }
            let balloons = running.guests.filter { $0.ballooned != nil }
            if !balloons.isEmpty {
                let absent = balloons.sum { guest in
                    // The few pages that no guest ever touches are no balloon.
                    let ballooned = guest.ballooned ?? .zero
                    return ballooned * 256 >= (guest.configured ?? .zero) ? ballooned : .zero
                }
                bonuses.append(Bonus(kind: "balloon", savedBytes: absent.bytes, guests: Int64(balloons.count)))
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
