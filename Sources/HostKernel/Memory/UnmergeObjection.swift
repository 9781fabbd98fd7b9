package import KSMPolicy

/// Why not every merged page is known to find memory or swap of its own.
package enum UnmergeObjection: Equatable, Sendable {
    case short(needed: KiB, available: KiB)
    /// What cannot be read is no room.
    case unknown(KernelFileError)

    /// - Returns: `nil` where they fit.
    package static func find(_ control: some KSMControl, _ memory: MemoryReader) -> UnmergeObjection? {
        do throws(KernelFileError) {
            let saved = try control.readSavedPages().kibibytes(of: Host.pageSize)
            return find(saved: saved, saved > .zero ? try memory.read() : MemoryInfo(), at: memory.path)
        } catch {
            return .unknown(error)
        }
    }

    /// - Parameters:
    ///   - saved: What merging saves now.
    ///   - path: Where what is known of the memory was read.
    /// - Returns: `nil` where they fit.
    package static func find(saved: KiB, _ memory: MemoryInfo, at path: String) -> UnmergeObjection? {
        guard saved > .zero else { return nil }
        guard let available = memory.available else {
            return .unknown(KernelFileError(.understand, path, errno: 0, detail: "it has no MemAvailable line"))
        }
        let room = available + (memory.swapFree ?? .zero)
        return saved < room ? nil : .short(needed: saved, available: room)
    }
}

extension UnmergeObjection: CustomStringConvertible {
    /// A sentence's beginning.
    package var description: String {
        switch self {
        case .short(let needed, let available):
            "unmerging needs \(needed), and only \(available) of memory and swap are free"
        case .unknown(let error): "\(error), so whether unmerging fits is not known"
        }
    }
}
