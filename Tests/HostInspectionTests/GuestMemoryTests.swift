import Glibc
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

/// How large a guest is: by what it was started with, by what it holds, and by what must stay where it is.
@Suite struct GuestMemoryTests {
    private static let gibibyte: Int64 = 1 << 20

    private static func gib(_ count: Double) -> KiB { KiB(Int64(count * Double(gibibyte))) }

    /// - Parameters:
    ///   - resident: In GiB.
    ///   - status: Further lines of `/proc/PID/status`.
    private func guest(
        _ line: String, comm: String = "qemu-system-x86", resident: Double, status: String = "",
        on host: FakeHost = FakeHost()
    ) throws -> GuestDetails {
        let pages = Int64(resident * Double(Self.gibibyte)) * 1024 / Host.pageSize.count
        host.setProcess(10, comm: comm, resident: pages, commandLine: line.split(separator: " ").map { String($0) })
        host.write("Name:\t\(comm)\nTgid:\t10\nPid:\t10\nPPid:\t1\n\(status)", to: "proc/10/status")
        return try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
    }

    private static let qemu = "qemu-system-x86_64 -name a "

    // MARK: Swapped

    @Test func `swapped memory is the guest's, and no balloon's`() throws {
        let guest = try guest(
            Self.qemu + "-m 4096 -device virtio-balloon-pci", resident: 1.5, status: "VmSwap:\t 2097152 kB\n")
        #expect(guest.swapped == Self.gib(2))
        #expect(guest.held == Self.gib(3.5))
        #expect(guest.needed == Self.gib(4))
        #expect(guest.ballooned == Self.gib(0.5))
        #expect(!guest.hasGrown)
    }

    @Test func `what is ballooned is never negative, and nothing without a balloon`() throws {
        let status = "VmSwap:\t 4194304 kB\n"
        #expect(
            try guest(Self.qemu + "-m 4096 -device virtio-balloon-pci", resident: 3, status: status).ballooned == .zero)
        #expect(try guest(Self.qemu + "-m 4096", resident: 1).ballooned == nil)
        #expect(try guest("firecracker", comm: "firecracker", resident: 1).ballooned == nil)
        // What lies in huge pages no balloon takes.
        let huge = Self.qemu + "-m 4096 -mem-path /dev/hugepages -device virtio-balloon-pci"
        #expect(try guest(huge, resident: 0.1).ballooned == nil)
    }

    // MARK: Grown

    @Test(arguments: [
        // A DIMM that the line has, and more that it has not.
        ("-m 1G,slots=255,maxmem=4T -object memory-backend-ram,id=d,size=512M -device pc-dimm,memdev=d", 1.5, 14.0),
        ("-m 2048M,slots=10,maxmem=64G", 2, 20),
        (
            #"-m 4G,maxmem=32G -object memory-backend-ram,id=v,size=28G -device {"driver":"virtio-mem-pci","memdev":"v","requested-size":0}"#,
            4, 12
        ),
        ("-m 4G", 4, 5),
    ])
    func `a guest cannot need less than it holds`(line: String, configured: Double, resident: Double) throws {
        let guest = try guest(Self.qemu + line, resident: resident)
        #expect(guest.configured == Self.gib(configured))
        #expect(guest.needed == Self.gib(resident))
        #expect(guest.hasGrown)
        // What was swapped of it is its own too.
        let swapped = try self.guest(Self.qemu + line, resident: resident, status: "VmSwap: 1048576 kB\n")
        #expect(swapped.needed == Self.gib(resident + 1))
    }

    @Test func `what a monitor holds beside its guest is no growth, though it counts`() throws {
        let guest = try guest(Self.qemu + "-m 4G", resident: 4.5)
        #expect(guest.needed == Self.gib(4.5))
        #expect(!guest.hasGrown)
        // Half a GiB, and a sixteenth of what it was started with.
        let pages = Double(Host.pageSize.count) / 1_073_741_824
        for (resident, hasGrown) in [(68.5, false), (68.5 + pages, true)] {
            #expect(try self.guest(Self.qemu + "-m 64G", resident: resident).hasGrown == hasGrown)
        }
    }

    @Test(arguments: [
        ("qemu-system-x86", Self.qemu + "-smp 1,maxcpus=8 -m 1G", "CPU %d/KVM"),
        ("cloud-hyperviso", "cloud-hypervisor --cpus boot=1,max=8 --memory size=1G", "vcpu%d"),
        ("firecracker", "firecracker --id a", "fc_vcpu %d"), ("crosvm", "crosvm run --cpus 1", "crosvm_vcpu%d"),
    ])
    func `virtual CPUs that run count where they are more`(comm: String, line: String, thread: String) throws {
        let host = FakeHost()
        for number in 0..<4 {
            host.write(thread.replacing("%d", with: "\(number)") + "\n", to: "proc/10/task/1\(number)/comm")
        }
        for (number, name) in ["qemu-kvm", "IO mon_iothread", "vcpux", "CPU /KVM", "vcpu1-helper"].enumerated() {
            host.write(name + "\n", to: "proc/10/task/2\(number)/comm")
        }
        #expect(try guest(line, comm: comm, resident: 1, on: host).vcpus == 4)
    }

    @Test func `fewer threads than virtual CPUs leave the line's number`() throws {
        let host = FakeHost()
        host.write("CPU 0/KVM\n", to: "proc/10/task/11/comm")
        #expect(try guest(Self.qemu + "-smp 4", resident: 1, on: host).vcpus == 4)
        // Where the line leaves them to a file, the one that runs counts.
        #expect(try guest(Self.qemu + "-readconfig /x", resident: 1, on: host).vcpus == 1)
    }

    @Test func `Cloud Hypervisor's memory that was plugged in at the start`() throws {
        let line = "cloud-hypervisor --memory size=1G,hotplug_size=8G,hotplugged_size=2G,mergeable=on"
        #expect(try guest(line, comm: "cloud-hyperviso", resident: 1).needed == Self.gib(3))
        #expect(try guest(line, comm: "cloud-hyperviso", resident: 6).needed == Self.gib(6))
        #expect(try guest(line, comm: "cloud-hyperviso", resident: 6).hasGrown)
    }

    // MARK: Huge pages

    @Test func `a guest in huge pages needs no ordinary RAM`() throws {
        let line =
            Self.qemu + "-machine memory-backend=m -m 32G -object "
            + #"{"qom-type":"memory-backend-file","id":"m","mem-path":"/dev/hugepages/libvirt/qemu/1-a","size":34359738368}"#
        let unknown = try guest(line, resident: 0.3)
        #expect(unknown.neededInHugePages == Self.gib(32))
        #expect(unknown.needed == .zero)
        #expect(unknown.unswappable == .zero)
        // Its monitor holds half a GiB at most.
        for resident in [0.3, 0.5] {
            let known = try guest(line, resident: resident, status: "HugetlbPages:\t33554432 kB\n")
            #expect(known.neededInHugePages == Self.gib(32))
            #expect(known.needed == .zero)
        }
        // Plugged in since, in ordinary pages.
        let grown = try guest(line, resident: 9, status: "HugetlbPages:\t33554432 kB\n")
        #expect(grown.needed == Self.gib(9))
        #expect(grown.hasGrown)
        // -mem-path falls back to ordinary pages where the pool is empty.
        let fallen = try guest(
            Self.qemu + "-m 4G -mem-path /dev/hugepages", resident: 3, status: "HugetlbPages: 0 kB\n")
        #expect(fallen.neededInHugePages == .zero)
        #expect(fallen.needed == Self.gib(4))
        // One that has just been started has touched neither; its monitor holds half a GiB at most.
        for resident in [0.1, 0.5] {
            let new = try guest(
                Self.qemu + "-m 4G -mem-path /dev/hugepages", resident: resident, status: "HugetlbPages: 0 kB\n")
            #expect(new.neededInHugePages == Self.gib(4))
        }
    }

    @Test func `a guest of which no line tells needs what it holds`() throws {
        let guest = try guest("firecracker", comm: "firecracker", resident: 0.125)
        #expect(guest.needed == Self.gib(0.125))
        #expect(!guest.hasGrown)
        #expect(!guest.isLocked)
    }

    @Test func `a part in huge pages counts there, the rest in RAM`() throws {
        let line =
            Self.qemu + "-m 6G -object memory-backend-file,id=a,size=4G,mem-path=/dev/hugepages "
            + "-object memory-backend-ram,id=b,size=2G -numa node,memdev=a -numa node,memdev=b"
        let guest = try guest(line, resident: 1)
        #expect(guest.neededInHugePages == Self.gib(4))
        #expect(guest.needed == Self.gib(2))
    }

    @Test(arguments: [(512, true), (513, false)])
    func `what is longer than the path of a mount is none`(length: Int, isOnHugePages: Bool) throws {
        let path = "/huge/" + String(repeating: "x", count: length - 6)
        let guest = try guest(Self.qemu + "-m 1G -mem-path \(path)", resident: 1)
        #expect(guest.obstacles.contains(.hugePages) == isOnHugePages)
    }

    @Test func `huge pages of a mount by any name, as the kernel tells`() throws {
        let line =
            Self.qemu + "-m 4G -machine memory-backend=m -object memory-backend-file,id=m,mem-path=/mnt/big,size=4G"
        let guest = try guest(line, resident: 0.1, status: "HugetlbPages: 4194304 kB\n")
        #expect(guest.neededInHugePages == Self.gib(4))
        #expect(guest.needed == .zero)
        #expect(guest.isMergeable == false)
        #expect(guest.obstacles == [.hugePages])
    }

    @Test func `huge pages that only the kernel tells`() throws {
        let guest = try guest("firecracker", comm: "firecracker", resident: 0.1, status: "HugetlbPages: 2097152 kB\n")
        #expect(guest.neededInHugePages == Self.gib(2))
        #expect(guest.needed == .zero)
    }

    // MARK: What cannot move

    @Test(arguments: [
        "-device vfio-pci,host=0000:01:00.0", #"-device {"driver":"vfio-pci","host":"0000:01:00.0"}"#,
        "-device vfio-pci-nohotplug,host=1", "-device vfio-amd-xgbe,host=x",
        // A mediated device of which the kernel does not say what it holds.
        "-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/b0a0e4a4-0000-1111-2222-333344445555",
        "-device vfio-pci,sysfsdev=/",
    ])
    func `a passed-through device holds all of a guest in place`(device: String) throws {
        let guest = try guest(Self.qemu + "-m 8G -device virtio-balloon-pci " + device, resident: 8)
        #expect(guest.isPinned)
        #expect(guest.isMergeable == false)
        #expect(guest.obstacles == [.pinned])
        #expect(guest.balloon == .inhibited)
        #expect(guest.ballooned == nil)
        #expect(guest.unswappable == Self.gib(8))
    }

    @Test(arguments: [
        ("", GuestDetails.Balloon.none), ("-device virtio-balloon-pci", .inhibited),
        ("-device virtio-balloon-pci,deflate-on-oom=on", .inhibited),
    ])
    func `a passed-through device inhibits the balloon that there is`(
        device: String, balloon: GuestDetails.Balloon
    ) throws {
        let guest = try guest(Self.qemu + "-m 8G -device vfio-pci,host=1 " + device, resident: 8)
        #expect(guest.balloon == balloon)
    }

    @Test(arguments: [
        "-device vfio-ccw,sysfsdev=/sys/bus/mdev/devices/x", "-device vfio-ap,sysfsdev=/x", "-device virtio-net-pci",
        #"-device {"driver":"vfio-user-pci","socket":{"path":"/run/x","type":"unix"}}"#,
    ])
    func `a device that holds only what it uses pins no guest`(device: String) throws {
        let guest = try guest(Self.qemu + "-m 8G -device virtio-balloon-pci " + device, resident: 8)
        #expect(!guest.isPinned)
        #expect(guest.isMergeable == true)
        #expect(guest.balloon == .manual)
        #expect(guest.unswappable == .zero)
    }

    @Test func `of a mediated device, the kernel says what it holds`() throws {
        let line =
            Self.qemu + "-m 8G -device vfio-pci,sysfsdev=/sys/devices/pci0/b0a0e4a4-0000-1111-2222-333344445555"
        let little = try guest(line, resident: 8, status: "VmLck: 1024 kB\nVmPin: 0 kB\n")
        #expect(!little.isPinned)
        #expect(little.isMergeable == true)
        #expect(little.unswappable == KiB(1024))
        #expect(try guest(line, resident: 8, status: "VmLck: 8388608 kB\nVmPin: 0 kB\n").isPinned)
        for path in ["/sys/bus/pci/devices/0000:01:00.0", "/"] {
            let whole = Self.qemu + "-m 8G -device vfio-pci,sysfsdev=" + path
            #expect(try guest(whole, resident: 8, status: "VmLck: 1024 kB\nVmPin: 0 kB\n").isPinned)
        }
    }

    @Test(arguments: [
        "-overcommit mem-lock=on", "-overcommit mem-lock=on-fault", "-realtime mlock=on", "-realtime cpu-pm=on",
    ])
    func `locked memory is merged, and never swapped`(option: String) throws {
        let guest = try guest(Self.qemu + "-m 8G " + option, resident: 2)
        #expect(guest.isMergeable == true)
        #expect(guest.unswappable == Self.gib(8))
    }

    @Test func `without mem-lock=on nothing is locked`() throws {
        #expect(try guest(Self.qemu + "-m 8G -overcommit mem-lock=off", resident: 2).unswappable == .zero)
        #expect(try guest(Self.qemu + "-m 8G -realtime mlock=off", resident: 2).unswappable == .zero)
    }

    @Test func `what no command line tells, the kernel does`() throws {
        let host = FakeHost()
        let locked = "VmLck:\t 4194304 kB\nVmPin:\t       0 kB\n"
        let guest = try guest("firecracker", comm: "firecracker", resident: 4, status: locked, on: host)
        #expect(guest.unswappable == Self.gib(4))
        #expect(!guest.isPinned)
        // A device that was plugged in after the start.
        host.createFolder("proc/10/fd")
        host.link("proc/10/fd/33", to: "/dev/vfio/12")
        let plugged = try self.guest(Self.qemu + "-m 4G", resident: 4, status: locked, on: host)
        #expect(plugged.isPinned)
        #expect(plugged.isMergeable == false)
        // Where its descriptors cannot be listed, that is told, and nothing is taken for granted.
        host.remove("proc/10/fd")
        host.write("", to: "proc/10/fd")
        let unseen = try self.guest(Self.qemu + "-m 4G", resident: 4, status: locked, on: host)
        #expect(!unseen.isPinned)
        #expect(unseen.failures == [KernelFileError(.list, host.path("proc/10/fd"), errno: ENOTDIR)])
        let pinned = try self.guest(Self.qemu + "-m 4G", resident: 4, status: "VmPin: 4194304 kB\n")
        #expect(pinned.isPinned)
        #expect(pinned.obstacles == [.pinned])
    }

    @Test func `a guest that no host can read is not swapped either`() throws {
        let guest = try guest(Self.qemu + "-m 4G -machine confidential-guest-support=sev0", resident: 1)
        #expect(guest.unswappable == Self.gib(4))
    }

    @Test func `what the cgroup allows no swap for stays in RAM`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm")
        host.setCgroup("vm", ["memory.swap.max": "1073741824"])
        #expect(try guest(Self.qemu + "-m 4G", resident: 1, on: host).unswappable == Self.gib(3))
        host.setCgroup("vm", ["memory.swap.max": "max"])
        #expect(try guest(Self.qemu + "-m 4G", resident: 1, on: host).unswappable == .zero)
    }

    @Test func `version 1's limit on memory and swap together keeps nothing from swap`() throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "4:memory:/vm")
        host.setCgroup(
            "memory/vm",
            ["memory.limit_in_bytes": "5368709120", "memory.memsw.limit_in_bytes": "5368709120"])
        let guest = try guest(Self.qemu + "-m 4G", resident: 1, on: host)
        #expect(guest.unswappable == .zero && guest.limits?.swapMax == 0)
    }

    /// Guests of 4 GiB in groups with these limits of their swap in GiB.
    private func guests(_ limits: [[(group: String, gib: Int64)]]) throws -> [GuestDetails] {
        try limits.map { limits in
            var guest = try guest(Self.qemu + "-m 4G", resident: 1)
            guest.limits = GuestLimits(path: "/")
            guest.limits?.swapLimits = limits.map {
                GuestLimits.MemoryLimit(file: $0.group + "/memory.swap.max", amount: Bytes($0.gib << 30))
            }
            return guest
        }
    }

    @Test func `what several guests share of swap is no guest's own`() throws {
        let slice = (group: "/a.slice", gib: Int64(5))
        // 5 of 12 GiB may go to swap, though each guest alone could go there as a whole.
        #expect(try guests([[slice], [slice], [slice]]).unswappable == Self.gib(7))
        #expect(try guests([[slice]]).unswappable == .zero)
        // Another one that may.
        #expect(try guests([[slice], [slice], []]).unswappable == Self.gib(3))
        // One that may not itself: the slice bars no more than that.
        let own = (group: "/a.slice/1", gib: Int64(0))
        #expect(try guests([[own, slice], [slice]]).unswappable == Self.gib(4))
        #expect(try guests([[own, slice], [slice], [slice]]).unswappable == Self.gib(7))
        // Slices within one, of which the inner ones allow less or more.
        let inner = (group: "/a.slice/b.slice", gib: Int64(1))
        #expect(try guests([[inner, slice], [inner, slice], [slice]]).unswappable == Self.gib(7))
        #expect(try guests([[inner, slice], [inner, slice]]).unswappable == Self.gib(7))
        let wide = (group: "/a.slice/c.slice", gib: Int64(100))
        #expect(try guests([[wide, slice], [wide, slice]]).unswappable == Self.gib(3))
        #expect([GuestDetails]().unswappable == .zero)
    }

    // MARK: Limits

    @Test(arguments: [
        ("memory.max", 8.0, true), ("memory.max", 10.0, true), ("memory.max", 10.05, true), ("memory.max", 10.2, false),
        ("memory.max", 64.0, false), ("memory.high", 8.0, true), ("memory.high", 10.2, false),
    ])
    func `a limit below the guest and its monitor is too small`(file: String, limit: Double, isTooSmall: Bool) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/machine.slice/a.scope")
        host.setCgroup("machine.slice/a.scope", [file: "\(Self.gib(limit).bytes)"])
        let guest = try guest(Self.qemu + "-m 10G -smp 4", resident: 7, on: host)
        // 70 MiB, 8 MiB for each CPU, and page tables.
        let needed = KiB((10 * 1024 + 70 + 4 * 8 + 20) * 1024)
        let path = host.path("sys/fs/cgroup/machine.slice/a.scope/\(file)")
        let shortages = LimitShortage.find([guest])
        #expect(shortages.map { $0.file } == (isTooSmall ? [path] : []))
        #expect(shortages.allSatisfy { $0.limit == Self.gib(limit) && $0.needed == needed && $0.guests == [guest] })
    }

    @Test(arguments: [(-1, true), (0, false)] as [(Int64, Bool)])
    func `what is just enough is no shortage`(more: Int64, isTooSmall: Bool) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/machine.slice/a.scope")
        let needed = KiB((10 * 1024 + 70 + 4 * 8 + 20) * 1024)
        host.setCgroup("machine.slice/a.scope", ["memory.max": "\((needed + KiB(more)).bytes)"])
        let guest = try guest(Self.qemu + "-m 10G -smp 4", resident: 7, on: host)
        #expect(LimitShortage.find([guest]).isEmpty != isTooSmall)
    }

    @Test(arguments: [("-smp 4", 4), ("-smp 1", 1), ("", 1)])
    func `a monitor is allowed for each CPU, of which there is one where none is named`(line: String, cpus: Int64)
        throws
    {
        let guest = try guest(Self.qemu + "-m 10G " + line, resident: 7)
        #expect(guest.monitorOverhead == KiB((70 + 8 * cpus + 20) * 1024))
        // Of what is not known by its command line, too.
        let other = try self.guest("firecracker", comm: "firecracker", resident: 1)
        #expect(other.vcpus == nil && other.monitorOverhead == KiB((70 + 8 + 2) * 1024))
    }

    @Test func `a group that several guests share is too small for their sum`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        for pid in 1...4 {
            host.setGuest(pid, "qemu-system-x86_64 -m 16G")
            host.setCgroup(of: pid, "0::/machine.slice/\(pid).scope/libvirt/emulator")
            host.setCgroup("machine.slice/\(pid).scope", ["memory.max": "\(Self.gib(20).bytes)"])
        }
        let guests = try GuestReader.read(host.paths, Configuration()).guests
        #expect(LimitShortage.find(guests) == [])
        host.setCgroup("machine.slice", ["memory.max": "\(Self.gib(32).bytes)"])
        let shortages = LimitShortage.find(try GuestReader.read(host.paths, Configuration()).guests)
        #expect(shortages.map { $0.file } == [host.path("sys/fs/cgroup/machine.slice/memory.max")])
        #expect(shortages.first?.guests.map { $0.pid } == [1, 2, 3, 4])
        #expect(shortages.first?.limit == Self.gib(32))
        for pid in [3, 1, 4] { host.setCgroup("machine.slice/\(pid).scope", ["memory.max": "\(Self.gib(8).bytes)"]) }
        let files = LimitShortage.find(try GuestReader.read(host.paths, Configuration()).guests).map { $0.file }
        #expect(
            files
                == ["1.scope/", "3.scope/", "4.scope/", ""].map {
                    host.path("sys/fs/cgroup/machine.slice/\($0)memory.max")
                })
    }

    // MARK: Set elsewhere

    @Test(
        arguments: [
            ("-global virtio-balloon-pci.deflate-on-oom=on", .autodeflate),
            ("-global driver=virtio-balloon-pci,property=deflate-on-oom,value=on", .autodeflate),
            ("-global virtio-balloon-device.deflate-on-oom=on", .autodeflate),
            ("-global virtio-balloon-ccw.deflate-on-oom=on", .manual),
            ("-global virtio-net-pci.deflate-on-oom=on", .manual), ("-global nonsense", .manual),
            ("-set device.b.deflate-on-oom=on", .autodeflate), ("-set device.c.deflate-on-oom=on", .manual),
            ("-set nonsense", .manual), ("-set device.b", .manual),
            ("-global virtio-balloon-pci.deflate-on-oom=on -set device.b.deflate-on-oom=off", .manual),
        ] as [(String, GuestDetails.Balloon)])
    func `properties that are set elsewhere count`(option: String, balloon: GuestDetails.Balloon) throws {
        for text in [
            "\(option) -device virtio-balloon-pci,id=b", "-device virtio-balloon-pci,id=b \(option)",
        ] {
            #expect(try guest(Self.qemu + text, resident: 1).balloon == balloon, "\(text)")
        }
        // What the device itself says comes before -global.
        let own = try guest(Self.qemu + "\(option) -device virtio-balloon-pci,id=x,deflate-on-oom=off", resident: 1)
        #expect(own.balloon == .manual)
    }

    @Test func `an object is what was last said of it`() throws {
        let line = Self.qemu + "-machine memory-backend=m -m 1G -object memory-backend-ram,id=m,size=1G "
        #expect(try guest(line, resident: 1).obstacles == [])
        #expect(try guest(line + "-set object.m.share=on", resident: 1).obstacles == [.sharedBackend])
        #expect(try guest(line + "-object memory-backend-memfd,id=m,size=1G", resident: 1).obstacles == [.memfd])
    }

    // MARK: Who started it

    @Test(
        arguments: [
            ("/usr/bin/kvm -id 101 -name a -machine type=q35+pve0", .proxmox(101)),
            ("/usr/bin/kvm -id 102 -name a -pidfile /var/run/qemu-server/102.pid", .proxmox(102)),
            ("/usr/bin/kvm -machine type=pc+pve1 -id", .proxmox(nil)),
            ("/usr/bin/kvm -machine type=pc+pve1 -id 103", .proxmox(103)),
            ("/usr/libexec/qemu-kvm -name guest=a,debug-threads=on", .libvirt),
            ("qemu-system-x86_64 -name a -chardev socket,path=/var/lib/libvirt/qemu/domain-1-a/monitor.sock", .libvirt),
            ("qemu-system-x86_64 -name a -readconfig /run/incus/a/qemu.conf", .incus),
            ("qemu-system-x86_64 -name a -m 1G", .qemu),
            ("/usr/bin/cloud-hypervisor --memory size=1G", .cloudHypervisor),
            ("firecracker --id a", .firecracker), ("crosvm run", .crosvm),
        ] as [(String, GuestDetails.Manager)])
    func `who started a guest`(line: String, manager: GuestDetails.Manager) throws {
        #expect(try guest(line, resident: 1).manager == manager)
    }

    @Test func `its cgroup tells where the line does not`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        for group in [#"machine-qemu\x2d1\x2da.scope"#, "a.scope/libvirt/emulator"] {
            host.setCgroup(of: 10, "0::/machine.slice/\(group)")
            #expect(try guest("qemu-system-x86_64 -m 1G", resident: 1, on: host).manager == .libvirt)
        }
        host.setCgroup(of: 10, "0::/qemu.slice/105.scope")
        #expect(try guest("kvm -m 1G", resident: 1, on: host).manager == .proxmox(105))
        #expect(try guest("firecracker", comm: "firecracker", resident: 1, on: host).manager == .firecracker)
    }

    // MARK: Unknown is unknown

    /// - Parameter items: Of 262144 pages that it holds.
    private func mergeable(
        _ line: String, items: Int64, passes: Int, run: Int = 1, offersAny: Bool = true, age: Double? = nil
    ) throws -> (isMergeable: Bool?, obstacles: [GuestDetails.Obstacle]) {
        let host = FakeHost()
        host.setKSM(["run": Int64(run), "full_scans": Int64(passes)])
        if let age {
            host.write("\(10_000 + age) 1\n", to: "proc/uptime")
            let fields = ["S"] + Array(repeating: "0", count: 18) + ["\(10_000 * Host.ticksPerSecond)", "0"]
            host.write("10 (a) b) \(fields.joined(separator: " "))\n", to: "proc/10/stat")
        }
        host.setKSMStat(10, items: items * 4096 / Host.pageSize.count, offersAny: offersAny)
        let guest = try guest(line, resident: 1, on: host)
        return (guest.isMergeable, guest.obstacles)
    }

    @Test func `a file that is not read leaves open what the line does not say`() throws {
        let line = "qemu-system-x86_64 -name a -readconfig /run/incus/a/qemu.conf"
        #expect(try mergeable(line, items: 900, passes: 0).isMergeable == nil)
        #expect(try mergeable(line, items: 200_000, passes: 0).isMergeable == true)
        #expect(try mergeable(line, items: 900, passes: 0, offersAny: false).isMergeable == false)
        let settled = try mergeable(line, items: 900, passes: 40)
        #expect(settled.isMergeable == false)
        #expect(settled.obstacles == [.hardlyOffered])
        let own = "-machine memory-backend=m -object memory-backend-memfd,id=m,size=1G -m 1G"
        #expect(try mergeable("\(line) \(own)", items: 900, passes: 0).obstacles == [.memfd])
    }

    @Test(arguments: [
        "qemu-system-x86_64 -m 1G", "cloud-hypervisor --memory size=1G,mergeable=on", "vmm",
        "cloud-hypervisor --api-socket x",
    ])
    func `what KSM keeps track of settles it, whatever the line says`(line: String) throws {
        #expect(try mergeable(line, items: 10_000, passes: 3).isMergeable == false)
        #expect(try mergeable(line, items: 250_000, passes: 3).isMergeable == true)
    }

    @Test func `before some passes, and while KSM rests, few items say nothing`() throws {
        let line = "qemu-system-x86_64 -m 1G"
        #expect(try mergeable(line, items: 10_000, passes: 2).isMergeable == true)
        #expect(try mergeable(line, items: 0, passes: 40, run: 0).isMergeable == true)
        // One that came in the course of them.
        #expect(try mergeable(line, items: 0, passes: 40, age: 20).isMergeable == true)
        #expect(try mergeable(line, items: 0, passes: 40, age: 100_000).isMergeable == false)
    }

    @Test func `items for each merged page, as the kernel counts them`() throws {
        let host = FakeHost()
        host.setKSMStat(10, items: 6500, merging: 100, profit: -5)
        let guest = try guest(Self.qemu + "-m 1G", resident: 0.01, on: host)
        #expect(guest.itemsPerMergedPage == 65)
        #expect(guest.isLoss)
        host.setKSMStat(10, items: 6500, merging: 0, profit: 0)
        let unmerged = try self.guest(Self.qemu + "-m 1G", resident: 0.01, on: host)
        #expect(unmerged.itemsPerMergedPage == nil)
        #expect(!unmerged.isLoss)
    }

    // MARK: No guests

    @Test func `processes that are no guests and offer memory are named`() throws {
        let host = FakeHost()
        for pid in [601, 602, 603] {
            host.setProcess(pid, comm: "java", resident: 75_000)
            host.setKSMStat(pid, items: 70_000, merging: 25_000, profit: 98_000_000, offersAll: true)
        }
        host.setProcess(700, comm: "redis", resident: 10)
        host.setKSMStat(700, items: 5, offersAny: true)
        host.setProcess(701, comm: "bash", resident: 10)
        host.setKSMStat(701, items: 0, offersAny: false)
        host.setProcess(800, comm: "kvm", resident: 10)
        host.setKSMStat(800, items: 5)
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.guests.map { $0.pid } == [800])
        #expect(list.others.map { $0.pid } == [601, 602, 603, 700])
        let programs = KSMProgram.programs(list.others)
        #expect(programs.map { $0.comm } == ["java", "redis"])
        #expect(programs[0].processes == 3)
        #expect(programs[0].items == Pages(210_000))
        #expect(programs[0].profit == Bytes(294_000_000))
        #expect(programs[0].merged == Pages(75_000).kibibytes(of: Host.pageSize))
        var configuration = Configuration()
        configuration.guestPattern = GuestPattern.counting(["java"], beside: configuration)
        #expect(try GuestReader.read(host.paths, configuration).guests.map { $0.pid } == [601, 602, 603, 800])
        #expect(try GuestReader.read(host.paths, configuration).others.map { $0.pid } == [700])
    }
}
