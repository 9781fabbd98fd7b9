import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import HostInspection

@Suite struct FactsTests {
    // MARK: The host

    @Test(arguments: [
        ("0\n", 1), ("0-1\n", 2), ("0-3,8,10-11\n", 7), ("0-1023\n", 1024), ("5-5\n", 1), ("3", 1), ("1,1\n", 2),
        ("0-9223372036854775806\n", .max),
    ])
    func `CPUs and nodes are counted from their lists`(list: String, count: Int64) throws {
        let host = FakeHost()
        host.write(list, to: "sys/devices/system/cpu/online")
        host.write(list, to: "sys/devices/system/node/has_memory")
        #expect(try CPUList.online(host.paths) == count)
        #expect(try CPUList.memoryNodes(host.paths) == count)
    }

    @Test(arguments: [
        "a", "0-", "-1", "3-1", "1-0", "0-1-2", "\n", "1,x", "1,", "1 2", "0-9223372036854775807",
        "0,0-9223372036854775806",
    ])
    func `A list that makes no sense is a failure, a missing one is not`(list: String) throws {
        let host = FakeHost()
        host.write(list, to: "sys/devices/system/cpu/online")
        #expect(throws: KernelFileError.self) { try CPUList.online(host.paths) }
        #expect(try CPUList.memoryNodes(host.paths) == nil)
    }

    @Test(arguments: [HugePages.Mode.always, .madvise, .never])
    func `Huge pages are in the mode in brackets`(_ mode: HugePages.Mode) throws {
        let host = FakeHost()
        host.setHugePages(mode.rawValue, empty: 511, shared: nil)
        #expect(try HugePages.read(host.paths) == HugePages(mode: mode, emptyPages: 511))
        host.setHugePages(mode.rawValue, empty: 0, shared: 256)
        #expect(try HugePages.read(host.paths) == HugePages(mode: mode, emptyPages: 0, sharedPages: 256))
    }

    @Test(arguments: ["", "always madvise never", "[sometimes] always", "]always["])
    func `Huge pages in no known mode are a failure`(_ text: String) throws {
        let host = FakeHost()
        #expect(try HugePages.read(host.paths) == nil)
        host.write(text, to: "sys/kernel/mm/transparent_hugepage/enabled")
        #expect(throws: KernelFileError.self) { try HugePages.read(host.paths) }
    }

    @Test func `Pressure is the average of ten seconds`() throws {
        let host = FakeHost()
        #expect(try MemoryPressure.read(host.paths) == nil)
        host.setPressure(some: "12.34", full: "5.60")
        #expect(try MemoryPressure.read(host.paths) == MemoryPressure(some: 12.34, full: 5.6))
        host.write("some\nfull avg10=0.50\nsome avg10=1.00 avg60=7\n\n", to: "proc/pressure/memory")
        #expect(try MemoryPressure.read(host.paths) == MemoryPressure(some: 1, full: 0.5))
    }

    @Test(arguments: [
        "", "some", "some avg10=1.00", "full avg10=1.00", "some avg10=1\nfull", "some avg10=1\nfull avg60=1",
        "some avg10=nan\nfull avg10=1", "some avg10=1\nfull avg10=inf", "some avg10=\nfull avg10=1",
    ])
    func `Pressure without both averages is a failure`(text: String) {
        let host = FakeHost()
        host.write(text + "\n", to: "proc/pressure/memory")
        #expect(throws: KernelFileError.self) { try MemoryPressure.read(host.paths) }
    }

    // MARK: Swap

    @Test func `A partition turns as its disk does`() throws {
        let host = FakeHost()
        host.addDisk("sda", partition: "sda2", isRotational: true)
        host.addDisk("nvme0n1", partition: "nvme0n1p1", isRotational: false)
        host.addDisk("dm-0", isRotational: false)
        host.setSwaps([
            "/dev/sda2                               partition\t8388604\t\t1024\t\t-2",
            "/dev/nvme0n1p1 partition 4 0 -3",
            "/dev/dm-0 partition 4 0 -4", "/dev/mapper/unknown partition 4 0 -5",
        ])
        let swaps = try #require(try SwapDevice.all(host.paths))
        #expect(swaps.map { $0.path } == ["/dev/sda2", "/dev/nvme0n1p1", "/dev/dm-0", "/dev/mapper/unknown"])
        #expect(swaps.map { $0.isRotational } == [true, false, false, nil])
        #expect(swaps[0].size == KiB(8_388_604))
        #expect(swaps[0].used == KiB(1024))
        #expect(swaps.allSatisfy { !$0.isFile && !$0.isInMemory && $0.zram == nil })
    }

    @Test func `A host has 32 swap areas at most`() throws {
        let host = FakeHost()
        let areas = (0...32).map { "/dev/a\($0) partition 4 0 -\($0)" }
        host.setSwaps(Array(areas.dropLast()))
        #expect(try SwapDevice.all(host.paths)?.count == 32)
        host.setSwaps(areas)
        #expect(throws: KernelFileError(.understand, host.paths.swaps, errno: 0, detail: "it has 33 lines")) {
            try SwapDevice.all(host.paths)
        }
    }

    @Test(arguments: ["/dev/a", "/dev/a partition 4", "/dev/a partition 4 x -1", "/dev/a partition -4 0 -1"])
    func `A line of swap without its numbers is a failure`(line: String) {
        let host = FakeHost()
        host.setSwaps(["/dev/b partition 4 0", line])
        #expect(throws: KernelFileError(.understand, host.paths.swaps, errno: 0, detail: "a line is \(line)")) {
            try SwapDevice.all(host.paths)
        }
    }

    @Test func `A file turns as the disk that it lies on`() throws {
        let host = FakeHost()
        host.write("", to: "swap file")
        host.addDisk("sdb", isRotational: true)
        host.place("swap file", onDisk: "sdb")
        host.setSwaps(["/swap\\040file file 1024 0 -2", "/zram0 file 1024 0 -3", "/gone\\040(deleted) file 1024 0 -4"])
        let swaps = try #require(try SwapDevice.all(host.paths))
        #expect(swaps.map { $0.path } == ["/swap file", "/zram0", "/gone (deleted)"])
        #expect(swaps.map { $0.isRotational } == [true, nil, nil])
        #expect(swaps.allSatisfy { $0.isFile && !$0.isInMemory })
    }

    @Test func `A file by the name of a zram device is none`() throws {
        let host = FakeHost()
        host.addZram("zram0", held: 8 << 20, taken: 2 << 20)
        host.setSwaps(["/zram0 file 1024 0 -2"])
        let swaps = try #require(try SwapDevice.all(host.paths))
        #expect(swaps.map { $0.zram } == [nil])
    }

    /// The temporary folder may lie on a device of number 0 among its kind; of these two one at most does.
    @Test(arguments: ["/proc/version", "/dev/null"])
    func `The disk of a file is looked for by both of its numbers`(_ target: String) throws {
        let host = FakeHost()
        host.link("swap", to: target)
        host.addDisk("sdb", isRotational: true)
        host.place("swap", onDisk: "sdb")
        host.setSwaps(["/swap file 1024 0 -2"])
        #expect(try SwapDevice.all(host.paths)?.map { $0.isRotational } == [true])
    }

    @Test func `zram tells what it takes`() throws {
        let host = FakeHost()
        host.addZram("zram0", held: 8 << 20, taken: 2 << 20)
        host.addZram("zram2", held: 0, taken: 0)
        host.setSwaps(["/dev/zram0 partition 8388604 8192 100", "/dev/zram1 partition 1 0 100"])
        let swaps = try #require(try SwapDevice.all(host.paths))
        #expect(swaps.map { $0.isInMemory } == [true, true])
        #expect(swaps.map { $0.zram } == [CompressedMemory(original: Bytes(KiB(8192)), taken: Bytes(KiB(2048))), nil])
    }

    @Test func `Devices of zram add up`() throws {
        let host = FakeHost()
        #expect(try CompressedMemory.zram(host.paths) == nil)
        host.write("800 90 100 0\n", to: "sys/block/zram0/mm_stat")
        host.write("40 20 30 0\n", to: "sys/block/zram1/mm_stat")
        #expect(try CompressedMemory.zram(host.paths) == CompressedMemory(original: 840, taken: 130))
    }

    @Test(arguments: ["", "4096 64", "4096 64 ", "4096 64 x 0"])
    func `What zram takes is its third number`(text: String) {
        #expect(CompressedMemory(zramStatistics: Array(text.utf8).span) == nil)
        #expect(CompressedMemory(zramStatistics: Array("4096 64 128 0".utf8).span)?.taken == 128)
    }

    @Test(arguments: [(100, 30, 70), (100, 100, 0), (100, 130, 0)] as [(Int64, Int64, Int64)])
    func `Compressed memory saves what it takes less`(original: Int64, taken: Int64, saved: Int64) {
        #expect(CompressedMemory(original: Bytes(original), taken: Bytes(taken)).saved == Bytes(saved))
    }

    @Test func `No swap is not the same as not knowing`() throws {
        let host = FakeHost()
        #expect(try SwapDevice.all(host.paths) == nil)
        host.setSwaps([])
        #expect(try SwapDevice.all(host.paths) == [])
        // The priority is not needed.
        host.setSwaps(["/dev/sda1 partition 8 1"])
        #expect(try SwapDevice.all(host.paths)?.map { $0.used } == [KiB(1)])
        for rest in ["", " many 0 -2", " -5 0 -2", " 5 -1 -2"] {
            host.setSwaps(["/dev/sda1 partition\(rest)"])
            let failure = #expect(throws: KernelFileError.self) { try SwapDevice.all(host.paths) }
            #expect(failure?.operation == .understand)
        }
    }

    @Test func `zswap is on, off or not there`() throws {
        let host = FakeHost()
        #expect(try Zswap.read(host.paths) == nil)
        host.setZswap(isOn: true)
        #expect(try Zswap.read(host.paths) == Zswap(isEnabled: true, mostPercent: 20))
        host.setZswap(isOn: false)
        #expect(try Zswap.read(host.paths) == Zswap(isEnabled: false, mostPercent: 20))
    }

    // MARK: Processes

    private func survey(_ host: FakeHost, pattern: String? = nil, profile: Profile = .union) throws -> ProcessSurvey {
        var configuration = Configuration()
        configuration.guestPattern = pattern
        configuration.profile = profile
        return try ProcessSurvey(host.paths, configuration, writerNames: ["tuned"])
    }

    @Test func `Machines are told by name, by command line and by what they hold`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "qemu-system-x86", resident: 1, commandLine: ["/usr/bin/qemu-system-x86_64"])
        host.setProcess(11, comm: "worker", resident: 1, commandLine: ["/opt/vmm/worker"])
        host.addMachine(to: 11)
        host.setProcess(12, comm: "vm-12", resident: 1, commandLine: ["/usr/local/bin/firecracker", "--id", "12"])
        host.setProcess(13, comm: "qemu-img", resident: 1, commandLine: ["/usr/bin/qemu-img", "convert"])
        host.setProcess(14, comm: "kvm-irqfd-clean", resident: 0)
        host.setProcess(15, comm: "bash", resident: 1, commandLine: ["bash", "-c", "qemu-system-x86_64 -enable-kvm"])
        host.createFolder("proc/15/fd")
        host.link("proc/15/fd/0", to: "anon_inode:kvm-vcpu:0")

        let machines = try survey(host).machines

        #expect(machines.map { $0.pid } == [10, 11, 12])
        #expect(machines.map { $0.isNamed } == [true, false, false])
        #expect(machines.map { $0.hasMachine } == [false, true, false])
    }

    @Test func `What counts as a guest's name is the configuration's`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "qemu-kvm", resident: 1, commandLine: ["/usr/libexec/qemu-kvm"])
        #expect(try survey(host).machines.map { $0.isNamed } == [true])
        #expect(try survey(host, profile: .proxmox).machines.map { $0.isNamed } == [false])
        #expect(try survey(host, pattern: "^qemu").machines.map { $0.isNamed } == [true])
        #expect(try survey(host, pattern: "^kvm$").machines.map { $0.isNamed } == [false])
        #expect(throws: KernelFileError.self) { try survey(host, pattern: "(") }
    }

    @Test func `Writers come with their parents`() throws {
        let host = FakeHost()
        host.setProcess(20, comm: "tuned", resident: 1, commandLine: ["/usr/bin/python3", "/usr/sbin/tuned"])
        host.write("Name:\ttuned\nTgid:\t20\nPid:\t20\nPPid:\t7\n", to: "proc/20/status")
        host.setProcess(21, comm: "tuned-gui", resident: 1, commandLine: ["tuned-gui"])
        let survey = try survey(host)
        #expect(survey.writers == [ProcessSurvey.Process(pid: 20, parent: 7, comm: "tuned", hasMachine: false)])
        #expect(survey.machines.isEmpty)
        #expect(survey.hidden == 0)
    }

    /// Not even root may read it: the kernel's own word is EACCES.
    private static let secret = "/proc/sys/vm/compact_memory"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: secret), "this kernel has no \(secret)"))
    func `Processes whose names are hidden are counted, and are no failures`() throws {
        let host = FakeHost()
        for pid in [10, 11] {
            host.setProcess(pid, comm: "x", resident: 1)
            host.link("proc/\(pid)/comm", to: Self.secret)
        }
        let survey = try survey(host)
        #expect(survey.hidden == 2)
        #expect(survey.failures == [])
    }

    @Test(.enabled(if: geteuid() != 0, "root sees every process: needs another user"))
    func `Processes that are hidden, or whose descriptors are, are counted`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "secret", resident: 1, commandLine: ["secret"])
        host.createFolder("proc/10/fd")
        unsafe chmod(host.path("proc/10/fd"), 0)
        #expect(try survey(host).hidden == 1)
        host.setProcess(11, comm: "secret", resident: 1, commandLine: ["secret"])
        unsafe chmod(host.path("proc/11/comm"), 0)
        let survey = try survey(host)
        #expect(survey.hidden == 2)
        #expect(survey.failures == [])
    }

    @Test func `A process that cannot be looked at wholly is named, and is a machine all the same`() throws {
        let host = FakeHost()
        host.setProcess(10, comm: "qemu-kvm", resident: 1, commandLine: ["/usr/libexec/qemu-kvm"])
        host.remove("proc/10/status")
        host.createFolder("proc/10/status")
        host.setProcess(11, comm: "worker", resident: 1, commandLine: ["worker"])
        host.write("", to: "proc/11/fd")
        host.setProcess(12, comm: "x", resident: 1)
        host.remove("proc/12/comm")
        host.createFolder("proc/12/comm")
        let survey = try survey(host)
        #expect(survey.machines.map { $0.pid } == [10])
        #expect(survey.hidden == 0, "nobody hides them")
        #expect(
            survey.failures == [
                KernelFileError(.read, host.path("proc/10/status"), errno: 21),
                KernelFileError(.list, host.path("proc/11/fd"), errno: 20),
                KernelFileError(.read, host.path("proc/12/comm"), errno: 21),
            ])
    }

    @Test func `A process is the system's by the number of its account`() {
        let files = ProcessFiles(HostPaths())
        #expect(files.isOfSystem(getpid()) == (geteuid() < 1000))
        #expect(!files.isOfSystem(.max))
    }

    @Test func `A unit is masked by a link to nothing or by an empty file`() throws {
        let host = FakeHost()
        host.write("", to: "run/systemd/system")
        #expect(try MaskedUnits.find(host.paths) == [])
        host.remove("run/systemd/system")
        host.write("[Service]\n", to: "etc/systemd/system/ksmtuned.service")
        host.createFolder("run/systemd/system")
        host.link("run/systemd/system/ksm.service", to: "/usr/lib/systemd/system/ksm.service")
        #expect(try MaskedUnits.find(host.paths) == [])
        host.link("etc/systemd/system/ksmtuned.service", to: "/dev/null")
        host.remove("run/systemd/system/ksm.service")
        host.write("", to: "run/systemd/system/ksm.service")
        #expect(
            try MaskedUnits.find(host.paths) == [
                host.path("run/systemd/system/ksm.service"), host.path("etc/systemd/system/ksmtuned.service"),
            ])
    }

    // MARK: KSM

    @Test(arguments: [(5, nil, 5), (5, 0, 5), (5, 3, 8), (0, 3, 3), (nil, 3, nil)] as [(Int64?, Int64?, Int64?)])
    func `What merging saves are shared pages and those of zeros`(sharing: Int64?, zero: Int64?, saved: Int64?) {
        let host = FakeHost()
        for (name, value) in [("pages_sharing", sharing), ("ksm_zero_pages", zero)] {
            if let value { host.setKSM([name: value]) } else { host.remove("sys/kernel/mm/ksm/\(name)") }
        }
        let ksm = KSMSnapshot(host.paths)
        #expect(ksm.savedPages == saved.map { Pages($0) })
        #expect(ksm.isPresent && ksm.failure == nil)
    }

    @Test func `What merging saves is not known where its pages of zeros cannot be read`() {
        let host = FakeHost()
        host.setKSM(["pages_sharing": 5])
        host.remove("sys/kernel/mm/ksm/ksm_zero_pages")
        host.createFolder("sys/kernel/mm/ksm/ksm_zero_pages")
        let ksm = KSMSnapshot(host.paths)
        #expect(ksm.savedPages == nil && ksm.savedFailure?.errno == EISDIR)
    }

    @Test func `A kernel without KSM is told from one whose KSM cannot be read`() {
        let host = FakeHost()
        host.remove("sys/kernel/mm/ksm/run")
        #expect(!KSMSnapshot(host.paths).isPresent)
        host.createFolder("sys/kernel/mm/ksm/run")
        #expect(KSMSnapshot(host.paths).isPresent)
        #expect(KSMSnapshot(host.paths).failure?.errno == EISDIR)
    }

    @Test func `The daemon of a tree that stands for a host is who holds its lock`() throws {
        let host = FakeHost()
        let pidFile = "/var/run/ksmtune.pid"
        #expect(try RunningDaemon.find(host.paths, pidFile: pidFile) == .none)
        let daemon = host.startDaemon(pid: 4242)
        // It has no processes of its own, so the one of that number need not be there.
        #expect(try RunningDaemon.find(host.paths, pidFile: pidFile) == .running(4242))
        host.remove("var/run/ksmtune.pid")
        let failure = #expect(throws: KernelFileError.self) { try RunningDaemon.find(host.paths, pidFile: pidFile) }
        let place = host.paths.place(pidFile)
        #expect(
            failure
                == KernelFileError(
                    .understand, host.path("run/ksmtuned/lock"), errno: 0,
                    detail: "it is locked by a process that cannot be seen here, and \(place) names none"))
        withExtendedLifetime(daemon) {}
    }

    @Test func `Whoever may not open the lock believes that no daemon runs where its process is gone alone`() throws {
        let host = FakeHost()
        let pidFile = host.path("run/x.pid")
        let denial = KernelFileError(.lock, host.paths.lock, errno: EACCES)
        func found() throws -> RunningDaemon { try RunningDaemon.named(by: pidFile, host.paths, orElse: denial) }
        #expect(throws: denial) { try found() }
        // This one is there, and the tree's /proc does not show it.
        host.write("\(getpid())\n", to: "run/x.pid")
        #expect(throws: denial) { try found() }
        // Beyond the greatest that Linux gives; see PID_MAX_LIMIT.
        host.write("4194305\n", to: "run/x.pid")
        #expect(try found() == .none)
    }

    @Test func `A signal is sent, or the refusal told`() throws {
        // 0 only asks whether it may be.
        try RunningDaemon.signal(getpid(), 0)
        #expect(throws: KernelFileError(.signal, "process 4194305", errno: ESRCH)) {
            try RunningDaemon.signal(4_194_305, 0)
        }
    }

    @Test func `What a daemon that is gone has not put back is named with its values`() {
        let host = FakeHost()
        #expect(StateRecord.leftBehind(host.paths) == [])
        var state = StateRecord(pid: 16, found: KnobValues(run: 0, pagesToScan: 77, advisorMode: .scanTime))
        state.foundKnobs[.smartScan] = 1
        host.write(String(decoding: state.text, as: UTF8.self), to: "run/ksmtuned/state")
        #expect(
            Set(StateRecord.leftBehind(host.paths))
                == ["run (0)", "pages_to_scan (77)", "advisor_mode (scan-time)", "smart_scan (1)"])
    }

    @Test func `A state of another process is not that of the daemon that runs, and none is not known`() throws {
        let host = FakeHost()
        #expect(throws: KernelFileError(.read, host.paths.state, errno: ENOENT)) {
            try StateRecord.read(host.paths, of: 17)
        }
        host.write("PID=16\n", to: "run/ksmtuned/state")
        let failure = #expect(throws: KernelFileError.self) { try StateRecord.read(host.paths, of: 17) }
        #expect(
            failure?.description
                == "cannot understand \(host.paths.state): it is of process 16, and the daemon that runs is process 17")
        #expect(try StateRecord.read(host.paths, of: 16) == StateRecord(pid: 16))
    }

    @Test(arguments: ["ACTION=scan", "TIME_USEC=-1", "ACTION=sing\nTIME_USEC=1"])
    func `A state with something of a decision is not one before the first decision`(lines: String) {
        let host = FakeHost()
        host.write("PID=16\n\(lines)\n", to: "run/ksmtuned/state")
        let failure = #expect(throws: KernelFileError.self) { try StateRecord.read(host.paths, of: 16) }
        #expect(failure?.description == "cannot understand \(host.paths.state): its decision is damaged")
    }

    // MARK: What cannot be read

    @Test(arguments: [
        ("/usr/bin/kvm\0-m\0", "kvm"), ("kvm", "kvm"), ("x", "x"), ("/a/b/\0x", ""), ("a b\0", "a b"), ("\0x", ""),
        ("/" + String(repeating: "d", count: 4091) + "/kvm\0-m\0", "kvm"),
        // No path is longer.
        ("/" + String(repeating: "d", count: 4094) + "/kvm\0", ""),
    ])
    func `A program's name is that of its file`(commandLine: String, name: String) throws {
        let host = FakeHost()
        host.write(commandLine, to: "proc/10/cmdline")
        #expect(try ProcessFiles(host.paths).program(10) == Array(name.utf8))
    }

    @Test func `A process that has ended has no program, and one that cannot be read is a failure`() throws {
        let host = FakeHost()
        let files = ProcessFiles(host.paths)
        #expect(try files.program(10) == nil)
        host.write("", to: "proc/10/cmdline")
        // What failed before says nothing of it.
        errno = EIO
        #expect(try files.program(10) == nil)
        host.createFolder("proc/11/cmdline")
        #expect(throws: KernelFileError.self) { try files.program(11) }
        let matcher = try NameMatcher(profile: Configuration().profile, pattern: nil)
        let isGuest = try files.isNamed(12, comm: Array("x".utf8), matcher)
        #expect(!isGuest)
    }

    @Test(arguments: [
        ("100 1", 19, "500", true), ("100.5 1", 19, "500", true), ("100", 19, "500", true), ("nan 1", 19, "500", false),
        ("inf 1", 19, "500", false), ("x", 19, "500", false), ("", 19, "500", false), ("100 1", 18, "500", false),
        ("100 1", 19, "x", false),
    ])
    func `A process is as old as the host less the 22nd field of its stat`(
        uptime: String, before: Int, start: String, isTold: Bool
    ) throws {
        let host = FakeHost()
        host.write(uptime + "\n", to: "proc/uptime")
        let fields = (["S"] + Array(repeating: "0", count: before - 1) + [start]).joined(separator: " ")
        host.write("10 (a) b) \(fields)\n", to: "proc/10/stat")
        let age = try ProcessFiles(host.paths).age(10)
        let now: Duration = uptime.hasPrefix("100.5") ? .milliseconds(100_500) : .seconds(100)
        #expect(age == (isTold ? now - .seconds(1) * 500 / Host.ticksPerSecond : nil))
    }

    @Test func `The age of a process whose stat ends with its name is not told`() throws {
        let host = FakeHost()
        host.write("100 1\n", to: "proc/uptime")
        host.write("10 (a)", to: "proc/10/stat")
        #expect(try ProcessFiles(host.paths).age(10) == nil)
    }

    @Test func `A file that is there and cannot be read is a failure, and never taken for a missing one`() {
        let host = FakeHost()
        // A folder opens, and cannot be read.
        for path in [
            "sys/kernel/mm/transparent_hugepage/enabled", "proc/pressure/memory", "proc/swaps",
            "sys/module/zswap/parameters/enabled", "etc/tuned/active_profile", "sys/devices/system/cpu/online",
            "sys/block/zram0/mm_stat",
        ] {
            host.createFolder(path)
        }
        let readers: [(String, () throws -> Void)] = [
            ("HugePages", { _ = try HugePages.read(host.paths) }),
            ("MemoryPressure", { _ = try MemoryPressure.read(host.paths) }),
            ("SwapDevice", { _ = try SwapDevice.all(host.paths) }), ("Zswap", { _ = try Zswap.read(host.paths) }),
            ("TunedProfile", { _ = try TunedProfile.read(host.paths) }),
            ("CPUList", { _ = try CPUList.online(host.paths) }),
            ("CompressedMemory", { _ = try CompressedMemory.zram(host.paths) }),
        ]
        for (name, read) in readers {
            let failure = #expect(throws: KernelFileError.self, "\(name)") { try read() }
            #expect(failure?.errno == EISDIR, "\(name)")
        }
    }

    // MARK: TuneD

    @Test func `A profile's own files and those that it includes are searched for KSM`() throws {
        let host = FakeHost()
        #expect(try TunedProfile.read(host.paths) == nil)
        host.addTunedProfile("quiet", "[main]\nsummary=x\n[sysctl]\n# ksm is left alone\nvm.swappiness=10\n")
        host.addTunedProfile("knobs", "[sysfs]\n/sys/kernel/mm/ksm/run=0\n")
        host.addTunedProfile("script", "[script]\nscript=script.sh\n", script: "#!/bin/sh\nstart() { disable_ksm; }\n")
        host.addTunedProfile("child", "[main]\ninclude = quiet, script\n")
        host.addTunedProfile("round", "[main]\ninclude=round\n")
        host.addTunedProfile("comments", "  # ksm\n;ksm\n\t;ksm\n", script: "# ksm\n  #ksm\n")
        host.addTunedProfile("last", "[sysctl]\nx=1\n", script: "systemctl stop ksm")
        host.addTunedProfile("own", "[main]\ninclude=quiet\nksm=0\n")
        host.addTunedProfile("none", "[main]\ninclude\nx=include=knobs\nx include=knobs\nincludes=knobs\n")
        host.addTunedProfile("several", "[main]\ninclude=quiet,last knobs\n")
        func mention(_ names: String) throws -> String? {
            host.useTunedProfile(names)
            return try TunedProfile.read(host.paths)?.mention
        }
        let folder = host.path("usr/lib/tuned/profiles")
        #expect(try mention("quiet") == nil)
        #expect(try mention("knobs") == "\(folder)/knobs/tuned.conf")
        #expect(try mention("script") == "\(folder)/script/script.sh")
        #expect(try mention("child") == "\(folder)/script/script.sh")
        #expect(try mention("quiet knobs") == "\(folder)/knobs/tuned.conf")
        #expect(try mention("round") == nil)
        #expect(try mention("comments") == nil)
        #expect(try mention("last") == "\(folder)/last/script.sh")
        #expect(try mention("own") == "\(folder)/own/tuned.conf")
        #expect(try mention("none") == nil)
        #expect(try mention("several") == "\(folder)/last/script.sh")
        #expect(try mention("knobs last") == "\(folder)/knobs/tuned.conf")
        #expect(try mention("missing") == nil)
        // A profile's name is none of a folder elsewhere.
        #expect(try mention("x/../knobs") == nil)
        #expect(try mention("../../../etc") == nil)
        host.write("ksm=0\n", to: "usr/lib/tuned/tuned.conf")
        #expect(try mention("..") == nil)
        host.useTunedProfile("quiet")
        #expect(try TunedProfile.read(host.paths) == TunedProfile(name: "quiet"))
    }

    @Test func `The operator's own profile comes before the vendor's of the same name`() throws {
        let host = FakeHost()
        host.addTunedProfile("own", "[sysfs]\n/sys/kernel/mm/ksm/run=0\n")
        host.write("[main]\nsummary=mine\n", to: "etc/tuned/own/tuned.conf")
        host.useTunedProfile("own")
        #expect(try TunedProfile.read(host.paths) == TunedProfile(name: "own"))
    }
}
