internal import HostKernel
package import KSMPolicy

/// What follows from what a guest holds and what it was started with: the arithmetic that `guests`, `plan` and
/// `doctor` share.
extension GuestDetails {
    /// What it holds in ordinary pages, in RAM and in swap together; `nil` where that could not be read.
    package var held: KiB? { resident.map { $0 + (swapped ?? .zero) } }

    /// Its memory in huge pages: what is there, and what was meant to be.
    package var neededInHugePages: KiB {
        // What a process holds in huge pages can be seen; where the kernel says none, QEMU fell back to ordinary ones.
        if inHugePages == .zero, (held ?? .zero) > Self.allowance(for: .zero) { return .zero }
        return max(inHugePages ?? .zero, configuredInHugePages)
    }

    /// What of its configured memory is meant for ordinary pages; `nil` where that is not known.
    private var configuredOrdinary: KiB? { configured.map { ($0 - neededInHugePages).nonNegative } }

    /// What it needs of RAM and swap in ordinary pages: what it is configured with, and no less than it holds.
    ///
    /// A guest grows after its start (hot-plugged DIMMs, virtio-mem, Kata, Proxmox VE's hotplug), and then holds more
    /// than its command line says.
    package var needed: KiB {
        let held = held ?? .zero
        // All of a guest in huge pages lies there, and what its monitor itself holds is the host's own as any program's.
        if neededInHugePages > .zero, configuredOrdinary ?? .zero == .zero {
            return held > Self.allowance(for: .zero) ? held : .zero
        }
        return max(configuredOrdinary ?? .zero, held)
    }

    /// Whether it holds clearly more than it was started with, so that memory was added since.
    package var hasGrown: Bool {
        guard let configured, let held else { return false }
        return held + (inHugePages ?? .zero) > configured + Self.allowance(for: configured)
    }

    /// What a monitor may hold beside its guest's memory without that the guest has grown: half a GiB, and more for
    /// large guests, whose video memory, caches of network disks and page tables are larger.
    private static func allowance(for configured: KiB) -> KiB { KiB(512 << 10) + KiB(configured.count / 16) }

    /// How much of ``needed`` cannot go to swap: what is pinned or locked, and what its cgroup gives no swap for.
    package var unswappable: KiB {
        if isKeptFromSwap { return needed }
        return min(max(locked ?? .zero, pinned ?? .zero, barredFromSwap), needed)
    }

    /// Whether nothing of it can go to swap, whatever its cgroup allows.
    package var isKeptFromSwap: Bool { isPinned || isLocked || obstacles.contains(.confidential) }

    /// How much of ``needed`` its cgroups would give no swap for if it were alone in them.
    package var barredFromSwap: KiB {
        limits?.swapLimits.least.map { (needed - KiB($0)).nonNegative } ?? .zero
    }

    /// What a balloon took, or the guest never used: configured, neither resident nor in swap. `nil` where that cannot
    /// be told, and where no balloon can work.
    package var ballooned: KiB? {
        guard balloon == .manual || balloon == .autodeflate, neededInHugePages == .zero, let configured, let held else {
            return nil
        }
        return (configured - held).nonNegative
    }

    /// How many items KSM keeps for each page of the process that it merged; `nil` where none is, or that is not known.
    /// The kernel's advice is to leave out a process with more than 64 (`Documentation/admin-guide/mm/ksm.rst`).
    package var itemsPerMergedPage: Double? {
        KSMStat.itemsPerMergedPage(items: items, merged: merged)
    }

    /// Whether KSM costs more for this guest than it saves, by the kernel's own account.
    package var isLoss: Bool { (profit ?? .zero) < .zero }

    // MARK: Its cgroup

    /// What its monitor is to be allowed beside the guest's memory: 70 MiB, 8 MiB for each virtual CPU, and the page
    /// tables, a part in 512. KubeVirt allows QEMU as much (`GetMemoryOverhead` in its `pkg/virt-controller`).
    package var monitorOverhead: KiB {
        KiB(70 << 10) + KiB(8 << 10) * Int64(vcpus ?? 1) + KiB(needed.count / 512)
    }

    /// What it needs with its monitor.
    package var neededWithMonitor: KiB { needed + monitorOverhead }
}

extension [GuestDetails] {
    /// How much of what they need together cannot go to swap: what of each cannot, and what cgroups that several share
    /// give no swap for.
    package var unswappable: KiB {
        typealias Part = (guests: [Int], needed: KiB, unswappable: KiB)
        var parts: [Part] = indices.map { ([$0], self[$0].needed, self[$0].unswappable) }
        var groups: [GuestLimits.MemoryLimit: Set<Int>] = [:]
        for index in indices {
            for limit in self[index].limits?.swapLimits ?? [] { groups[limit, default: []].insert(index) }
        }
        // From the innermost group out, each is a part of the ones above it.
        for (limit, members) in groups.sorted(by: { $0.key.file.utf8.count > $1.key.file.utf8.count }) {
            var all: Part = ([], .zero, .zero)
            parts.removeAll { part in
                guard members.contains(part.guests[0]) else { return false }
                all = (all.guests + part.guests, all.needed + part.needed, all.unswappable + part.unswappable)
                return true
            }
            all.unswappable = Swift.max(all.unswappable, (all.needed - KiB(limit.amount)).nonNegative)
            parts.append(all)
        }
        return parts.sum { $0.unswappable }
    }
}

/// A limit of a cgroup that is below what the guests in it may need together: the kernel then swaps, slows or ends them
/// though the host has memory.
package struct LimitShortage: Equatable, Sendable {
    /// The limit's file: `memory.max`, `memory.high`, or `memory.limit_in_bytes`.
    package var file: String
    package var limit: KiB
    /// What the guests need with their monitors.
    package var needed: KiB
    package var guests: [GuestDetails]

    /// Those of all guests: a guest's own groups, and those that several share.
    package static func find(_ guests: [GuestDetails]) -> [LimitShortage] {
        var groups: [GuestLimits.MemoryLimit: [GuestDetails]] = [:]
        for guest in guests {
            for limit in guest.limits?.memoryLimits ?? [] { groups[limit, default: []].append(guest) }
        }
        return groups.compactMap { limit, guests in
            let needed = guests.sum { $0.neededWithMonitor }
            guard KiB(limit.amount) < needed else { return nil }
            return LimitShortage(file: limit.file, limit: KiB(limit.amount), needed: needed, guests: guests)
        }.sorted { $0.file < $1.file }
    }
}
