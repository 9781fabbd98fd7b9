package import HostKernel
package import KSMPolicy

/// ZFS's cache of files, which the kernel counts as used memory and ZFS gives back when memory is short, though slowly.
package struct ZFSCache: Equatable, Sendable {
    package var size: KiB
    /// Below which it does not go, and above which it does not grow. `c_min`, `c_max`; module parameters `zfs_arc_min`
    /// and `zfs_arc_max`
    package var least: KiB
    package var most: KiB

    package init(size: KiB, least: KiB, most: KiB) {
        self.size = size
        self.least = least
        self.most = most
    }

    /// - Returns: `nil` where ZFS is not loaded.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> ZFSCache? {
        guard let text = try SmallFile.text(paths.zfsCache, limit: 1 << 16) else { return nil }
        var values: [Substring: Int64] = [:]
        for line in text.split(separator: "\n") {
            // `name type data`
            let words = line.split(separator: " ")
            if words.count == 3 { values[words[0]] = Int64(words[2]) }
        }
        guard let size = values["size"] else { throw SmallFile.notUnderstood(paths.zfsCache, "it has no size") }
        let most = KiB(bytes: values["c_max"] ?? size)
        return ZFSCache(size: KiB(bytes: size), least: min(KiB(bytes: values["c_min"] ?? 0), most), most: most)
    }
}
