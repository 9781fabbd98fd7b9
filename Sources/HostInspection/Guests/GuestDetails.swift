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
    package var resident: KiB?
    /// Memory of the process that is backed by a page shared with others. `ksm_merging_pages`
    package var merged: KiB?
    /// Memory of the process that became the kernel's zero page. `ksm_zero_pages` of `ksm_stat`
    package var zero: KiB?
    /// What merging saves in this process less what KSM takes for it; can be negative. `ksm_process_profit` of
    /// `ksm_stat`
    package var profit: Bytes?
    /// Memory that the command line configures.
    package var configured: KiB?
    package var vcpus: Int?
    /// `nil` where the command line is not QEMU's.
    package var balloon: Balloon?
    /// Whether KSM may merge its memory or a part of it: `nil` where it cannot be told.
    package var isMergeable: Bool?
    /// Why its memory or a part of it cannot be merged.
    package var obstacles: [Obstacle] = []
    /// `nil` where its cgroup cannot be told.
    package var limits: GuestLimits?
    /// Whether the kernel shows what KSM does for this guest only to root and to the guest's own user, which this
    /// process is neither of.
    package var isHidden = false
    /// Files that say more of it and could not be read, though they are not hidden. A command line of more than
    /// ``GuestReader/longestCommandLine`` bytes is one: "File too large".
    package var failures: [KernelFileError] = []

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
        /// The process offers no memory to KSM, as the kernel says.
        case notRegistered = "not registered with KSM"
    }
}

/// What a guest's cgroup allows it. `nil` is no limit, or a controller that is not there.
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
    /// `cpu.weight` of version 2; `cpu.shares` of version 1 is converted to it.
    package var cpuWeight: Int64?
    /// In CPUs: `cpu.max`, or `cpu.cfs_quota_us` by its period. Where libvirt limits each virtual CPU, their sum.
    package var cpuMax: Double?

    package init(path: String) { self.path = path }
}
