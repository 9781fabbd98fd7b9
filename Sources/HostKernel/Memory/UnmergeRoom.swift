package import KSMPolicy

/// Whether every merged page would find memory or swap of its own.
package enum UnmergeRoom: Equatable, Sendable {
    case enough
    case short(needed: KiB, available: KiB)
    /// What cannot be read is no room.
    case unknown(KernelFileError)

    package init(_ control: some KSMControl, _ memory: MemoryReader) {
        do throws(KernelFileError) {
            let saved = try control.readSavedPages().kibibytes(of: Host.pageSize)
            self.init(saved: saved, saved > .zero ? try memory.read() : MemoryInfo(), at: memory.path)
        } catch {
            self = .unknown(error)
        }
    }

    /// - Parameters:
    ///   - saved: What merging saves now.
    ///   - path: Where what is known of the memory was read.
    package init(saved: KiB, _ memory: MemoryInfo, at path: String) {
        guard saved > .zero else {
            self = .enough
            return
        }
        guard let available = memory.available else {
            self = .unknown(KernelFileError(.understand, path, errno: 0, detail: "it has no MemAvailable line"))
            return
        }
        let room = available + (memory.swapFree ?? .zero)
        self = saved < room ? .enough : .short(needed: saved, available: room)
    }

    /// Why everything is not to be unmerged, as a sentence's beginning; `nil` where it may be.
    package var objection: String? {
        switch self {
        case .enough: nil
        case .short(let needed, let available):
            "unmerging needs \(needed), and only \(available) of memory and swap are free"
        case .unknown(let error): "\(error), so whether unmerging fits is not known"
        }
    }
}
