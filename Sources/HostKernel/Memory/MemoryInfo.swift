package import KSMPolicy

/// The lines of `/proc/meminfo` that matter here; see proc(5).
package struct MemoryInfo: Equatable, Sendable {
    /// `nil` where the file has no such line.
    package var total: KiB?
    package var free: KiB?
    package var buffers: KiB?
    package var cached: KiB?
    package var available: KiB?
    /// What processes hold that is no file's, each page once however many share it.
    package var anonymous: KiB?
    package var swapFree: KiB?
    package var swapTotal: KiB?
    /// What zswap's compressed pages take, and what they were before. 5.19
    package var zswap: KiB?
    package var zswapped: KiB?
    /// What ZFS's cache can give back, which is in none of the lines; `nil` where that was not read, or there is none.
    package var reclaimableCache: KiB?

    package init() {}

    /// Reads the text of the file.
    ///
    /// A line whose number is cut off or beyond 64 bits counts as absent: half a number is no number.
    package init(parsing text: Span<UInt8>) {
        var lineStart = 0
        while lineStart < text.count {
            let end = LineEnd.find(text, from: lineStart)
            read(line: text.extracting(lineStart..<end))
            lineStart = end + 1
        }
    }

    private mutating func read(line: Span<UInt8>) {
        // Most of the fifty lines end here, at their first letter.
        guard let first = line.isEmpty ? nil : line[0] else { return }
        switch first {
        case UInt8(ascii: "M"):
            if line.hasPrefix("MemTotal:") { total = Self.amount(line, from: 9) }
            if line.hasPrefix("MemFree:") { free = Self.amount(line, from: 8) }
            if line.hasPrefix("MemAvailable:") { available = Self.amount(line, from: 13) }
        case UInt8(ascii: "A"):
            if line.hasPrefix("AnonPages:") { anonymous = Self.amount(line, from: 10) }
        case UInt8(ascii: "B"):
            if line.hasPrefix("Buffers:") { buffers = Self.amount(line, from: 8) }
        case UInt8(ascii: "C"):
            if line.hasPrefix("Cached:") { cached = Self.amount(line, from: 7) }
        case UInt8(ascii: "S"):
            if line.hasPrefix("SwapFree:") { swapFree = Self.amount(line, from: 9) }
            if line.hasPrefix("SwapTotal:") { swapTotal = Self.amount(line, from: 10) }
        case UInt8(ascii: "Z"):
            if line.hasPrefix("Zswap:") { zswap = Self.amount(line, from: 6) }
            if line.hasPrefix("Zswapped:") { zswapped = Self.amount(line, from: 9) }
        default: break
        }
    }

    private static func amount(_ line: Span<UInt8>, from start: Int) -> KiB? {
        var index = start
        while index < line.count, line[index].isBlank { index += 1 }
        guard let number = DecimalField(line, at: index), number.end < line.count, line[number.end].isBlank else {
            return nil
        }
        return KiB(number.value)
    }
}

extension MemoryInfo {
    /// Free memory by the configured metric. A line that is missing counts as 0; ask ``missingLine(for:)`` first.
    package func free(by metric: FreeMetric) -> KiB {
        switch metric {
        case .cached: (free ?? .zero) + (buffers ?? .zero) + (cached ?? .zero)
        case .available: available ?? .zero
        case .availableAndCache: (available ?? .zero) + (reclaimableCache ?? .zero)
        }
    }

    /// The name of the first line that the metric needs and the file does not have.
    package func missingLine(for metric: FreeMetric) -> String? {
        switch metric {
        case .cached:
            free == nil ? "MemFree" : buffers == nil ? "Buffers" : cached == nil ? "Cached" : nil
        case .available, .availableAndCache:
            available == nil ? "MemAvailable" : nil
        }
    }
}
