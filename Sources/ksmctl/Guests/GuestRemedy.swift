import HostInspection
import KSMPolicy

/// What to change of guests, in the words of what started each: QEMU's options, libvirt's XML, Proxmox VE's `qm`.
enum GuestRemedy: CaseIterable {
    /// Have KSM merge its memory.
    case offerMemory
    /// Have KSM leave it alone.
    case leaveOut
    case addBalloon
    /// Have the balloon give memory back before the guest runs out of it.
    case deflateBalloon
    /// Let its memory go to swap.
    case unlock
    /// Allow its cgroup more memory.
    case raiseLimit

    /// One sentence's end for all of the guests: what to do for those of each kind, in the order in which they come.
    static func text(_ remedy: GuestRemedy, _ guests: [GuestDetails]) -> String { text([(remedy, guests)]) }

    /// The same of several remedies; what two of them have in common is said once.
    static func text(_ remedies: [(remedy: GuestRemedy, guests: [GuestDetails])]) -> String {
        var deeds: [String] = []
        for (remedy, guests) in remedies {
            var kinds: [String] = []
            for guest in guests where !kinds.contains(kind(guest.manager)) { kinds.append(kind(guest.manager)) }
            let own = kinds.map { kind in
                "\(kind): \(remedy.text(guests.filter { Self.kind($0.manager) == kind }))"
            }
            deeds += own.filter { !deeds.contains($0) }
        }
        return deeds.joined(separator: "; ")
    }

    private static func kind(_ manager: GuestDetails.Manager?) -> String {
        switch manager {
        case .libvirt: "libvirt"
        case .proxmox: "Proxmox VE"
        case .incus: "Incus"
        case .cloudHypervisor: "Cloud Hypervisor"
        case .firecracker: "Firecracker"
        case .crosvm: "crosvm"
        case .qemu, nil: "QEMU"
        }
    }

    /// - Parameter guests: All of one kind.
    private func text(_ guests: [GuestDetails]) -> String {
        switch guests.first?.manager {
        case .libvirt: libvirt
        case .proxmox: proxmox(guests)
        case .incus: incus
        case .cloudHypervisor: cloudHypervisor
        case .firecracker: firecracker
        case .crosvm: self == .raiseLimit ? limit : "it has no such option"
        case .qemu, nil: qemu
        }
    }

    private var limit: String { "raise memory.max of its cgroup, or systemctl set-property UNIT MemoryMax=" }

    private var qemu: String {
        switch self {
        case .offerMemory:
            "a private memory backend without memfd, share=on and huge pages, and without mem-merge=off or a "
                + "passed-through device"
        case .leaveOut: "-machine mem-merge=off"
        case .addBalloon: "-device virtio-balloon-pci,deflate-on-oom=on"
        case .deflateBalloon: "deflate-on-oom=on of the balloon's -device"
        case .unlock: "without -overcommit mem-lock=on"
        case .raiseLimit: limit
        }
    }

    private var libvirt: String {
        switch self {
        case .offerMemory:
            "remove <nosharepages/>, <hugepages/> and <source type='memfd'/> from <memoryBacking>, and <hostdev>"
        case .leaveOut: "<nosharepages/> in <memoryBacking>"
        case .addBalloon, .deflateBalloon: "<memballoon model='virtio' autodeflate='on'/>"
        case .unlock: "remove <locked/> from <memoryBacking>"
        case .raiseLimit: "virsh memtune DOMAIN --hard-limit SIZE, or remove <hard_limit> from <memtune>"
        }
    }

    /// `qm set` replaces what args: said before.
    private func proxmox(_ guests: [GuestDetails]) -> String {
        let numbers = guests.compactMap { guest in
            if case .proxmox(let number) = guest.manager { number } else { nil }
        }
        let number = guests.count == 1 ? numbers.first.map { "\($0)" } ?? "VMID" : "VMID"
        let which = guests.count == 1 || numbers.isEmpty ? "" : " for \(Words.list(numbers.map { "\($0)" }))"
        func arguments(_ text: String) -> String {
            "qm set \(number) --args '\(text)'\(which) (add to what args: has already), then stop and start it"
        }
        switch self {
        case .offerMemory:
            return "qm set \(number) --delete allow-ksm, or hugepages, or hostpci0, or what args: has of mem-merge=off "
                + "and share=on\(which), then stop and start it"
        case .leaveOut:
            return "qm set \(number) --allow-ksm 0\(which), then stop and start it; in versions without that, "
                + arguments("-machine mem-merge=off")
        case .addBalloon: return "qm set \(number) --balloon MIB\(which), less than its memory"
        case .deflateBalloon: return arguments("-global virtio-balloon-pci.deflate-on-oom=on")
        case .unlock: return "qm set \(number) --delete args\(which), where that has -overcommit mem-lock=on"
        case .raiseLimit: return "systemctl set-property \(number).scope MemoryMax=\(which)"
        }
    }

    private var incus: String {
        switch self {
        case .offerMemory: "it gives its guests shared memory (memfd), which cannot be merged"
        case .leaveOut: "incus config set NAME raw.qemu='-machine mem-merge=off'"
        case .addBalloon, .deflateBalloon:
            "incus config set NAME raw.qemu='-global virtio-balloon-pci.deflate-on-oom=on'"
        case .unlock: "it locks no memory; remove its pci and gpu devices"
        case .raiseLimit: "incus config set NAME limits.memory=SIZE"
        }
    }

    private var cloudHypervisor: String {
        switch self {
        case .offerMemory: "--memory mergeable=on, without shared=on and hugepages=on"
        case .leaveOut: "--memory mergeable=off"
        case .addBalloon, .deflateBalloon: "--balloon size=0,deflate_on_oom=on"
        case .unlock: "it locks no memory; remove --device"
        case .raiseLimit: limit
        }
    }

    private var firecracker: String {
        switch self {
        case .offerMemory: "it offers none itself; MemoryKSM=yes of the unit that starts it does"
        case .leaveOut: "MemoryKSM=no of the unit that starts it"
        case .addBalloon, .deflateBalloon: "PUT /balloon with deflate_on_oom of its API"
        case .unlock: "it locks no memory"
        case .raiseLimit: limit
        }
    }
}
