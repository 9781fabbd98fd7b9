package import KSMPolicy

/// Counters of the kernel's memory management, in `/proc/vmstat`.
package struct MemoryCounters {
    private let file: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.vmstat, isHeld: !paths.isStandIn)
    }

    /// Merged pages that were written to since boot, and became a guest's own again: `cow_ksm`, since Linux 5.18.
    ///
    /// - Returns: `nil` where this kernel does not count them.
    package func brokenMerges() throws(KernelFileError) -> Pages? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let text = try file.read(limit: 32768)
            return NamedNumber.find("\ncow_ksm ", in: text.span).map { Pages($0) }
        }
    }
}
