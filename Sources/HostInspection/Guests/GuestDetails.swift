package import HostKernel
package import KSMPolicy

/// All that can be told of one guest, for programs that look once. `nil` is what could not be read or is not known.
package struct GuestDetails: Equatable, Sendable {
    package var pid: Int32
    /// The process's own name, cut at 15 bytes.
    package var comm: String
    /// What `-name guest=` of QEMU's command line says, else ``comm``.
    package var name: String
    /// The user that the process runs as.
    package var user: UInt32?
    /// What else tells whom it belongs to, as far as that can be read.
    package var owners: [GuestOwner] = []

    // MARK: What it holds

    package var resident: KiB?
    /// Its memory in swap. Of memory that it shares, as with memfd, the kernel does not count that here. `VmSwap`
    package var swapped: KiB?
    /// Its memory in huge pages of a pool, which is no part of ``resident``. `HugetlbPages`
    package var inHugePages: KiB?
    /// Its memory that is kept from swap. `VmLck`
    package var locked: KiB?
    /// Its memory that must not even move. `VmPin`
    package var pinned: KiB?

    // MARK: What KSM does for it

    /// Memory of the process that is backed by a page shared with others. `ksm_merging_pages`
    package var merged: KiB?
    /// Memory of the process that became the kernel's zero page. `ksm_zero_pages` of `ksm_stat`
    package var zero: KiB?
    /// Pages that KSM keeps track of, each with an item of 64 bytes. `ksm_rmap_items`
    package var items: Pages?
    /// What merging saves in this process less what KSM takes for it; can be negative. `ksm_process_profit` of
    /// `ksm_stat`
    package var profit: Bytes?
    /// Whether KSM may merge its memory or a part of it: `nil` where it cannot be told.
    package var isMergeable: Bool?
    /// Why its memory or a part of it cannot be merged.
    package var obstacles: [Obstacle] = []
    /// Whether the kernel shows what KSM does for this guest only to root and to the guest's own user, which this
    /// process is neither of.
    package var isHidden = false

    // MARK: What it was started with

    /// Memory that the command line configures, that in huge pages included.
    package var configured: KiB?
    /// How much of ``configured`` is meant to lie in huge pages.
    package var configuredInHugePages = KiB.zero
    /// The virtual CPUs of the command line, or those that run where that are more.
    package var vcpus: Int?
    /// `nil` where the command line is not QEMU's.
    package var balloon: Balloon?
    /// Whether a device that was passed through holds all of its memory in place.
    package var isPinned = false
    /// Whether its monitor locks all of its memory. `mem-lock=on`
    package var isLocked = false
    /// Who started it; `nil` for a program that is not known here.
    package var manager: Manager?
    /// `nil` where its cgroup cannot be told.
    package var limits: GuestLimits?

    // MARK: What could not be read, though it is not hidden

    /// Files that say what memory and CPUs it needs, and what of that cannot go to swap: it counts with what else is known
    /// of it. A command line of more than ``CommandLineMatcher/longest`` bytes is one: "File too large".
    package var needFailures: [KernelFileError] = []
    /// Files that say what else there is to know of it: whom it belongs to, and what KSM does for it.
    package var otherFailures: [KernelFileError] = []
    package var failures: [KernelFileError] { needFailures + otherFailures }

    package init(pid: Int32, comm: String) {
        self.pid = pid
        self.comm = comm
        name = comm
    }

    package enum Balloon: String, Equatable, Sendable {
        case none
        /// One that the host must deflate itself.
        case manual
        /// One that deflates before the guest runs out of memory (`deflate-on-oom=on`).
        case autodeflate
        /// One that QEMU lets do nothing, since a device that was passed through holds the guest's memory in place.
        case inhibited
    }

    package enum Obstacle: String, Equatable, Sendable {
        /// `-machine mem-merge=off`; libvirt's `nosharepages`.
        case mergingSwitchedOff = "mem-merge=off"
        /// `merge=off` of its memory backend.
        case backendNotMerged = "backend merge=off"
        /// A memory backend with `share=on`.
        case sharedBackend = "shared memory backend"
        case memfd = "memfd backend"
        case hugePages = "huge pages"
        /// Memory that the host cannot read, which QEMU does not offer to KSM.
        case confidential = "confidential guest"
        /// Cloud Hypervisor's `mergeable=off`, its default.
        case notOffered = "mergeable=off"
        /// A page that a device may write to has a further user, and the kernel merges none such
        /// (`write_protect_page` in `mm/ksm.c`).
        case pinned = "pinned by a passed-through device"
        /// The process offers no memory to KSM, as the kernel says.
        case notRegistered = "not registered with KSM"
        /// KSM keeps track of a small part of its memory only, after several passes.
        case hardlyOffered = "only a small part is offered to KSM"
    }
}

/// What a guest's cgroup allows it. `nil` is no limit, or a controller that is not there.
///
/// Of memory and swap it is the least of its own group and of all groups above, since each binds all below it.
package struct GuestLimits: Equatable, Sendable {
    /// Below the mount point, as `/proc/PID/cgroup` says.
    package var path: String
    package var memoryMax: Bytes?
    /// `memory.soft_limit_in_bytes` of version 1, which libvirt takes for it.
    package var memoryHigh: Bytes?
    package var memoryLow: Bytes?
    package var memoryMin: Bytes?
    /// Swap alone; of version 1 the difference of the limits with and without swap.
    package var swapMax: Bytes?
    /// Every limit on swap alone, `memory.swap.max`, of its own group and of those above. Version 1 has none: it limits
    /// memory and swap together, which does not change when the kernel swaps for the host's sake.
    package var swapLimits: [MemoryLimit] = []
    /// Every limit that ends or slows the guest when it is reached, of its own group and of those above.
    package var memoryLimits: [MemoryLimit] = []
    /// How many processes of the guest's group the kernel ended for want of memory. `oom_kill` of `memory.events`, or
    /// of `memory.oom_control`
    package var oomKills: Int64?
    /// The file that ``oomKills`` comes from.
    package var oomKillsFile: String?
    /// `cpu.weight` of version 2; `cpu.shares` of version 1 is converted to it.
    package var cpuWeight: Int64?
    /// In CPUs: `cpu.max`, or `cpu.cfs_quota_us` by its period, of the guest's own groups. Where libvirt limits each
    /// virtual CPU, their sum.
    package var cpuMax: Double?

    package init(path: String) { self.path = path }

    /// `memory.max`, `memory.high` or `memory.swap.max` of a group, in version 1 `memory.limit_in_bytes`.
    package struct MemoryLimit: Hashable, Sendable {
        package var file: String
        package var amount: Bytes

        package init(file: String, amount: Bytes) {
            self.file = file
            self.amount = amount
        }
    }
}

extension [GuestLimits.MemoryLimit] {
    /// The one that binds: each binds all below its group.
    var least: Bytes? { map { $0.amount }.min() }
}
