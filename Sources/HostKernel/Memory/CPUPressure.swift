internal import KSMPolicy

/// How long tasks of the host waited for a CPU; see `Documentation/accounting/psi.rst`.
package struct CPUPressure {
    private let file: KernelFile

    package init(_ paths: HostPaths) {
        file = KernelFile(paths.cpuPressure, isHeld: !paths.isStandIn)
    }

    /// The time since boot in which some task waited; `nil` where the kernel does not account for it.
    package func waited() throws(KernelFileError) -> Duration? {
        do throws(KernelFileError) {
            let text = try file.read(limit: 512)
            return NamedNumber.find("total=", in: text.span).map { .microseconds($0) }
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }
}
