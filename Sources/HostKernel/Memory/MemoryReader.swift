package import KSMPolicy

/// Reads the host's memory.
package struct MemoryReader {
    private let file: KernelFile
    private let cache: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.meminfo, isHeld: !paths.isStandIn)
        cache = KernelFile(paths.zfsCache, isHeld: !paths.isStandIn)
    }

    package var path: String { file.path }

    /// The lines of `/proc/meminfo`, without ZFS's cache.
    package func read() throws(KernelFileError) -> MemoryInfo {
        let text = try file.read(limit: 16384)
        return MemoryInfo(parsing: text.span)
    }

    /// `MemTotal`.
    ///
    /// - Throws: ``KernelFileError`` also for a file without that line, or with 0 there.
    package func total() throws(KernelFileError) -> KiB {
        guard let total = try read().total, total > .zero else {
            throw KernelFileError(
                .understand, file.path, errno: 0, detail: "it has no MemTotal line with a number above 0")
        }
        return total
    }

    /// The host's memory.
    ///
    /// - Throws: ``KernelFileError`` also for a file without a line that the metric needs, and for one of ZFS that is
    ///   there and cannot be read.
    package func read(for metric: FreeMetric) throws(KernelFileError) -> MemoryInfo {
        var memory = try read()
        if metric.countsCache { memory.reclaimableCache = try ZFSCache.read(cache)?.reclaimable }
        if let missing = memory.missingLine(for: metric) {
            throw KernelFileError(.understand, file.path, errno: 0, detail: "it has no \(missing) line with a number")
        }
        return memory
    }
}
