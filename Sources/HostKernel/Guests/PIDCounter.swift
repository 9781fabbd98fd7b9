internal import Glibc

/// The number that the kernel gave last to a process or thread. They rise, until they begin again from below.
struct PIDCounter {
    /// `nil` where it does not tell of the processes that are listed.
    private let file: KernelFile?

    /// `loadavg` tells the number of the reader's own pid namespace (proc_loadavg(5)), and `/proc` may be another's. A tree
    /// that stands for a host has no counter at all.
    init(_ paths: HostPaths) {
        let isOurs = !paths.isStandIn && Self.ownNumber(paths) == Int64(getpid())
        file = isOurs ? KernelFile(paths.loadAverage, isHeld: true) : nil
    }

    /// This process's number in the listing.
    private static func ownNumber(_ paths: HostPaths) -> Int64? {
        guard let text = try? HostFile.read("\(paths.proc)/self/stat", limit: 2048) else { return nil }
        return DecimalField(text.span, at: 0)?.value
    }

    /// The number; `nil` where it is not known.
    var last: Int32? {
        guard let file, let text = try? file.read(limit: 128) else { return nil }
        // It is the last of the words.
        guard let blank = text.lastIndex(of: UInt8(ascii: " ")),
            let number = DecimalField(text.span, at: blank + 1)
        else { return nil }
        return Int32(exactly: number.value)
    }
}
