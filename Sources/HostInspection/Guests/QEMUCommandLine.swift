internal import KSMPolicy

/// The options of QEMU that say how large a guest is and whether KSM may merge its memory; see qemu(1).
///
/// Options that come again add to what they said before, as in QEMU, and the last value counts.
struct QEMUCommandLine {
    private var name = OptionValues()
    private var memory = OptionValues()
    private var cpus = OptionValues()
    private var machine = OptionValues()
    private var memoryPath: String?
    /// By their ids. The last one of an id counts.
    private var objects: [String: OptionValues] = [:]
    private var devices: [OptionValues] = []
    private var nodes: [OptionValues] = []
    private var hasLegacyBalloon = false
    /// Whether a file says more, which is not read here: then a missing option is not the default.
    private var isPartial = false

    /// - Parameter arguments: Without the program's name.
    init(_ arguments: [String]) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            // QEMU takes two hyphens for one.
            switch argument.hasPrefix("--") ? String(argument.dropFirst()) : argument {
            case "-name": name.merge(OptionValues(rest.popFirst() ?? "", implied: "guest"))
            case "-m": memory.merge(OptionValues(rest.popFirst() ?? "", implied: "size"))
            case "-smp": cpus.merge(OptionValues(rest.popFirst() ?? "", implied: "cpus"))
            case "-machine", "-M": machine.merge(OptionValues(rest.popFirst() ?? "", implied: "type"))
            case "-mem-path": memoryPath = rest.popFirst()
            case "-object":
                let object = OptionValues(jsonOr: rest.popFirst() ?? "", implied: "qom-type")
                if let id = object["id"] { objects[id] = object }
            case "-device": devices.append(OptionValues(jsonOr: rest.popFirst() ?? "", implied: "driver"))
            case "-numa": nodes.append(OptionValues(rest.popFirst() ?? "", implied: "type"))
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
    }

    var guest: GuestCommandLine {
        var guest = GuestCommandLine()
        guest.name = name["guest"].flatMap { $0.isEmpty ? nil : $0 }
        guest.configured = configured
        guest.vcpus = vcpus
        guest.balloon = balloon
        guest.parts = parts
        return guest
    }

    // MARK: Size

    private var configured: KiB? {
        guard let base = memoryAtStart else { return nil }
        return dimms.reduce(base) { sum, dimm in sum + (dimm.size ?? .zero) }
    }

    private var memoryAtStart: KiB? {
        if memory["size"] != nil {
            guard let size = memory.size("size", unit: MemorySize.mebibyte) else { return nil }
            // Zero means the default.
            if size > .zero { return size }
        }
        if let backend = machine["memory-backend"] { return object(backend)?.size("size", unit: MemorySize.byte) }
        return isPartial ? nil : KiB(128 * 1024)
    }

    private var vcpus: Int? {
        if cpus["cpus"] != nil { return cpus.count("cpus") }
        if cpus["maxcpus"] != nil { return cpus.count("maxcpus") }
        var product = 1
        var isTold = false
        for key in ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"] {
            guard cpus[key] != nil else { continue }
            guard let count = cpus.count(key) else { return nil }
            let (next, isBeyond) = product.multipliedReportingOverflow(by: count)
            if isBeyond { return nil }
            product = next
            isTold = true
        }
        return isTold || !isPartial ? product : nil
    }

    private var balloon: GuestDetails.Balloon? {
        // `virtio-balloon-pci`, `-ccw`, `-device`.
        if let device = devices.last(where: { $0["driver"]?.hasPrefix("virtio-balloon") ?? false }) {
            return device.isOn("deflate-on-oom") == true ? .autodeflate : .manual
        }
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

    private var parts: [[GuestDetails.Obstacle]]? {
        var backends = nodes.compactMap { $0["memdev"] }
        if backends.isEmpty, let backend = machine["memory-backend"] { backends = [backend] }
        var parts: [[GuestDetails.Obstacle]] = []
        if backends.isEmpty {
            parts.append(common(isMerging ? [] : [.mergingSwitchedOff], isOnHugePages(memoryPath)))
        } else {
            // One that the line does not have says nothing.
            let known = backends.compactMap { object($0) }
            if known.isEmpty { return nil }
            parts += known.map(obstacles)
        }
        return parts + dimms.compactMap { $0.backend }.map(obstacles)
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

    /// Whether a path is in a mount of hugetlbfs, by the names that such mounts have: `/dev/hugepages`,
    /// `/dev/hugepages1G`, `/run/hugepages/kvm/2048kB` (Proxmox VE), `/mnt/huge` (DPDK).
    private func isOnHugePages(_ path: String?) -> Bool {
        guard let path else { return false }
        return path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.starts(with: "huge".utf8) }
    }

    // MARK: What belongs together

    private func object(_ id: String) -> OptionValues? { objects[id] }

    /// Memory that was plugged into slots.
    private var dimms: [(backend: OptionValues?, size: KiB?)] {
        devices.compactMap { device in
            guard let driver = device["driver"] else { return nil }
            let isPartOfBackend = driver.hasPrefix("virtio-mem-")
            guard isPartOfBackend || driver == "pc-dimm" else { return nil }
            let backend = device["memdev"].flatMap { object($0) }
            let size =
                isPartOfBackend
                ? device.size("requested-size", unit: MemorySize.byte) : backend?.size("size", unit: MemorySize.byte)
            return (backend, size)
        }
    }
}
