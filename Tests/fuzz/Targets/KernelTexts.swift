import HostInspection
import HostKernel
import KSMPolicy

extension FuzzTarget {
    /// Texts of the kernel that are parsed as they are.
    static var kernelTexts: [FuzzTarget] {
        var targets: [FuzzTarget] = []
        targets.append(
            FuzzTarget("meminfo", longest: 16384) {
                { input in
                    let memory = MemoryInfo(parsing: input.span)
                    for metric in FreeMetric.allCases {
                        if memory.missingLine(for: metric) == nil {
                            try require(memory.free(by: metric) >= .zero, "there is less than no memory")
                        }
                    }
                    _ = UnmergeObjection.find(saved: memory.total ?? .zero, memory, at: "x")?.description
                    _ = CompressedMemory.zswap(memory)?.ratio
                }
            })
        targets.append(
            FuzzTarget("uevent", longest: 2048) {
                { input in
                    guard let event = MachineEvent(parsing: input.span) else { return }
                    try require(event.creator > 0, "no thread has this number")
                }
            })
        targets.append(
            FuzzTarget("ksm-stat", longest: 1024) {
                { input in
                    let stat = KSMStat(parsing: input)
                    _ = stat.isOffered
                    _ = stat.mergingPages?.kibibytes(of: Bytes(4096))
                }
            })
        targets.append(
            FuzzTarget("zram", longest: 4096) {
                { input in
                    guard let memory = CompressedMemory(zramStatistics: input.span) else { return }
                    try require(memory.saved >= .zero, "compression saves less than nothing")
                    _ = memory.ratio
                }
            })
        targets.append(
            FuzzTarget("arcstats", longest: 16384) {
                { input in
                    guard let cache = ZFSCache(parsing: input.span) else { return }
                    try require(cache.reclaimable >= .zero, "less than nothing can be had")
                }
            })
        targets.append(
            FuzzTarget("cpu-list", longest: 4096) {
                { input in
                    guard let count = CPUList.count(input.span) else { return }
                    try require(count >= 0, "there are fewer than no CPUs")
                }
            })
        return targets
    }
}
