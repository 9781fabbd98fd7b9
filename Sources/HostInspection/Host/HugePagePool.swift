package import HostKernel
package import KSMPolicy

/// The pools of huge pages of all sizes, which are no RAM for anything else; see
/// `Documentation/admin-guide/mm/hugetlbpage.rst`.
package struct HugePagePool: Equatable, Sendable {
    package var size: KiB
    /// What nobody uses or has reserved.
    package var idle: KiB

    package init(size: KiB, idle: KiB) {
        self.size = size
        self.idle = idle
    }

    /// - Returns: `nil` where this kernel has no such pages.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> HugePagePool? {
        var pool: HugePagePool?
        if let text = try SmallFile.text(paths.meminfo, limit: 65536) {
            var lines: [Substring: Int64] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" || $0 == ":" }
                if words.count > 1, words[0].hasPrefix("Huge") { lines[words[0]] = Int64(words[1]) }
            }
            // The numbers of pages are those of one size only; the amount, since 4.20, is that of all.
            let page = KiB(lines["Hugepagesize"] ?? 0)
            if let total = lines["HugePages_Total"].map({ page * $0 }) ?? lines["Hugetlb"].map({ KiB($0) }) {
                let idle = (lines["HugePages_Free"] ?? 0).subtractingSaturated(lines["HugePages_Rsvd"] ?? 0)
                pool = HugePagePool(size: max(total, KiB(lines["Hugetlb"] ?? 0)), idle: (page * idle).nonNegative)
            }
        }
        guard let all = try pools(paths) else { return pool }
        return HugePagePool(size: max(all.size, pool?.size ?? .zero), idle: max(all.idle, pool?.idle ?? .zero))
    }

    /// Those of each size, by folders `hugepages-2048kB`.
    private static func pools(_ paths: HostPaths) throws(KernelFileError) -> HugePagePool? {
        guard let names = try FolderListing.namesIfThere(in: paths.hugePagePools) else { return nil }
        var sum = HugePagePool(size: .zero, idle: .zero)
        for name in names where name.hasPrefix("hugepages-") && name.hasSuffix("kB") {
            guard let size = Int64(name.dropFirst(10).dropLast(2)) else { continue }
            let folder = "\(paths.hugePagePools)/\(name)"
            let free = try SmallFile.number(folder + "/free_hugepages") ?? 0
            let reserved = try SmallFile.number(folder + "/resv_hugepages") ?? 0
            sum.size += KiB(size) * (try SmallFile.number(folder + "/nr_hugepages") ?? 0)
            sum.idle += (KiB(size) * free.subtractingSaturated(reserved)).nonNegative
        }
        return sum
    }
}
