package import HostKernel
package import KSMPolicy

/// Memory that the kernel keeps compressed: how much it was, and how much it takes.
package struct CompressedMemory: Equatable, Sendable {
    package var original: Bytes
    /// With what the allocator loses.
    package var taken: Bytes

    package init(original: Bytes, taken: Bytes) {
        self.original = original
        self.taken = taken
    }

    /// 0 where compression takes more than it saves.
    package var saved: Bytes { (original - taken).nonNegative }

    /// How many times smaller it became; `nil` where nothing is compressed.
    package var ratio: Double? {
        original > .zero && taken > .zero ? Double(original.count) / Double(taken.count) : nil
    }

    /// What zswap holds; `nil` where the kernel does not say.
    package static func zswap(_ memory: MemoryInfo) -> CompressedMemory? {
        guard let taken = memory.zswap, let original = memory.zswapped else { return nil }
        return CompressedMemory(original: Bytes(original), taken: Bytes(taken))
    }

    /// What all devices of zram hold together; `nil` where there is none.
    ///
    /// - Throws: ``KernelFileError`` for the first device that cannot be read.
    package static func zram(_ paths: HostPaths) throws(KernelFileError) -> CompressedMemory? {
        guard let names = try FolderListing.namesIfThere(in: paths.block) else { return nil }
        var sum: CompressedMemory?
        for name in names where isZRAM(name) {
            guard let device = try CompressedMemory(zramFolder: "\(paths.block)/\(name)") else { continue }
            sum = CompressedMemory(
                original: (sum?.original ?? .zero) + device.original, taken: (sum?.taken ?? .zero) + device.taken)
        }
        return sum
    }

    /// `zram0` and others: block devices that are compressed memory.
    static func isZRAM(_ name: some StringProtocol) -> Bool {
        let digits = name.utf8.dropFirst(4)
        return name.hasPrefix("zram") && !digits.isEmpty && digits.allSatisfy { $0.isDigit }
    }

    /// - Parameter folder: Of a zram device.
    /// - Returns: `nil` where the kernel does not say.
    init?(zramFolder folder: String) throws(KernelFileError) {
        let path = folder + "/mm_stat"
        guard let text = try SmallFile.text(path) else { return nil }
        guard let memory = CompressedMemory(zramStatistics: Array(text.utf8).span) else {
            throw SmallFile.notUnderstood(path, "it does not begin with three numbers")
        }
        self = memory
    }

    /// Reads `mm_stat`: the data's size, its compressed size, and the memory that this takes, in bytes, then more.
    /// Documentation/admin-guide/blockdev/zram.rst
    package init?(zramStatistics text: Span<UInt8>) {
        var numbers: [Int64] = []
        var index = 0
        while numbers.count < 3 {
            while index < text.count, text[index].isBlank { index += 1 }
            guard let number = DecimalField(text, at: index) else { return nil }
            numbers.append(number.value)
            index = number.end
        }
        self.init(original: Bytes(numbers[0]), taken: Bytes(numbers[2]))
    }
}
