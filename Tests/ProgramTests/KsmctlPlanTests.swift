import Charts
import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy
import Testing

@testable import ksmctl

@Suite struct KsmctlPlanTests {
    private static let gibibyte: Int64 = 1 << 20

    /// A host of 16 GiB and 8 CPUs with 10 GiB of swap.
    private static func host() -> FakeHost {
        let host = FakeHost()
        host.setMemory(total: 16 * gibibyte, free: 4 * gibibyte, swapFree: 10 * gibibyte)
        host.setCPUs("0-6,15")
        return host
    }

    /// One with three guests, of which one does not say what it is configured with.
    private static func busyHost() -> FakeHost {
        let host = host()
        let pages = gibibyte * 1024 / Host.pageSize.count
        host.setGuest(
            100, resident: 6 * pages,
            "qemu-system-x86_64 -name guest=db -m 8G -smp 4 -device virtio-balloon-pci,id=balloon0")
        host.setGuest(200, resident: pages, "qemu-system-x86_64 -name guest=web -m 4G -smp 2")
        host.setGuest(300, comm: "firecracker", resident: 2 * pages, "firecracker --api-sock /run/fc.sock")
        host.setKSM(["pages_sharing": 3 * pages / 2, "ksm_zero_pages": 0])
        return host
    }

    private static func text(_ host: FakeHost, _ arguments: String...) async throws -> String {
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption] + arguments)
        #expect(outcome.error == "")
        return outcome.output
    }

    // MARK: The text

    @Test func `The example of the RHEL 7 guide, on any machine`() async throws {
        let outcome = try await Program.ksmctl.run(
            ["plan", "--ram", "32G", "--guests", "50x1G", "--root", "/nonexistent"])
        #expect(outcome.status == 0)
        #expect(outcome.error == "")
        #expect(
            outcome.output == """
                Swap by the rule of the RHEL 7 guide

                   guests       50.0 GiB  50 x 1.0 GiB
                +  host OS       4.0 GiB  default, at most a quarter of the RAM
                +  host swap     4.0 GiB  default
                -  RAM          32.0 GiB  --ram
                =  swap needed  26.0 GiB
                   there is            -  give --swap to compare

                Give the host 26.0 GiB of swap.

                memory  1.6 to 1  50.0 GiB of guests on 32.0 GiB of RAM
                vCPUs   -         50 on CPUs that are not known: give --cpus

                What KSM, balloons and compression may save is not counted on.

                """)
    }

    @Test func `The example of the RHEL 6 guide`() async throws {
        let outcome = try await Program.ksmctl.run(
            [
                "plan", "--ram=32G", "--guests=56x1G", "--rule=rhel6", "--swap=36G", "--cpus=12", "--root=/nonexistent",
            ])
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                Swap by the rule of the RHEL 6 guide

                   guests          56.0 GiB  56 x 1.0 GiB
                -  RAM for guests  28.0 GiB  32.0 GiB (--ram) less 4.0 GiB of the host OS
                =  beyond the RAM  28.0 GiB
                +  host swap        8.0 GiB  recommended for this RAM
                =  swap needed     36.0 GiB
                   there is        36.0 GiB  --swap

                The swap is enough.

                memory  1.8 to 1  56.0 GiB of guests on 32.0 GiB of RAM
                vCPUs   4.7 to 1  56 on 12 CPUs

                What KSM, balloons and compression may save is not counted on.

                """)
    }

    @Test func `The live host, with all that is not counted on`() async throws {
        let host = Self.busyHost()
        host.setSwapSizes([("/dev/zram0", 4 * Self.gibibyte), ("/swap\\040file/zram1x", 6 * Self.gibibyte)])
        host.setZRAM(original: 3 << 30, taken: 1 << 30)
        host.addMemory([("Zswap", 100 * 1024), ("Zswapped", 250 * 1024)])
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.error == "")
        #expect(
            outcome.output == """
                Swap by the rule of the RHEL 7 guide

                   guests       14.0 GiB  3 run here
                +  host OS       4.0 GiB  default, at most a quarter of the RAM
                +  host swap     4.0 GiB  default
                -  RAM          16.0 GiB  MemTotal
                =  swap needed   6.0 GiB
                   there is      6.0 GiB  SwapTotal without 4.0 GiB on zram, which is RAM itself

                The swap is enough.

                memory  0.9 to 1  14.0 GiB of guests on 16.0 GiB of RAM
                vCPUs   0.9 to 1  7 on 8 CPUs

                Saved today, and not counted on

                KSM         1.5 GiB  merged pages
                balloons    2.0 GiB  at most, of 1 guest with one: configured, and not held
                zram        2.0 GiB  3.0 GiB in 1.0 GiB, 3.0 to 1
                zswap     150.0 MiB  250.0 MiB in 100.0 MiB, 2.5 to 1

                A merged page can become private again at any time, a balloon deflate, data stop compressing.

                Note: the configured memory of guest firecracker is not known, so it counts with the 2.0 GiB that it \
                holds now; it may come to need more
                Note: how many vCPUs guest firecracker has is not known, so it counts as one

                """)
        #expect(outcome.status == 0)
    }

    @Test func `Too little swap is a warning`() async throws {
        let host = Self.host()
        #expect(
            try await Self.text(host, "--guests", "26x1G") == """
                Swap by the rule of the RHEL 7 guide

                   guests       26.0 GiB  26 x 1.0 GiB
                +  host OS       4.0 GiB  default, at most a quarter of the RAM
                +  host swap     4.0 GiB  default
                -  RAM          16.0 GiB  MemTotal
                =  swap needed  18.0 GiB
                   there is     10.0 GiB  SwapTotal

                The swap is smaller than needed by 8.0 GiB.

                memory  1.6 to 1  26.0 GiB of guests on 16.0 GiB of RAM
                vCPUs   3.3 to 1  26 on 8 CPUs

                What KSM, balloons and compression may save is not counted on.

                Warning: the guests' memory fits into RAM and swap, but leaves too little for the host itself; add \
                8.0 GiB of swap, or run fewer guests

                """)
    }

    @Test func `A host without guests needs no swap`() async throws {
        let text = try await Self.text(Self.host())
        #expect(text.contains("   guests          0 KiB  none runs here\n"))
        #expect(text.contains("=  swap needed     0 KiB  the RAM is enough\n"))
        #expect(text.contains("\nNo swap is needed.\n"))
        #expect(text.hasSuffix("\nNote: no guest runs here; --guests plans some\n"))
    }

    @Test func `Enough for the guests that could be read is not enough`() async throws {
        let host = Self.busyHost()
        host.remove("proc/200/statm")
        host.createFolder("proc/200/statm")
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("\nThe swap is enough for what could be read of the guests, and not all could"))
        #expect(
            outcome.output.contains(
                "Warning: 1 guest could not be read (cannot read \(host.path("proc/200/statm")): Is a directory), and "
                    + "what they need is in no sum\n"))
        let json = try await Program.ksmctl.run(["plan", "--json", host.rootOption]).output
        #expect(json.contains("\"unreadable\" : 1"))
        #expect(json.contains("\"verdict\" : \"incomplete\""))
        #expect(try JSONSchema("plan").problems(json) == [])
    }

    @Test(arguments: [
        "sys/kernel/mm/ksm/full_scans", "sys/kernel/mm/ksm/pages_sharing", "proc/100/ksm_stat", "proc/100/attr/current",
    ])
    func `What no sum depends on may be unreadable`(file: String) async throws {
        let host = Self.busyHost()
        host.setMemory(total: 32 * Self.gibibyte, free: 4 * Self.gibibyte, swapFree: 10 * Self.gibibyte)
        if host.exists(file) { host.remove(file) }
        host.createFolder(file)
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.contains("\nNo swap is needed.\n"), "\(outcome.output)")
        #expect(
            outcome.output.contains(
                "Note: not known, since it could not be read: what \(host.path(file)) says (cannot read "
                    + "\(host.path(file)): Is a directory); no sum depends on it\n"), "\(outcome.output)")
        let json = try await Program.ksmctl.run(["plan", "--json", host.rootOption]).output
        #expect(json.contains("\"verdict\" : \"enough\"") && json.contains("\"kind\" : \"unread-files\""))
        #expect(try JSONSchema("plan").problems(json) == [])
    }

    @Test(arguments: ["cmdline", "status", "cgroup"])
    func `What a guest needs and cannot be read makes the plan incomplete`(file: String) async throws {
        let host = Self.busyHost()
        host.setMemory(total: 32 * Self.gibibyte, free: 4 * Self.gibibyte, swapFree: 10 * Self.gibibyte)
        let path = "proc/100/\(file)"
        if host.exists(path) { host.remove(path) }
        host.createFolder(path)
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(outcome.output.contains("\nThe swap is enough for what could be read of the guests, and not all could"))
        #expect(
            outcome.output.contains(
                "Warning: not known, since it could not be read: what \(host.path(path)) says (cannot read "
                    + "\(host.path(path)): Is a directory); a guest may need more than it counts with\n"),
            "\(outcome.output)")
        let json = try await Program.ksmctl.run(["plan", "--json", host.rootOption]).output
        #expect(json.contains("\"verdict\" : \"incomplete\"") && json.contains("\"kind\" : \"unknown-needs\""))
        #expect(json.contains("\"unreadable\" : 0"))
        #expect(try JSONSchema("plan").problems(json) == [])
        host.write("Filename Type Size Used Priority\n/dev/vda2 partition 10485760 0 -2\n", to: "proc/swaps")
        let doctor = try await Program.ksmctl.run(["doctor", "--verbose", host.rootOption])
        #expect(doctor.output.contains("enough for what could be read of the guests; there is more"))
    }

    @Test func `Swap that cannot be read is a failure, not none`() async throws {
        let host = Self.busyHost()
        host.createFolder("proc/swaps")
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 1)
        #expect(outcome.error == host.filled("ksmctl: cannot read ROOT/proc/swaps: Is a directory\n"))
    }

    // MARK: What is live and what is given

    @Test func `RAM alone asks whether these guests fit another host`() async throws {
        let host = Self.busyHost()
        let text = try await Self.text(host, "--ram", "8G")
        #expect(text.contains("   guests       14.0 GiB  3 run here\n"))
        #expect(text.contains("+  host OS       2.0 GiB  default"))
        #expect(text.contains("=  swap needed  12.0 GiB\n"))
        #expect(text.contains("   there is            -  give --swap to compare\n"))
        #expect(text.contains("vCPUs   -         7 on CPUs that are not known: give --cpus\n"))
        #expect(text.contains("KSM       1.5 GiB  merged pages\n"))
    }

    @Test func `Guests replace those that run`() async throws {
        let text = try await Self.text(Self.busyHost(), "--guests", "1x8G/16", "--guests=2x1G", "--host-os=1G")
        #expect(text.contains("   guests       10.0 GiB  1 x 8.0 GiB, 2 x 1.0 GiB\n"))
        #expect(text.contains("+  host OS       1.0 GiB  --host-os\n"))
        #expect(text.contains("vCPUs   2.3 to 1  18 on 8 CPUs\n"))
        #expect(text.contains("What KSM, balloons and compression may save is not counted on.\n"))
        #expect(
            text.contains(
                "Warning: a guest of 8.0 GiB has 16 vCPUs, and the host has 8 CPUs: a guest must never have more\n")
        )
    }

    @Test func `Given swap and CPUs replace the host's`() async throws {
        let host = Self.busyHost()
        host.setSwapSizes([("/dev/zram0", 4 * Self.gibibyte)])
        let text = try await Self.text(host, "--swap", "0", "--cpus", "1", "--host-swap", "0")
        #expect(text.contains("+  host swap       0 KiB  --host-swap\n"))
        #expect(text.contains("   there is        0 KiB  --swap\n"))
        #expect(text.contains("vCPUs   7.0 to 1  7 on 1 CPU\n"))
        #expect(
            text.contains(
                "Warning: guests db and web have up to 4 vCPUs each, and the host has 1 CPU: a guest must never have "
                    + "more\n"))
    }

    // MARK: Memory that is elsewhere, or cannot go elsewhere

    @Test func `Guests in swap have no balloon to give back`() async throws {
        let host = Self.host()
        host.setGuest(100, resident: 262_144, "kvm -name a -m 4G -device virtio-balloon-pci")
        host.write("VmSwap: 3145700 kB\n", to: "proc/100/status")
        let text = try await Self.text(host)
        #expect(text.contains("   guests        4.0 GiB  1 runs here\n"))
        #expect(text.contains("balloons  0 KiB  at most, of 1 guest with one: configured, and not held\n"))
    }

    @Test func `A pool of huge pages is no RAM for guests in ordinary pages`() async throws {
        let host = FakeHost(total: 64 * Self.gibibyte)
        host.setCPUs("0-7")
        host.addMemory([("Hugetlb", 48 * Self.gibibyte), ("Hugepagesize", Self.gibibyte)])
        host.write(host.read("proc/meminfo")! + "HugePages_Total: 48\nHugePages_Free: 16\n", to: "proc/meminfo")
        host.setGuest(10, comm: "qemu-kvm", resident: 75_000, "qemu-kvm -name big -m 32G -mem-path /dev/hugepages")
        for pid in [11, 12] { host.setGuest(pid, comm: "qemu-kvm", resident: 1000, "qemu-kvm -name vm\(pid) -m 16G") }
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 2)
        #expect(
            outcome.output.contains(
                """

                   guests       32.0 GiB  3 run here, without 32.0 GiB in huge pages
                +  host OS       4.0 GiB  default, at most a quarter of the RAM
                +  host swap     4.0 GiB  default
                -  RAM          16.0 GiB  MemTotal 64.0 GiB without 48.0 GiB of huge pages
                =  swap needed  24.0 GiB
                   there is        0 KiB  SwapTotal

                RAM and swap are smaller than the guests' memory: expect forced shutdowns.

                """))
        #expect(outcome.output.contains("\nNote: 16.0 GiB of huge pages are idle, and nothing else can use them: "))
        // On another host the pool is as large as the guests need.
        #expect(try await Self.text(host, "--ram", "96G", "--swap", "0").contains("No swap is needed.\n"))
        let json = try await Program.ksmctl.run(["plan", "--json", host.rootOption]).output
        #expect(try JSONSchema("plan").problems(json) == [])
    }

    @Test func `What cannot go to swap must fit into the RAM, whatever the swap`() async throws {
        let host = FakeHost(total: 64 * Self.gibibyte)
        host.setCPUs("0-7")
        host.setSwapSizes([("/dev/sda2", 900 * Self.gibibyte)])
        host.setGuest(1, comm: "kvm", resident: 1000, "kvm -name gpu -m 48G -device vfio-pci,host=1")
        for pid in 2...5 {
            host.setGuest(pid, comm: "kvm", resident: 1000, "kvm -name vm\(pid) -m 8G -overcommit mem-lock=on")
        }
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 2)
        #expect(outcome.output.contains("\n   cannot swap   80.0 GiB  of the guests, on 64.0 GiB of RAM\n"))
        #expect(
            outcome.output.contains(
                "\nThe RAM is smaller than what cannot go to swap: expect forced shutdowns.\n"))
        #expect(outcome.output.contains("\nNote: 80.0 GiB of guests gpu, vm2, vm3, vm4 and 1 more cannot go to swap, "))
        host.removeProcess(1)
        #expect(try await Program.ksmctl.run(["plan", host.rootOption]).status == 0)
    }

    @Test func `ZFS's cache, swap on ZFS, and a kernel that does not swap`() async throws {
        let host = Self.host()
        host.write(
            "name type data\nsize 4 8589934592\nc_min 4 1073741824\nc_max 4 8589934592\n",
            to: "proc/spl/kstat/zfs/arcstats")
        host.setSwapSizes([("/dev/zd0", 8 * Self.gibibyte), ("/dev/sda2", 2 * Self.gibibyte)])
        host.write("0\n", to: "proc/sys/vm/swappiness")
        let outcome = try await Program.ksmctl.run(["plan", "--guests", "8x1G", host.rootOption])
        #expect(outcome.status == 1)
        #expect(
            outcome.output.contains(
                """
                +  host OS       4.0 GiB  default, at most a quarter of the RAM
                +  ZFS cache     8.0 GiB  its maximum, zfs_arc_max
                +  host swap     4.0 GiB  default
                -  RAM          16.0 GiB  MemTotal
                =  swap needed   8.0 GiB
                   there is      2.0 GiB  SwapTotal without 8.0 GiB that may not work

                """))
        #expect(
            outcome.output.contains(
                "\nWarning: the 8.0 GiB of swap at /dev/zd0 are not counted on: it lies on a volume of ZFS, "))
        #expect(outcome.output.contains("\nWarning: vm.swappiness is 0, "))
        let json = try await Program.ksmctl.run(["plan", "--json", "--guests", "8x1G", host.rootOption]).output
        #expect(try JSONSchema("plan").problems(json) == [])
        #expect(json.contains("\"doubtful_swap_bytes\" : \(8 << 30)"))
        #expect(json.contains("\"file_cache_bytes\" : \(8 << 30)"))
    }

    @Test func `No line of sixty guests is wider than a terminal of the usual width`() throws {
        let host = FakeHost(total: 64 * Self.gibibyte)
        host.setCPUs("0-3")
        for pid in 1...60 {
            let option = ["-overcommit mem-lock=on", "-mem-path /dev/hugepages", "", "-readconfig /x"][pid % 4]
            let resident = pid % 8 == 2 ? 4_000_000 : 1000
            host.setGuest(
                pid, comm: "kvm", resident: Int64(resident), "kvm -name customer-machine-\(pid) -m 4G -smp 8 \(option)")
        }
        host.setSwapSizes([("/dev/zd0", 8 * Self.gibibyte), ("/dev/zram0", 2 * Self.gibibyte)])
        let guests = try GuestReader.read(host.paths, Configuration()).guests
        let plan = OvercommitPlan(
            .rhel7,
            host: OvercommitPlan.Host(
                ram: KiB(64 * Self.gibibyte), swapTotal: nil, try HostCapacity(host.paths)),
            groups: guests.map { GuestGroup($0) })
        let report = PlanReport(plan, PlanReport.Sources(), areRunning: true)
        let lines = report.text(.plain, columns: 80).components(separatedBy: "\n").map { $0.count }
        #expect(lines.max() ?? 0 <= 80)
        #expect(lines.count < 60)
    }

    // MARK: Exit status

    @Test(
        arguments: [
            (["--guests=18x1G"], 0), (["--guests=19x1G"], 1), (["--guests=26x1G"], 1), (["--guests=27x1G"], 2),
            (["--ram=1G", "--guests=27x1G"], 0), (["--ram=16G", "--swap=10G", "--guests=27x1G"], 2), ([], 0),
            (["--guests=18x1G", "--rule=rhel6"], 0), (["--guests=19x1G", "--rule=rhel6"], 1),
        ] as [([String], Int32)])
    func `Exit status by the swap of 10 GiB beside 16 GiB of RAM`(arguments: [String], status: Int32) async throws {
        let host = Self.host()
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption] + arguments)
        #expect(outcome.status == status)
        #expect(outcome.error == "")
    }

    @Test(arguments: [
        (["--guests=99999999999x9999T"], "'--guests <NxSIZE[/VCPUS]>': it is more than 64 bits hold"),
        (["--guests=1G"], "guests are given as NxSIZE or NxSIZE/VCPUS, such as 50x1G or 4x16G/8"),
        (["--guests=1x1GB"], "write K, M, G or T, or KiB, MiB, GiB or TiB, which are powers of 1024"),
        (["--ram=34359738368"], "the unit is missing: K, M, G or T, in powers of 1024"),
        (["--ram=0"], "a host has more than no RAM"), (["--ram=-1G"], "a size is a number with a unit"),
        (["--swap=much"], "a size is a number with a unit"), (["--rule=rhel8"], "it is rhel7 or rhel6"),
        (["--cpus=0"], "--cpus takes a number above 0"), (["--cpus=99999999999999999999"], "'--cpus <number>'"),
        (["50x1G"], "Unexpected argument '50x1G'"),
    ])
    func `A wrong option is 64 and says what is right`(arguments: [String], message: String) async throws {
        let outcome = try await Program.ksmctl.run(["plan"] + arguments)
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(outcome.error.contains(message))
    }

    @Test func `Sizes at the end of 64 bits are planned, and those beyond refused`() async throws {
        let arguments = [
            "plan", "--ram=1K", "--swap=0", "--cpus=9223372036854775807", "--guests=8388000x1T/999999999999",
        ]
        let outcome = try await Program.ksmctl.run(arguments)
        #expect(outcome.status == 2)
        #expect(outcome.error == "")
        for more in ["--guests=608x1T", "--host-os=8388607T", "--guests=9000000000x1K/1000000000"] {
            let refused = try await Program.ksmctl.run(arguments + [more])
            #expect(refused.status == 64)
            #expect(refused.error.contains("all guests together are more than 64 bits hold"))
        }
    }

    @Test func `A host whose memory cannot be read is 69`() async throws {
        let host = Self.host()
        host.write("MemFree: 5 kB\n", to: "proc/meminfo")
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 69)
        #expect(
            outcome.error
                == host.filled(
                    "ksmctl: ROOT/proc/meminfo has no MemTotal line with a number above 0; give --ram\n"))
    }

    @Test func `A kernel that hides swap, CPUs and KSM is planned without`() async throws {
        let host = Self.host()
        host.write("MemTotal: \(16 * Self.gibibyte) kB\n", to: "proc/meminfo")
        host.remove("sys")
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("   there is            -  no SwapTotal line\n"))
        #expect(outcome.output.contains("vCPUs   -         0 on CPUs that are not known: give --cpus\n"))
    }

    // MARK: JSON

    @Test(arguments: [
        [], ["--ram=8G"], ["--guests=3x1G", "--guests=1x32G/9"], ["--ram=8G", "--guests=3x1G", "--rule=rhel6"],
        ["--swap=0", "--cpus=1"], ["--guests=8388000x1T/1000000"],
    ])
    func `JSON is as the schema says`(_ arguments: [String]) async throws {
        let host = Self.busyHost()
        host.setGuest(400, "qemu-system-x86_64 -m 1G -mem-path /dev/hugepages")
        host.setSwapSizes([("/dev/zram0", 4 * Self.gibibyte)])
        host.setZRAM(original: 3 << 30, taken: 1 << 30)
        host.addMemory([("Zswap", 0), ("Zswapped", 0)])
        let schema = try JSONSchema("plan")
        let text = try await Self.text(host, ["--json"] + arguments)
        #expect(schema.problems(text) == [])
    }

    private static func text(_ host: FakeHost, _ arguments: [String]) async throws -> String {
        let outcome = try await Program.ksmctl.run(["plan", host.rootOption] + arguments)
        #expect(outcome.error == "")
        return outcome.output
    }

    @Test func `JSON has the numbers to the byte`() async throws {
        let text = try await Self.text(Self.busyHost(), "--json")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["needed_swap_bytes"] as? Int64 == 6 << 30)
        #expect(object["swap_bytes"] as? Int64 == 10 << 30)
        #expect(object["missing_swap_bytes"] as? Int64 == 0)
        #expect(object["zram_swap_bytes"] == nil)
        #expect(object["verdict"] as? String == "enough")
        let guests = try #require(object["guests"] as? [String: Any])
        #expect(guests["memory_bytes"] as? Int64 == 14 << 30)
        #expect((guests["groups"] as? [[String: Any]])?.map { $0["is_configured"] as? Bool } == [true, true, false])
    }

    // MARK: The kernel's files

    @Test(
        arguments: [
            ("0\n", 1), ("0-3\n", 4), ("0-3,8,10-11", 7), ("5-5\n", 1), ("", nil), ("\n", nil), ("3-0\n", nil),
            ("0-\n", nil),
            ("0,\n", nil), ("0-3x\n", nil), ("0-9223372036854775807\n", nil), ("0-99999999999999999999\n", nil),
            ("0-9223372036854775806,1,2\n", nil),
        ] as [(String, Int64?)])
    func `A list of CPUs`(text: String, count: Int64?) {
        #expect(CPUList.count(Array(text.utf8).span) == count)
    }

    @Test(
        arguments: [
            ("4096 74 12288 0 12288 1 0 0\n", CompressedMemory(original: 4096, taken: 12288)),
            ("   4096       74    512", CompressedMemory(original: 4096, taken: 512)),
            ("4096 74\n", nil), ("", nil), ("a b c\n", nil), ("4096 74 -1\n", nil),
            ("4096 74 99999999999999999999\n", nil),
        ] as [(String, CompressedMemory?)])
    func `The statistics of zram`(text: String, memory: CompressedMemory?) {
        #expect(CompressedMemory(zramStatistics: Array(text.utf8).span) == memory)
    }

    @Test func `Compression that costs more than it saves saves nothing`() {
        let memory = CompressedMemory(original: 4096, taken: 12288)
        #expect(memory.saved == 0)
        #expect(memory.ratio == 1.0 / 3)
        #expect(CompressedMemory(original: 0, taken: 0).ratio == nil)
    }

    @Test func `Devices of zram add up, and only swap on them is no swap`() throws {
        let host = FakeHost()
        #expect(try CompressedMemory.zram(host.paths) == nil)
        host.setZRAM(0, original: 300, taken: 100)
        host.setZRAM(10, original: .max, taken: 50)
        host.write("1 1 1\n", to: "sys/block/zramp/mm_stat")
        host.createFolder("sys/block/zram3")
        #expect(try CompressedMemory.zram(host.paths) == CompressedMemory(original: .greatest, taken: 150))
        host.write("garbage\n", to: "sys/block/zram2/mm_stat")
        #expect(throws: KernelFileError.self) { try CompressedMemory.zram(host.paths) }
        host.setSwapSizes([("/dev/zram0", 500), ("/dev/sda2", 7000), ("/zram0/swapfile", 900), ("/dev/zram10", 40)])
        let room = SwapRoom(try #require(try SwapDevice.all(host.paths)))
        #expect(room.inMemory == KiB(540))
        #expect(room.usable == KiB(7900))
    }
}
