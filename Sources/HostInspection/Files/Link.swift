internal import Glibc
internal import HostKernel

/// Symbolic links, those of `/proc/PID/fd` among them.
enum Link {
    /// Where a link points, cut at 255 bytes; `nil` where there is no link.
    static func target(_ path: String) throws(KernelFileError) -> String? {
        var failure: Int32 = 0
        let target: String? = unsafe withUnsafeTemporaryAllocation(byteCount: 255, alignment: 1) { buffer in
            let length = unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
            guard length >= 0 else {
                failure = errno
                return nil
            }
            return unsafe String(decoding: buffer[..<length], as: UTF8.self)
        }
        guard let target else {
            if [ENOENT, ENOTDIR, ESRCH, EINVAL].contains(failure) { return nil }
            throw KernelFileError(.read, path, errno: failure)
        }
        return target
    }

    /// Whether a descriptor is a virtual machine of KVM.
    static func isMachine(_ path: String) throws(KernelFileError) -> Bool { try target(path) == "anon_inode:kvm-vm" }
}
