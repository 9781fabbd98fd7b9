import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@Suite struct GuestReaderTests {
    private static let page = Host.pageSize.count / 1024

    private func read(_ host: FakeHost, _ configuration: Configuration = Configuration()) throws -> [GuestDetails] {
        try GuestReader.read(host.paths, configuration).guests
    }

    @Test(arguments: ["n", "e\u{301}"])
    func `a name is shown up to a length that a table can bear`(_ letter: String) throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64 -name \(String(repeating: letter, count: 100_000))")
        let name = try #require(try read(host).first?.name)
        #expect(name.utf8.count <= 256 && name.utf8.count > 250)
        #expect(name.hasSuffix("..."))
        let whole = String(repeating: letter, count: 256 / letter.utf8.count)
        host.setGuest(10, "qemu-system-x86_64 -name \(whole)")
        #expect(try read(host).first?.name == whole)
    }

    @Test func `all that can be told of a guest`() throws {
        let host = FakeHost()
        host.setGuest(10, resident: 2000, "qemu-system-x86_64 -name guest=web -m 2G -smp 2 -device virtio-balloon-pci")
        host.setKSMStat(10, items: 1000, zero: 3, merging: 500, profit: -1234)
        var expected = GuestDetails(pid: 10, comm: "qemu-system-x86")
        expected.name = "web"
        expected.user = geteuid()
        expected.resident = KiB(2000 * Self.page)
        expected.merged = KiB(500 * Self.page)
        expected.zero = KiB(3 * Self.page)
        expected.items = Pages(1000)
        expected.profit = -1234
        expected.configured = KiB(2 * 1024 * 1024)
        expected.vcpus = 2
        expected.balloon = .manual
        expected.manager = .libvirt
        expected.isMergeable = true
        #expect(try read(host) == [expected])
    }

    // MARK: Which processes

    /// debugfs is not mounted, or says nothing of it; the process offers memory to KSM.
    @Test func `A process that holds a virtual machine is a guest, or one that the names do not know`() throws {
        let host = FakeHost()
        for (pid, descriptor) in [(10, "anon_inode:kvm-vm"), (11, "/dev/null")] {
            host.setProcess(pid, comm: "vmm", resident: 1)
            host.setKSMStat(pid)
            host.createFolder("proc/\(pid)/fd")
            host.link("proc/\(pid)/fd/7", to: descriptor)
        }
        let union = try GuestReader.read(host.paths, Configuration())
        #expect(union.guests.map { $0.pid } == [10])
        #expect(union.unnamed == ["vmm"])
        #expect(union.others.map { $0.pid } == [11])

        var configuration = Configuration()
        configuration.guestPattern = "^nothing$"
        let byPattern = try GuestReader.read(host.paths, configuration)
        #expect(byPattern.guests.isEmpty)
        #expect(byPattern.unnamed.isEmpty)
        #expect(byPattern.others.map { $0.hasMachine } == [true, false])
        #expect(KSMProgram.programs(byPattern.others).map { $0.machines } == [1])
    }

    @Test(arguments: [("", false), ("ksm_merge_any: no\n", false), ("ksm_merge_any: yes\n", true)])
    func `A process offers all of its memory where the kernel says so`(line: String, offersAll: Bool) throws {
        let host = FakeHost()
        host.setProcess(11, comm: "java", resident: 1)
        host.write("ksm_rmap_items 5\n\(line)", to: "proc/11/ksm_stat")
        #expect(try GuestReader.read(host.paths, Configuration()).others.map { $0.offersAll } == [offersAll])
    }

    @Test func `the daemon's guests, in the order of their pids`() throws {
        let host = FakeHost()
        for (pid, comm) in [(300, "kvm"), (20, "firecracker"), (5, "bash"), (1000, "qemu:web")] {
            host.setProcess(pid, comm: comm, resident: 1)
        }
        #expect(try read(host).map { $0.pid } == [20, 300, 1000])
        var configuration = Configuration()
        configuration.profile = .proxmox
        #expect(try read(host, configuration).map { $0.pid } == [300])
        configuration.guestPattern = "^(bash|fire)"
        #expect(try read(host, configuration).map { $0.pid } == [5, 20])
    }

    @Test func `who has a virtual machine is a guest by any name, where the daemon counts it too`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "myvmm", resident: 7)
        host.setProcess(20, comm: "other", resident: 7)
        host.setProcess(30, comm: "kvm", resident: 7)
        host.setThread(21, of: 20)
        host.setMachine(of: 10)
        host.setMachine(of: 10, descriptor: 12)
        host.setMachine(of: 21)
        host.setMachine(of: 30)
        #expect(try read(host).map { $0.pid } == [10, 20, 30])
        #expect(try GuestReader.read(host.paths, Configuration()).unnamed == ["myvmm", "other"])
        var configuration = Configuration()
        configuration.profile = .upstream
        #expect(try read(host, configuration).isEmpty)
        configuration.profile = .union
        configuration.guestPattern = "^kvm$"
        #expect(try read(host, configuration).map { $0.pid } == [30])
    }

    @Test func `what only looks like a virtual machine is none`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "bash", resident: 7)
        // The number of a creator that has ended, and is another process's now.
        host.setMachine(of: 10, link: "/dev/null")
        // This one has a machine, and the folders are of other names than a creator's.
        host.setProcess(11, comm: "bash", resident: 7)
        host.createFolder("proc/11/fd")
        host.link("proc/11/fd/9", to: "anon_inode:kvm-vm")
        for name in ["99-9", "11", "11-", "11_9", "-9", "x-9", "99999999999999999999-9", "0-9", "exits"] {
            host.createFolder("sys/kernel/debug/kvm/\(name)")
        }
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.guests.isEmpty)
        // Nor is it a failure that the descriptor of one is gone.
        #expect(list.unreadable.isEmpty)
    }

    @Test func `a zombie is no guest`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 0)
        #expect(try read(host).isEmpty)
    }

    @Test func `processes that cannot be listed, and a pattern that makes no sense`() throws {
        let host = FakeHost()
        var configuration = Configuration()
        configuration.guestPattern = "a("
        let refusal = #expect(throws: KernelFileError.self) { _ = try read(host, configuration) }
        #expect(refusal?.operation == .understand)
        #expect(refusal?.path == "KSM_GUEST_PATTERN")
        host.remove("proc")
        let failure = #expect(throws: KernelFileError.self) { _ = try read(host) }
        #expect(failure?.operation == .list)
    }

    // MARK: What cannot be read

    @Test func `A guest whose memory cannot be read is named, not left out`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 5)
        host.setProcess(11, comm: "kvm", resident: 5)
        host.remove("proc/11/statm")
        // It opens, and cannot be read.
        host.createFolder("proc/11/statm")
        host.setProcess(12, comm: "kvm", resident: 5)
        host.write("much\n", to: "proc/12/statm")
        host.setProcess(13, comm: "?", resident: 5)
        host.remove("proc/13/comm")
        host.createFolder("proc/13/comm")
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.guests.map { $0.pid } == [10])
        #expect(list.unreadable.map { $0.pid } == [13, 11, 12])
        #expect(list.unreadable.map { $0.comm } == [nil, "kvm", "kvm"])
        #expect(
            list.unseen == [
                "2 guests and 1 process that may be one could not be read (cannot read \(host.path("proc/13/comm")): "
                    + "Is a directory)"
            ])
    }

    @Test func `One that ends meanwhile is not missed`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 5)
        host.remove("proc/10/statm")
        host.createFolder("proc/11")
        #expect(try GuestReader.read(host.paths, Configuration()) == GuestList())
        // Between its name and its command line.
        host.write("vmm\n", to: "proc/11/comm")
        #expect(try GuestReader.read(host.paths, Configuration()) == GuestList())
    }

    @Test func `A process whose command line cannot be read may be a guest`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "vmm", resident: 5)
        host.remove("proc/10/cmdline")
        host.createFolder("proc/10/cmdline")
        let list = try GuestReader.read(host.paths, Configuration())
        let failure = KernelFileError(.read, host.path("proc/10/cmdline"), errno: EISDIR)
        #expect(list.unreadable == [GuestList.Unreadable(pid: 10, failure: failure)])
    }

    @Test func `What a process offers counts though its machines cannot be told, which is a failure`() throws {
        let host = FakeHost()
        host.setProcess(30, comm: "java", resident: 1)
        host.write("ksm_rmap_items 5\n", to: "proc/30/ksm_stat")
        host.link("proc/30/fd", to: "fd")
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.othersFailures == [KernelFileError(.list, host.path("proc/30/fd"), errno: ELOOP)])
    }

    @Test func `Where machines cannot be listed no process is named for it`() throws {
        let host = FakeHost()
        host.createFolder("sys/kernel/debug")
        host.link("sys/kernel/debug/kvm", to: "kvm")
        let list = try GuestReader.read(host.paths, Configuration())
        let failure = KernelFileError(.list, host.path("sys/kernel/debug/kvm"), errno: ELOOP)
        #expect(list.unreadable == [GuestList.Unreadable(pid: 0, comm: nil, failure: failure)])
    }

    @Test func `What a process offers to KSM that is no guest and cannot be read is a failure, and hidden by nobody`()
        throws
    {
        let host = FakeHost()
        host.setProcess(10, comm: "bash", resident: 5)
        host.createFolder("proc/10/ksm_stat")
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.othersFailures == [KernelFileError(.read, host.path("proc/10/ksm_stat"), errno: EISDIR)])
        #expect(list.hiddenOthers == 0)
        #expect(list.unreadable.isEmpty)
    }

    @Test(arguments: [(0, nil), (1, ""), (2, ", and 1 other file"), (3, ", and 2 other files")])
    func `Files that could not be read are counted in a sentence with the first`(count: Int, others: String?) {
        let failures = (0..<count).map { KernelFileError(.read, "/\($0)", errno: EIO) }
        var list = GuestList()
        list.failures = Array(failures.prefix(1))
        list.guests = [GuestDetails(pid: 1, comm: "kvm")]
        list.guests[0].otherFailures = Array(failures.dropFirst())
        #expect(
            list.unknown
                == others.map { "not known, since it could not be read: what /0 says\($0) (\(failures[0]))" })
    }

    @Test(arguments: [
        (1, 0, "1 guest"), (2, 0, "2 guests"), (0, 1, "1 process that may be one"),
        (0, 2, "2 processes that may be guests"), (1, 2, "1 guest and 2 processes that may be guests"),
    ])
    func `What could not be seen is counted in a sentence`(guests: Int, others: Int, expected: String) {
        let failure = KernelFileError(.read, "x", errno: EIO)
        var list = GuestList()
        for pid in 0..<Int32(guests + others) {
            list.unreadable.append(
                GuestList.Unreadable(pid: pid, comm: pid < guests ? "kvm" : nil, failure: failure))
        }
        #expect(list.unseen == ["\(expected) could not be read (\(failure))"])
    }

    @Test func `What says more of a guest and cannot be read is kept as a failure`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64 -m 4G")
        for file in ["cmdline", "ksm_stat", "cgroup"] {
            if host.read("proc/10/\(file)") != nil { host.remove("proc/10/\(file)") }
            host.createFolder("proc/10/\(file)")
        }
        let guest = try #require(try read(host).first)
        #expect(guest.failures.map { $0.path } == ["cmdline", "cgroup", "ksm_stat"].map { host.path("proc/10/\($0)") })
        #expect(guest.needFailures.map { $0.path } == ["cmdline", "cgroup"].map { host.path("proc/10/\($0)") })
        #expect(guest.configured == nil)
        #expect(guest.isMergeable == nil)
        #expect(!guest.isHidden)
    }

    @Test func `Where its threads cannot be counted nobody knows its CPUs but by its command line`() throws {
        for (line, vcpus) in [("firecracker", nil), ("qemu-system-x86_64 -smp 3", 3)] as [(String, Int?)] {
            let host = FakeHost()
            host.setGuest(10, comm: "firecracker", line)
            host.write("", to: "proc/10/task")
            let guest = try #require(try read(host).first)
            #expect(guest.vcpus == vcpus)
            #expect(guest.failures == [KernelFileError(.list, host.path("proc/10/task"), errno: ENOTDIR)])
        }
    }

    @Test func `A command line beyond the limit is a failure, not an empty line`() throws {
        let host = FakeHost()
        let text = ["qemu-system-x86_64", "-m", "4G", "-append", String(repeating: "x", count: 1 << 20)]
        host.setProcess(10, comm: "qemu-system-x86", resident: 5, commandLine: text)
        let guest = try #require(try read(host).first)
        #expect(guest.configured == nil)
        #expect(guest.failures.map { $0.errno } == [EFBIG])
    }

    // MARK: What older kernels say

    @Test func `before ksm_stat, the pages that are merged`() throws {
        let host = FakeHost()
        host.setGuest(10, comm: "firecracker", "firecracker")
        host.write("400\n", to: "proc/10/ksm_merging_pages")
        let guest = try #require(try read(host).first)
        #expect(guest.merged == KiB(400 * Self.page))
        #expect(guest.zero == nil)
        #expect(guest.profit == nil)
        #expect(guest.isMergeable == true)
        host.write("0\n", to: "proc/10/ksm_merging_pages")
        #expect(try read(host).first?.isMergeable == nil)
        host.remove("proc/10/ksm_merging_pages")
        #expect(try read(host).first?.merged == nil)
        #expect(try read(host).first?.isHidden == false)
    }

    @Test func `where much is merged it was offered, whatever the line says`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64 -m 4M -machine mem-merge=off")
        for (merged, isMergeable) in [(0, false), (100, false), (400, true)] {
            host.write("\(merged)\n", to: "proc/10/ksm_merging_pages")
            let guest = try #require(try read(host).first)
            #expect(guest.isMergeable == isMergeable)
            #expect(guest.obstacles == (isMergeable ? [] : [.mergingSwitchedOff]))
        }
    }

    @Test func `in 6.1, ksm_stat of one line`() throws {
        let host = FakeHost()
        host.setGuest(10, comm: "firecracker", "firecracker")
        host.write("ksm_rmap_items 500\n", to: "proc/10/ksm_stat")
        #expect(try read(host).first?.isMergeable == true)
        // Of a thousand pages, these may be anything.
        host.write("ksm_rmap_items 5\n", to: "proc/10/ksm_stat")
        #expect(try read(host).first?.isMergeable == nil)
        host.write("ksm_rmap_items 0\n", to: "proc/10/ksm_stat")
        #expect(try read(host).first?.isMergeable == nil)
    }

    @Test(arguments: [
        "", "\n\n", "ksm_rmap_items", "ksm_rmap_items x\nksm_mergeable: maybe", " 5", "ksm_merging_pages -",
    ])
    func `nonsense is not known`(_ text: String) throws {
        let host = FakeHost()
        host.setGuest(10, comm: "firecracker", "firecracker")
        host.write(text, to: "proc/10/ksm_stat")
        let guest = try #require(try read(host).first)
        #expect(guest.merged == nil)
        #expect(guest.isMergeable == nil)
    }

    @Test func `absurd numbers stay within bounds`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu -m 8E")
        host.setKSMStat(10, items: .max, zero: .max, merging: .max, profit: -.max)
        let guest = try #require(try read(host).first)
        #expect(guest.merged == KiB(.max))
        #expect(guest.zero == KiB(.max))
        #expect(guest.profit == Bytes(-.max))
    }

    /// Not even root may read it: the kernel's own word is EACCES.
    private static let secret = "/proc/sys/vm/compact_memory"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: secret), "this kernel has no \(secret)"))
    func `other users' processes that are hidden are told of once, and are no failures`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        #expect(try !GuestReader.read(host.paths, Configuration()).isBlind)
        for pid in [11, 12] {
            host.setProcess(pid, comm: "x", resident: 1)
            host.link("proc/\(pid)/comm", to: Self.secret)
        }
        let list = try GuestReader.read(host.paths, Configuration())
        #expect(list.isBlind && list.unreadable.isEmpty)
        #expect(list.guests.map { $0.pid } == [10])
    }

    @Test(.enabled(if: geteuid() != 0, "root may read every file: needs another user"))
    func `what the kernel shows to others only is hidden`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        host.setKSMStat(10, merging: 5)
        unsafe chmod(host.path("proc/10/ksm_stat"), 0)
        let guest = try #require(try read(host).first)
        #expect(guest.isHidden)
        #expect(guest.merged == nil)
        // QEMU's default is on its command line, or rather is not.
        #expect(guest.isMergeable == true)
    }

    // MARK: Whether it can be merged

    struct Case: CustomTestStringConvertible, Sendable {
        var commandLine: String
        /// What the kernel says, where it says it.
        var offersAny: Bool?
        var offersAll = false
        var isMergeable: Bool?
        var obstacles: [GuestDetails.Obstacle] = []

        var testDescription: String { "\(commandLine), offered \(offersAny.map { "\($0)" } ?? "unknown")" }
    }

    private static let qemu = "qemu-system-x86_64 "
    private static let halves =
        "-object memory-backend-ram,id=a,size=1G -object memory-backend-memfd,id=b,size=1G "
        + "-numa node,memdev=a -numa node,memdev=b"

    @Test(arguments: [
        Case(commandLine: qemu, offersAny: true, isMergeable: true),
        Case(commandLine: qemu, offersAny: nil, isMergeable: true),
        Case(commandLine: qemu, offersAny: false, isMergeable: false, obstacles: [.notRegistered]),
        Case(commandLine: qemu + halves, offersAny: true, isMergeable: true, obstacles: [.memfd]),
        // The memory of its video card is offered all the same.
        Case(
            commandLine: qemu + "-mem-path /dev/hugepages", offersAny: true, isMergeable: false, obstacles: [.hugePages]
        ),
        Case(
            commandLine: qemu + "-machine mem-merge=off", offersAny: false, isMergeable: false,
            obstacles: [.mergingSwitchedOff]),
        Case(commandLine: qemu + "-machine mem-merge=off", offersAny: true, offersAll: true, isMergeable: true),
        Case(
            commandLine: qemu + "-machine mem-merge=off -mem-path /dev/hugepages", offersAny: true, offersAll: true,
            isMergeable: false, obstacles: [.hugePages]),
        Case(commandLine: "vmm", offersAny: true, isMergeable: true),
        Case(commandLine: "vmm", offersAny: false, isMergeable: false, obstacles: [.notRegistered]),
        Case(commandLine: "vmm", offersAny: nil, isMergeable: nil),
        Case(commandLine: "", offersAny: nil, isMergeable: nil),
    ])
    func `mergeable or why not`(_ test: Case) throws {
        let host = FakeHost()
        host.setGuest(10, test.commandLine)
        if let offersAny = test.offersAny { host.setKSMStat(10, offersAll: test.offersAll, offersAny: offersAny) }
        let guest = try #require(try read(host).first)
        #expect(guest.isMergeable == test.isMergeable)
        #expect(guest.obstacles == test.obstacles)
    }

    @Test func `on a kernel without KSM nobody can tell`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        host.remove("sys/kernel/mm/ksm")
        #expect(try read(host).first?.isMergeable == nil)
    }
}
