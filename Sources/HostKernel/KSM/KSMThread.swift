internal import Glibc
internal import KSMPolicy

/// The kernel's thread that scans, `ksmd`, and the CPU time it took.
package struct KSMThread {
    private let schedstat: KernelFile

    /// Looks for the thread among all processes. It is there since boot and stays.
    ///
    /// - Returns: `nil` where it cannot be seen: in a pid namespace of its own, or a tree without it.
    package init?(_ paths: HostPaths) {
        guard var listing = try? ProcessListing(paths) else { return nil }
        var found: Int32?
        let folder = listing.folderNumber
        try? listing.refresh { pid in
            guard found == nil, let comm = ProcessFile.read(folder, pid, "comm", limit: 64),
                comm.span.isEqual(to: "ksmd\n"), Self.isKernelThread(folder, pid)
            else { return }
            found = pid
        }
        guard let found else { return nil }
        schedstat = KernelFile("\(paths.proc)/\(found)/schedstat", isHeld: !paths.isStandIn)
    }

    /// Anybody may call a process ksmd, but only the kernel's have no memory.
    private static func isKernelThread(_ folder: Int32, _ pid: Int32) -> Bool {
        ProcessFile.read(folder, pid, "statm", limit: 128)?.first == UInt8(ascii: "0")
    }

    /// The time on a CPU since boot, and the time ready to run without one; `nil` where this kernel does not
    /// account for them.
    package func times() throws(KernelFileError) -> (cpu: Duration, waited: Duration)? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            let text = try schedstat.read(limit: 128)
            guard let cpu = DecimalField(text.span, at: 0), let waited = DecimalField(text.span, at: cpu.end + 1) else {
                return nil
            }
            return (.nanoseconds(cpu.value), .nanoseconds(waited.value))
        }
    }
}
