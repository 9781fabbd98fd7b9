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

/// Looks for `^qemu-system.*-enable-kvm` in a command line that arrives in pieces: Debian's, for pgrep(1) with `-f`.
///
/// A command line can be megabytes long; this keeps 11 bytes of it.
package struct CommandLineMatcher: Sendable {
    private static let start: StaticString = "qemu-system"
    private static let option: StaticString = "-enable-kvm"

    private var matchedStart = 0
    private var matchedOption = 0

    package enum Verdict: Equatable, Sendable {
        case matches, differs, undecided
    }

    package private(set) var verdict = Verdict.undecided

    package init() {}

    /// Takes the next piece.
    package mutating func feed(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            guard verdict == .undecided else { return }
            feed(bytes[index])
        }
    }

    private mutating func feed(_ byte: UInt8) {
        if matchedStart < Self.start.utf8CodeUnitCount {
            matchedStart += 1
            if byte != Self.start.byte(at: matchedStart - 1) { verdict = .differs }
            return
        }
        if byte == Self.option.byte(at: matchedOption) {
            matchedOption += 1
        } else {
            // The option begins with its only two hyphens at 0 and 7, and what follows them differs,
            // so after a mismatch at 8 ("-enable-" and no k) the match can restart behind its second hyphen.
            let isSecondHyphen = matchedOption == 8 && byte == UInt8(ascii: "e")
            matchedOption = isSecondHyphen ? 2 : (byte == UInt8(ascii: "-") ? 1 : 0)
        }
        if matchedOption == Self.option.utf8CodeUnitCount { verdict = .matches }
    }
}
