internal import HostKernel
internal import KSMPolicy

/// What is mounted where.
struct MountTable {
    private var mounts: [(point: String, kind: String)] = []

    /// - Returns: `nil` where the kernel does not say.
    init?(_ paths: HostPaths) throws(KernelFileError) {
        for path in paths.mounts {
            guard let text = try SmallFile.text(path, limit: 4 << 20) else { continue }
            let isInfo = path.hasSuffix("mountinfo")
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: " ")
                // `36 35 98:0 / /mnt rw - ext4 /dev/sda1 rw`, with any number of fields before the hyphen; the older
                // one is `/dev/sda1 /mnt ext4 rw`.
                let kind = isInfo ? fields.firstIndex(of: "-").map { $0 + 1 } : 2
                guard let kind, kind < fields.count, fields.count > 4 || !isInfo else { continue }
                mounts.append((Self.unescaped(fields[isInfo ? 4 : 1]), String(fields[kind])))
            }
            return
        }
        return nil
    }

    /// The kind of the file system that a file lies on; `nil` where that cannot be told.
    func kind(of path: String) -> String? {
        var best: (length: Int, kind: String)?
        for (point, kind) in mounts {
            let prefix = point.hasSuffix("/") ? point : point + "/"
            // Of several on one place, the last hides the others.
            guard path.hasPrefix(prefix), best.map({ prefix.utf8.count >= $0.length }) ?? true else { continue }
            best = (prefix.utf8.count, kind)
        }
        return best?.kind
    }

    /// Blanks, tabs, line breaks and backslashes of a name come as three octal digits behind a backslash, in
    /// `/proc/swaps` too.
    static func unescaped(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var plain: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
                let byte = UInt8(String(decoding: bytes[index + 1...index + 3], as: UTF8.self), radix: 8)
            {
                plain.append(byte)
                index += 4
            } else {
                plain.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }
}
