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

    /// What it can give back.
    package var reclaimable: KiB { (size - least).nonNegative }

    /// Reads the text of `arcstats`: lines of a name, a type and a number of bytes.
    ///
    /// - Returns: `nil` where it names no size.
    package init?(parsing text: Span<UInt8>) {
        guard let size = NamedNumber.find(line: "size", field: 2, in: text) else { return nil }
        let most = NamedNumber.find(line: "c_max", field: 2, in: text) ?? size
        let least = NamedNumber.find(line: "c_min", field: 2, in: text) ?? 0
        self.init(size: KiB(bytes: size), least: KiB(bytes: min(least, most)), most: KiB(bytes: most))
    }

    /// - Returns: `nil` where ZFS is not loaded.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> ZFSCache? {
        try read(KernelFile(paths.zfsCache, isHeld: false))
    }

    static func read(_ file: KernelFile) throws(KernelFileError) -> ZFSCache? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let text = try file.read(limit: 1 << 16)
            guard let cache = ZFSCache(parsing: text.span) else {
                throw KernelFileError(.understand, file.path, errno: 0, detail: "it has no size")
            }
            return cache
        }
    }
}
