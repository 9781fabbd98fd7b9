internal import KSMPolicy

/// The options of QEMU that say how large a guest is and whether KSM may merge its memory; see qemu(1).
///
/// Options that come again add to what they said before, as in QEMU, and the last value counts.
struct QEMUCommandLine {
    private var name = OptionValues()
    private var memory = OptionValues()
    private var cpus = OptionValues()
    private var machine = OptionValues()
    private var overcommit = OptionValues()
    private var memoryPath: String?
    private var devices: QEMUDevices
    private var nodes: [OptionValues] = []
    private var hasLegacyBalloon = false
    /// Whether a file says more, which is not read here: then a missing option is not the default.
    private var isPartial = false
    /// Whether the name has its key, as libvirt writes it and hardly anybody else.
    private var saysGuest = false
    private let arguments: [String]

    /// - Parameter arguments: Without the program's name.
    init(_ arguments: [String]) {
        self.arguments = arguments
        devices = QEMUDevices()
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            func value(_ implied: String) -> OptionValues { OptionValues(rest.popFirst() ?? "", implied: implied) }
            // QEMU takes two hyphens for one.
            switch argument.hasPrefix("--") ? String(argument.dropFirst()) : argument {
            case "-name":
                let text = rest.popFirst() ?? ""
                saysGuest = saysGuest || text.hasPrefix("guest=")
                name.merge(OptionValues(text, implied: "guest"))
            case "-m": memory.merge(value("size"))
            case "-smp": cpus.merge(value("cpus"))
            case "-machine", "-M": machine.merge(value("type"))
            case "-overcommit": overcommit.merge(value("mem-lock"))
            // Before version 4; locking was its default.
            case "-realtime":
                let realtime = value("mlock")
                overcommit["mem-lock"] = realtime["mlock"] ?? "on"
            case "-mem-path": memoryPath = rest.popFirst()
            case "-object": devices.addObject(rest.popFirst() ?? "")
            case "-device": devices.addDevice(rest.popFirst() ?? "")
            case "-global": devices.addGlobal(rest.popFirst() ?? "")
            case "-set": devices.set(rest.popFirst() ?? "")
            case "-numa": nodes.append(value("type"))
            // Before version 4: a device with less to type.
            case "-balloon": hasLegacyBalloon = rest.popFirst()?.hasPrefix("virtio") ?? false
            case "-readconfig":
                isPartial = true
                rest = rest.dropFirst()
            // The kernel's own arguments may look like options.
            case "-append": rest = rest.dropFirst()
            default: break
            }
        }
        devices.settle()
    }

    var guest: GuestCommandLine {
        var guest = GuestCommandLine()
        guest.name = name["guest"].flatMap { $0.isEmpty ? nil : $0 }
        guest.configured = configured
        guest.vcpus = vcpus
        guest.balloon = balloon
        guest.memory = parts
        guest.pinning = devices.pinning
        guest.locksMemory = overcommit["mem-lock"] == "on-fault" || overcommit.isOn("mem-lock") == true
        guest.manager = .init(ofQEMU: arguments, machineType: machine["type"] ?? "", saysGuest: saysGuest)
        return guest
    }

    // MARK: Size

    private var configured: KiB? {
        guard let base = memoryAtStart else { return nil }
        return base + devices.dimms.sum { $0.size ?? .zero }
    }

    private var memoryAtStart: KiB? {
        if memory["size"] != nil {
            guard let size = memory.size("size", unit: MemorySize.mebibyte) else { return nil }
            // Zero means the default.
            if size > .zero { return size }
        }
        if let backend = machine["memory-backend"] {
            return devices.object(backend)?.size("size", unit: MemorySize.byte)
        }
        return isPartial ? nil : KiB(128 * 1024)
    }

    private var vcpus: Int? {
        if cpus["cpus"] != nil { return cpus.count("cpus") }
        if cpus["maxcpus"] != nil { return cpus.count("maxcpus") }
        var product = 1
        var isTold = false
        for key in ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"] {
            guard cpus[key] != nil else { continue }
            guard let count = cpus.count(key), let next = product.multipliedExactly(by: count) else { return nil }
            product = next
            isTold = true
        }
        return isTold || !isPartial ? product : nil
    }

    private var balloon: GuestDetails.Balloon? {
        if let device = devices.balloon { return device.isOn("deflate-on-oom") == true ? .autodeflate : .manual }
        if hasLegacyBalloon { return .manual }
        return isPartial ? nil : GuestDetails.Balloon.none
    }

    // MARK: Merging

    /// Whether the machine's switch offers memory to KSM.
    private var isMerging: Bool { machine.isOn("mem-merge") ?? true }

    /// QEMU does not offer memory that the host cannot read to KSM.
    private var isConfidential: Bool {
        machine["confidential-guest-support"] != nil || machine["memory-encryption"] != nil
    }

    private var parts: [GuestCommandLine.Part]? {
        var backends = nodes.compactMap { $0["memdev"] }
        if backends.isEmpty, let backend = machine["memory-backend"] { backends = [backend] }
        var parts: [GuestCommandLine.Part] = []
        if backends.isEmpty {
            // The file may name a backend.
            if isPartial { return nil }
            parts.append(
                GuestCommandLine.Part(
                    size: memoryAtStart,
                    obstacles: common(isMerging ? [] : [.mergingSwitchedOff], isOnHugePages(memoryPath))))
        } else {
            // One that the line does not have says nothing.
            let known = backends.compactMap { devices.object($0) }
            if known.isEmpty { return nil }
            parts += known.map { backend in
                // A single one is as large as the guest, whatever it says itself.
                GuestCommandLine.Part(
                    size: backends.count == 1 ? memoryAtStart : backend.size("size", unit: MemorySize.byte),
                    obstacles: obstacles(backend))
            }
        }
        return parts
            + devices.dimms.compactMap { dimm in
                dimm.backend.map { GuestCommandLine.Part(size: dimm.size, obstacles: obstacles($0)) }
            }
    }

    private func obstacles(_ backend: OptionValues) -> [GuestDetails.Obstacle] {
        var obstacles: [GuestDetails.Obstacle] = []
        switch backend.isOn("merge") {
        case false: obstacles.append(.backendNotMerged)
        case nil where !isMerging: obstacles.append(.mergingSwitchedOff)
        default: break
        }
        var isOnHugePages = false
        switch backend["qom-type"] {
        case "memory-backend-memfd":
            // The only kind that is shared unless it is told otherwise. Private, its written pages are anonymous.
            if backend.isOn("share") != false { obstacles.append(.memfd) }
            isOnHugePages = backend.isOn("hugetlb") == true
        case "memory-backend-shm":
            obstacles.append(.sharedBackend)
        default:
            if backend.isOn("share") == true { obstacles.append(.sharedBackend) }
            isOnHugePages = self.isOnHugePages(backend["mem-path"])
        }
        return common(obstacles, isOnHugePages)
    }

    private func common(_ obstacles: [GuestDetails.Obstacle], _ isOnHugePages: Bool) -> [GuestDetails.Obstacle] {
        obstacles + (isOnHugePages ? [.hugePages] : []) + (isConfidential ? [.confidential] : [])
    }

    /// Paths of mounts are far shorter; PATH_MAX is 4096.
    private static let longestPath = 512

    /// Whether a path is in a mount of hugetlbfs, by the names that such mounts have: `/dev/hugepages`,
    /// `/dev/hugepages1G`, `/run/hugepages/kvm/2048kB` (Proxmox VE), `/mnt/huge` (DPDK).
    private func isOnHugePages(_ path: String?) -> Bool {
        // What is longer than a path can be is none; thousands of nodes may name one object that has it.
        guard let path, path.utf8.count <= Self.longestPath else { return false }
        return path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.starts(with: "huge".utf8) }
    }
}
