import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct GuestTableTests {
    private static let page = Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024

    private func table(
        _ host: FakeHost, profile: Profile = .union, pattern: String? = nil
    ) throws -> GuestTable {
        try GuestTable(host.paths, matcher: NameMatcher(profile: profile, pattern: pattern))
    }

    @Test func `guests are counted by their resident pages, other processes are not`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "qemu-system-x86", resident: 1000)
        host.setProcess(9, comm: "kvm", resident: 500)
        host.setProcess(11, comm: "qemu-img", resident: 70_000)
        var table = try table(host)
        try table.refresh()
        let sum = table.measure(by: .rsz)
        #expect(sum.guests == 2)
        #expect(sum.committed == KiB(1500 * Self.page))
        #expect(table.processes == 3)
    }

    @Test func `a process without a name is no guest`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        host.remove("proc/10/comm")
        var table = try table(host)
        try table.refresh()
        #expect(pids(table) == [])
    }

    @Test func `a process that ends while its command line is read is no guest`() throws {
        let host = FakeHost()
        let ended = EndedProcess()
        #expect(throws: KernelFileError(.read, ended.file, errno: ESRCH)) { try HostFile.read(ended.file) }
        host.setProcess(10, comm: "wrapper", resident: 1)
        host.link("proc/10/cmdline", to: ended.file)
        var table = try table(host)
        try table.refresh()
        #expect(pids(table) == [])
        #expect(table.measure(by: .rsz).failure == nil)
    }

    @Test func `a guest that grows is seen without opening anything anew`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1000)
        var table = try table(host)
        try table.refresh()
        host.write("9 2000 0 0 0 0 0\n", to: "proc/10/statm")
        #expect(table.measure(by: .rsz).committed == KiB(2000 * Self.page))
    }

    @Test func `a guest that ends is forgotten, and its number can come back as something else`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1000)
        var table = try table(host)
        try table.refresh()
        try table.refresh()
        host.removeProcess(10)
        host.setProcess(10, comm: "bash", resident: 9000)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 0)
        #expect(table.measure(by: .rsz).committed == .zero)
    }

    /// On the host itself: no tree has the kernel's numbers.
    @Test func `a guest that was started since is found without a whole listing, and counts nothing once it has ended`()
        throws
    {
        let host = FakeHost()
        // The same may run at the same time, on the same host.
        let name = "guest\(getpid())"
        var table = try GuestTable(HostPaths(), matcher: NameMatcher(profile: .union, pattern: "^\(name)$"))
        try table.refresh()
        let before = table.measure(by: .rsz).guests
        let guest = try NamedProcess(name, host)
        // What is new is looked at twice.
        for _ in 0..<2 {
            try table.refresh(onlyNew: true)
            #expect(table.measure(by: .rsz).guests == before + 1)
        }
        try guest.end()
        try table.refresh(onlyNew: true)
        let after = table.measure(by: .rsz)
        #expect(after.guests == before && after.failure == nil)
        // A whole listing forgets it.
        #expect(guest.heldFiles == 1)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == before)
        #expect(guest.heldFiles == 0)
    }

    @Test func `a process seen between fork and exec is looked at once more`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "libvirtd", resident: 1000)
        host.setProcess(11, comm: "kvm", resident: 7)
        var table = try table(host)
        try table.refresh()
        host.write("kvm\n", to: "proc/10/comm")
        host.write("sh\n", to: "proc/11/comm")
        let own = Pages(1000).kibibytes(of: Host.pageSize)
        try table.refresh()
        #expect(table.measure(by: .rsz).committed == own)
        // From then on a name is not asked again.
        host.write("sh\n", to: "proc/10/comm")
        host.write("kvm\n", to: "proc/11/comm")
        try table.refresh()
        #expect(table.measure(by: .rsz).committed == own)
    }

    @Test(arguments: ["foo) Z ", "line\nbreak", "", "qemu", "qemu:", "qemu-system-"])
    func `a hostile name is no guest`(comm: String) throws {
        let host = FakeHost()
        host.setProcess(10, comm: comm, resident: 1)
        var table = try table(host)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 0)
    }

    @Test(arguments: [
        (Profile.union, 4), (.scaled, 4), (.upstream, 1), (.debian, 1), (.proxmox, 1),
    ])
    func `each profile counts its own`(profile: Profile, guests: Int) throws {
        let host = FakeHost()
        host.setProcess(1, comm: "kvm", resident: 1)
        host.setProcess(2, comm: "qemu:web", resident: 1)
        host.setProcess(3, comm: "wrapper", resident: 1, commandLine: ["qemu-system-x86_64", "-enable-kvm"])
        host.setProcess(4, comm: ".qemu-system-x8", resident: 1)
        host.setProcess(5, comm: "other", resident: 1, commandLine: ["/usr/bin/qemu-system-x86_64", "-enable-kvm"])
        var table = try table(host, profile: profile)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == guests)
    }

    @Test func `an expression replaces the list`() throws {
        let host = FakeHost()
        host.setProcess(1, comm: "kvm", resident: 1)
        host.setProcess(2, comm: "myvmm-17", resident: 1)
        var table = try table(host, pattern: "^myvmm-[0-9]+$")
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 1)
    }

    @Test func `an expression that makes no sense says why`() {
        let error = #expect(throws: Pattern.Refusal.self) { _ = try Pattern("a(") }
        #expect(error?.reason.isEmpty == false)
    }

    @Test func `pss and unmerged are read where they can be, and counted by rsz where not`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.setProcess(11, comm: "kvm", resident: 1000)
        host.write("00400000-7fff ---p [rollup]\nRss: 4000 kB\nPss:     1234 kB\n", to: "proc/10/smaps_rollup")
        host.write("400\n", to: "proc/10/ksm_merging_pages")
        var table = try table(host)
        try table.refresh()
        let pss = table.measure(by: .pss)
        #expect(pss.committed == KiB(1234 + 1000 * Self.page))
        #expect(pss.fallback?.path.hasSuffix("/proc/11/smaps_rollup") == true)
        let unmerged = table.measure(by: .unmerged)
        #expect(unmerged.committed == KiB(1600 * Self.page))
        #expect(unmerged.fallback?.path.hasSuffix("/proc/11/ksm_merging_pages") == true)
        let path = host.path("proc/11/ksm_merging_pages")
        host.write("x\n", to: "proc/11/ksm_merging_pages")
        #expect(
            table.measure(by: .unmerged).fallback?.description == "cannot understand \(path): it holds no number")
    }

    @Test func `more merged pages than resident ones count as nothing, not as less`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 10)
        host.write("400\n", to: "proc/10/ksm_merging_pages")
        var table = try table(host)
        try table.refresh()
        #expect(table.measure(by: .unmerged).committed == .zero)
    }

    @Test func `what is in swap counts with the resident memory, and without its line the guest counts by rsz`() throws
    {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.write("Name:\tkvm\nVmRSS:\t 4000 kB\nVmSwap:\t 7000 kB\n", to: "proc/10/status")
        var table = try table(host)
        try table.refresh()
        let resident = Pages(1000).kibibytes(of: Host.pageSize)
        #expect(table.measure(by: .residentAndSwap).committed == resident + KiB(7000))
        #expect(table.measure(by: .rsz).committed == resident)
        host.write("Name:\tVmSwap:\t5\n", to: "proc/10/status")
        let sum = table.measure(by: .residentAndSwap)
        #expect(sum.committed == resident)
        #expect(sum.guests == 1)
        #expect(sum.fallback?.description == "cannot understand \(host.path("proc/10/status")): it has no VmSwap line")
    }

    @Test(arguments: ["", "x", "5", "5 ", "5 x", "99999999999999999999 1 0"])
    func `a statm that makes no sense is a failure, and no guest of nothing`(text: String) throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        host.write(text, to: "proc/10/statm")
        var table = try table(host)
        try table.refresh()
        let sum = table.measure(by: .rsz)
        #expect(sum.unreadable == 1)
        #expect(sum.failure?.path == host.path("proc/10/statm"))
    }

    @Test func `a guest that has ended and waits for its parent is no guest`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        var table = try table(host)
        try table.refresh()
        host.write("0 0 0 0 0 0 0\n", to: "proc/10/statm")
        for metric in GuestMetric.allCases {
            let sum = table.measure(by: metric)
            #expect(sum.guests == 0)
            #expect(sum.fallback == nil)
        }
    }

    @Test func `an absurd size is the largest amount, not a negative one`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        host.write("1 9223372036854775807 0\n", to: "proc/10/statm")
        var table = try table(host)
        try table.refresh()
        #expect(table.measure(by: .rsz).committed == KiB(.max))
    }

    @Test func `names that only begin with a digit are no processes`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        for name in ["10x", "007abc", "-5", "self", "0", "99999999999999999999"] { host.createFolder("proc/\(name)") }
        var table = try table(host)
        try table.refresh()
        #expect(table.processes == 1)
    }

    @Test func `a thousand processes in any order are all told apart`() throws {
        let host = FakeHost()
        for pid in 1...1000 {
            host.write((pid % 10 == 0 ? "kvm" : "sh") + "\n", to: "proc/\(pid)/comm")
            host.write("1 1 0\n", to: "proc/\(pid)/statm")
        }
        var table = try table(host)
        for _ in 0..<3 {
            try table.refresh()
            #expect(table.processes == 1000)
            #expect(table.measure(by: .rsz).guests == 100)
        }
    }

    // MARK: Announced machines

    private func created(_ creators: Int32...) -> MachineEvents {
        MachineEvents(creators.map { MachineEvent(.create, by: $0) })
    }

    private func destroyed(_ creators: Int32...) -> MachineEvents {
        MachineEvents(creators.map { MachineEvent(.destroy, by: $0) })
    }

    private func pids(_ table: borrowing GuestTable) -> [Int32] {
        var pids: [Int32] = []
        table.residents { pid, _, _, _ in pids.append(pid) }
        return pids.sorted()
    }

    @Test func `an announced process is a guest at once, whatever its name, and stays one`() throws {
        let host = FakeHost()
        var table = try table(host)
        try table.refresh()
        host.setProcess(10, comm: "my-vmm", resident: 1000)
        table.announce(created(10))
        #expect(table.measure(by: .rsz).committed == KiB(1000 * Self.page))
        for _ in 0..<3 {
            try table.refresh()
            #expect(pids(table) == [10])
        }
    }

    @Test func `a process that is announced by one of its threads is counted once`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "cloud-hyperviso", resident: 1000)
        host.setThread(12, of: 10)
        var table = try table(host)
        table.announce(created(12))
        try table.refresh()
        #expect(pids(table) == [10])
        host.setProcess(20, comm: "my-vmm", resident: 1)
        host.setThread(22, of: 20)
        table.announce(created(22))
        #expect(pids(table) == [10, 20])
        // By then the thread may have ended.
        host.removeProcess(22)
        table.announce(destroyed(22))
        #expect(pids(table) == [10])
    }

    @Test func `a thread that cannot be looked at is one guest that is not known`() throws {
        let host = FakeHost()
        var table = try table(host)
        try table.refresh()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        host.remove("proc/10/status")
        host.createFolder("proc/10/status")
        table.announce(created(10))
        let sum = table.measure(by: .rsz)
        #expect(sum.guests == 0)
        #expect(sum.unreadable == 1)
        #expect(sum.failure == KernelFileError(.read, host.path("proc/10/status"), errno: EISDIR))
    }

    @Test(arguments: [Profile.upstream, .debian, .proxmox])
    func `an exact profile goes by names only, and sees an announced one of its own at once`(profile: Profile) throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        var table = try table(host, profile: profile)
        table.announce(created(10))
        #expect(pids(table) == [])
        host.setProcess(11, comm: "kvm", resident: 1)
        host.setProcess(12, comm: "qemu-kvm", resident: 1)
        table.announce(created(11, 12))
        #expect(pids(table) == (profile == .upstream ? [12] : profile == .proxmox ? [11] : []))
    }

    @Test func `an expression goes by names only`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        host.setProcess(11, comm: "kvm", resident: 1)
        var table = try table(host, pattern: "^my-")
        table.announce(created(10, 11))
        #expect(pids(table) == [10])
    }

    @Test func `who has no name of a guest is one as long as it has a machine`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        host.setProcess(11, comm: "kvm", resident: 1)
        var table = try table(host)
        try table.refresh()
        table.announce(created(10, 10, 11))
        table.announce(destroyed(10))
        #expect(pids(table) == [10, 11])
        table.announce(destroyed(10, 11))
        #expect(pids(table) == [11])
        try table.refresh()
        #expect(pids(table) == [11])
    }

    @Test func `a destroyed machine whose process has ended is forgotten at once`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 1)
        host.setProcess(11, comm: "kvm", resident: 1)
        var table = try table(host)
        try table.refresh()
        table.announce(created(10))
        // One of a process that is no guest is nobody's.
        table.announce(destroyed(12))
        #expect(pids(table) == [10, 11])
        host.write("0 0 0 0 0 0 0\n", to: "proc/10/statm")
        host.write("0 0 0 0 0 0 0\n", to: "proc/11/statm")
        table.announce(destroyed(10, 11))
        host.write("1 1 0 0 0 0 0\n", to: "proc/10/statm")
        host.write("1 1 0 0 0 0 0\n", to: "proc/11/statm")
        #expect(pids(table) == [])
    }

    @Test func `an announced process that has ended already is nobody`() throws {
        let host = FakeHost()
        var table = try table(host)
        try table.refresh()
        table.announce(created(10, .max))
        #expect(pids(table) == [])
    }

    @Test func `a pid that comes back as another process is no guest by what was announced before`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        var table = try table(host)
        try table.refresh()
        table.announce(created(10))
        try table.refresh()
        host.removeProcess(10)
        host.setProcess(10, comm: "bash", resident: 1)
        try table.refresh()
        #expect(pids(table) == [])
    }

    @Test func `the order of events counts where a pid comes back at once`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        var table = try table(host)
        table.announce(created(10))
        host.removeProcess(10)
        host.setProcess(10, comm: "my-vmm", resident: 77)
        table.announce(MachineEvents([MachineEvent(.destroy, by: 10), MachineEvent(.create, by: 10)]))
        #expect(table.measure(by: .rsz).committed == KiB(77 * Self.page))
    }

    @Test func `after lost events who had a machine stays a guest until it ends`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "my-vmm", resident: 1)
        var table = try table(host)
        try table.refresh()
        table.announce(created(10))
        table.announce(MachineEvents(isLossy: true))
        table.announce(destroyed(10))
        #expect(pids(table) == [10])
        host.removeProcess(10)
        try table.refresh()
        #expect(pids(table) == [])
    }

    @Test func `other names are looked for among all processes, and who was announced stays a guest`() throws {
        let host = FakeHost()
        host.setProcess(9, comm: "my-vmm", resident: 1)
        host.setProcess(10, comm: "kvm", resident: 1)
        host.setProcess(11, comm: "qemu-kvm", resident: 1)
        var table = try table(host, profile: .union)
        try table.refresh()
        try table.refresh()
        table.announce(created(9))
        try table.adopt(NameMatcher(profile: .union, pattern: nil))
        try table.refresh()
        #expect(pids(table) == [9, 10, 11])
        try table.adopt(NameMatcher(profile: .upstream, pattern: nil))
        try table.refresh()
        #expect(pids(table) == [11])
        try table.adopt(NameMatcher(profile: .proxmox, pattern: nil))
        try table.refresh()
        #expect(pids(table) == [10])
    }

    @Test func `an expression goes by names, never by command lines`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "vcpu0", resident: 1, commandLine: ["qemu-system-x86_64", "-enable-kvm"])
        host.setProcess(11, comm: "kvm", resident: 1)
        for (pattern, expected) in [(nil, [10, 11]), ("^kvm$", [11])] as [(String?, [Int32])] {
            var table = try table(host, pattern: pattern)
            try table.refresh()
            #expect(pids(table) == expected)
        }
    }

    @Test func `residents are told with an identity that no other guest ever has`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "kvm", resident: 5)
        var table = try table(host)
        var told: [[Int64]] = []
        for _ in 0..<3 {
            try table.refresh()
            table.residents { told.append([Int64($0), $1, $2.count, $3.count]) }
        }
        #expect(told == .init(repeating: [10, told[0][1], 5, 5], count: 3))
        host.removeProcess(10)
        host.setProcess(10, comm: "kvm", resident: 5)
        try table.refresh()
        table.residents { told.append([Int64($0), $1, $2.count, $3.count]) }
        #expect(told.count == 4)
        #expect(told[3][1] != told[0][1])
    }

    @Test func `a child that is renamed on the real proc is seen and forgotten`() throws {
        let paths = HostPaths()
        var table = try GuestTable(
            paths, matcher: NameMatcher(profile: .union, pattern: "^ksm-pretender$"))
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appendingPathComponent("ksm-pretender")
        try FileManager.default.copyItem(at: URL(fileURLWithPath: "/bin/sleep"), to: program)
        let child = Process()
        child.executableURL = program
        child.arguments = ["60"]
        try child.run()
        try table.refresh()
        try table.refresh()
        let sum = table.measure(by: .rsz)
        #expect(sum.guests == 1)
        #expect(sum.committed > .zero)
        // The child inherits the blocked signals of the thread that started it; this one cannot be blocked.
        kill(child.processIdentifier, SIGKILL)
        child.waitUntilExit()
        #expect(table.measure(by: .rsz).guests == 0)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 0)
    }
}
