internal import KSMPolicy

extension GuestCommandLine {
    /// `--memory size=1G,mergeable=on --cpus boot=2`. Without these options the guest is configured through its API.
    static func cloudHypervisor(_ arguments: [String]) -> GuestCommandLine {
        var guest = GuestCommandLine()
        guest.manager = .cloudHypervisor
        let memory = values(arguments, "--memory", implied: "size")
        let zones = values(arguments, "--memory-zone", implied: "size")
        if let memory = memory.last {
            let isOffered = memory.isOn("mergeable") ?? false
            var parts: [GuestCommandLine.Part] = []
            for region in [memory] + zones {
                let start = region["size"] == nil ? KiB(512 * 1024) : region.size("size", unit: MemorySize.byte)
                // With zones, the memory itself has no size.
                if start == .zero { continue }
                // What was plugged in by the start; the API may plug in more.
                let plugged = region.size("hotplugged_size", unit: MemorySize.byte) ?? .zero
                var obstacles: [GuestDetails.Obstacle] = []
                if !isOffered { obstacles.append(.notOffered) }
                if region.isOn("shared") == true { obstacles.append(.sharedBackend) }
                if region.isOn("hugepages") == true { obstacles.append(.hugePages) }
                parts.append(GuestCommandLine.Part(size: start.map { $0 + plugged }, obstacles: obstacles))
            }
            guest.memory = parts
            guest.configured = parts.contains { $0.size == nil } ? nil : parts.sum { $0.size ?? .zero }
        }
        if let cpus = values(arguments, "--cpus", implied: "boot").last {
            guest.vcpus = cpus["boot"] == nil ? 1 : cpus.count("boot")
        }
        if let balloon = values(arguments, "--balloon", implied: "size").last {
            guest.balloon = balloon.isOn("deflate_on_oom") == true ? .autodeflate : .manual
        } else if !memory.isEmpty {
            guest.balloon = GuestDetails.Balloon.none
        }
        guest.pinning = texts(arguments, "--device").isEmpty ? .none : .all
        return guest
    }

    /// The guest is configured through an API or a file; the line may name it.
    static func firecracker(_ arguments: [String]) -> GuestCommandLine {
        var guest = GuestCommandLine()
        guest.manager = .firecracker
        guest.name = texts(arguments, "--id").last
        return guest
    }

    /// `--mem 2048 --cpus 4`, in later versions `--mem size=2048 --cpus num-cores=4`.
    static func crosvm(_ arguments: [String]) -> GuestCommandLine {
        var guest = GuestCommandLine()
        guest.manager = .crosvm
        guest.name = texts(arguments, "--name").last
        let memory = values(arguments, "--mem", implied: "size") + values(arguments, "-m", implied: "size")
        guest.configured = memory.last?.size("size", unit: MemorySize.mebibyte)
        let cpus =
            values(arguments, "--cpus", implied: "num-cores") + values(arguments, "-c", implied: "num-cores")
        guest.vcpus = cpus.last?.count("num-cores")
        // It shares all of its memory with its devices.
        guest.memory = [GuestCommandLine.Part(size: guest.configured, obstacles: [.memfd])]
        guest.pinning = texts(arguments, "--vfio").isEmpty ? .none : .all
        return guest
    }

    private static func values(_ arguments: [String], _ option: String, implied: String) -> [OptionValues] {
        texts(arguments, option).map { OptionValues($0, implied: implied) }
    }

    /// The texts behind each `--option` up to the next option, and of each `--option=text`.
    private static func texts(_ arguments: [String], _ option: String) -> [String] {
        var texts: [String] = []
        var isWanted = false
        for argument in arguments {
            if argument.hasPrefix("-") {
                isWanted = argument == option
                if argument.hasPrefix(option + "=") {
                    texts.append(String(decoding: argument.utf8.dropFirst(option.utf8.count + 1), as: UTF8.self))
                }
            } else if isWanted {
                texts.append(argument)
            }
        }
        return texts
    }
}
