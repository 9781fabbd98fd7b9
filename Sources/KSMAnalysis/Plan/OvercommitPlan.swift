package import KSMPolicy

/// How much swap a host needs so that all of its guests may use all of their memory at once.
///
/// The rules are those of Red Hat's guides for overcommitting with KVM. Neither counts on what merging, balloons or
/// compression save: a shared page can become private at any time, a balloon can be deflated, and what compresses well
/// today may not tomorrow.
///
/// Beyond the guides, memory that cannot go where a rule wants it is taken out of the sums. Pools of huge pages are no
/// RAM for anything else, and guests in them need neither other RAM nor swap. What is pinned or locked must fit into the
/// RAM itself, whatever the swap. ZFS's cache is the host's own memory, up to its maximum.
package struct OvercommitPlan: Equatable, Sendable {
    package enum Rule: Sendable, CaseIterable {
        /// Guests + host OS + host swap - RAM. RHEL 7 Virtualization Deployment and Administration Guide, 7.2
        case rhel7
        /// The swap that a host of this size is recommended to have, and the guests' memory beyond the RAM that the host
        /// leaves to them. RHEL 6 Virtualization Administration Guide, 6.2
        case rhel6

        package var word: String {
            switch self {
            case .rhel7: "rhel7"
            case .rhel6: "rhel6"
            }
        }

        package init?(word: String) {
            switch word {
            case "rhel7": self = .rhel7
            case "rhel6": self = .rhel6
            default: return nil
            }
        }
    }

    /// A host that is or might be.
    package struct Host: Equatable, Sendable {
        package var ram: KiB
        /// The pools of huge pages within the RAM; `nil` where they are not known and so hold just what the guests have.
        package var hugePages: KiB?
        /// How much of ``hugePages`` nobody uses.
        package var idleHugePages = KiB.zero
        /// The swap that can be counted on, `nil` where that is not known or the host is yet to be made.
        package var swap: KiB?
        /// Where that comes from; `nil` where it is not known.
        package var room: SwapRoom?
        /// What the host keeps for itself; `nil` for the default, 4 GiB or a quarter of a smaller RAM than 16 GiB.
        package var system: KiB?
        /// ZFS's cache, which is the host's own too.
        package var cache: Cache?
        /// Swap for the host's own processes; `nil` for the rule's default.
        package var systemSwap: KiB?
        /// How gladly it swaps (`vm.swappiness`); `nil` where it is not known.
        package var swappiness: Int64?
        /// `nil` where it is not known.
        package var cpus: Int64?

        package init(
            ram: KiB, swap: KiB? = nil, system: KiB? = nil, systemSwap: KiB? = nil, cpus: Int64? = nil
        ) {
            self.ram = ram
            self.swap = swap
            self.system = system
            self.systemSwap = systemSwap
            self.cpus = cpus
        }
    }

    /// A cache of files within bounds of its own.
    package struct Cache: Equatable, Sendable {
        package var least: KiB
        package var most: KiB

        package init(least: KiB, most: KiB) {
            self.least = least
            self.most = most
        }
    }

    /// What could not be read of the guests that run, each as a sentence without its full stop; `nil` for nothing.
    package struct Unread: Equatable, Sendable {
        /// Guests that are in no sum.
        package var guests: String?
        /// Files that say what guests need: these count with what else is known of them.
        package var needs: String?
        /// Files that no sum depends on, such as KSM's own.
        package var others: String?

        package init(guests: String? = nil, needs: String? = nil, others: String? = nil) {
            self.guests = guests
            self.needs = needs
            self.others = others
        }

        /// Whether every sum is a least one.
        var isMissing: Bool { guests != nil || needs != nil }
    }

    package enum Verdict: Sendable {
        case enough
        /// Enough for what could be read of the guests, or not known how much there is; there is more.
        case incomplete
        case tooSmall
        /// RAM and swap together are less than the guests' memory, or the RAM alone than what cannot go to swap.
        case forcedShutdowns
        /// How much swap there is is not known.
        case notCompared

        package var word: String {
            switch self {
            case .enough: "enough"
            case .incomplete: "incomplete"
            case .tooSmall: "too-small"
            case .forcedShutdowns: "forced-shutdowns"
            case .notCompared: "not-compared"
            }
        }
    }

    package var rule: Rule
    package var host: Host
    package var groups: [GuestGroup]
    package var unread: Unread
    /// How many there are.
    package var guests: Int64 = 0
    /// Of all guests in ordinary pages.
    package var guestMemory = KiB.zero
    /// Of all guests in huge pages.
    package var guestHugePages = KiB.zero
    /// How much of ``guestMemory`` cannot go to swap.
    package var unswappable = KiB.zero
    /// The RAM without the pools of huge pages.
    package var ram: KiB
    package var system: KiB
    /// What ZFS's cache may take of the RAM; 0 where the host's own memory was given, which has it in it.
    package var cache: KiB
    package var systemSwap: KiB
    package var neededSwap: KiB
    package var vcpus: Int64 = 0

    /// - Parameter unswappable: What of all guests together cannot go to swap, where that may be more than what of each
    ///   cannot.
    package init(
        _ rule: Rule, host: Host, groups: [GuestGroup], unswappable together: KiB = .zero, unread: Unread = Unread()
    ) {
        self.rule = rule
        self.unread = unread
        self.host = host
        self.groups = groups
        for group in groups {
            guests = guests.addingSaturated(group.count)
            guestMemory += group.total
            guestHugePages += group.inHugePages * group.count
            unswappable += group.unswappable * group.count
            vcpus = vcpus.addingSaturated(group.totalVCPUs)
        }
        unswappable = max(unswappable, together)
        ram = (host.ram - (host.hugePages ?? guestHugePages)).nonNegative
        system = host.system ?? Self.defaultSystem(ram: host.ram)
        cache = host.system == nil ? host.cache?.most ?? .zero : .zero
        switch rule {
        case .rhel7:
            systemSwap = host.systemSwap ?? Self.defaultSystemSwap
            neededSwap = (guestMemory + system + cache + systemSwap - ram).nonNegative
        case .rhel6:
            systemSwap = host.systemSwap ?? Self.recommendedSwap(ram: host.ram)
            neededSwap = (guestMemory - (ram - system - cache).nonNegative).nonNegative + systemSwap
        }
    }

    package static let defaultSystemSwap = KiB(4 << 20)

    /// "At most 4 GiB", says the guide; a small host could not give that much.
    package static func defaultSystem(ram: KiB) -> KiB {
        min(KiB(4 << 20), KiB(ram.count / 4))
    }

    /// The table of the RHEL 6 guide; a size between two rows belongs to the upper.
    package static func recommendedSwap(ram: KiB) -> KiB {
        let gibibyte: Int64 = 1 << 20
        return switch ram.count {
        case ...(4 * gibibyte): KiB(2 * gibibyte)
        case ...(16 * gibibyte): KiB(4 * gibibyte)
        case ...(64 * gibibyte): KiB(8 * gibibyte)
        case ...(256 * gibibyte): KiB(16 * gibibyte)
        default: KiB(32 * gibibyte)
        }
    }

    /// The least amount of tenths that is no less: of "17.9 GiB", which is rounded down, somebody would add too little.
    private static func roundedUp(_ amount: KiB) -> KiB {
        guard amount.count >= 1 << 10 else { return amount }
        let unit: Int64 = amount.count < 1 << 20 ? 1 << 10 : 1 << 20
        let tenths = (amount.count % unit * 10 + unit - 1) / unit
        return KiB(amount.count / unit * unit) + KiB((tenths * unit + 9) / 10)
    }

    // MARK: What follows

    package var verdict: Verdict {
        // No swap helps what cannot go there.
        if unswappable > usableRAM { return .forcedShutdowns }
        guard let swap = host.swap else { return unread.isMissing ? .incomplete : .notCompared }
        if usableRAM + swap < guestMemory { return .forcedShutdowns }
        if swap < neededSwap || missingRAM > .zero { return .tooSmall }
        return unread.isMissing ? .incomplete : .enough
    }

    /// What the guests may have of the RAM at most: ZFS's cache gives back no more than to its minimum.
    package var usableRAM: KiB { (ram - (host.cache.map { min($0.least, ram) } ?? .zero)).nonNegative }

    /// What the host needs of the RAM at least: its own programs, and what ZFS's cache does not give back. Where that was
    /// given it has the cache in it.
    var ownRAM: KiB { host.system.map { max($0, ram - usableRAM) } ?? system + ram - usableRAM }

    /// How much more RAM there should be for what cannot go to swap, beside ``ownRAM``.
    package var missingRAM: KiB { unswappable > .zero ? (unswappable + ownRAM - ram).nonNegative : .zero }

    /// How much more swap there should be; `nil` where what there is is not known.
    package var missingSwap: KiB? { host.swap.map { max(neededSwap - $0, .zero) } }

    /// ``neededSwap`` and ``missingSwap`` as a text that is no less than they are.
    package var neededText: String { "\(Self.roundedUp(neededSwap))" }
    package var missingText: String { "\(Self.roundedUp(missingSwap ?? .zero))" }

    /// The guests' memory for each unit of RAM, both without huge pages.
    package var memoryRatio: Double { guestMemory.share(of: ram) }

    /// Virtual CPUs for each CPU; `nil` where the host's are not known.
    package var vcpuRatio: Double? { host.cpus.flatMap { $0 > 0 ? Double(vcpus) / Double($0) : nil } }
}
