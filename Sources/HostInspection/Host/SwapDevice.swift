internal import Glibc
package import HostKernel
package import KSMPolicy

/// A partition or a file that the kernel swaps to, from `/proc/swaps`.
package struct SwapDevice: Equatable, Sendable {
    /// As swapon(8) was told.
    package var path: String
    package var isFile: Bool
    package var size: KiB
    package var used: KiB
    /// Whether it lies on a disk that turns; `nil` where that cannot be told.
    package var isRotational: Bool?
    /// What it lies on, as far as that can be told.
    package var backing = Backing.disk
    /// What it takes of the host's memory, for a zram device.
    package var zram: CompressedMemory?

    package enum Backing: Equatable, Sendable {
        case disk
        /// Compressed memory.
        case zram
        /// A volume of ZFS.
        case zfsVolume
        /// A file of a file system that never writes in place: ZFS, or btrfs below a loop device.
        case copyOnWrite(String)
        /// A device or a file that is reached over a network, or through a program.
        case network(String)

        /// Why a page may not get there when memory is short, as the end of a sentence; `nil` where it does.
        package var hindrance: String? {
            switch self {
            case .disk, .zram: nil
            case .zfsVolume: "on a volume of ZFS, which needs memory itself to write a page, and may hang without"
            case .copyOnWrite(let name): "in a file of \(name), which needs memory itself to write a page"
            case .network(let name): "on \(name), which needs memory itself, and the network, to write a page"
            }
        }
    }

    package init(path: String, isFile: Bool, size: KiB, used: KiB = .zero) {
        self.path = path
        self.isFile = isFile
        self.size = size
        self.used = used
    }

    /// Whether what is swapped stays in memory, compressed.
    package var isInMemory: Bool { backing == .zram }

    var name: Substring { path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...] }

    /// Linux knows 32 at most, MAX_SWAPFILES of `include/linux/swap.h`.
    private static let most = 32

    /// - Returns: `nil` where there is no such file.
    /// - Throws: ``KernelFileError`` also for a line that makes no sense.
    package static func all(_ paths: HostPaths) throws(KernelFileError) -> [SwapDevice]? {
        guard let text = try SmallFile.text(paths.swaps, limit: 1 << 20) else { return nil }
        var devices: [SwapDevice] = []
        let lines = text.split(separator: "\n").dropFirst()
        guard lines.count <= most else { throw SmallFile.notUnderstood(paths.swaps, "it has \(lines.count) lines") }
        for line in lines { devices.append(try SwapDevice(line: line, paths)) }
        return devices
    }

    /// Reads `name type size used priority`, with blanks or tabs between.
    private init(line: Substring, _ paths: HostPaths) throws(KernelFileError) {
        let fields = line.split { $0 == " " || $0 == "\t" }
        guard fields.count >= 4, let size = Int64(fields[2]), let used = Int64(fields[3]), size >= 0, used >= 0 else {
            throw SmallFile.notUnderstood(paths.swaps, "a line is \(String(line).printable)")
        }
        self.init(path: MountTable.unescaped(fields[0]), isFile: fields[1] == "file", size: KiB(size), used: KiB(used))
        let folder =
            isFile
            ? DeviceNumber.text(ofFile: paths.place(path)).map { "\(paths.blockNumbers)/\($0)" }
            : "\(paths.blockDevices)/\(name)"
        if let device = folder {
            // A partition has no queue; its folder lies in that of its disk.
            let own = try SmallFile.isOn(device + "/queue/rotational")
            isRotational = own == nil ? try SmallFile.isOn(device + "/../queue/rotational") : own
        }
        backing = try SwapBacking.find(self, paths)
        // One that lies on zram has no numbers of its own.
        guard !isFile, CompressedMemory.isZRAM(name) else { return }
        zram = try CompressedMemory(zramFolder: "\(paths.blockDevices)/\(name)")
    }
}

/// The kernel's compressed cache in front of swap; see `Documentation/admin-guide/mm/zswap.rst`.
package struct Zswap: Equatable, Sendable {
    package var isEnabled: Bool
    /// The most that it may take of the host's memory, in percent. `max_pool_percent`
    package var mostPercent: Int64?

    package init(isEnabled: Bool, mostPercent: Int64? = nil) {
        self.isEnabled = isEnabled
        self.mostPercent = mostPercent
    }

    /// - Returns: `nil` where this kernel has none.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> Zswap? {
        guard let isEnabled = try SmallFile.isOn(paths.zswap + "/enabled") else { return nil }
        return Zswap(isEnabled: isEnabled, mostPercent: try SmallFile.number(paths.zswap + "/max_pool_percent"))
    }
}
