import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

/// A guest that is there and cannot be read is never one that holds nothing.
///
/// A folder in the place of a file stands for the kernel's refusals: reading it fails with EISDIR.
@Suite struct UnreadableGuestTests {
    private let host = FakeHost()

    private func table(_ profile: Profile = .union, mostGuests: Int = GuestTable.mostGuests) throws -> GuestTable {
        try GuestTable(
            host.paths, matcher: NameMatcher(profile: profile, pattern: nil), mostGuests: mostGuests)
    }

    private func refuse(_ file: String) {
        host.remove(file)
        host.createFolder(file)
    }

    private func allow(_ file: String, _ text: String) {
        host.remove(file)
        host.write(text, to: file)
    }

    @Test func `What it holds cannot be read`() throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.setProcess(11, comm: "kvm", resident: 1000)
        refuse("proc/11/statm")
        var table = try table()
        try table.refresh()
        let sum = table.measure(by: .rsz)
        #expect(sum.guests == 1)
        #expect(sum.unreadable == 1)
        #expect(
            sum.failure
                == KernelFileError(
                    .read, host.path("proc/11/statm"), errno: EISDIR))
        #expect(table.residents { _, _, _, _ in }?.errno == EISDIR)
    }

    @Test(arguments: ["comm", "cmdline"])
    func `The file that tells whether it is one cannot be opened`(file: String) throws {
        host.setProcess(10, comm: "bash", resident: 1000, commandLine: ["qemu-system-x86_64", "-enable-kvm"])
        host.remove("proc/10/\(file)")
        // A link to itself.
        host.link("proc/10/\(file)", to: file)
        var table = try table(.debian)
        try table.refresh()
        #expect(table.measure(by: .rsz).failure == KernelFileError(.read, host.path("proc/10/\(file)"), errno: ELOOP))
    }

    @Test(arguments: ["comm", "cmdline"])
    func `Whether it is one cannot be read, and is asked again`(file: String) throws {
        host.setProcess(10, comm: "bash", resident: 1000, commandLine: ["qemu-system-x86_64", "-enable-kvm"])
        refuse("proc/10/\(file)")
        var table = try table(.debian)
        for _ in 0..<3 {
            try table.refresh()
            let sum = table.measure(by: .rsz)
            #expect(sum.guests == 0)
            #expect(sum.unreadable == 1)
            #expect(sum.failure?.path == host.path("proc/10/\(file)"))
        }
        allow("proc/10/\(file)", file == "comm" ? "bash\n" : "qemu-system-x86_64\0-enable-kvm\0")
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 1)
        #expect(table.measure(by: .rsz).failure == nil)
    }

    @Test func `One that ends before it could be read was none`() throws {
        host.setProcess(10, comm: "bash", resident: 1000)
        refuse("proc/10/comm")
        var table = try table()
        try table.refresh()
        #expect(table.measure(by: .rsz).unreadable == 1)
        host.removeProcess(10)
        try table.refresh()
        #expect(table.measure(by: .rsz).unreadable == 0)
        #expect(table.measure(by: .rsz).failure == nil)
    }

    @Test func `The process of a machine cannot be read, and is asked again`() throws {
        host.setProcess(10, comm: "vmm", resident: 1000)
        var table = try table()
        try table.refresh()
        refuse("proc/10/status")
        table.announce(MachineEvents([MachineEvent(.create, by: 10)]))
        #expect(table.measure(by: .rsz).failure?.path == host.path("proc/10/status"))
        allow("proc/10/status", "Tgid:\t10\n")
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 1)
        #expect(table.measure(by: .rsz).failure == nil)
    }

    @Test func `A machine that is destroyed before that is no question any more`() throws {
        host.setProcess(10, comm: "vmm", resident: 1000)
        var table = try table()
        try table.refresh()
        refuse("proc/10/status")
        table.announce(MachineEvents([MachineEvent(.create, by: 10), MachineEvent(.destroy, by: 10)]))
        try table.refresh()
        #expect(table.measure(by: .rsz).unreadable == 0)
        #expect(table.measure(by: .rsz).failure == nil)
    }

    @Test func `Its CPU time cannot be read`() throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.createFolder("proc/10/stat")
        var table = try table()
        try table.refresh()
        #expect(table.activity { _, _ in }?.path == host.path("proc/10/stat"))
    }

    @Test func `The CPU time is that of the user and of the system`() throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.write("10 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 20 0 0 20 0 9 0 777 0 0\n", to: "proc/10/stat")
        var table = try table()
        try table.refresh()
        var times: [Duration] = []
        table.activity { times.append($1.time) }
        #expect(times == [.seconds(1) * 120 / sysconf(Int32(_SC_CLK_TCK))])
    }

    @Test func `More guests than are read is a failure until there are fewer`() throws {
        #expect(GuestTable.mostGuests == 16_384, "as ksmtuned(8) says")
        for pid in 1...5 { host.setProcess(pid, comm: "kvm", resident: 1000) }
        var table = try table(mostGuests: 3)
        for _ in 0..<3 {
            try table.refresh()
            let sum = table.measure(by: .rsz)
            #expect(sum.guests == 3)
            #expect(
                sum.failure?.description
                    == "cannot list \(host.path("proc")): more than 3 processes are guests by their names or their virtual machines"
            )
        }
        host.removeProcess(1)
        host.removeProcess(2)
        try table.refresh()
        #expect(table.measure(by: .rsz).guests == 3)
        #expect(table.measure(by: .rsz).failure == nil)
    }

    // MARK: Files that are none

    @Test(.timeLimit(.minutes(10)), arguments: ["proc/meminfo", "proc/10/statm", "proc/10/comm"])
    func `A pipe is not waited for`(file: String) throws {
        host.setProcess(10, comm: "kvm", resident: 1000)
        host.remove(file)
        host.makePipe(file)
        if file == "proc/meminfo" {
            let error = #expect(throws: KernelFileError.self) { try MemoryReader(host.paths).read() }
            #expect(error?.description == "cannot read \(host.path(file)): it is not a regular file")
        } else {
            var table = try table()
            try table.refresh()
            #expect(table.measure(by: .rsz).committed == .zero)
        }
    }

    @Test func `A device is refused`() {
        host.link("proc/meminfo", to: "/dev/zero")
        #expect(throws: KernelFileError.self) { try MemoryReader(host.paths).read() }
    }

    @Test func `A folder that cannot be created says why`() {
        host.write("", to: "srv/file")
        let error = #expect(throws: KernelFileError.self) {
            try HostFile.createFolder(host.path("srv/file/folder"))
        }
        #expect(error == KernelFileError(.create, host.path("srv/file/folder"), errno: ENOTDIR))
        #expect(throws: Never.self) { try HostFile.createFolder(host.path("srv/a/b")) }
        #expect(throws: Never.self) { try HostFile.createFolder(host.path("srv/a/b")) }
    }
}
