internal import HostKernel
internal import KSMPolicy

/// Small files of the kernel, for programs that look once.
///
/// `nil` is a file that this kernel does not have. One that is there and cannot be read, or holds something else than
/// it should, is a ``KernelFileError``.
enum SmallFile {
    /// The text without the line breaks at its end.
    static func text(_ path: String, limit: Int = 4096) throws(KernelFileError) -> String? {
        do throws(KernelFileError) {
            var bytes = try HostFile.read(path, limit: limit)
            while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            if error.isAbsent { return nil }
            throw error
        }
    }

    static func number(_ path: String) throws(KernelFileError) -> Int64? {
        guard let text = try text(path, limit: 64) else { return nil }
        guard let number = Int64(text) else { throw notUnderstood(path, "it holds no number") }
        return number
    }

    /// A switch, which the kernel's files show as `Y` and `N` or as 1 and 0.
    static func isOn(_ path: String) throws(KernelFileError) -> Bool? {
        guard let word = try text(path, limit: 64) else { return nil }
        guard let isOn = Bool(word: word) else { throw notUnderstood(path, "it is neither on nor off") }
        return isOn
    }

    static func notUnderstood(_ path: String, _ detail: String) -> KernelFileError {
        KernelFileError(.understand, path, errno: 0, detail: detail)
    }
}
