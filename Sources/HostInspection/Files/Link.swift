internal import Glibc

/// Symbolic links, those of `/proc/PID/fd` among them.
enum Link {
    /// Where a link points, cut at 255 bytes; `nil` where there is no link, or it may not be seen.
    static func target(_ path: String) -> String? {
        unsafe withUnsafeTemporaryAllocation(byteCount: 255, alignment: 1) { buffer in
            let length = unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
            guard length >= 0 else { return nil }
            return unsafe String(decoding: buffer[..<length], as: UTF8.self)
        }
    }

    /// Whether a descriptor is a virtual machine of KVM.
    static func isMachine(_ path: String) -> Bool { target(path) == "anon_inode:kvm-vm" }
}
