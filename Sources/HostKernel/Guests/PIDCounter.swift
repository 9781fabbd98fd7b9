internal import Glibc

/// The number that the kernel gave last to a process or thread. They rise, until they begin again from below.
package struct PIDCounter {
    private let file: KernelFile
    /// Where this process's number in the listing stands.
    private let own: String
    /// Whether the numbers are those of the processes that are listed; `nil` while that is not known.
    private var isOurs: Bool?

    /// `loadavg` tells the number of the reader's own pid namespace (proc_loadavg(5)), and `/proc` may be another's. A tree
    /// that stands for a host has no counter at all.
    package init(_ paths: HostPaths) {
        self.init(paths.loadAverage, own: "\(paths.proc)/self/stat", isOurs: paths.isStandIn ? false : nil)
    }

    package init(_ path: String, own: String, isOurs: Bool? = nil) {
        file = KernelFile(path, isHeld: true)
        self.own = own
        self.isOurs = isOurs
    }

    /// Finds out whose the numbers are. What keeps that from being read now need not do so later.
    private mutating func settle() {
        do throws(KernelFileError) {
            let text = try HostFile.read(own, limit: 2048)
            isOurs = DecimalField(text.span, at: 0)?.value == Int64(getpid())
        } catch {
            if !error.mayPass { isOurs = false }
        }
    }

    /// The number; `nil` where it is not known.
    package mutating func last() -> Int32? {
        if isOurs == nil { settle() }
        guard isOurs == true, let text = try? file.read(limit: 128) else { return nil }
        // It is the last of the words.
        guard let blank = text.lastIndex(of: UInt8(ascii: " ")),
            let number = DecimalField(text.span, at: blank + 1)
        else { return nil }
        return Int32(exactly: number.value)
    }
}
