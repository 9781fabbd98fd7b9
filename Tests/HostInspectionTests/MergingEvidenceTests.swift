import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

/// Where the answers turn whether KSM may merge a guest's memory, from both sides.
@Suite struct MergingEvidenceTests {
    private static let gibibyte: Int64 = 1 << 20
    private static let line = "qemu-system-x86_64 -m 1G"
    /// It says nothing of memory, and KSM's items are the only evidence.
    private static let unknown = "vmm"

    private static func pages(_ kibibytes: Int64) -> Int64 { kibibytes * 1024 / Host.pageSize.count }

    /// - Parameters:
    ///   - resident: In KiB.
    ///   - items: Memory that KSM keeps track of, in KiB.
    private func guest(
        _ line: String, resident: Int64 = gibibyte, items: Int64? = nil, zero: Int64 = 0, merged: Int64? = nil,
        status: String = "", on host: FakeHost = FakeHost()
    ) throws -> GuestDetails {
        host.setGuest(10, comm: "kvm", resident: Self.pages(resident), line)
        if !status.isEmpty { host.write(status, to: "proc/10/status") }
        if let items { host.setKSMStat(10, items: Self.pages(items), zero: Self.pages(zero)) }
        if let merged { host.write("\(Self.pages(merged))\n", to: "proc/10/ksm_merging_pages") }
        return try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
    }

    private func host(passes: Int64 = 3, run: Int64 = 1) -> FakeHost {
        let host = FakeHost()
        host.setKSM(["run": run, "full_scans": passes])
        return host
    }

    private static var page: Int64 { Host.pageSize.count / 1024 }

    // MARK: What KSM keeps track of

    @Test(
        arguments: [
            (gibibyte / 2, 0, true), (gibibyte / 2 - page, 0, nil), (gibibyte / 2 - page, page, true),
            (gibibyte / 8, 0, nil), (gibibyte / 8 - page, page, nil), (gibibyte / 8 - page, 0, false), (0, 0, false),
        ] as [(Int64, Int64, Bool?)])
    func `half of its memory is enough, and less than an eighth is too little`(
        items: Int64, zero: Int64, isMergeable: Bool?
    ) throws {
        #expect(try guest(Self.unknown, items: items, zero: zero, on: host()).isMergeable == isMergeable)
    }

    @Test func `one whose memory only the kernel shows to be held in place does not merge`() throws {
        let guest = try guest(Self.unknown, status: "VmPin: 1048576 kB\n", on: host())
        #expect(guest.isMergeable == false && guest.obstacles == [.pinned])
    }

    @Test(arguments: [(65536, false), (65536 - page, nil)] as [(Int64, Bool?)])
    func `a guest that holds less than 64 MiB tells nothing`(resident: Int64, isMergeable: Bool?) throws {
        #expect(try guest(Self.unknown, resident: resident, items: 4, on: host()).isMergeable == isMergeable)
    }

    @Test(arguments: [(2, 1, nil), (3, 1, false), (4, 1, false), (3, 0, nil), (3, 2, nil)] as [(Int64, Int64, Bool?)])
    func `few items count after three passes, and while it runs`(
        passes: Int64, run: Int64, isMergeable: Bool?
    ) throws {
        #expect(try guest(Self.unknown, items: 4, on: host(passes: passes, run: run)).isMergeable == isMergeable)
    }

    /// Started so many seconds ago.
    private func setAge(_ seconds: Int64, _ host: FakeHost) {
        host.write("\(10_000 + seconds).00 1\n", to: "proc/uptime")
        let zeros = String(repeating: "0 ", count: 18)
        host.write("10 (kvm) S \(zeros)\(10_000 * Host.ticksPerSecond) 0\n", to: "proc/10/stat")
    }

    @Test(arguments: [(599, nil), (600, false), (601, false)] as [(Int64, Bool?)])
    func `few items of a guest of less than ten minutes say nothing`(age: Int64, isMergeable: Bool?) throws {
        let host = host()
        setAge(age, host)
        #expect(try guest(Self.unknown, items: 4, on: host).isMergeable == isMergeable)
    }

    /// Four million pages, in batches of 100 with 20 ms between: 812 s for a pass.
    @Test(arguments: ["pages_shared", "pages_sharing", "pages_unshared", "pages_volatile"])
    func `nor of one that is younger than three passes`(file: String) throws {
        for (age, isMergeable) in [(2435, nil), (2437, false)] as [(Int64, Bool?)] {
            let host = host()
            host.setKSM([file: 4_000_000, "pages_to_scan": 100, "sleep_millisecs": 20])
            setAge(age, host)
            #expect(try guest(Self.unknown, items: 4, on: host).isMergeable == isMergeable, "\(age) s")
        }
    }

    @Test func `a pass without sleep takes the time of its pages`() throws {
        // Nor is one assumed that cannot be read.
        for (age, isRead, isMergeable) in [
            (899, true, nil), (901, true, false), (899, false, nil), (901, false, false),
        ]
            as [(Int64, Bool, Bool?)]
        {
            let host = host()
            host.setKSM(["pages_unshared": 100_000_000, "pages_to_scan": 0, "sleep_millisecs": 0])
            if !isRead { host.remove("sys/kernel/mm/ksm/sleep_millisecs") }
            setAge(age, host)
            #expect(try guest(Self.unknown, items: 4, on: host).isMergeable == isMergeable, "\(age) s")
        }
    }

    @Test func `where the batch cannot be read it is of one page`() throws {
        // 40,000 pages with 20 ms behind each: 800.12 s for a pass.
        for (age, isMergeable) in [(2399, nil), (2402, false)] as [(Int64, Bool?)] {
            let host = host()
            host.setKSM(["pages_unshared": 40_000, "sleep_millisecs": 20])
            host.remove("sys/kernel/mm/ksm/pages_to_scan")
            setAge(age, host)
            #expect(try guest(Self.unknown, items: 4, on: host).isMergeable == isMergeable, "\(age) s")
        }
    }

    /// Kernels before 6.1 do not say what they keep track of.
    @Test(arguments: [(gibibyte / 8, true), (gibibyte / 8 - page, nil), (0, nil)] as [(Int64, Bool?)])
    func `where an eighth is merged, it was offered`(merged: Int64, isMergeable: Bool?) throws {
        #expect(try guest(Self.unknown, merged: merged, on: host()).isMergeable == isMergeable)
    }

    /// A guest of two halves, and what each backend says.
    private static func halves(_ first: String, _ second: String) -> String {
        "qemu-system-x86_64 -m 1G -object \(first),id=a,size=512M -object \(second),id=b,size=512M "
            + "-numa node,memdev=a -numa node,memdev=b"
    }

    @Test(arguments: [("on", [.backendNotMerged]), ("off", [])] as [(String, [GuestDetails.Obstacle])])
    func `where an eighth is merged, that shows what the line is wrong about, if nothing of it may be`(
        merge: String, obstacles: [GuestDetails.Obstacle]
    ) throws {
        let line = Self.halves("memory-backend-ram,merge=\(merge)", "memory-backend-ram,merge=off")
        let guest = try guest(line, merged: Self.gibibyte / 8, on: host())
        #expect(guest.isMergeable == true && guest.obstacles == obstacles)
    }

    // MARK: Huge pages

    @Test func `what the line says of one half in huge pages is not said of the other`() throws {
        let guest = try guest(
            Self.halves("memory-backend-file,mem-path=/dev/hugepages/a", "memory-backend-ram"), resident: 65536,
            status: "HugetlbPages:\t524288 kB\n", on: host())
        #expect(guest.isMergeable == true && guest.obstacles == [.hugePages])
    }

    /// Of a guest of 1 GiB; what it holds in ordinary pages is its monitor's.
    @Test(arguments: [
        (gibibyte, 65536, true), (gibibyte / 2, 65536, true), (gibibyte / 2 - 4, 65536, false),
        (gibibyte / 2, gibibyte / 2 - page, true), (gibibyte / 2, gibibyte / 2, false), (0, 65536, false),
    ])
    func `more in huge pages than in others, and half of what it was started with, is a guest in huge pages`(
        inHugePages: Int64, resident: Int64, isInHugePages: Bool
    ) throws {
        let guest = try guest(Self.line, resident: resident, status: "HugetlbPages:\t\(inHugePages) kB\n")
        #expect(guest.obstacles == (isInHugePages ? [.hugePages] : []))
    }

    @Test func `without a size on the line, what is in huge pages counts against what it holds`() throws {
        for (inHugePages, isInHugePages) in [(0, false), (65536, false), (65540, true)] {
            let guest = try guest(
                "firecracker", resident: 65536, status: "HugetlbPages:\t\(inHugePages) kB\n")
            #expect(guest.obstacles == (isInHugePages ? [.hugePages] : []), "\(inHugePages)")
        }
    }

    // MARK: Pinned

    @Test(arguments: [(0, false), (gibibyte / 2, false), (gibibyte / 2 + 4, true), (gibibyte, true)])
    func `what is pinned of more than half pins the guest`(pinned: Int64, isPinned: Bool) throws {
        #expect(try guest(Self.line, status: "VmPin:\t\(pinned) kB\n").isPinned == isPinned)
        // What is locked may be mlock(2)'s, unless it has a device of VFIO.
        #expect(try !guest(Self.line, status: "VmLck:\t\(pinned) kB\n").isPinned)
        let host = FakeHost()
        host.createFolder("proc/10/fd")
        host.link("proc/10/fd/30", to: "/dev/vfio/12")
        #expect(try guest(Self.line, status: "VmLck:\t\(pinned) kB\n", on: host).isPinned == isPinned)
    }

    @Test func `a guest that holds nothing yet offers nothing yet`() throws {
        let host = host()
        host.setGuest(10, comm: "kvm", Self.unknown)
        host.write("9 0 0 0 0 0 0\n", to: "proc/10/statm")
        host.setKSMStat(10, items: 0)
        #expect(try GuestReader.read(host.paths, Configuration()).guests.map { $0.isMergeable } == [nil])
    }

    @Test func `a guest that holds nothing yet is not pinned`() throws {
        let host = FakeHost()
        host.setGuest(10, comm: "kvm", Self.line)
        host.write("9 0 0 0 0 0 0\n", to: "proc/10/statm")
        host.write("VmPin:\t4 kB\n", to: "proc/10/status")
        #expect(try GuestReader.read(host.paths, Configuration()).guests.map { $0.isPinned } == [false])
    }
}
