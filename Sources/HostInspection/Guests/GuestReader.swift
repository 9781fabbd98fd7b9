internal import Glibc
package import HostKernel
package import KSMPolicy

/// Reads all that can be told of the host's guests, for programs that look once.
package enum GuestReader {
    /// Guests are the processes that the daemon counts: those with a guest's name, and where it counts announced
    /// machines, those that have one of KVM's. A program that looks once heard no announcement, so it asks debugfs,
    /// which only root may.
    ///
    /// - Parameter configuration: Says which processes are guests.
    /// - Returns: In the order of their pids. A guest that ends meanwhile is left out.
    /// - Throws: ``KernelFileError`` where the processes cannot be listed, and for a pattern that makes no sense.
    package static func read(
        _ paths: HostPaths, _ configuration: Configuration
    ) throws(KernelFileError) -> [GuestDetails] {
        let found = try find(paths, configuration)
        guard !found.isEmpty else { return [] }
        let folder = try FileDescriptor(opening: paths.proc, O_RDONLY | O_DIRECTORY, for: .list)
        let hasKSM = KSMSnapshot.isThere(paths)
        return found.compactMap { pid, pages in
            guard var guest = identity(pid, folder.number) else { return nil }
            guest.resident = pages.kibibytes(of: Host.pageSize)
            readMerging(&guest, paths, readCommandLine(&guest, folder.number))
            if !hasKSM { guest.isMergeable = nil }
            guest.limits =
                ProcessFile.read(folder.number, pid, "cgroup", limit: 65536)
                .flatMap { GuestCgroup(paths, text: $0) }?.limits
            return guest
        }
    }

    private static func find(
        _ paths: HostPaths, _ configuration: Configuration
    ) throws(KernelFileError) -> [(pid: Int32, pages: Pages)] {
        // The table holds a descriptor for each guest.
        DescriptorLimit.raise()
        var table = try GuestTable(paths, matcher: NameMatcher(configuration))
        try table.refresh()
        table.announce(KVMMachines.read(paths))
        var found: [(pid: Int32, pages: Pages)] = []
        table.residents { pid, _, pages in found.append((pid, pages)) }
        return found.sorted { $0.pid < $1.pid }
    }

    /// - Returns: `nil` where the process has ended.
    private static func identity(_ pid: Int32, _ folder: Int32) -> GuestDetails? {
        guard var comm = ProcessFile.read(folder, pid, "comm", limit: 64) else { return nil }
        if comm.last == UInt8(ascii: "\n") { comm.removeLast() }
        var guest = GuestDetails(pid: pid, comm: String(decoding: comm, as: UTF8.self))
        // The owner of its folder is the process's effective user, also where files in it are root's; see proc(5).
        var status = stat()
        if unsafe fstatat(folder, "\(pid)", &status, 0) == 0 { guest.user = status.st_uid }
        return guest
    }

    private static func readCommandLine(_ guest: inout GuestDetails, _ folder: Int32) -> GuestCommandLine {
        // libvirt's lines for guests of hundreds of devices stay below a tenth of the limit.
        let text = ProcessFile.read(folder, guest.pid, "cmdline", limit: 1 << 20)
        let line = GuestCommandLine(GuestCommandLine.arguments(text ?? []))
        guest.name = line.name ?? guest.comm
        guest.configured = line.configured
        guest.vcpus = line.vcpus
        guest.balloon = line.balloon
        return line
    }

    // MARK: KSM

    private static func readMerging(_ guest: inout GuestDetails, _ paths: HostPaths, _ line: GuestCommandLine) {
        let stat = text(of: "ksm_stat", &guest, paths).map { KSMStat(parsing: $0) }
        // The file is older than the line: 5.19 and 6.4.
        let merging =
            stat?.mergingPages
            ?? text(of: "ksm_merging_pages", &guest, paths).flatMap { DecimalField($0.span, at: 0)?.value }
        guest.merged = merging.map { Pages($0).kibibytes(of: Host.pageSize) }
        guest.zero = stat?.zeroPages.map { Pages($0).kibibytes(of: Host.pageSize) }
        guest.profit = stat?.profit
        (guest.isMergeable, guest.obstacles) = mergeability(stat, line, merging: merging)
    }

    private static func text(of file: String, _ guest: inout GuestDetails, _ paths: HostPaths) -> [UInt8]? {
        do throws(KernelFileError) {
            return try HostFile.read("\(paths.proc)/\(guest.pid)/\(file)", limit: 1024)
        } catch {
            if error.isDenied { guest.isHidden = true }
            return nil
        }
    }

    /// Whether KSM may merge the guest's memory, and what keeps it from merging all of it.
    ///
    /// The kernel knows whether any memory of the process is offered, which for QEMU may be that of a video card only;
    /// the command line knows how each part of the guest's memory was meant. So the guest's memory is mergeable where
    /// neither says no and one of them says yes.
    static func mergeability(
        _ stat: KSMStat?, _ line: GuestCommandLine, merging: Int64?
    ) -> (isMergeable: Bool?, obstacles: [GuestDetails.Obstacle]) {
        var parts = line.parts ?? []
        if stat?.offersAll == true {
            // Whatever the command line switches off, the process was told to offer everything.
            parts = parts.map { part in
                part.filter { $0 != .mergingSwitchedOff && $0 != .backendNotMerged && $0 != .notOffered }
            }
        }
        var obstacles: [GuestDetails.Obstacle] = []
        for obstacle in parts.joined() where !obstacles.contains(obstacle) { obstacles.append(obstacle) }
        if stat?.offersAny == false { return (false, obstacles.isEmpty ? [.notRegistered] : obstacles) }
        if !parts.isEmpty { return (parts.contains { $0.isEmpty }, obstacles) }
        // Older kernels do not say; what they keep track of was offered.
        if stat?.offersAny == true || (stat?.items ?? 0) > 0 || (merging ?? 0) > 0 { return (true, []) }
        return (nil, [])
    }
}

extension KSMSnapshot {
    /// Whether this kernel has KSM, with the least reading.
    fileprivate static func isThere(_ paths: HostPaths) -> Bool {
        unsafe access("\(paths.ksm)/run", F_OK) == 0
    }
}
