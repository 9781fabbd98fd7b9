import HostInspection
import HostKernel
import KSMPolicy

extension FuzzTarget {
    /// What stands in `/proc/PID/cmdline`, with a zero byte behind each argument.
    static var commandLines: [FuzzTarget] {
        var targets: [FuzzTarget] = []
        // As much as is read of one.
        let longest = CommandLineMatcher.longest - 1
        for program in ["qemu-system-x86_64", "cloud-hypervisor", "firecracker", "crosvm"] {
            targets.append(
                FuzzTarget("cmdline-\(program == "qemu-system-x86_64" ? "qemu" : program)", longest: longest) {
                    { input in try readCommandLine(Array((program + "\0").utf8) + input) }
                })
        }
        // Of a program with a name of its own.
        targets.append(FuzzTarget("cmdline", longest: longest) { { try readCommandLine($0) } })
        targets.append(FuzzTarget("command-line-matcher", longest: 1024) { { try match($0) } })
        return targets
    }

    private static func readCommandLine(_ text: [UInt8]) throws {
        let line = GuestCommandLine(GuestCommandLine.arguments(text))
        try require(line.configured.map { $0 >= .zero } ?? true, "the guest has less than no memory")
        try require(line.vcpus.map { $0 > 0 } ?? true, "the guest has no CPU")
        try require(line.inHugePages >= .zero, "there is less than nothing in huge pages")
        for part in line.memory ?? [] {
            try require(part.size.map { $0 >= .zero } ?? true, "a part is smaller than nothing")
        }
        try requirePrintable(line.name?.printable ?? "")
    }

    /// In pieces of every size it finds what a search through the whole text finds.
    private static func match(_ text: [UInt8]) throws {
        let option = Array("-enable-kvm".utf8)
        let start = Array("qemu-system".utf8)
        let rest = text.dropFirst(start.count)
        let expected =
            text.starts(with: start) && rest.indices.contains { rest[$0...].starts(with: option) }
        for size in [1, 7, 256] {
            var matcher = CommandLineMatcher()
            var index = 0
            while index < text.count {
                let end = min(index + size, text.count)
                matcher.feed(text.span.extracting(index..<end))
                index = end
            }
            try require((matcher.verdict == .matches) == expected, "in pieces of \(size): \(matcher.verdict)")
        }
    }
}
