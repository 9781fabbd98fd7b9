internal import HostKernel
internal import KSMPolicy

/// What a guest's process shows of itself beside its command line.
enum GuestThreads {
    /// How many threads run a virtual CPU, by the names that monitors give them; 0 where they give none, as QEMU without
    /// `debug-threads=on`.
    static func virtualCPUs(_ pid: Int32, _ files: ProcessFiles) -> Int {
        let folder = files.path(pid, "task")
        let threads = (try? FolderListing.names(in: folder)) ?? []
        return threads.count { thread in
            guard let comm = try? HostFile.read("\(folder)/\(thread)/comm", limit: 64) else { return false }
            return isVirtualCPU(comm.span)
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
    static func usesVFIO(_ pid: Int32, _ files: ProcessFiles) -> Bool {
        let folder = files.path(pid, "fd")
        let descriptors = (try? FolderListing.names(in: folder)) ?? []
        return descriptors.contains { Link.target("\(folder)/\($0)")?.hasPrefix("/dev/vfio/") ?? false }
    }
}
