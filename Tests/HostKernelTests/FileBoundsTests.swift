import Foundation
import HostFixtures
import KSMPolicy
import Testing

@testable import HostKernel

/// Each file is read up to a bound. What is shorter counts as it is; what is as long or longer is a failure, and never a
/// text that was cut.
@Suite struct FileBoundsTests {
    @Test func `A text that the kernel gives in pieces of a page is read to its end`() throws {
        let file = KernelFile("/proc/self/smaps", isHeld: true)
        for _ in 0..<2 {
            let text = try file.read(limit: 1 << 24)
            #expect(text.count > 4096)
            // The last mappings of a process.
            #expect(String(decoding: text, as: UTF8.self).contains("[stack]"))
        }
        #expect(throws: KernelFileError.self) { try file.read(limit: 5000) }
    }

    @Test func `A file that is held is not read beyond its bound`() throws {
        let host = FakeHost()
        host.write(String(repeating: "1", count: 300) + "\n", to: "proc/loadavg")
        let file = KernelFile(host.path("proc/loadavg"), isHeld: true)
        #expect(throws: KernelFileError.self) { try file.read(limit: 256) }
        #expect(throws: KernelFileError.self) { try file.read(limit: 301) }
        #expect(try file.read(limit: 302).count == 301)
        // Longer than what was taken for it at first.
        host.write(String(repeating: "1", count: 5000) + "\n", to: "proc/loadavg")
        #expect(try file.read(limit: 1 << 14).count == 5001)
        #expect(throws: KernelFileError.self) { try file.read(limit: 5001) }
    }

    @Test func `A pipe in the place of a file that is held is not waited for`() throws {
        let host = FakeHost()
        host.makePipe("proc/loadavg")
        let file = KernelFile(host.path("proc/loadavg"), isHeld: true)
        #expect(throws: KernelFileError.self) { try file.read(limit: 256) }
    }

    @Test func `The last sixteen descriptors are held for nothing`() {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let most = Int32(clamping: limit.rlim_cur)
        #expect(DescriptorReserve.allowsHolding(most - 17))
        #expect(!DescriptorReserve.allowsHolding(most - 16))
    }

    @Test func `Nothing is written outside of a tree that stands for a host`() throws {
        let host = FakeHost()
        host.createFolder("var")
        host.link("var/run", to: "/run")
        try host.paths.requireInside(host.path("run/ksmtuned.pid"), for: .open)
        #expect(throws: KernelFileError.self) {
            try host.paths.requireInside(host.path("var/run/ksmtuned.pid"), for: .open)
        }
        try HostPaths().requireInside("/var/run/ksmtuned.pid", for: .open)
    }

    @Test func `In a tree that stands for a host a file is another one when it was replaced`() throws {
        let host = FakeHost()
        for (file, texts) in [
            ("sys/kernel/mm/ksm/pages_to_scan", ["100\n", "200\n"]),
            ("proc/meminfo", ["MemTotal: 100 kB\n", "MemTotal: 200 kB\n"]),
            ("proc/pressure/cpu", ["some avg10=0.00 total=100\n", "some avg10=0.00 total=200\n"]),
            ("proc/vmstat", ["a 1\ncow_ksm 100\n", "a 1\ncow_ksm 200\n"]),
            ("proc/50/schedstat", ["1 100 1\n", "1 200 1\n"]),
        ] {
            host.write("ksmd\n", to: "proc/50/comm")
            host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
            host.write(texts[0], to: file)
            let read = try Self.reader(of: file, host)
            #expect(try read() == 100, "\(file)")
            host.remove(file)
            host.write(texts[1], to: file)
            #expect(try read() == 200, "\(file)")
        }
    }

    private static func reader(of file: String, _ host: FakeHost) throws -> () throws -> Int64? {
        switch file {
        case "proc/meminfo":
            let memory = MemoryReader(host.paths)
            return { try memory.total().count }
        case "proc/pressure/cpu":
            let pressure = CPUPressure(host.paths)
            return { try pressure.waited().map { $0 / .microseconds(1) }.map { Int64($0) } }
        case "proc/vmstat":
            let counters = MemoryCounters(host.paths)
            return { try counters.faults()?.brokenMerges?.count }
        case "proc/50/schedstat":
            let thread = try KSMThread(host.paths)
            return { try thread?.times()?.waited.nanoseconds }
        default:
            let kernel = KSMDirectory(host.paths)
            return { try kernel.read(.pagesToScan) }
        }
    }

    /// How a text comes that is read in pieces of these sizes, into so much room.
    private static func read(_ text: String, in pieces: [Int], room: Int = 64) -> String? {
        let bytes = Array(text.utf8)
        var pieces = pieces[...]
        return unsafe withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { buffer in
            let got = unsafe KernelFile.readText(into: buffer) { part, offset in
                guard let piece = pieces.popFirst() else { return -1 }
                let next = bytes[offset...].prefix(min(piece, part.count))
                unsafe part.copyBytes(from: next)
                return next.count
            }
            return got < 0 ? nil : unsafe String(decoding: buffer[..<got], as: UTF8.self)
        }
    }

    @Test func `A text that comes in pieces counts when its last line is whole`() {
        #expect(Self.read("1250\n", in: [5]) == "1250\n")
        #expect(Self.read("1250\n", in: [1, 2, 1, 1]) == "1250\n")
        #expect(Self.read("1250", in: [2, 2, 1]) == "1250")
        #expect(Self.read("1250\n", in: [2]) == nil)
        #expect(Self.read("one\ntwo\n", in: [6, 2]) == "one\ntwo\n")
        #expect(Self.read("1250\n", in: [9], room: 4) == "1250")
        #expect(Self.read("", in: [1]) == "")
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var file: String
        /// The first size that is too much.
        var bound: Int
        var text: String
        /// Whether the host shows what the text says.
        var isRead: @Sendable (FakeHost) throws -> Bool

        var testDescription: String { "\(file), \(bound) bytes" }

        init(_ file: String, _ bound: Int, _ text: String, isRead: @escaping @Sendable (FakeHost) throws -> Bool) {
            self.file = file
            self.bound = bound
            self.text = text
            self.isRead = isRead
        }
    }

    private static func table(_ host: FakeHost) throws -> GuestTable {
        var table = try GuestTable(host.paths, matcher: NameMatcher(profile: .union, pattern: nil))
        try table.refresh()
        return table
    }

    /// What the guest of 1000 pages holds by a metric; `nil` where only its resident size could be had.
    private static func held(_ host: FakeHost, _ metric: GuestMetric) throws -> KiB? {
        var table = try table(host)
        let sum = table.measure(by: metric)
        return sum.fallback == nil ? sum.committed : nil
    }

    private static let resident = Pages(1000).kibibytes(of: Host.pageSize)

    @Test(arguments: [
        Case("proc/meminfo", 16384, "MemTotal: 5 kB\n") { try MemoryReader($0.paths).total() == KiB(5) },
        Case("proc/sys/kernel/random/boot_id", 128, "01234567-89ab-cdef-0123-456789abcdef\n") {
            HostClock.boot($0.paths) == 0x0123_4567_89ab_cdef
        },
        Case("proc/vmstat", 32768, "a 1\ncow_ksm 5\n") { try MemoryCounters($0.paths).faults()?.brokenMerges == 5 },
        Case("proc/pressure/cpu", 512, "some avg10=0.00 total=5\n") {
            try CPUPressure($0.paths).waited() == .microseconds(5)
        },
        Case("proc/spl/kstat/zfs/arcstats", 65536, "size 4 4096\nc_min 4 0\nc_max 4 8192\n") {
            try ZFSCache.read($0.paths)?.size == KiB(4)
        },
        Case("sys/kernel/mm/ksm/pages_to_scan", 256, "5\n") { try KSMDirectory($0.paths).read(.pagesToScan) == 5 },
        Case("proc/50/statm", 128, "0 0 0 0 0 0 0\n") { try KSMThread($0.paths)?.times() != nil },
        Case("proc/50/schedstat", 128, "7000 3000 55\n") {
            try KSMThread($0.paths)?.times()?.cpu == .nanoseconds(7000)
        },
        Case("proc/60/comm", 128, "x\n") {
            $0.removeProcess(50)
            return try KSMThread($0.paths) == nil
        },
        Case("proc/10/stat", 2048, "10 (kvm) S 1 2 3 4 5 6 7 8 9 10 0 0 13 14 20 0 9 0 777 0 0\n") {
            var times: [Duration] = []
            let failure = try table($0).activity { times.append($1.time) }
            return failure == nil && times == [.zero]
        },
        Case("proc/10/smaps_rollup", 4096, "Pss: 5 kB\n") { try held($0, .pss) == KiB(5) },
        Case("proc/10/status", 1 << 16, "VmSwap:\t5 kB\n") { try held($0, .residentAndSwap) == resident + KiB(5) },
        Case("proc/10/ksm_merging_pages", 64, "1000\n") { try held($0, .unmerged) == .zero },
        Case("proc/20/comm", 128, "kvm\n") {
            var table = try GuestTable($0.paths, matcher: NameMatcher(profile: .union, pattern: "kvm"))
            try table.refresh()
            return table.measure(by: .rsz).guests == 2
        },
        Case("proc/20/status", 1 << 16, "Tgid:\t20\n") {
            var table = try table($0)
            table.announce(MachineEvents([MachineEvent(.create, by: 20)]))
            let sum = table.measure(by: .rsz)
            return sum.failure == nil && sum.guests == 2
        },
    ])
    func `a text shorter than the bound counts, and one as long does not`(_ test: Case) throws {
        for (size, isRead) in [(test.bound - 1, true), (test.bound, false)] {
            let host = FakeHost()
            host.setProcess(10, comm: "kvm", resident: 1000)
            host.setProcess(20, comm: "vmm", resident: 1)
            host.setProcess(50, comm: "ksmd", resident: 0)
            host.write("0 0 0 0 0 0 0\n", to: "proc/50/statm")
            host.write("7000 3000 55\n", to: "proc/50/schedstat")
            host.write(test.text + String(repeating: "\n", count: size - test.text.utf8.count), to: test.file)
            #expect(((try? test.isRead(host)) ?? false) == isRead, "\(size) bytes")
        }
    }
}
