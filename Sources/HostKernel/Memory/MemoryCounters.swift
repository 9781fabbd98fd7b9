package import KSMPolicy

/// Page faults by their cause, counted since boot.
package struct FaultCounts: Equatable, Sendable {
    /// Merged pages that were written to, and became a guest's own again: `cow_ksm`, since Linux 5.18; `nil` where this
    /// kernel does not count them.
    package var brokenMerges: Pages?
    /// Pages that were there, and were only hidden to see which node uses them: `numa_hint_faults`.
    package var hints: Pages
}

/// Counters of the kernel's memory management, in `/proc/vmstat`.
package struct MemoryCounters {
    private let file: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.vmstat, isHeld: !paths.isStandIn)
    }

    /// - Returns: `nil` where there is no such file.
    package func faults() throws(KernelFileError) -> FaultCounts? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let text = try file.read(limit: 32768)
            func number(_ name: StaticString) -> Pages? { NamedNumber.find(name, in: text.span).map { Pages($0) } }
            return FaultCounts(brokenMerges: number("\ncow_ksm "), hints: number("\nnuma_hint_faults ") ?? .zero)
        }
    }
}
