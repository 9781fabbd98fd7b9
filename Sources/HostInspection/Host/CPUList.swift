package import HostKernel
internal import KSMPolicy

/// A list of CPUs or nodes as the kernel writes it: `0-3,8,10-11`.
package enum CPUList {
    /// - Returns: How many it names; `nil` for a text that is no such list.
    package static func count(_ text: Span<UInt8>) -> Int64? {
        var count: Int64 = 0
        var index = 0
        while true {
            guard let first = DecimalField(text, at: index) else { return nil }
            index = first.end
            var last = first.value
            if index < text.count, text[index] == UInt8(ascii: "-") {
                guard let end = DecimalField(text, at: index + 1), end.value >= first.value else { return nil }
                (last, index) = (end.value, end.end)
            }
            guard let sum = (last - first.value).addingExactly(count)?.addingExactly(1) else { return nil }
            count = sum
            guard index < text.count, text[index] == UInt8(ascii: ",") else { break }
            index += 1
        }
        return index == text.count || text[index] == UInt8(ascii: "\n") ? count : nil
    }

    /// How many a file names; `nil` where there is none.
    ///
    /// - Throws: ``KernelFileError`` also for a file that holds something else.
    static func count(_ path: String) throws(KernelFileError) -> Int64? {
        guard let text = try SmallFile.text(path, limit: 65536) else { return nil }
        guard let count = count(Array(text.utf8).span) else {
            throw SmallFile.notUnderstood(path, "it is no list such as 0-3,8")
        }
        return count
    }

    /// The CPUs that are switched on; `nil` where the kernel does not say.
    package static func online(_ paths: HostPaths) throws(KernelFileError) -> Int64? {
        try count(paths.onlineCPUs)
    }

    /// The NUMA nodes with memory of their own. A kernel without NUMA tells none.
    package static func memoryNodes(_ paths: HostPaths) throws(KernelFileError) -> Int64? {
        try count(paths.memoryNodes)
    }
}
