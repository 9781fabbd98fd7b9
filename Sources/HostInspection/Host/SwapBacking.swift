internal import HostKernel
internal import KSMPolicy

/// Finds out what a swap area lies on, through devices that are made of others.
enum SwapBacking {
    static func find(_ swap: SwapDevice, _ paths: HostPaths) throws(KernelFileError) -> SwapDevice.Backing {
        if swap.isFile { return try file(swap.path, isSwap: true, paths) }
        if swap.path.hasPrefix("/dev/zvol/") { return .zfsVolume }
        return try device(String(swap.name), paths, depth: 0)
    }

    /// The kernel itself stacks no more devices than that.
    private static let deepest = 8

    /// - Parameter name: As below `/sys/class/block`.
    private static func device(
        _ name: String, _ paths: HostPaths, depth: Int
    ) throws(KernelFileError) -> SwapDevice.Backing {
        if CompressedMemory.isZRAM(name) { return .zram }
        if isNumbered(name, "zd") { return .zfsVolume }
        if isNumbered(name, "nbd") || isNumbered(name, "rbd") { return .network("a network block device") }
        guard depth < deepest else { return .disk }
        let folder = "\(paths.blockDevices)/\(name)"
        if isNumbered(name, "loop"), let backing = try SmallFile.text(folder + "/loop/backing_file") {
            return try file(backing, isSwap: false, paths)
        }
        // dm-crypt, LVM, RAID: as bad as the worst part. zram below them is memory all the same.
        for part in try parts(folder + "/slaves") {
            let backing = try device(part, paths, depth: depth + 1)
            if backing != .disk { return backing }
        }
        return .disk
    }

    private static func parts(_ folder: String) throws(KernelFileError) -> [String] {
        try FolderListing.namesIfThere(in: folder)?.sorted() ?? []
    }

    private static func isNumbered(_ name: String, _ kind: String) -> Bool {
        name.hasPrefix(kind) && name.utf8.dropFirst(kind.utf8.count).first?.isDigit == true
    }

    /// - Parameter isSwap: Whether the kernel swaps to the file itself, and not to a device that lies on it.
    private static func file(
        _ path: String, isSwap: Bool, _ paths: HostPaths
    ) throws(KernelFileError) -> SwapDevice.Backing {
        guard let kind = try MountTable(paths)?.kind(of: path) else { return .disk }
        switch kind {
        case "zfs": return .copyOnWrite("ZFS")
        // To the file the kernel swaps past the file system, and takes none that it could not write in place
        // (btrfs_swap_activate in fs/btrfs/inode.c).
        case "btrfs": return isSwap ? .disk : .copyOnWrite("btrfs")
        case "tmpfs", "ramfs": return .zram
        case "fuseblk": return .disk
        default: break
        }
        let isRemote =
            kind.hasPrefix("nfs") || kind.hasPrefix("fuse") || kind.hasPrefix("smb") || remote.contains(kind)
        return isRemote ? .network(kind) : .disk
    }

    private static let remote: Set<String> = [
        "cifs", "ceph", "9p", "afs", "virtiofs", "glusterfs", "lustre", "beegfs", "gfs2", "ocfs2", "orangefs",
    ]
}
