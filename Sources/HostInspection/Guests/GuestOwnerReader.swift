internal import Glibc
internal import HostKernel
internal import KSMPolicy

/// Reads what tells whom a guest belongs to, besides the user of its process.
///
/// These are hints: what is not there, or is for other eyes, says nothing. What else fails is kept.
struct GuestOwnerReader {
    private let paths: HostPaths
    /// The guests of each pool of Proxmox VE.
    private let pools: [(name: String, guests: [Int64])]
    /// Why the pools are not known.
    let failure: KernelFileError?

    init(_ paths: HostPaths) {
        self.paths = paths
        var failures: [KernelFileError] = []
        let text = Self.hint(paths.proxmoxUsers, limit: 1 << 20, &failures)
        failure = failures.first
        pools = text.map { Self.pools($0) } ?? []
    }

    /// - Parameter failures: Receives the error of each file that should tell and could not be read.
    func owners(
        of guest: GuestDetails, _ files: ProcessFiles, _ failures: inout [KernelFileError]
    ) -> [GuestOwner] {
        var owners: [GuestOwner] = []
        if let project = project(of: guest, &failures) { owners.append(project) }
        if case .proxmox(let number?) = guest.manager, let pool = pools.first(where: { $0.guests.contains(number) }) {
            owners.append(GuestOwner(.pool, pool.name))
        }
        if let slice = guest.limits.flatMap({ Self.slice($0.path) }) { owners.append(slice) }
        let label = Self.hint(files.path(guest.pid, "attr/current"), limit: 4096, &failures)
        if let label = label.flatMap({ Self.label($0) }) { owners.append(label) }
        return owners
    }

    private static func hint(_ path: String, limit: Int, _ failures: inout [KernelFileError]) -> String? {
        do throws(KernelFileError) {
            return try SmallFile.text(path, limit: limit)
        } catch {
            // Without a security module, or with one that has no such file, the kernel says EINVAL.
            if !error.isDenied, !error.isVanished, error.errno != EINVAL { failures.append(error) }
            return nil
        }
    }

    /// - Parameter text: Lines `pool:NAME:COMMENT:GUEST,GUEST:STORAGE,STORAGE:`, among others.
    static func pools(_ text: String) -> [(name: String, guests: [Int64])] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count > 3, fields[0] == "pool" else { return nil }
            return (String(fields[1]), fields[3].split(separator: ",").compactMap { Int64($0) })
        }
    }

    /// Nova's mark: `<nova:project uuid="…">name</nova:project>`.
    private func project(of guest: GuestDetails, _ failures: inout [KernelFileError]) -> GuestOwner? {
        guard guest.manager == .libvirt, !guest.name.utf8.contains(UInt8(ascii: "/")),
            let text = Self.hint("\(paths.libvirtGuests)/\(guest.name).xml", limit: 1 << 20, &failures)
        else { return nil }
        return Self.project(text)
    }

    static func project(_ text: String) -> GuestOwner? {
        for element in text.split(separator: "<") where element.hasPrefix("nova:project ") {
            let parts = element.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0].hasSuffix("uuid="), !parts[1].isEmpty else { continue }
            return GuestOwner(.project, String(parts[1]))
        }
        return nil
    }

    /// The innermost slice, where it is none that a manager puts every guest into, nor a pod's, which is one guest's. Of
    /// what a user's own service manager runs it is the user's: the slices below are one user's.
    static func slice(_ cgroup: String) -> GuestOwner? {
        let folders = cgroup.split(separator: "/").prefix { !($0.hasPrefix("user@") && $0.hasSuffix(".service")) }
        guard let slice = folders.last(where: { $0.hasSuffix(".slice") }),
            !["machine.slice", "qemu.slice", "system.slice", "user.slice"].contains(slice),
            !slice.hasPrefix("kubepods")
        else { return nil }
        return GuestOwner(.slice, String(slice))
    }

    /// - Parameter text: `system_u:system_r:svirt_t:s0:c12,c345`. Other security modules have no such fields.
    static func label(_ text: String) -> GuestOwner? {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count > 3 else { return nil }
        return GuestOwner(.label, fields.prefix(4).joined(separator: ":"))
    }
}
