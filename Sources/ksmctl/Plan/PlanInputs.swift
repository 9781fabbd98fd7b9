import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy

// What a plan is made from, as every command that compares this host with its guests takes it.

/// What a host has for its guests, beside its RAM. `nil` is what it does not have, or its kernel does not say.
struct HostCapacity: Equatable {
    var swaps: [SwapDevice]?
    var hugePages: HugePagePool?
    var cache: ZFSCache?
    var swappiness: Int64?
    /// CPUs that are switched on.
    var cpus: Int64?

    init() {}

    /// - Throws: ``KernelFileError`` for the first file that is there and cannot be read: a plan without it would be
    ///   another host's.
    init(_ paths: HostPaths) throws(KernelFileError) {
        swaps = try SwapDevice.all(paths)
        hugePages = try HugePagePool.read(paths)
        cache = try ZFSCache.read(paths)
        swappiness = try Swappiness.read(paths)
        // Of a tree that stands for a host, this machine knows nothing.
        cpus = try CPUList.online(paths) ?? (paths.isStandIn ? nil : Int64(Host.cpus))
    }
}

extension OvercommitPlan.Host {
    /// A host that is.
    init(ram: KiB, swapTotal: KiB?, _ capacity: HostCapacity) {
        self.init(ram: ram, cpus: capacity.cpus)
        room = capacity.swaps.map { SwapRoom($0) }
        // Without /proc/swaps what the swap lies on is not known.
        swap = room?.usable ?? swapTotal
        hugePages = capacity.hugePages?.size
        idleHugePages = capacity.hugePages?.idle ?? .zero
        cache = capacity.cache.map { OvercommitPlan.Cache(least: $0.least, most: $0.most) }
        swappiness = capacity.swappiness
    }
}

extension OvercommitPlan.Unread {
    /// Of one look at the guests.
    init(_ list: GuestList) {
        self.init(unseen: list.unseen, needs: list.unknownNeeds)
        others = list.otherUnknown
    }

    init(unseen: [String], needs: String?) {
        self.init(guests: unseen.isEmpty ? nil : unseen.joined(separator: "; "), needs: needs)
    }
}

extension SwapRoom {
    /// That of a host.
    init(_ devices: [SwapDevice]) {
        self.init(
            devices.map { device in
                let backing: Backing =
                    device.backing == .zram ? .memory : device.backing.hindrance.map { .doubtful($0) } ?? .disk
                return Area(name: device.path, size: device.size, backing: backing)
            })
    }
}

extension GuestGroup {
    /// A guest that runs.
    init(_ guest: GuestDetails) {
        self.init(memory: guest.needed, vcpus: guest.vcpus.map { Int64($0) }, name: guest.name)
        isResident = guest.configured == nil
        outgrown = guest.hasGrown ? guest.configured : nil
        inHugePages = guest.neededInHugePages
        unswappable = guest.unswappable
    }
}
