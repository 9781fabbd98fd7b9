package import HostKernel

/// How gladly the kernel swaps; see `Documentation/admin-guide/sysctl/vm.rst`.
package enum Swappiness {
    /// - Returns: From 0, when it swaps only to save itself, to 200; `nil` where the kernel does not say.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> Int64? {
        try SmallFile.number(paths.swappiness)
    }
}
