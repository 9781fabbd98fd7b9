import Charts
import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

@Suite struct KsmctlGuestsTests {
    /// Of guests of every kind.
    private static func host() -> FakeHost {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setGuest(
            2101, resident: 500_000,
            """
            qemu-system-x86_64 -name guest=web1,debug-threads=on -machine pc-q35-7.2,usb=off,memory-backend=pc.ram \
            -m size=4194304k -object {"qom-type":"memory-backend-ram","id":"pc.ram","size":4294967296} -smp 4,sockets=4 \
            -device {"driver":"virtio-balloon-pci","deflate-on-oom":true}
            """)
        host.write("Tgid:\t2101\nVmSwap:\t 1572864 kB\n", to: "proc/2101/status")
        host.setKSMStat(2101, items: 400_000, zero: 2560, merging: 262_144, profit: 1_048_576_000)
        let scope = #"machine.slice/machine-qemu\x2d1\x2dweb1.scope"#
        host.setCgroup(of: 2101, "0::/\(scope)/libvirt/emulator")
        host.setCgroup(scope, ["cpu.weight": "200"])
        host.setCgroup(
            "\(scope)/libvirt",
            ["memory.max": "5368709120", "memory.swap.max": "1073741824", "cpu.max": "150000 100000"])
        host.setGuest(
            310, comm: "kvm", resident: 300_000,
            "/usr/bin/kvm -id 100 -name db,debug-threads=on -m 2048 -smp 2 -device virtio-balloon-pci -mem-path /dev/hugepages"
        )
        host.setKSMStat(310, items: 20, profit: -1280)
        host.setCgroup(of: 310, "0::/qemu.slice/100.scope")
        host.setCgroup("qemu.slice/100.scope", ["cpu.weight": "100", "memory.max": "max"])
        host.setGuest(11_000, comm: "firecracker", resident: 30_000, "firecracker --id fc-1")
        host.setKSMStat(11_000, items: 0, offersAny: false)
        return host
    }

    /// - Parameter hidden: The pids of guests that are somebody else's.
    private static func report(
        _ host: FakeHost, sortedBy column: GuestColumn = .pid, hidden: Set<Int32> = []
    ) throws -> GuestsReport {
        var list = try GuestReader.read(host.paths, Configuration())
        list.guests = list.guests.map { guest in
            var guest = guest
            // Who runs these tests is not the same everywhere.
            guest.user = guest.pid == 310 ? 0 : 64055
            if hidden.contains(guest.pid) {
                (guest.merged, guest.zero, guest.profit) = (nil, nil, nil)
                guest.isHidden = true
            }
            return guest
        }
        return GuestsReport(list, users: { $0 == 0 ? "root" : nil }, sortedBy: column)
    }

    // MARK: Text

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `A row for each guest`() throws {
        #expect(
            try Self.report(Self.host()).text(.plain) == """
                  PID  NAME   USER    RESIDENT  SWAPPED   MERGED      ZERO      PROFIT   MEMORY  VCPUS  BALLOON      MERGEABLE
                  310  db     root     1.1 GiB        -    0 KiB     0 KiB      -1 KiB  2.0 GiB      2  manual       no: huge pages
                 2101  web1   64055    1.9 GiB  1.5 GiB  1.0 GiB  10.0 MiB  1000.0 MiB  4.0 GiB      4  autodeflate  yes
                11000  fc-1   64055  117.1 MiB        -    0 KiB     0 KiB       0 KiB        -      -  -            no: not registered with KSM
                       total           3.1 GiB  1.5 GiB  1.0 GiB  10.0 MiB   999.9 MiB  6.0 GiB      6

                """)
    }

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `What their cgroups allow them`() throws {
        var report = try Self.report(Self.host())
        report.showsLimits = true
        #expect(
            report.text(.plain) == #"""
                  PID  NAME   RESIDENT   MEMORY  MEM.MAX  MEM.HIGH  MEM.LOW  MEM.MIN  SWAP.MAX  CPU.WEIGHT  CPU.MAX  UNIT
                  310  db      1.1 GiB  2.0 GiB        -         -        -        -         -         100        -  100.scope
                 2101  web1    1.9 GiB  4.0 GiB  5.0 GiB         -        -        -   1.0 GiB         200  150.0 %  machine-qemu\x2d1\x2dweb1.scope
                11000  fc-1  117.1 MiB        -        -         -        -        -         -           -        -  -

                """#)
    }

    @Test func `What could not be seen is said once`() throws {
        let lines = try Self.report(Self.host(), hidden: [310, 2101]).text(.plain).split(separator: "\n")
        #expect(
            lines.last == "hidden, and in no total: merged, zero and profit of 2 guests; run it as root to see them")
        #expect(lines.count == 6)
    }

    @Test func `What this kernel does not say is said once`() throws {
        let host = Self.host()
        for pid in [310, 2101, 11_000] {
            host.write("ksm_rmap_items 5\n", to: "proc/\(pid)/ksm_stat")
            host.write("7\n", to: "proc/\(pid)/ksm_merging_pages")
        }
        let report = try Self.report(host)
        #expect(report.notes.first == "this kernel does not say of a process: zero pages, profit")
        #expect(report.totals.profitBytes == nil)
        #expect(report.totals.mergedBytes == 21 * Host.pageSize.count)
    }

    @Test func `A part that cannot be merged, and a name that would move the cursor`() throws {
        let host = FakeHost()
        host.setProcess(
            1, comm: "kvm", resident: 1,
            commandLine: [
                "kvm", "-name", "a\n\u{1b}[2J\u{9b}\u{202e}b", "-numa", "node,memdev=a", "-numa", "node,memdev=b",
                "-object",
                "memory-backend-ram,id=a", "-object", "memory-backend-ram,id=b,share=on,merge=off",
            ])
        host.setProcess(
            2, comm: "kvm", resident: 1, commandLine: ["kvm", "-name", String(repeating: "n", count: 200)])
        let text = try Self.report(host).text(.plain)
        #expect(text.contains(" a??[2J??b "))
        #expect(text.contains("  partly: backend merge=off, shared memory backend\n"))
        #expect(text.contains(" \(String(repeating: "n", count: 29))...  "))
    }

    @Test func `Guests that cannot be read are counted, in text and in JSON`() async throws {
        let host = Self.host()
        host.remove("proc/310/statm")
        host.createFolder("proc/310/statm")
        let text = try Self.report(host).text(.plain)
        let why = "(cannot read ROOT/proc/310/statm: Is a directory): in no row and no total\n"
        #expect(text.hasSuffix("\n\n1 guest could not be read " + host.filled(why)))
        let json = try await Program.ksmctl.run(["guests", "--json", host.rootOption]).output
        #expect(json.contains("\"unreadable_guests\" : 1"))
        #expect(try JSONSchema("guests").problems(json) == [])
        for pid in [2101, 11_000] { host.removeProcess(pid) }
        #expect(try Self.report(host).text(.plain).hasPrefix("no guest could be read\n1 guest could not"))
    }

    // MARK: Width

    /// Sixty guests of the kinds that there are, with names of all lengths.
    private static func crowd() -> FakeHost {
        let host = FakeHost()
        for number in 1...60 {
            let name = "customer-\(String(repeating: "x", count: number % 23))\(number)"
            let option = ["", "-device vfio-pci,host=1", "-mem-path /dev/hugepages", "-readconfig /x"][number % 4]
            host.setGuest(
                1_000_000 + number, resident: 1_048_576,
                "qemu-system-x86_64 -name \(name) -m 123456 -smp 128 -device virtio-balloon-pci,deflate-on-oom=on \(option)"
            )
            host.write("VmSwap: 1048576 kB\n", to: "proc/\(1_000_000 + number)/status")
            host.setKSMStat(1_000_000 + number, items: 200, zero: 300, merging: 262_144, profit: -268_435_456)
        }
        return host
    }

    @Test(arguments: [80, 100, 132, 200])
    func `No line of sixty guests is wider than the terminal, and what is left out is said`(columns: Int) throws {
        for (showsLimits, column) in [(false, GuestColumn.pid), (false, .zero), (false, .user), (true, .pid)] {
            var report = try Self.report(Self.crowd(), sortedBy: column)
            report.showsLimits = showsLimits
            let text = report.text(.plain, columns: columns)
            let lines = text.split(separator: "\n")
            let widest = lines.map { $0.count }.max() ?? 0
            #expect(widest <= columns, "\(showsLimits), \(column)")
            #expect(lines.count >= 61)
            if !showsLimits {
                for title in ["PID", "NAME", "RESIDENT", "SWAPPED", "MERGED", "MEMORY", "MERGEABLE"] {
                    #expect(lines[0].contains(title), "\(title)")
                }
                #expect(lines[0].contains(column.rawValue.uppercased()))
                #expect(text.replacing("\n", with: " ").contains(": pinned by a passed-through device"))
            }
            if columns == 80 { #expect(text.contains("left out for want of width: ")) }
        }
    }

    @Test func `A file or another program gets every column`() throws {
        let text = try Self.report(Self.crowd()).text(.plain, columns: nil)
        #expect(!text.contains("left out"))
        #expect(text.contains("  no: pinned by a passed-through device\n"))
    }

    // MARK: What is said beside the table

    @Test func `Guests that have grown, and those of whom nobody knows`() throws {
        let host = FakeHost()
        host.setGuest(10, resident: 1_048_576, "qemu-system-x86_64 -name hot -m 1G")
        host.setGuest(11, comm: "firecracker", resident: 100, "firecracker --id fc")
        let text = try Self.report(host).text(.plain)
        #expect(text.contains("  1.0 GiB+  "))
        #expect(text.contains("\n+ holds clearly more than it was started with, so memory was added: hot\n"))
        #expect(text.contains("\n? whether it can be merged, neither its command line nor the kernel says: fc\n"))
        #expect(text.contains("-  -        ?\n"))
    }

    @Test func `A limit below what a guest needs is said with both numbers`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setGuest(10, "qemu-system-x86_64 -name small -m 10G")
        host.setCgroup(of: 10, "0::/a.slice/a.scope")
        host.setCgroup("a.slice", ["memory.max": "8589934592"])
        host.setCgroup("a.slice/a.scope", ["memory.events": "oom 4\noom_kill 2"])
        var report = try Self.report(host)
        report.showsLimits = true
        let text = report.text(.plain)
        #expect(text.contains("  10.0 GiB  8.0 GiB  "))
        let file = host.path("sys/fs/cgroup/a.slice/memory.max")
        #expect(text.contains("\nsmall may need 10.0 GiB with its monitor, and \(file) allows 8.0 GiB\n"))
        #expect(text.hasSuffix("\nthe kernel ended 2 processes in the cgroup of small for want of memory\n"))
    }

    @Test func `Processes that are no guests and offer memory are named, with what would count them`() async throws {
        let host = FakeHost()
        for pid in 601...603 {
            host.setProcess(pid, comm: "java", resident: 75_000)
            host.setKSMStat(pid, items: 70_000, merging: 25_600, profit: 98_000_000, offersAll: true)
        }
        let outcome = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(
            outcome.output.hasSuffix(
                "\n3 processes that are no guests offer memory to KSM, and the daemon does not count them: java (3, "
                    + "300.0 MiB merged); KSM_GUEST_PATTERN='^(\(GuestPattern.known))$|^(java)$' would\n"))
        let json = try await Program.ksmctl.run(["guests", "--json", host.rootOption]).output
        #expect(try JSONSchema("guests").problems(json) == [])
        #expect(json.contains("\"processes\" : 3"))
        // An expression goes by names alone, so it has to name this guest, too.
        host.setProcess(700, comm: "myvmm", resident: 7)
        host.setMachine(of: 700)
        let announced = try await Program.ksmctl.run(["guests", host.rootOption]).output
        #expect(announced.contains("|^(java|myvmm)$' would\n"))
        host.configure("KSM_GUEST_PATTERN='^java$'\n")
        let counted = try await Program.ksmctl.run(["guests", host.rootOption]).output
        #expect(counted.contains(" java "))
        #expect(!counted.contains("no guests"))
    }

    // MARK: Remedies

    @Test func `A remedy is in the words of what started each guest`() throws {
        let host = FakeHost()
        host.setGuest(1, comm: "kvm", "/usr/bin/kvm -id 101 -name a -machine type=q35+pve0")
        host.setGuest(2, comm: "kvm", "/usr/bin/kvm -id 102 -name b -machine type=q35+pve0")
        host.setGuest(3, "qemu-system-x86_64 -name guest=c")
        host.setGuest(4, "qemu-system-x86_64 -name d")
        let guests = try GuestReader.read(host.paths, Configuration()).guests
        #expect(
            GuestRemedy.text(.deflateBalloon, [guests[0]])
                == "Proxmox VE: qm set 101 --args '-global virtio-balloon-pci.deflate-on-oom=on' (add to what args: has "
                + "already), then stop and start it")
        #expect(
            GuestRemedy.text(.leaveOut, guests)
                == "Proxmox VE: qm set VMID --allow-ksm 0 for 101, 102, then stop and start it; in versions without that, "
                + "qm set VMID --args '-machine mem-merge=off' for 101, 102 (add to what args: has "
                + "already), then stop and start it; libvirt: <nosharepages/> in <memoryBacking>; QEMU: -machine "
                + "mem-merge=off")
    }

    @Test(arguments: GuestRemedy.allCases)
    func `There is a remedy for each kind of guest`(_ remedy: GuestRemedy) {
        let managers: [GuestDetails.Manager?] = [
            .qemu, .libvirt, .proxmox(nil), .incus, .cloudHypervisor, .firecracker, .crosvm, nil,
        ]
        for manager in managers {
            var guest = GuestDetails(pid: 1, comm: "a")
            guest.manager = manager
            let words = GuestRemedy.text(remedy, [guest]).split(separator: ":", maxSplits: 1)
            #expect(words.count == 2)
            #expect(words.last?.isEmpty == false)
        }
    }

    // MARK: Order

    @Test(arguments: [
        (GuestColumn.pid, [310, 2101, 11_000]), (.name, [310, 11_000, 2101]), (.user, [2101, 11_000, 310]),
        (.resident, [2101, 310, 11_000]),
        (.swapped, [2101, 310, 11_000]), (.merged, [2101, 310, 11_000]), (.zero, [2101, 310, 11_000]),
        (.profit, [2101, 11_000, 310]), (.memory, [2101, 310, 11_000]), (.vcpus, [2101, 310, 11_000]),
        (.mergeable, [310, 11_000, 2101]),
    ])
    func `Names are sorted upwards, amounts downwards, what is not known last`(
        _ column: GuestColumn, pids: [Int32]
    ) throws {
        #expect(try Self.report(Self.host(), sortedBy: column).guests.map { $0.pid } == pids)
    }

    // MARK: The program

    @Test func `JSON is as the schema says, with guests and without`() async throws {
        let schema = try JSONSchema("guests")
        let host = Self.host()
        let outcome = try await Program.ksmctl.run(["guests", "--json", "--sort", "merged", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.error == "")
        #expect(schema.problems(outcome.output) == [])
        host.remove("sys")
        for pid in [310, 2101, 11_000] { host.removeProcess(pid) }
        let empty = try await Program.ksmctl.run(["guests", "--json", host.rootOption])
        #expect(empty.status == 0)
        #expect(schema.problems(empty.output) == [])
    }

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `JSON of a guest`() throws {
        let host = Self.host()
        host.removeProcess(310)
        host.removeProcess(11_000)
        #expect(
            try Self.report(host).json() == #"""
                {
                  "command" : "guests",
                  "guests" : [
                    {
                      "balloon" : "autodeflate",
                      "ballooned_bytes" : 636354560,
                      "cgroup" : {
                        "cpu_max" : 1.5,
                        "cpu_weight" : 200,
                        "memory_max_bytes" : 5368709120,
                        "path" : "/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/libvirt/emulator",
                        "swap_max_bytes" : 1073741824
                      },
                      "comm" : "qemu-system-x86",
                      "configured_bytes" : 4294967296,
                      "has_grown" : false,
                      "items" : 400000,
                      "items_per_merged_page" : 1.52587890625,
                      "manager" : "libvirt",
                      "mergeable" : true,
                      "merged_bytes" : 1073741824,
                      "name" : "web1",
                      "needed_bytes" : 4294967296,
                      "obstacles" : [

                      ],
                      "pid" : 2101,
                      "profit_bytes" : 1048576000,
                      "resident_bytes" : 2048000000,
                      "swapped_bytes" : 1610612736,
                      "uid" : 64055,
                      "unswappable_bytes" : 3221225472,
                      "vcpus" : 4,
                      "zero_bytes" : 10485760
                    }
                  ],
                  "hidden_guests" : 0,
                  "notes" : [

                  ],
                  "others" : [

                  ],
                  "schema_version" : 1,
                  "totals" : {
                    "configured_bytes" : 4294967296,
                    "guests" : 1,
                    "merged_bytes" : 1073741824,
                    "needed_bytes" : 4294967296,
                    "profit_bytes" : 1048576000,
                    "resident_bytes" : 2048000000,
                    "swapped_bytes" : 1610612736,
                    "vcpus" : 4,
                    "zero_bytes" : 10485760
                  },
                  "unreadable_guests" : 0
                }

                """#)
    }

    @Test func `In a tree that stands for a host, users are numbers`() async throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        let outcome = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(outcome.status == 0)
        #expect(
            outcome.output.contains("   10  kvm    \(geteuid()) ")
                || outcome.output.contains(" 10  kvm    \(geteuid()) "))
        let limits = try await Program.ksmctl.run(["guests", "--limits", host.rootOption])
        #expect(limits.output.hasPrefix("PID  NAME  RESIDENT  MEMORY  MEM.MAX  "))
    }

    @Test(arguments: [
        ("", "no process has a name that the daemon knows; set KSM_GUEST_PATTERN= if yours has another"),
        (
            "KSM_PROFILE=proxmox",
            "no process has a name that KSM_PROFILE=proxmox knows; set KSM_GUEST_PATTERN= if yours has another"
        ),
        ("KSM_GUEST_PATTERN='^x$'", "no process has a name that KSM_GUEST_PATTERN=^x$ matches"),
    ])
    func `No guests are a line with a remedy, and no failure`(_ configuration: String, line: String) async throws {
        let host = FakeHost()
        host.configure(configuration + "\n")
        host.setProcess(10, comm: "bash", resident: 1)
        let outcome = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(outcome.status == 0)
        #expect(outcome.output == "no guests found: \(line)\n")
        #expect(outcome.error == "")
    }

    @Test func `Processes that cannot be listed are 69`() async throws {
        let host = FakeHost()
        host.remove("proc")
        let outcome = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.output == "")
        #expect(
            outcome.error
                == host.filled("ksmctl: cannot list ROOT/proc: No such file or directory: is /proc mounted?\n"))
    }

    @Test func `A pattern that makes no sense is 78`() async throws {
        let host = FakeHost()
        host.configure("KSM_GUEST_PATTERN='a('\n")
        let outcome = try await Program.ksmctl.run(["guests", host.rootOption])
        #expect(outcome.status == 78)
        #expect(outcome.output == "")
        #expect(outcome.error.contains("ksmctl: cannot understand KSM_GUEST_PATTERN: "))
        #expect(outcome.error.hasSuffix(": see regex(7) and ksmctl check-config\n"))
    }

    @Test func `A column that is none is refused`() async throws {
        let outcome = try await Program.ksmctl.run(["guests", "--sort", "colour"])
        #expect(outcome.status == 64)
        #expect(outcome.error.contains("colour"))
    }
}
