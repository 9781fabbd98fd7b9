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
    /// - Returns: The guests; one that ends meanwhile is left out. One that cannot be read is named as such.
    /// - Throws: ``KernelFileError`` where the processes cannot be listed, and for a pattern that makes no sense.
    package static func read(
        _ paths: HostPaths, _ configuration: Configuration
    ) throws(KernelFileError) -> GuestList {
        var files = ProcessFiles(paths)
        var list = GuestList()
        list.isBlind = ProcessListing.isPartial(paths)
        let merging = MergingEvidence(paths)
        let ownership = GuestOwnerReader(paths)
        list.failures += merging.failures + [ownership.failure].compactMap { $0 }
        for (pid, comm) in try find(paths, configuration, &files, &list) {
            let name = String(decoding: comm, as: UTF8.self)
            do throws(KernelFileError) {
                guard let resident = try resident(pid, files) else { continue }
                var guest = GuestDetails(pid: pid, comm: name)
                guest.resident = resident
                readUser(&guest, files)
                let line = readCommandLine(&guest, files)
                readStatus(&guest, files)
                readCgroup(&guest, paths, files)
                guest.owners = ownership.owners(of: guest, files, &guest.otherFailures)
                readPinning(&guest, line, files)
                readMerging(&guest, line, merging, files)
                list.guests.append(guest)
            } catch {
                list.unreadable.append(GuestList.Unreadable(pid: pid, comm: name, failure: error))
            }
        }
        return list
    }

    // MARK: Who is a guest

    /// - Returns: Their pids in ascending order, with their `comm`.
    private static func find(
        _ paths: HostPaths, _ configuration: Configuration, _ files: inout ProcessFiles, _ list: inout GuestList
    ) throws(KernelFileError) -> [(pid: Int32, comm: [UInt8])] {
        var listing = try ProcessListing(paths)
        let matcher = try NameMatcher(configuration)
        var pids: [Int32] = []
        try listing.refresh { pids.append($0) }
        files.readAhead("cmdline", of: pids)
        files.readAhead("ksm_stat", of: pids)
        let owners = matcher.countsAnnounced ? machineOwners(paths, files, &list) : []
        var found: [(pid: Int32, comm: [UInt8])] = []
        for pid in pids {
            do throws(KernelFileError) {
                guard let comm = try files.comm(pid) else { continue }
                if try files.isNamed(pid, comm: comm, matcher) {
                    found.append((pid, comm))
                } else if owners.contains(pid) {
                    found.append((pid, comm))
                    list.unnamed.append(String(decoding: comm, as: UTF8.self))
                } else if let other = look(pid, comm, files, &list) {
                    // Where debugfs did not tell of it, its own descriptors may.
                    if other.hasMachine, matcher.countsAnnounced {
                        found.append((pid, comm))
                        list.unnamed.append(other.comm)
                    } else {
                        list.others.append(other)
                    }
                }
            } catch {
                // Other users' processes are hidden on purpose: one word for all of them is enough.
                if error.isDenied {
                    list.isBlind = true
                } else {
                    list.unreadable.append(GuestList.Unreadable(pid: pid, comm: nil, failure: error))
                }
            }
        }
        return found
    }

    /// What a process that has no guest's name offers to KSM; `nil` for nothing.
    private static func look(
        _ pid: Int32, _ comm: [UInt8], _ files: ProcessFiles, _ list: inout GuestList
    ) -> KSMProcess? {
        do throws(KernelFileError) {
            return try KSMProcess(pid, comm: comm, files)
        } catch {
            // A process that is no guest is in no sum, whatever it offers.
            if error.isDenied { list.hiddenOthers += 1 } else { list.othersFailures.append(error) }
            return nil
        }
    }

    /// The processes that have a virtual machine of KVM.
    private static func machineOwners(_ paths: HostPaths, _ files: ProcessFiles, _ list: inout GuestList) -> Set<Int32>
    {
        var owners: Set<Int32> = []
        do throws(KernelFileError) {
            for creator in try KVMMachines.creators(paths) {
                // The creator is one of its process's threads.
                guard let status = try files.read(creator, "status", limit: ProcessFile.longestStatus) else { continue }
                if let process = ProcessStatus(parsing: status).process { owners.insert(process) }
            }
        } catch {
            list.unreadable.append(GuestList.Unreadable(pid: 0, comm: nil, failure: error))
        }
        return owners
    }

    // MARK: One guest

    /// - Returns: `nil` where the process has ended: one that waits for its parent has no memory at all.
    static func resident(_ pid: Int32, _ files: ProcessFiles) throws(KernelFileError) -> KiB? {
        guard let text = try files.read(pid, "statm", limit: 256) else { return nil }
        guard let size = DecimalField(text.span, at: 0), let resident = DecimalField(text.span, at: size.end + 1) else {
            throw SmallFile.notUnderstood(files.path(pid, "statm"), "it does not begin with two numbers")
        }
        return size.value == 0 ? nil : Pages(resident.value).kibibytes(of: Host.pageSize)
    }

    /// The owner of its folder is the process's effective user, also where files in it are root's; see proc(5).
    private static func readUser(_ guest: inout GuestDetails, _ files: ProcessFiles) {
        let path = "\(files.folder)/\(guest.pid)"
        var status = stat()
        if unsafe stat(path, &status) == 0 {
            guest.user = status.st_uid
        } else if errno != ENOENT {
            guest.otherFailures.append(KernelFileError(.read, path, errno: errno))
        }
    }

    /// What a look gives; its failure is kept.
    private static func see<Value>(
        _ failures: inout [KernelFileError], _ look: () throws(KernelFileError) -> Value?
    ) -> Value? {
        do throws(KernelFileError) {
            return try look()
        } catch {
            // Descriptors are for root and the guest's own user.
            if !error.isDenied { failures.append(error) }
            return nil
        }
    }

    /// In bytes: a command line may hold a name of a megabyte, which no table and no label has a use for.
    private static let longestName = 256

    private static func readCommandLine(_ guest: inout GuestDetails, _ files: ProcessFiles) -> GuestCommandLine {
        let text = read("cmdline", of: &guest, files, limit: CommandLineMatcher.longest) ?? []
        let line = GuestCommandLine(GuestCommandLine.arguments(text))
        guest.name = (line.name ?? guest.comm).cut(toBytes: longestName)
        guest.configured = line.configured
        guest.configuredInHugePages = line.inHugePages
        guest.vcpus = line.vcpus
        guest.balloon = line.balloon
        guest.isLocked = line.locksMemory
        guest.manager = line.manager
        // CPUs that were plugged in run as threads, of which the line knows nothing.
        let pid = guest.pid
        let running =
            see(&guest.needFailures) { () throws(KernelFileError) in try GuestThreads.virtualCPUs(pid, files) } ?? 0
        if running > 0 { guest.vcpus = max(guest.vcpus ?? 0, running) }
        return line
    }

    private static func readStatus(_ guest: inout GuestDetails, _ files: ProcessFiles) {
        guard let text = read("status", of: &guest, files, limit: ProcessFile.longestStatus) else { return }
        let status = ProcessStatus(parsing: text)
        guest.swapped = status.swapped
        guest.inHugePages = status.inHugePages
        guest.locked = status.locked
        guest.pinned = status.pinned
    }

    private static func readCgroup(_ guest: inout GuestDetails, _ paths: HostPaths, _ files: ProcessFiles) {
        if let text = read("cgroup", of: &guest, files, limit: 65536) {
            guest.limits = GuestCgroup.limits(paths, text: text, &guest.needFailures)
        }
        if let path = guest.limits?.path, guest.manager == nil || guest.manager == .qemu {
            guest.manager = GuestDetails.Manager(cgroup: path) ?? guest.manager
        }
    }

    /// Whether a passed-through device holds the guest's memory in place: the command line knows those of the start,
    /// the kernel those that were plugged in later. It counts what VFIO pins as locked (`vfio_lock_acct` in
    /// `drivers/vfio/vfio_iommu_type1.c`), what iommufd and vDPA pin as pinned.
    private static func readPinning(_ guest: inout GuestDetails, _ line: GuestCommandLine, _ files: ProcessFiles) {
        let half = KiB((guest.held ?? .zero).count / 2)
        let isPinned = half > .zero && guest.pinned ?? .zero > half
        let isLocked = half > .zero && guest.locked ?? .zero > half
        switch line.pinning {
        case .all: guest.isPinned = true
        case .some: guest.isPinned = guest.locked == nil && guest.pinned == nil || isPinned || isLocked
        case .none:
            guest.isPinned = isPinned || isLocked && usesVFIO(&guest, files)
        }
        if guest.isPinned, guest.balloon == .manual || guest.balloon == .autodeflate { guest.balloon = .inhibited }
    }

    private static func usesVFIO(_ guest: inout GuestDetails, _ files: ProcessFiles) -> Bool {
        let pid = guest.pid
        return see(&guest.needFailures) { () throws(KernelFileError) in try GuestThreads.usesVFIO(pid, files) } ?? false
    }

    /// A file that says more of a guest. What the kernel shows to others only is hidden; any other failure is kept.
    private static func read(
        _ file: String, of guest: inout GuestDetails, _ files: ProcessFiles, limit: Int
    ) -> [UInt8]? {
        do throws(KernelFileError) {
            return try files.read(guest.pid, file, limit: limit)
        } catch {
            switch (file.hasPrefix("ksm"), error.isDenied) {
            case (true, true): guest.isHidden = true
            case (true, false): guest.otherFailures.append(error)
            case (false, _): guest.needFailures.append(error)
            }
            return nil
        }
    }

    // MARK: KSM

    private static func readMerging(
        _ guest: inout GuestDetails, _ line: GuestCommandLine, _ evidence: MergingEvidence, _ files: ProcessFiles
    ) {
        let stat = read("ksm_stat", of: &guest, files, limit: 1024).map { KSMStat(parsing: $0) }
        // The file is older than the line: 5.19 and 6.4. Whoever may not see the one may not see the other.
        let text =
            stat?.mergingPages != nil || guest.isHidden ? nil : read("ksm_merging_pages", of: &guest, files, limit: 64)
        let merging =
            stat?.mergingPages ?? text.flatMap { DecimalField($0.span, at: 0) }.map { Pages($0.value) }
        guest.merged = merging?.kibibytes(of: Host.pageSize)
        guest.zero = stat?.zeroPages?.kibibytes(of: Host.pageSize)
        guest.items = stat?.items.map { Pages($0) }
        guest.profit = stat?.profit
        let (pid, before) = (guest.pid, guest)
        (guest.isMergeable, guest.obstacles) = evidence.answer(before, line, stat, merging: merging) {
            see(&guest.otherFailures) { () throws(KernelFileError) in try files.age(pid) }
        }
    }
}
