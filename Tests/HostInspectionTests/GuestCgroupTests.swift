import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@Suite struct GuestCgroupTests {
    private func limits(_ host: FakeHost) throws -> GuestLimits? {
        host.setGuest(10, "")
        return try #require(try GuestReader.read(host.paths, Configuration()).guests.first).limits
    }

    /// As libvirt before it keeps a group inside of systemd's; `\x2d` is a hyphen in the name of a unit.
    private static let scope = #"machine.slice/machine-qemu\x2d1\x2dvm1.scope"#

    // MARK: Version 2

    @Test func `all that version 2 limits`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/qemu.slice/100.scope")
        host.setCgroup(
            "qemu.slice/100.scope",
            [
                "memory.max": "4294967296", "memory.high": "4000000000", "memory.low": "1000", "memory.min": "500",
                "memory.swap.max": "0", "cpu.weight": "200", "cpu.max": "150000 100000",
            ])
        var expected = GuestLimits(path: "/qemu.slice/100.scope")
        expected.memoryMax = 4_294_967_296
        let folder = host.path("sys/fs/cgroup/qemu.slice/100.scope")
        expected.memoryLimits = [
            GuestLimits.MemoryLimit(file: "\(folder)/memory.max", amount: 4_294_967_296),
            GuestLimits.MemoryLimit(file: "\(folder)/memory.high", amount: 4_000_000_000),
        ]
        expected.memoryHigh = 4_000_000_000
        expected.memoryLow = 1000
        expected.memoryMin = 500
        expected.swapMax = 0
        expected.swapLimits = [GuestLimits.MemoryLimit(file: "\(folder)/memory.swap.max", amount: 0)]
        expected.cpuWeight = 200
        expected.cpuMax = 1.5
        #expect(try limits(host) == expected)
    }

    @Test(arguments: ["/qemu.slice/100.scope", "/qemu.slice", "/qemu.slice/x.scope"])
    func `a guest of Proxmox VE by its scope`(path: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::\(path)")
        host.setGuest(10, "")
        let manager = try GuestReader.read(host.paths, Configuration()).guests.first?.manager
        #expect((manager == .proxmox(100)) == path.hasSuffix("100.scope"))
    }

    @Test func `nothing limited`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/user.slice/vm.scope")
        host.setCgroup(
            "user.slice/vm.scope",
            [
                "memory.max": "max", "memory.high": "max", "memory.low": "0", "memory.min": "0",
                "memory.swap.max": "max",
                "cpu.weight": "100", "cpu.max": "max 100000",
            ])
        var expected = GuestLimits(path: "/user.slice/vm.scope")
        expected.cpuWeight = 100
        #expect(try limits(host) == expected)
    }

    @Test func `libvirt's groups: memory and quota inside of the scope, the weight at the scope`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/\(Self.scope)/libvirt/emulator")
        host.setCgroup("machine.slice", ["memory.max": "9000", "cpu.max": "1 100000", "cpu.weight": "1"])
        host.setCgroup(
            Self.scope, ["memory.max": "8000", "memory.high": "max", "cpu.weight": "300", "memory.low": "7"])
        host.setCgroup(
            "\(Self.scope)/libvirt",
            ["memory.max": "5000", "memory.high": "4000", "cpu.weight": "100", "cpu.max": "400000 100000"])
        host.setCgroup("\(Self.scope)/libvirt/emulator", ["cpu.max": "10000 100000", "cpu.weight": "5"])
        host.setCgroup("\(Self.scope)/libvirt/vcpu0", ["cpu.max": "50000 100000"])
        host.setCgroup("\(Self.scope)/libvirt/vcpu1", ["cpu.max": "25000 100000"])
        let limits = try #require(try limits(host))
        #expect(limits.path == "/\(Self.scope)/libvirt/emulator")
        #expect(limits.memoryMax == 5000)
        #expect(limits.memoryHigh == 4000)
        #expect(limits.memoryLow == 7)
        #expect(limits.cpuWeight == 300)
        #expect(limits.cpuMax == 0.75)
    }

    @Test func `a virtual CPU without a quota leaves them all without`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/\(Self.scope)/libvirt/emulator")
        host.setCgroup("\(Self.scope)/libvirt/emulator", ["cpu.max": "10000 100000"])
        host.setCgroup("\(Self.scope)/libvirt/vcpu0", ["cpu.max": "50000 100000"])
        host.setCgroup("\(Self.scope)/libvirt/vcpu1", ["cpu.max": "max 100000"])
        #expect(try limits(host)?.cpuMax == nil)
    }

    @Test func `a limit of memory binds all below, up to the root`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/\(Self.scope)/libvirt/emulator")
        host.setCgroup("machine.slice", ["memory.max": "3000", "memory.high": "2000", "memory.swap.max": "0"])
        host.setCgroup("\(Self.scope)/libvirt", ["memory.max": "5000", "memory.swap.max": "7"])
        let limits = try #require(try limits(host))
        #expect(limits.memoryMax == 3000)
        #expect(limits.memoryLimits.map { $0.amount } == [5000, 3000, 2000])
        #expect(limits.memoryHigh == 2000)
        #expect(limits.swapMax == 0)
    }

    @Test(arguments: [
        ("sys/fs/cgroup/vm/memory.events", "low 0\nhigh 0\nmax 9120\noom 4\noom_kill 1\n"),
        ("sys/fs/cgroup/memory/vm/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
    ])
    func `processes that the kernel ended`(file: String, text: String) throws {
        let host = FakeHost()
        if file.contains("/memory/") {
            host.setCgroup(of: 10, "4:memory:/vm")
        } else {
            host.mountUnifiedCgroups()
            host.setCgroup(of: 10, "0::/vm")
        }
        host.write(text, to: file)
        let limits = try #require(try limits(host))
        #expect(limits.oomKills == 1)
        #expect(limits.oomKillsFile == host.path(file))
    }

    // MARK: Version 1

    @Test func `a controller that is not mounted is no failure`() throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "4:memory:/\(Self.scope)", "3:cpu,cpuacct:/\(Self.scope)")
        host.setCgroup("memory/\(Self.scope)", ["memory.limit_in_bytes": "4000"])
        host.setGuest(10, "")
        let guest = try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
        #expect(guest.limits?.memoryMax == 4000)
        #expect(guest.needFailures.isEmpty)
    }

    @Test func `version 1, each controller on its own`() throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "4:memory:/\(Self.scope)", "3:cpu,cpuacct:/\(Self.scope)/emulator", "1:name=systemd:/x")
        host.setCgroup(
            "memory/\(Self.scope)",
            [
                "memory.limit_in_bytes": "4000", "memory.soft_limit_in_bytes": "3000",
                "memory.memsw.limit_in_bytes": "5000",
            ])
        host.setCgroup(
            "cpu,cpuacct/\(Self.scope)",
            ["cpu.shares": "2048", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"])
        host.setCgroup("cpu,cpuacct/\(Self.scope)/emulator", ["cpu.shares": "2"])
        host.setCgroup(
            "cpu,cpuacct/\(Self.scope)/vcpu0", ["cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"])
        var expected = GuestLimits(path: "/\(Self.scope)")
        expected.memoryMax = 4000
        let file = host.path("sys/fs/cgroup/memory/\(Self.scope)/memory.limit_in_bytes")
        expected.memoryLimits = [GuestLimits.MemoryLimit(file: file, amount: 4000)]
        expected.memoryHigh = 3000
        expected.swapMax = 1000
        expected.cpuWeight = 200
        expected.cpuMax = 0.5
        #expect(try limits(host) == expected)
    }

    @Test func `version 1's largest number is no limit`() throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "4:memory:/vm")
        host.setCgroup(
            "memory/vm",
            ["memory.limit_in_bytes": "9223372036854771712", "memory.memsw.limit_in_bytes": "9223372036854771712"])
        #expect(try limits(host) == GuestLimits(path: "/vm"))
    }

    @Test(arguments: [
        ("1024", 100), ("2", 1), ("262144", 10_000), ("512", 50), ("4611686018427387903", 10_000), ("0", 1), ("15", 1),
        ("16", 2), ("25", 2), ("26", 3), ("102394", 9999), ("102395", 10_000), ("102400", 10_000),
    ])
    func `shares are weights`(shares: String, weight: Int64) throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "3:cpu:/vm")
        host.setCgroup("cpu/vm", ["cpu.shares": shares])
        #expect(try limits(host)?.cpuWeight == weight)
    }

    @Test func `both versions: what version 1 does not have is version 2's`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups(beside: true)
        host.setCgroup(of: 10, "3:cpu:/one", "0::/two")
        host.setCgroup("cpu/one", ["cpu.shares": "1024"])
        host.setCgroup("unified/two", ["memory.max": "1000", "cpu.weight": "7"])
        let limits = try limits(host)
        #expect(limits?.path == "/two")
        #expect(limits?.memoryMax == 1000)
        #expect(limits?.cpuWeight == 100)
    }

    @Test(arguments: [("5000", 1000), ("4000", 0), ("3000", 0)] as [(String, Bytes)])
    func `swap is what memory and swap together may be beyond memory`(both: String, swap: Bytes) throws {
        let host = FakeHost()
        host.setCgroup(of: 10, "4:memory:/vm")
        host.setCgroup("memory/vm", ["memory.limit_in_bytes": "4000", "memory.memsw.limit_in_bytes": both])
        #expect(try limits(host)?.swapMax == swap)
        host.remove("sys/fs/cgroup/memory/vm/memory.limit_in_bytes")
        #expect(try limits(host)?.swapMax == nil)
    }

    // MARK: Bounds

    @Test(
        arguments: [("4611686018427387903", 4_611_686_018_427_387_903), ("4611686018427387904", nil)]
            as [(String, Bytes?)])
    func `half of what 64 bits hold is no limit any more`(text: String, amount: Bytes?) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm")
        host.setCgroup("vm", ["memory.max": text])
        #expect(try limits(host)?.memoryMax == amount)
    }

    @Test(arguments: [("0", nil), ("1", 1), ("4096", 4096)] as [(String, Bytes?)])
    func `a protection of nothing is none`(text: String, amount: Bytes?) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm")
        host.setCgroup("vm", ["memory.low": text, "memory.min": text])
        #expect(try limits(host)?.memoryLow == amount)
        #expect(try limits(host)?.memoryMin == amount)
    }

    @Test(
        arguments: [("0 100", 0), ("100 1", 100), ("100 0", nil), ("1 100", 0.01), ("100100", nil)]
            as [(String, Double?)])
    func `a quota is a share of its period`(text: String, cpus: Double?) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm")
        host.setCgroup("vm", ["cpu.max": text])
        #expect(try limits(host)?.cpuMax == cpus)
    }

    @Test(arguments: [(4096, true), (4097, false)])
    func `a place as long as a path may be`(length: Int, isTold: Bool) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        let path = "/" + String(repeating: "x", count: length - 1)
        host.setCgroup(of: 10, "0::" + path)
        #expect(try limits(host)?.path == (isTold ? path : nil))
    }

    @Test(arguments: ["oom_kill", "oom_kill 1 2", "oom_killed 1", "oom 1", "oom_kill x"])
    func `another line tells of no process that the kernel ended`(line: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm")
        host.write(line + "\n", to: "sys/fs/cgroup/vm/memory.events")
        #expect(try limits(host)?.oomKills == nil)
    }

    // MARK: Which groups are the guest's own

    @Test(arguments: [
        ("/a/emulator", "/a"), ("/a/vcpu0", "/a"), ("/a/vcpu17", "/a"), ("/a/iothread1", "/a"), ("/a/vcpu", "/a/vcpu"),
        ("/a/vcpux", "/a/vcpux"), ("/a/vcpu1x", "/a/vcpu1x"), ("/a/emulators", "/a/emulators"), ("/a/cpu1", "/a/cpu1"),
        ("/a.scope/libvirt", "/a.scope"), ("/a.scope/libvirt/emulator", "/a.scope"),
        ("/a.slice/libvirt/emulator", "/a.slice/libvirt"), ("/a.scope/other", "/a.scope/other"),
    ])
    func `the group that competes with those of other guests`(path: String, unit: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::\(path)")
        // The place itself last, so that it does not count where it is not the unit.
        host.setCgroup(path, ["cpu.weight": "9"])
        host.setCgroup(unit, ["cpu.weight": "7"])
        #expect(try limits(host)?.cpuWeight == 7)
    }

    @Test func `the quota of a slice is that of all its guests, and of a group in between the guest's own`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/a.slice/b/c/d")
        host.setCgroup("a.slice", ["cpu.max": "1 100"])
        host.setCgroup("a.slice/b", ["cpu.max": "200 100"])
        host.setCgroup("a.slice/b/c", ["cpu.max": "300 100"])
        host.setCgroup("a.slice/b/c/d", ["cpu.max": "400 100"])
        #expect(try limits(host)?.cpuMax == 2)
        host.setCgroup(of: 10, "0::/b/c")
        host.setCgroup("b", ["cpu.max": "500 100"])
        #expect(try limits(host)?.cpuMax == 5)
    }

    // MARK: What cannot be told

    @Test func `without cgroups nothing is told`() throws {
        let host = FakeHost()
        #expect(try limits(host) == nil)
        host.setCgroup(of: 10, "0::/vm")
        #expect(try limits(host) == nil)
    }

    @Test(arguments: ["0::/../../../etc", "0::/a/../b", "", "x", "0:", "4:memory:/a"])
    func `a place that is none, or outside`(line: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, line)
        #expect(try limits(host) == nil)
    }

    @Test func `the root's group, and a name with colons and blanks`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/")
        #expect(try limits(host) == GuestLimits(path: "/"))
        host.setCgroup(of: 10, "0::/a: b:c (deleted)")
        host.setCgroup("a: b:c (deleted)", ["memory.max": "9"])
        #expect(try limits(host)?.memoryMax == 9)
    }

    @Test(arguments: ["", "\n", "nonsense", "99999999999999999999999", "-5", "100 0", "100", "100 nonsense"])
    func `files of nonsense are no limits`(_ text: String) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/vm/emulator")
        host.setCgroup("vm", ["cpu.max": text, "memory.min": "nonsense", "memory.max": "-1"])
        host.setCgroup("vm/vcpu0", ["cpu.max": text])
        #expect(try limits(host) == GuestLimits(path: "/vm/emulator"))
    }

    @Test(arguments: [(64, true), (65, false), (2040, false)])
    func `a place so deep that it is not looked at`(levels: Int, isTold: Bool) throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        let path = String(repeating: "/a", count: levels)
        host.setCgroup(of: 10, "0::" + path)
        host.setCgroup("a", ["memory.max": "7"])
        host.setGuest(10, "")
        let guest = try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
        #expect(guest.limits?.path == (isTold ? path : nil))
        #expect(guest.limits?.memoryMax == (isTold ? 7 : nil))
        let failure = guest.failures.first { $0.path.hasPrefix(host.paths.cgroup) }
        let reason = ": it lies \(levels) levels deep, and no more than 64 are looked at"
        #expect(isTold ? failure == nil : failure?.description.hasSuffix(reason) == true)
        #expect(failure?.path.utf8.count ?? 0 <= 256)
    }

    @Test func `of a place with a very long name a part is enough to tell it`() throws {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setCgroup(of: 10, "0::/" + String(repeating: "x", count: 4000))
        host.setGuest(10, "")
        let guest = try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
        let failures = guest.failures.filter { $0.path.hasPrefix(host.paths.cgroup) }
        #expect(!failures.isEmpty)
        #expect(failures.allSatisfy { $0.errno == ENAMETOOLONG && $0.path.utf8.count == 256 })
    }
}
