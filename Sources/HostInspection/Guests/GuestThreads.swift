internal import HostKernel
internal import KSMPolicy

/// What a guest's process shows of itself beside its command line.
enum GuestThreads {
    /// How many threads run a virtual CPU, by the names that monitors give them; 0 where they give none, as QEMU without
    /// `debug-threads=on`.
    static func virtualCPUs(_ pid: Int32, _ files: ProcessFiles) throws(KernelFileError) -> Int {
        var count = 0
        for thread in try names("task", of: pid, files) {
            if let comm = try files.read(pid, "task/\(thread)/comm", limit: 64), isVirtualCPU(comm.span) { count += 1 }
        }
        return count
    }

    /// - Returns: None where the process has ended.
    private static func names(
        _ folder: String, of pid: Int32, _ files: ProcessFiles
    ) throws(KernelFileError) -> [String] {
        do throws(KernelFileError) {
            return try FolderListing.names(in: files.path(pid, folder))
        } catch {
            if error.isVanished { return [] }
            throw error
        }
    }

    /// `CPU 0/KVM` (QEMU), `vcpu0` (Cloud Hypervisor), `fc_vcpu 0` (Firecracker), `crosvm_vcpu0`.
    static func isVirtualCPU(_ comm: Span<UInt8>) -> Bool {
        for (prefix, suffix) in [("CPU ", "/"), ("vcpu", ""), ("fc_vcpu ", ""), ("crosvm_vcpu", "")]
            as [(StaticString, StaticString)]
        where comm.hasPrefix(prefix) {
            guard let number = DecimalField(comm, at: prefix.utf8CodeUnitCount) else { return false }
            let rest = comm.extracting(number.end..<comm.count)
            return rest.hasPrefix(suffix) && (suffix.utf8CodeUnitCount > 0 || rest.isEmpty || rest.isEqual(to: "\n"))
        }
        return false
    }

    /// Whether it has a device of VFIO open. Only root and the guest's own user see that.
    static func usesVFIO(_ pid: Int32, _ files: ProcessFiles) throws(KernelFileError) -> Bool {
        for name in try names("fd", of: pid, files)
        where try Link.target(files.path(pid, "fd/\(name)"))?.hasPrefix("/dev/vfio/") == true {
            return true
        }
        return false
    }
}
