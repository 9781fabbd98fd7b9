import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct MemoryInfoTests {
    private func parse(_ text: String) -> MemoryInfo {
        let bytes = Array(text.utf8)
        return MemoryInfo(parsing: bytes.span)
    }

    @Test func `each line is found by its whole name`() {
        let info = parse(
            """
            MemTotal:       24684516 kB
            MemFree:        23932824 kB
            MemAvailable:   23846000 kB
            Buffers:           12288 kB
            Cached:           139264 kB
            SwapCached:            1 kB
            SwapFree:           2048 kB

            """)
        #expect(info.total == KiB(24_684_516))
        #expect(info.free(by: .cached) == KiB(23_932_824 + 12_288 + 139_264))
        #expect(info.free(by: .available) == KiB(23_846_000))
        #expect(info.swapFree == KiB(2048))
    }

    @Test(arguments: [
        ("MemTotal: 3221225472 kB\n", Int64(3_221_225_472)),  // 3 TiB
        ("MemTotal: 9895604649984 kB\n", 9_895_604_649_984),  // 9 PiB
        ("MemTotal:9 kB\n", 9), ("MemTotal: 9\tkB\n", 9), ("MemTotal: 9 \n", 9), ("MemTotal:\t 9 kB", 9),
    ])
    func `a total of any size is read`(text: String, total: Int64) {
        #expect(parse(text).total == KiB(total))
    }

    @Test(arguments: [
        "", "\n\n\n", "MemTotal", "MemTotal:", "MemTotal: ", "MemTotal: kB\n", "MemTotal: -5 kB\n", "MemTotal: 12",
        "MemTotal: 12\n", "MemTotal: 12x\n", "MemTotal: 12kB\n", "MemTotal:  \n",
        "MemTotal: 99999999999999999999 kB\n", " MemTotal: 5 kB\n", "memtotal: 5 kB\n", "MemTotalX: 5 kB\n",
    ])
    func `what is no number, or cut off, counts as absent`(text: String) {
        #expect(parse(text).total == nil)
    }

    @Test func `a number may follow its name at once, and is that of no other line`() {
        let lines: [(name: String, value: KeyPath<MemoryInfo, KiB?>)] = [
            ("MemTotal", \.total), ("MemFree", \.free), ("MemAvailable", \.available), ("Buffers", \.buffers),
            ("Cached", \.cached), ("AnonPages", \.anonymous), ("SwapFree", \.swapFree),
            ("SwapTotal", \.swapTotal), ("Zswap", \.zswap), ("Zswapped", \.zswapped),
        ]
        for line in lines {
            let info = parse("\(line.name):5 kB\n")
            #expect(info[keyPath: line.value] == KiB(5), "\(line.name)")
            #expect(lines.count { info[keyPath: $0.value] != nil } == 1, "\(line.name)")
            #expect(parse("x\(line.name):5 kB\n") == MemoryInfo(), "\(line.name)")
            #expect(parse("\(line.name)x:5 kB\n") == MemoryInfo(), "\(line.name)")
        }
    }

    @Test(arguments: [(11, true), (12, true), (13, false)] as [(Int64, Bool)])
    func `merged pages fit where they are less than what is available and the free swap together`(
        room: Int64, isShort: Bool
    ) {
        let info = parse("MemAvailable: 5 kB\nSwapFree: \(room - 5) kB\n")
        #expect(
            UnmergeObjection.find(saved: KiB(12), info, at: "x")
                == (isShort ? .short(needed: KiB(12), available: KiB(room)) : nil))
    }

    @Test func `what is available must be known, unless nothing is merged`() throws {
        let info = parse("MemFree: 100 kB\nSwapFree: 100 kB\n")
        let objection = try #require(UnmergeObjection.find(saved: KiB(12), info, at: "x"))
        #expect(
            objection.description
                == "cannot understand x: it has no MemAvailable line, so whether unmerging fits is not known"
        )
        #expect(UnmergeObjection.find(saved: .zero, info, at: "x") == nil)
        // Then nobody asks what is free.
        let host = FakeHost()
        host.remove("proc/meminfo")
        #expect(UnmergeObjection.find(RecordingControl(), MemoryReader(host.paths)) == nil)
    }

    @Test(
        arguments: [
            ("01234567-89ab-cdef-0123-456789abcdef\n", 0x0123_4567_89ab_cdef),
            ("0123456789abcdef", 0x0123_4567_89ab_cdef),
            ("0123456789abcde\n", 0), ("f0000000-0000-0001\n", 0xf000_0000_0000_0001),
            ("0123456789abcdeg0\n", 0x0123_4567_89ab_cde0),
            ("", 0), ("0123456789ABCDEF\n", 0), ("0123-4567", 0), ("/:`g0123456789abcdef", 0x0123_4567_89ab_cdef),
        ] as [(String, UInt64)])
    func `a boot is told from others by the first sixteen digits of its id`(text: String, number: UInt64) {
        let host = FakeHost()
        #expect(HostClock.boot(host.paths) == 0)
        host.write(text, to: "proc/sys/kernel/random/boot_id")
        #expect(HostClock.boot(host.paths) == number)
    }

    @Test(arguments: [
        (FreeMetric.cached, "MemFree"), (.cached, "Buffers"), (.cached, "Cached"), (.available, "MemAvailable"),
    ])
    func `a missing line is named`(metric: FreeMetric, name: String) throws {
        let host = FakeHost()
        let lines = host.read("proc/meminfo")!.split(separator: "\n").filter { !$0.hasPrefix(name + ":") }
        host.write(lines.joined(separator: "\n") + "\n", to: "proc/meminfo")
        let error = #expect(throws: KernelFileError.self) { _ = try MemoryReader(host.paths).read(for: metric) }
        #expect(error?.description.contains("has no \(name) line") == true)
    }

    @Test func `what the cache of ZFS can give back is free by the metric that says so`() throws {
        let host = FakeHost()
        func free(_ metric: FreeMetric) throws -> KiB {
            try MemoryReader(host.paths).read(for: metric).free(by: metric)
        }
        let available = try free(.available)
        #expect(try free(.availableAndCache) == available)
        host.write(
            "13 1 0x01 3 816 1 2\nname type data\nsize 4 42627000320\nc_min 4 2684000256\nc_max 4 43486000000\n",
            to: "proc/spl/kstat/zfs/arcstats")
        #expect(try free(.available) == available)
        #expect(try free(.availableAndCache) == available + KiB((42_627_000_320 - 2_684_000_256) / 1024))
        // Below its minimum it gives nothing back.
        host.write("size 4 1024\nc_min 4 4096\nc_max 4 8192\n", to: "proc/spl/kstat/zfs/arcstats")
        #expect(try free(.availableAndCache) == available)
    }

    @Test(arguments: ["", "size 4\n", "size 4 -5\n", "size 4 99999999999999999999\n", "sizes 4 5\n"])
    func `a cache of ZFS that cannot be understood is no decision`(text: String) throws {
        let host = FakeHost()
        host.write(text, to: "proc/spl/kstat/zfs/arcstats")
        let error = #expect(throws: KernelFileError.self) {
            _ = try MemoryReader(host.paths).read(for: .availableAndCache)
        }
        #expect(error?.description.hasSuffix("arcstats: it has no size") == true)
        #expect(throws: Never.self) { _ = try MemoryReader(host.paths).read(for: .available) }
    }

    @Test func `a file without a total is refused`() {
        let host = FakeHost()
        host.write("MemTotal: 0 kB\n", to: "proc/meminfo")
        let refusal = #expect(throws: KernelFileError.self) { _ = try MemoryReader(host.paths).total() }
        #expect(
            refusal?.description
                == "cannot understand \(host.path("proc/meminfo")): it has no MemTotal line with a number above 0")
        host.write("MemTotal: 1 kB\n", to: "proc/meminfo")
        #expect(throws: Never.self) { _ = try MemoryReader(host.paths).total() }
        host.remove("proc/meminfo")
        let error = #expect(throws: KernelFileError.self) { _ = try MemoryReader(host.paths).total() }
        #expect(error?.isMissing == true)
    }
}
