import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import HostInspection

/// Each file is read up to a bound, so that nobody can fill the reader's memory. What is shorter counts as it is; what
/// is as long or longer is a failure, and never a text that was cut.
@Suite struct FileBoundsTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var file: String
        /// The first size that is too much.
        var bound: Int
        var text: String
        /// What fills the text up.
        var filling: Character = "\n"
        /// Whether the host shows what the text says.
        var isRead: @Sendable (FakeHost) throws -> Bool

        var testDescription: String { "\(file), \(bound) bytes" }

        init(
            _ file: String, _ bound: Int, _ text: String, filling: Character = "\n",
            isRead: @escaping @Sendable (FakeHost) throws -> Bool
        ) {
            self.file = file
            self.bound = bound
            self.text = text
            self.filling = filling
            self.isRead = isRead
        }
    }

    private static func guest(_ host: FakeHost) throws -> GuestDetails? {
        try GuestReader.read(host.paths, Configuration()).guests.first { $0.pid == 10 }
    }

    private static func other(_ host: FakeHost) throws -> KSMProcess? {
        try GuestReader.read(host.paths, Configuration()).others.first { $0.pid == 30 }
    }

    /// A guest, a process that holds a machine, a writer and one that offers memory.
    private func host() -> FakeHost {
        let host = FakeHost()
        host.mountUnifiedCgroups()
        host.setGuest(10, comm: "kvm", "kvm -id 7 -name web -m 1G")
        host.setCgroup(of: 10, "0::/vm")
        host.setCgroup("vm")
        host.write("CPU 1/KVM\n", to: "proc/10/task/12/comm")
        host.setProcess(20, comm: "vmm", resident: 1)
        host.setMachine(of: 20)
        host.setProcess(30, comm: "java", resident: 1)
        host.write("ksm_rmap_items 5\n", to: "proc/30/ksm_stat")
        host.setProcess(40, comm: "tuned", resident: 1, commandLine: ["tuned"])
        host.write("100.00 1\n", to: "proc/uptime")
        host.addTunedProfile("p", "[main]\n")
        host.useTunedProfile("p")
        return host
    }

    private static let profile = "usr/lib/tuned/profiles/p"

    @Test(arguments: [
        Case("proc/pressure/memory", 4096, "some avg10=1.0\nfull avg10=0.5\n") {
            try MemoryPressure.read($0.paths) == MemoryPressure(some: 1, full: 0.5)
        },
        Case("proc/sys/vm/swappiness", 64, "60\n") { try Swappiness.read($0.paths) == 60 },
        Case("sys/module/zswap/parameters/enabled", 64, "Y\n") { try Zswap.read($0.paths)?.isEnabled == true },
        Case("proc/self/mountinfo", 4 << 20, "1 0 0:1 / / rw - ext4 /dev/vda rw\n") {
            try MountTable($0.paths)?.kind(of: "/swap") == "ext4"
        },
        Case("proc/10/stat", 2048, "10 (kvm) S \(String(repeating: "0 ", count: 18))500 0\n") {
            try ProcessFiles($0.paths).age(10) == .seconds(100) - .seconds(1) * 500 / Host.ticksPerSecond
        },
        Case("sys/devices/system/cpu/online", 65536, "0-3\n") { try CPUList.online($0.paths) == 4 },
        Case("\(profile)/tuned.conf", 1 << 20, "/sys/kernel/mm/ksm/run=0\n") {
            try TunedProfile.read($0.paths)?.mention == $0.path("\(profile)/tuned.conf")
        },
        Case("\(profile)/script.sh", 1 << 20, "disable_ksm\n") {
            try TunedProfile.read($0.paths)?.mention == $0.path("\(profile)/script.sh")
        },
        Case("proc/swaps", 1 << 20, "Filename\n/dev/sda2 partition 4 0 -2\n") {
            try SwapDevice.all($0.paths)?.map { $0.path } == ["/dev/sda2"]
        },
        Case("proc/meminfo", 65536, "HugePages_Total: 512\nHugepagesize: 2048 kB\n") {
            try HugePagePool.read($0.paths)?.size == KiB(1 << 20)
        },
        Case("proc/40/status", 1 << 16, "PPid:\t7\n") {
            try ProcessSurvey($0.paths, Configuration(), writerNames: ["tuned"]).writers.map { $0.parent } == [7]
        },
    ])
    func `what tells of the host`(_ test: Case) throws { try check(test) }

    @Test(arguments: [
        Case("proc/10/comm", 64, "kvm", filling: "x") { try ProcessFiles($0.paths).comm(10) != nil },
        Case("proc/10/statm", 256, "9 5\n") { try guest($0)?.resident == Pages(5).kibibytes(of: Host.pageSize) },
        Case("proc/10/cmdline", 1 << 20, "kvm\0-m\u{0}1G\0-name\0", filling: "x") {
            try guest($0)?.configured == KiB(1 << 20)
        },
        Case("proc/10/status", 1 << 16, "VmSwap:\t5 kB\n") { try guest($0)?.swapped == KiB(5) },
        Case("proc/10/cgroup", 65536, "0::/vm\n") { try guest($0)?.limits?.path == "/vm" },
        Case("sys/fs/cgroup/vm/memory.max", 256, "9\n") { try guest($0)?.limits?.memoryMax == 9 },
        Case("proc/10/ksm_stat", 1024, "ksm_rmap_items 5\n") { try guest($0)?.items == 5 },
        Case("proc/10/ksm_merging_pages", 64, "5\n") {
            try guest($0)?.merged == Pages(5).kibibytes(of: Host.pageSize)
        },
        Case("proc/10/task/11/comm", 64, "CPU 0/KVM\n") { try guest($0)?.vcpus == 2 },
        Case("proc/20/status", 1 << 16, "Tgid:\t20\n") {
            try GuestReader.read($0.paths, Configuration()).guests.contains { $0.pid == 20 }
        },
        Case("etc/pve/user.cfg", 1 << 20, "pool:blue::7:\n") {
            $0.setGuest(10, comm: "kvm", "kvm -id 7 -machine type=pc+pve0")
            return try guest($0)?.owners == [GuestOwner(.pool, "blue")]
        },
        Case("proc/10/attr/current", 4096, "u:r:svirt_t:s0\n") {
            try guest($0)?.owners.contains { $0.kind == .label } ?? false
        },
        Case("run/libvirt/qemu/web.xml", 1 << 20, "<nova:project uuid=\"5d2c\">x</nova:project>\n") {
            $0.setGuest(10, "qemu-system-x86_64 -name guest=web")
            return try guest($0)?.owners == [GuestOwner(.project, "5d2c")]
        },
    ])
    func `what tells of a guest`(_ test: Case) throws { try check(test) }

    @Test(arguments: [
        Case("proc/30/ksm_stat", 1024, "ksm_rmap_items 5\n") { try other($0)?.items == 5 },
        Case("proc/30/ksm_merging_pages", 64, "5\n") {
            $0.remove("proc/30/ksm_stat")
            return try other($0)?.merged == Pages(5).kibibytes(of: Host.pageSize)
        },
        Case("proc/30/cgroup", 65536, "0::/system.slice/java.service/main\n") {
            try other($0)?.unit == "java.service"
        },
    ])
    func `what tells of a process that is no guest`(_ test: Case) throws { try check(test) }

    private func check(_ test: Case) throws {
        for (size, isRead) in [(test.bound - 1, true), (test.bound, false)] {
            let host = host()
            let filling = String(repeating: test.filling, count: size - test.text.utf8.count)
            host.write(test.text + filling, to: test.file)
            #expect(((try? test.isRead(host)) ?? false) == isRead, "\(size) bytes")
        }
    }
}
