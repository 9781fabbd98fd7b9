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
            let (sum, overflow) = (last - first.value).addingReportingOverflow(count)
            guard !overflow, sum < .max else { return nil }
            count = sum + 1
            guard index < text.count, text[index] == UInt8(ascii: ",") else { break }
            index += 1
        }
        return index == text.count || text[index] == UInt8(ascii: "\n") ? count : nil
    }

    /// How many a file names; `nil` where there is none, or it holds something else.
    static func count(_ path: String) -> Int64? {
        (try? HostFile.read(path, limit: 65536)).flatMap { count($0.span) }
    }

    /// The CPUs that are switched on; `nil` where the kernel does not say.
    package static func online(_ paths: HostPaths) -> Int64? {
        count(paths.onlineCPUs)
    }
}
