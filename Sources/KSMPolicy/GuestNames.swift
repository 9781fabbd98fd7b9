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
        let counting: MonitorName.Counting
        switch profile {
        // Debian's expression is for the command line: ``CommandLineMatcher``.
        case .debian: return false
        case .proxmox: counting = .proxmox
        case .upstream: counting = .upstream
        case .union, .scaled: counting = .union
        }
        return MonitorName.all.contains { $0.counted.contains(counting) && $0.isName(comm: comm) }
    }

    /// Whether the command line must be read for a process whose `comm` says nothing.
    package var needsCommandLine: Bool {
        switch profile {
        case .debian, .union, .scaled: true
        case .proxmox, .upstream: false
        }
    }
}

/// A program that runs virtual machines, by the name of its processes, and which profile counts them as guests.
package struct MonitorName: Sendable {
    /// Profiles by their own expression. None of them: it runs machines, with or without KVM, and no name counts it.
    package struct Counting: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// `^qemu(-(kvm|system-.+)|:.{1,11})$`, for pgrep(1) on `comm`.
        package static let upstream = Counting(rawValue: 1)
        /// `^kvm$`
        package static let proxmox = Counting(rawValue: 2)
        /// Every name of this table that some original counts, and those that all of them miss.
        package static let union = Counting(rawValue: 4)
    }

    /// The name, or its beginning.
    package let text: StaticString
    /// The least and the most bytes that follow it in `comm`.
    package let leastBehind: Int
    package let mostBehind: Int
    package let counted: Counting
    /// Whether other programs' names begin with it, so that a longer name is another program.
    private let isWholeWord: Bool

    private init(
        _ text: StaticString, behind: ClosedRange<Int> = 0...0, _ counted: Counting, isWholeWord: Bool = false
    ) {
        self.text = text
        self.isWholeWord = isWholeWord
        leastBehind = behind.lowerBound
        mostBehind = behind.upperBound
        self.counted = counted
    }

    private static let any = 1...Int.max

    package static let all: [MonitorName] = [
        MonitorName("qemu-kvm", [.upstream, .union]),
        MonitorName("qemu-system-", behind: any, [.upstream, .union]),
        // -name process=qemu:NAME, as libvirt has it with set_process_name of its qemu.conf.
        MonitorName("qemu:", behind: 1...11, [.upstream, .union]),
        // Proxmox VE's and Debian's wrapper. Names of the kernel's own threads begin with it.
        MonitorName("kvm", [.proxmox, .union], isWholeWord: true),
        // The wrapper that NixOS puts around QEMU, cut at 15 bytes.
        MonitorName(".qemu-system-", behind: any, .union),
        MonitorName("cloud-hyperviso", .union),
        MonitorName("firecracker", .union),
        MonitorName("crosvm", .union),
        MonitorName("dragonball", []),
        MonitorName("stratovirt", []),
        MonitorName("lkvm", []),
        MonitorName("kvmtool", []),
        MonitorName("VBoxHeadless", []),
        MonitorName("VirtualBoxVM", []),
        MonitorName("vmware-vmx", []),
    ]

    /// Whether a process of this `comm` has this name.
    package func isName(comm: Span<UInt8>) -> Bool {
        guard comm.hasPrefix(text) else { return false }
        let behind = comm.count - text.utf8CodeUnitCount
        return behind >= leastBehind && behind <= mostBehind
    }

    /// Whether a name is that of a program that runs machines, whoever counts it.
    ///
    /// - Parameter name: Of a process or of a program's file, which may be longer: versions and architectures follow.
    package static func isMonitor(_ name: Span<UInt8>) -> Bool {
        all.contains { $0.isWholeWord ? name.isEqual(to: $0.text) : name.hasPrefix($0.text) }
    }
}
