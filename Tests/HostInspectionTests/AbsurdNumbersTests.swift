import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

/// Numbers at the ends of 32 and 64 bits, below zero and beyond all, in every file that is read: no sum of them ends
/// the program, and none turns a large amount into a small one.
@Suite struct AbsurdNumbersTests {
    static let numbers = [
        "0", "-1", "2147483648", "4294967296", "92233720368547758", "9223372036854775807", "18446744073709551615",
        "99999999999999999999",
    ]

    /// What 63 bits hold of it.
    private static func known(_ number: String) -> Int64? { Int64(number).flatMap { $0 >= 0 ? $0 : nil } }

    @Test(arguments: numbers)
    func `of a guest`(_ number: String) throws {
        let host = FakeHost()
        for pid in [10, 11] {
            host.setGuest(pid, "qemu-system-x86_64 -m \(number) -smp \(number) -name a")
            host.write("\(number) \(number) 1 1 0 1 0\n", to: "proc/\(pid)/statm")
            host.write(
                """
                ksm_rmap_items \(number)
                ksm_zero_pages \(number)
                ksm_merging_pages \(number)
                ksm_process_profit \(number)

                """, to: "proc/\(pid)/ksm_stat")
            host.setCgroup(of: pid, "4:memory:/vm", "3:cpu:/vm")
        }
        let memory = ["limit_in_bytes", "soft_limit_in_bytes", "memsw.limit_in_bytes"]
        host.setCgroup("memory/vm", Dictionary(uniqueKeysWithValues: memory.map { ("memory.\($0)", number) }))
        host.setCgroup(
            "cpu/vm", ["cpu.shares": number, "cpu.cfs_quota_us": number, "cpu.cfs_period_us": number])
        let list = try GuestReader.read(host.paths, Configuration())
        switch number {
        // A process without memory has ended.
        case "0": #expect(list == GuestList())
        case _ where Self.known(number) == nil: #expect(list.unreadable.count == 2)
        default:
            #expect(list.guests.count == 2)
            for guest in list.guests {
                let pages = try #require(Self.known(number))
                #expect(guest.resident == Pages(pages).kibibytes(of: Host.pageSize))
                #expect(guest.merged == guest.resident)
                #expect(guest.profit == Bytes(pages))
                #expect(guest.limits?.cpuMax ?? 1 == 1)
                #expect(guest.limits?.cpuWeight.map { (1...10_000).contains($0) } ?? true)
                #expect(guest.limits?.memoryMax.map { $0.count == pages } ?? (pages >= 1 << 62))
            }
            #expect(list.guests.sum { $0.resident ?? .zero } >= (list.guests[0].resident ?? .zero))
        }
    }

    @Test(arguments: numbers)
    func `of a cgroup of version 2`(_ number: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setGuest(10, "")
        host.setCgroup(of: 10, "0::/a.slice/vm/emulator")
        let files = ["memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max", "cpu.weight"]
        var values = Dictionary(uniqueKeysWithValues: files.map { ($0, number) })
        values["cpu.max"] = "\(number) \(number)"
        host.setCgroup("a.slice/vm", values)
        for cpu in 0..<3 { host.setCgroup("a.slice/vm/vcpu\(cpu)", ["cpu.max": "\(number) 1"]) }
        let limits = try #require(try GuestReader.read(host.paths, Configuration()).guests.first?.limits)
        let known = Self.known(number).flatMap { $0 < 1 << 62 ? $0 : nil }
        #expect(limits.memoryMax == known.map { Bytes($0) })
        #expect(limits.swapMax == known.map { Bytes($0) })
        #expect(limits.cpuMax?.isFinite ?? true)
    }

    @Test(arguments: numbers)
    func `of the host`(_ number: String) throws {
        let host = FakeHost()
        for device in ["zram0", "zram1"] {
            host.write("\(number) \(number) \(number)\n", to: "sys/block/\(device)/mm_stat")
        }
        host.setSwaps(["/dev/sda1 partition \(number) \(number) -2", "/dev/sda2 partition \(number) 0 -3"])
        for name in ["enabled", "khugepaged/max_ptes_none", "khugepaged/max_ptes_shared"] {
            host.write(
                name == "enabled" ? "always [madvise] never" : "\(number)\n",
                to: "sys/kernel/mm/transparent_hugepage/\(name)")
        }
        host.write("N\n", to: "sys/module/zswap/parameters/enabled")
        host.write("\(number)\n", to: "sys/module/zswap/parameters/max_pool_percent")
        host.write("0-\(number)\n", to: "sys/devices/system/cpu/online")
        host.setPressure(some: number, full: number)
        for file in KSMFile.allCases { host.write("\(number)\n", to: "sys/kernel/mm/ksm/\(file.name)") }
        // What 63 bits do not hold is a failure, not another number.
        func read<Value>(_ body: () throws -> Value?) throws -> Value? {
            do { return try body() } catch is KernelFileError { return nil }
        }
        let known = Self.known(number)
        #expect(try read { try CompressedMemory.zram(host.paths) }?.taken == known.map { Bytes($0) + Bytes($0) })
        let swaps = try read { try SwapDevice.all(host.paths) }
        #expect(swaps?.sum { $0.size } == known.map { KiB($0) + KiB($0) })
        #expect(try read { try HugePages.read(host.paths) }?.emptyPages == Int64(number))
        #expect(try read { try Zswap.read(host.paths) }?.mostPercent == Int64(number))
        #expect(try read { try CPUList.online(host.paths) } == known.flatMap { $0 == .max ? nil : $0 + 1 })
        #expect(try read { try MemoryPressure.read(host.paths) } != nil)
        let ksm = KSMSnapshot(host.paths)
        #expect(ksm.pagesSharing == Int64(number))
        // A counter can be below 0, and no setting.
        #expect((ksm.failure == nil) == (Int64(number).map { $0 >= 0 } ?? false))
        #expect(ksm.savedPages == Int64(number).map { Pages($0) + Pages($0) })
    }

    @Test(arguments: numbers)
    func `of command lines`(_ number: String) {
        for line in [
            "qemu-system-x86_64 -m size=\(number)k,slots=\(number) -smp sockets=\(number),cores=\(number),threads=\(number)",
            "kvm -m \(number)E -object memory-backend-ram,id=a,size=\(number) -device pc-dimm,memdev=a -device pc-dimm,memdev=a",
            #"kvm -object {"qom-type":"memory-backend-ram","id":"a","size":\#(number)} -machine memory-backend=a"#,
            "kvm -m 1 -object memory-backend-ram,id=a -device virtio-mem-pci,memdev=a,requested-size=\(number)",
            "cloud-hypervisor --memory size=\(number) --memory-zone size=\(number) size=\(number) --cpus boot=\(number)",
            "crosvm run --mem \(number) --cpus \(number)",
        ] {
            let guest = GuestCommandLine(line.split(separator: " ").map { String($0) })
            #expect(guest.configured.map { $0 >= .zero } ?? true, "\(line)")
            #expect(guest.vcpus.map { $0 > 0 } ?? true, "\(line)")
        }
    }
}
