internal import Glibc
internal import HostKernel

/// The virtual machines that KVM has now.
enum KVMMachines {
    /// Lists them by debugfs, where the kernel keeps a folder `PID-DESCRIPTOR` for each.
    ///
    /// That costs in proportion to the machines. Looking through the descriptors of every process instead would take a
    /// host of 10,000 processes near a second.
    ///
    /// - Returns: A machine's creation each; none where debugfs is not mounted or may not be read: it is root's.
    static func read(_ paths: HostPaths) -> MachineEvents {
        var events = MachineEvents()
        guard let stream = unsafe opendir(paths.machines) else { return events }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            let bytes = Array(name.utf8)
            guard let creator = DecimalField(bytes.span, at: 0), let pid = Int32(exactly: creator.value), pid > 0,
                creator.end < bytes.count, bytes[creator.end] == UInt8(ascii: "-"),
                let descriptor = DecimalField(bytes.span, at: creator.end + 1)
            else { continue }
            // The creator is a thread that may have ended, and its number be another's by now.
            guard isMachine("\(paths.proc)/\(pid)/fd/\(descriptor.value)") else { continue }
            events.events.append(MachineEvent(.create, by: pid))
        }
        return events
    }

    private static func isMachine(_ link: String) -> Bool {
        let target = unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            let length = unsafe readlink(link, buffer.baseAddress!, buffer.count)
            count = max(length, 0)
        }
        return target.elementsEqual("anon_inode:kvm-vm".utf8)
    }
}
