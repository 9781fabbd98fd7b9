internal import HostKernel
internal import KSMPolicy

extension GuestDetails {
    /// Who started a guest: whoever wants to change it must say so in that program's words.
    package enum Manager: Equatable, Sendable {
        /// QEMU by hand, or by a program that is not known here.
        case qemu
        case libvirt
        /// Proxmox VE, with the number that `qm` takes, as far as the command line has it.
        case proxmox(Int64?)
        /// Incus or LXD.
        case incus
        case cloudHypervisor
        case firecracker
        case crosvm

        package var word: String {
            switch self {
            case .qemu: "qemu"
            case .libvirt: "libvirt"
            case .proxmox: "proxmox"
            case .incus: "incus"
            case .cloudHypervisor: "cloud-hypervisor"
            case .firecracker: "firecracker"
            case .crosvm: "crosvm"
            }
        }
    }
}

extension GuestDetails.Manager {
    /// By what each program leaves on QEMU's command line.
    ///
    /// - Parameters:
    ///   - machineType: What `-machine` says.
    ///   - saysGuest: Whether the name has its key: `-name guest=`.
    init(ofQEMU arguments: [String], machineType: String, saysGuest: Bool) {
        var marks: (proxmox: Bool, incus: Bool, libvirt: Bool) = (false, false, false)
        for argument in arguments {
            let bytes = Array(argument.utf8)
            marks.proxmox = marks.proxmox || bytes.span.contains("/qemu-server/")
            marks.incus = marks.incus || bytes.span.contains("/incus/") || bytes.span.contains("/lxd/")
            marks.libvirt = marks.libvirt || bytes.span.contains("/libvirt/")
        }
        // `pc-q35-9.0+pve1`
        if marks.proxmox || Array(machineType.utf8).span.contains("+pve") {
            let number = arguments.firstIndex(of: "-id").flatMap { index in
                index + 1 < arguments.count ? Int64(arguments[index + 1]) : nil
            }
            self = .proxmox(number)
        } else if marks.incus {
            self = .incus
        } else {
            self = marks.libvirt || saysGuest ? .libvirt : .qemu
        }
    }

    /// By the cgroup of its process, where that tells more than the command line: libvirt's and Proxmox VE's are
    /// `machine.slice/machine-qemu\x2d1\x2dweb.scope` and `qemu.slice/100.scope`.
    init?(cgroup path: String) {
        let groups = path.split(separator: "/")
        if groups.contains(where: { $0.hasPrefix("machine-qemu") }) || groups.contains("libvirt") {
            self = .libvirt
        } else if let slice = groups.firstIndex(of: "qemu.slice"), slice + 1 < groups.count,
            groups[slice + 1].hasSuffix(".scope"), let number = Int64(groups[slice + 1].dropLast(6))
        {
            self = .proxmox(number)
        } else {
            return nil
        }
    }
}

extension Span<UInt8> {
    /// Whether a word stands anywhere in the text.
    fileprivate func contains(_ word: StaticString) -> Bool {
        let first = word.byte(at: 0)
        return indices.contains { self[$0] == first && extracting($0..<count).hasPrefix(word) }
    }
}
