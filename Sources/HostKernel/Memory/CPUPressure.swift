internal import KSMPolicy

/// How long tasks of the host waited for a CPU; see `Documentation/accounting/psi.rst`.
package struct CPUPressure {
    private let file: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.cpuPressure, isHeld: !paths.isStandIn)
    }

    /// The time since boot in which some task waited, in microseconds; `nil` where the kernel does not tell.
    package func waited() -> Int64? {
        guard let text = try? file.read(limit: 512) else { return nil }
        return NamedNumber.find("total=", in: text.span)
    }
}

/// Counters of the kernel's memory management, in `/proc/vmstat`.
package struct MemoryCounters {
    private let file: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.vmstat, isHeld: !paths.isStandIn)
    }

    /// Merged pages that were written to since boot, and became a guest's own again. `cow_ksm`, since Linux 5.18.
    package func brokenMerges() -> Int64? {
        guard let text = try? file.read(limit: 32768) else { return nil }
        return NamedNumber.find("\ncow_ksm ", in: text.span)
    }
}

/// A number in a text of the kernel, by what stands before it.
enum NamedNumber {
    /// The first one behind `name`.
    static func find(_ name: StaticString, in text: Span<UInt8>) -> Int64? {
        let first = name.byte(at: 0)
        for start in text.indices where text[start] == first {
            let rest = text.extracting(start..<text.count)
            if rest.hasPrefix(name) { return DecimalField(rest, at: name.utf8CodeUnitCount)?.value }
        }
        return nil
    }
}
