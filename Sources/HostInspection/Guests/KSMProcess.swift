internal import HostKernel
package import KSMPolicy

/// A process that does not count as a guest and offers memory to KSM: a container, a service with `MemoryKSM=`, a program that calls
/// prctl(2) with `PR_SET_MEMORY_MERGE` or madvise(2) with `MADV_MERGEABLE`, or one with a library that does.
package struct KSMProcess: Equatable, Sendable {
    package var pid: Int32
    /// Cut at 15 bytes.
    package var comm: String
    package var resident: KiB?
    package var merged: KiB?
    /// Pages that KSM keeps track of.
    package var items: Pages?
    /// Can be negative.
    package var profit: Bytes?
    /// Whether all of its memory is offered. `ksm_merge_any`
    package var offersAll: Bool
    /// The unit of systemd that it belongs to.
    package var unit: String?
    /// Whether it holds a virtual machine of KVM, and so is a guest whose name nobody told the daemon.
    package var hasMachine = false

    package init(
        pid: Int32, comm: String, resident: KiB? = nil, merged: KiB? = nil, items: Pages? = nil, profit: Bytes? = nil,
        offersAll: Bool = false
    ) {
        self.pid = pid
        self.comm = comm
        self.resident = resident
        self.merged = merged
        self.items = items
        self.profit = profit
        self.offersAll = offersAll
    }
}

extension KSMProcess {
    /// - Returns: `nil` for one that offers nothing, or has ended.
    init?(_ pid: Int32, comm: [UInt8], _ files: ProcessFiles) throws(KernelFileError) {
        guard let stat = try Self.stat(pid, files), stat.isOffered else { return nil }
        self.init(
            pid: pid, comm: String(decoding: comm, as: UTF8.self), resident: try GuestReader.resident(pid, files),
            merged: stat.mergingPages?.kibibytes(of: Host.pageSize), items: stat.items.map { Pages($0) },
            profit: stat.profit, offersAll: stat.offersAll ?? false)
        unit = try Self.unit(pid, files)
        do throws(KernelFileError) {
            hasMachine = try KVMMachines.isHeld(in: files.path(pid, "fd"))
        } catch {
            if !error.isDenied { throw error }
        }
    }

    /// - Returns: `nil` where this kernel does not have it.
    private static func stat(_ pid: Int32, _ files: ProcessFiles) throws(KernelFileError) -> KSMStat? {
        if let text = try files.read(pid, "ksm_stat", limit: 1024) { return KSMStat(parsing: text) }
        // Older than that file: Linux 5.19.
        return try files.read(pid, "ksm_merging_pages", limit: 64)
            .map { KSMStat(parsing: Array("ksm_merging_pages ".utf8) + $0) }
    }

    /// The last group of its path that is a unit.
    private static func unit(_ pid: Int32, _ files: ProcessFiles) throws(KernelFileError) -> String? {
        guard let text = try files.read(pid, "cgroup", limit: 65536) else { return nil }
        let groups = String(decoding: text, as: UTF8.self).split { $0 == "/" || $0 == "\n" }
        return groups.last { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }.map { String($0) }
    }

    /// How many items KSM keeps for each of its pages that it merged; see ``GuestDetails/itemsPerMergedPage``.
    package var itemsPerMergedPage: Double? { KSMStat.itemsPerMergedPage(items: items, merged: merged) }
}

/// Such processes of one name.
package struct KSMProgram: Equatable, Sendable {
    package var comm: String
    package var processes: Int
    /// How many of them hold a virtual machine of KVM.
    package var machines: Int
    package var resident: KiB
    package var merged: KiB
    package var items: Pages
    package var profit: Bytes

    /// Those of the same name together, the most processes first.
    package static func programs(_ processes: [KSMProcess]) -> [KSMProgram] {
        Dictionary(grouping: processes) { $0.comm }.map { comm, processes in
            KSMProgram(
                comm: comm, processes: processes.count, machines: processes.count { $0.hasMachine },
                resident: processes.sum { $0.resident ?? .zero },
                merged: processes.sum { $0.merged ?? .zero }, items: processes.sum { $0.items ?? .zero },
                profit: processes.sum { $0.profit ?? .zero })
        }.sorted { ($1.processes, $0.comm) < ($0.processes, $1.comm) }
    }
}
