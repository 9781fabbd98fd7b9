import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import HostInspection

@Suite struct GuestOwnerTests {
    private func owners(_ host: FakeHost, _ pid: Int32) throws -> [GuestOwner] {
        let guests = try GuestReader.read(host.paths, Configuration()).guests
        return try #require(guests.first { $0.pid == pid }).owners
    }

    @Test(
        arguments: [
            ("/qemu.slice/100.scope", .proxmox(100)), ("/qemu.slice/100.slice", nil), ("/qemu.slice/x.scope", nil),
            ("/qemu.slice", nil), ("/machine.slice/machine-qemu.scope/100", .libvirt),
        ] as [(String, GuestDetails.Manager?)])
    func `Whose a guest is, by its cgroup`(path: String, manager: GuestDetails.Manager?) {
        #expect(GuestDetails.Manager(cgroup: path) == manager)
    }

    @Test func `The pool of a guest of Proxmox VE, by its number`() throws {
        let host = FakeHost()
        host.write(
            """
            user:root@pam:1:0:::root@example.com::
            group:admins:root@pam::
            pool:cut
            pool:cut:off
            pool:blue:the blue ones:100,101:local:
            pool:red/inner::102

            """, to: "etc/pve/user.cfg")
        host.setGuest(10, comm: "kvm", "/usr/bin/kvm -id 101 -chardev socket,path=/var/run/qemu-server/101.qmp")
        host.setGuest(11, comm: "kvm", "/usr/bin/kvm -id 102 -chardev socket,path=/var/run/qemu-server/102.qmp")
        host.setGuest(12, comm: "kvm", "/usr/bin/kvm -id 10 -chardev socket,path=/var/run/qemu-server/10.qmp")
        #expect(try owners(host, 10) == [GuestOwner(.pool, "blue")])
        #expect(try owners(host, 11) == [GuestOwner(.pool, "red/inner")])
        #expect(try owners(host, 12) == [])
    }

    @Test func `The project that Nova wrote into libvirt's description`() throws {
        let host = FakeHost()
        host.write(
            """
            <domstatus><domain type='kvm'><name>instance-1</name><metadata><nova:instance xmlns:nova="http://x">
              <nova:owner><nova:user uuid="u">eve</nova:user><nova:project uuid="5d2c">eve's</nova:project></nova:owner>
            </nova:instance></metadata></domain></domstatus>
            """, to: "run/libvirt/qemu/instance-1.xml")
        host.setGuest(10, "qemu-system-x86_64 -name guest=instance-1,debug-threads=on")
        host.setGuest(11, "qemu-system-x86_64 -name guest=../qemu/instance-1")
        host.setGuest(12, "qemu-system-x86_64 -name guest=instance-2")
        // Of the same name, and none of libvirt's.
        host.setGuest(13, "qemu-system-x86_64 -name instance-1")
        #expect(try owners(host, 10) == [GuestOwner(.project, "5d2c")])
        #expect(try owners(host, 11) == [])
        #expect(try owners(host, 12) == [])
        #expect(try owners(host, 13) == [])
    }

    @Test func `A description without a project, or with a torn one`() {
        #expect(GuestOwnerReader.project("<nova:project uuid=\"5d2c\" x=\"y\">a</nova:project>")?.name == "5d2c")
        #expect(GuestOwnerReader.project("<domain><nova:projects/></domain>") == nil)
        #expect(GuestOwnerReader.project("<nova:project uuid=") == nil)
        #expect(GuestOwnerReader.project("<nova:project uuid=\"\">x</nova:project>") == nil)
        #expect(GuestOwnerReader.project("<nova:project uuid=\"\"5d2c\">x</nova:project>") == nil)
        #expect(GuestOwnerReader.project("<nova:project name=\"5d2c\">x</nova:project>") == nil)
    }

    @Test(arguments: [
        ("/user.slice/user-1000.slice/session-2.scope", "user-1000.slice"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "user-1000.slice"),
        ("/user.slice/user-1000.slice/user@1000.service/session.slice", "user-1000.slice"),
        ("/user.slice/user-1000.slice/user@home.slice/x.scope", "user@home.slice"),
        ("/machine.slice/machine-blue.slice/machine-qemu.scope", "machine-blue.slice"),
        ("/machine.slice/machine-qemu.scope/libvirt/emulator", nil),
        ("/qemu.slice/100.scope", nil), ("/qemu.slice", nil),
        ("/kubepods.slice/kubepods-podab.slice/cri-x.scope", nil),
        ("/", nil),
    ]) func `A slice tells an owner unless it holds everybody's guests`(path: String, name: String?) {
        #expect(GuestOwnerReader.slice(path)?.name == name)
    }

    @Test func `A label counts without its categories, which every guest has of its own`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        host.write("system_u:system_r:svirt_t:s0:c12,c345\0", to: "proc/10/attr/current")
        host.setGuest(11, "qemu-system-x86_64")
        host.write("libvirt-5d2c (enforce)\n", to: "proc/11/attr/current")
        #expect(try owners(host, 10) == [GuestOwner(.label, "system_u:system_r:svirt_t:s0")])
        #expect(try owners(host, 11) == [])
        #expect(GuestOwnerReader.label("system_u::svirt_t:s0:c12")?.name == "system_u::svirt_t:s0")
        // Without levels it is everybody's.
        #expect(GuestOwnerReader.label("system_u:system_r:svirt_t") == nil)
    }

    @Test func `An owner is asked for by its kind`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        var guest = try #require(try GuestReader.read(host.paths, Configuration()).guests.first)
        guest.user = 107
        guest.owners = [GuestOwner(.pool, "blue")]
        #expect(guest.owner(by: .user) == GuestOwner(.user, "107"))
        #expect(guest.owner(by: .pool) == GuestOwner(.pool, "blue"))
        #expect(guest.owner(by: .project) == nil)
    }

    private func failures(_ host: FakeHost) throws -> [KernelFileError] {
        try GuestReader.read(host.paths, Configuration()).guests.flatMap { $0.failures }
    }

    @Test func `A hint that is there and cannot be read is a failure`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        #expect(try failures(host) == [])
        host.createFolder("proc/10/attr/current")
        #expect(try failures(host) == [KernelFileError(.read, host.path("proc/10/attr/current"), errno: EISDIR)])
    }

    @Test func `A hint of a guest that ends meanwhile is no failure`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        let ended = EndedProcess()
        host.createFolder("proc/10/attr")
        host.link("proc/10/attr/current", to: ended.file)
        #expect(throws: KernelFileError(.read, ended.file, errno: ESRCH)) { try HostFile.read(ended.file, limit: 9) }
        #expect(try failures(host) == [])
    }

    @Test func `What the kernel says without a security module is no failure`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        host.link("proc/10/attr", to: "/proc/self/attr")
        #expect(try failures(host) == [])
    }

    @Test(.enabled(if: geteuid() != 0, "root reads every file: needs another user"))
    func `A hint for other eyes says nothing`() throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64")
        host.write("system_u:system_r:svirt_t:s0:c12,c345\0", to: "proc/10/attr/current")
        unsafe chmod(host.path("proc/10/attr/current"), 0)
        #expect(try owners(host, 10) == [])
        #expect(try failures(host) == [])
    }
}
