internal import Glibc
package import HostKernel
package import KSMPolicy

/// Memory that the kernel keeps compressed: how much it was, and how much it takes.
package struct CompressedMemory: Equatable, Sendable {
    /// In bytes.
    package var original: Int64
    /// In bytes, with what the allocator loses.
    package var taken: Int64

    package init(original: Int64, taken: Int64) {
        self.original = original
        self.taken = taken
    }

    /// Bytes; 0 where compression takes more than it saves.
    package var saved: Int64 { max(original - taken, 0) }

    /// How many times smaller it became; `nil` where nothing is compressed.
    package var ratio: Double? { original > 0 && taken > 0 ? Double(original) / Double(taken) : nil }

    /// What zswap holds; `nil` where the kernel does not say.
    package static func zswap(_ memory: MemoryInfo) -> CompressedMemory? {
        guard let taken = memory.zswap, let original = memory.zswapped else { return nil }
        return CompressedMemory(original: original.bytes, taken: taken.bytes)
    }

    /// What all devices of zram hold together; `nil` where there is none.
    package static func zram(_ paths: HostPaths) -> CompressedMemory? {
        var sum: CompressedMemory?
        for name in ZRAMDevice.names(paths) {
            guard let text = try? HostFile.read("\(paths.block)/\(name)/mm_stat"),
                let device = CompressedMemory(zramStatistics: text.span)
            else { continue }
            sum = CompressedMemory(
                original: add(sum?.original ?? 0, device.original), taken: add(sum?.taken ?? 0, device.taken))
        }
        return sum
    }

    private static func add(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
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
        self.init(original: numbers[0], taken: numbers[2])
    }
}

/// Block devices that are compressed memory.
package enum ZRAMDevice {
    /// `zram0` and others, in no order.
    static func names(_ paths: HostPaths) -> [String] {
        guard let folder = unsafe opendir(paths.block) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if isName(name.span) { names.append(String(decoding: name, as: UTF8.self)) }
        }
        return names
    }

    private static func isName(_ text: Span<UInt8>) -> Bool {
        guard text.hasPrefix("zram"), let number = DecimalField(text, at: 4) else { return false }
        return number.end == text.count
    }

    /// The size of the swap that lies on such devices: it is memory itself, of which it takes as much as the data does
    /// not compress. `nil` where the kernel does not say what it swaps to.
    package static func swapSize(_ paths: HostPaths) -> KiB? {
        SwapDevice.all(paths)?.reduce(KiB.zero) { $0 + ($1.isZram ? $1.size : .zero) }
    }
}
