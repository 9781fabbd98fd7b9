/// Tells by its names whether a process is a guest.
///
/// A process has two: `comm`, which the kernel cuts at 15 bytes, and its command line, arguments separated by zero
/// bytes. Both are text under the guest's control, so they are compared as bytes and never trusted further.
package struct GuestNames: Equatable, Sendable {
    private let profile: Profile

    package init(_ profile: Profile) {
        self.profile = profile
    }

    /// Whether a process of this `comm` (without its newline) is a guest.
    package func matches(comm: Span<UInt8>) -> Bool {
        switch profile {
        case .debian: false
        case .proxmox: comm.isEqual(to: "kvm")
        case .upstream: Self.isUpstream(comm)
        case .union, .scaled: Self.isUpstream(comm) || Self.isKnown(comm)
        }
    }

    /// Whether the command line must be read for a process whose `comm` says nothing.
    package var needsCommandLine: Bool {
        switch profile {
        case .debian, .union, .scaled: true
        case .proxmox, .upstream: false
        }
    }

    /// `^qemu(-(kvm|system-.+)|:.{1,11})$`: upstream's, for pgrep(1) on `comm`.
    private static func isUpstream(_ comm: Span<UInt8>) -> Bool {
        if comm.isEqual(to: "qemu-kvm") { return true }
        if comm.hasPrefix("qemu-system-") { return comm.count > 12 }
        return comm.hasPrefix("qemu:") && (6...16).contains(comm.count)
    }

    /// What the original's three expressions miss.
    private static func isKnown(_ comm: Span<UInt8>) -> Bool {
        comm.isEqual(to: "kvm")  // Proxmox VE
            // The wrapper that NixOS puts around QEMU, cut at 15 bytes.
            || comm.hasPrefix(".qemu-system-") && comm.count > 13
            || comm.isEqual(to: "cloud-hyperviso")
            || comm.isEqual(to: "firecracker")
            || comm.isEqual(to: "crosvm")
    }
}
