import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

/// A process can keep whoever reads some of its files waiting for ever. A pipe that somebody may still write to stands for
/// such a file.
@Suite struct SilentProcessTests {
    private let host = FakeHost()

    private func silence(_ file: String) -> KernelFileError {
        ChildRead.silence(host.path(file), of: nil)
    }

    @Test func `A process that gives no answer is named, and the others are shown`() throws {
        host.setGuest(10, comm: "kvm", "kvm -name web -m 1G")
        host.setProcess(11, comm: "vm", resident: 100)
        let pipe = host.keepSilent("proc/11/cmdline")
        let list = try GuestReader.read(host.paths, Configuration())
        let survey = try ProcessSurvey(host.paths, Configuration(), writerNames: [])
        withExtendedLifetime(pipe) {}
        #expect(list.guests.map { $0.name } == ["web"])
        #expect(list.unreadable == [GuestList.Unreadable(pid: 11, failure: silence("proc/11/cmdline"))])
        #expect(survey.machines.map { $0.pid } == [10])
        #expect(survey.failures == [silence("proc/11/cmdline")])
    }

    @Test func `A guest that gives no answer is shown with what else is known of it`() throws {
        host.setGuest(10, comm: "kvm", "kvm -name web -m 1G")
        let pipes = ["cmdline", "ksm_stat"].map { host.keepSilent("proc/10/\($0)") }
        let list = try GuestReader.read(host.paths, Configuration())
        withExtendedLifetime(pipes) {}
        #expect(list.guests.map { $0.name } == ["kvm"])
        #expect(list.unknownFiles == [silence("proc/10/cmdline"), silence("proc/10/ksm_stat")])
    }

    @Test func `What one offers to KSM is not known where it gives no answer`() throws {
        host.setProcess(11, comm: "java", resident: 100)
        let pipe = host.keepSilent("proc/11/ksm_stat")
        let list = try GuestReader.read(host.paths, Configuration())
        withExtendedLifetime(pipe) {}
        #expect(list.unreadable == [])
        #expect(list.othersFailures == [silence("proc/11/ksm_stat")])
    }

    @Test func `Of many of them not all are waited for`() throws {
        host.setGuest(10, comm: "kvm", "kvm -name web -m 1G")
        var pipes: [FileHandle] = []
        for pid in 11...25 {
            host.setProcess(pid, comm: "vm", resident: 100)
            pipes.append(host.keepSilent("proc/\(pid)/cmdline"))
        }
        let list = try GuestReader.read(host.paths, Configuration())
        withExtendedLifetime(pipes) {}
        #expect(list.guests.map { $0.name } == ["web"])
        #expect(list.unreadable.count == 15)
        #expect(list.unreadable.count { $0.failure.detail == "too many processes give no answer" } == 7)
        #expect(list.unreadable.count { $0.failure.cause == .silence } == 8)
        #expect(list.unreadable.count { $0.failure.cause == .silenceOfOthers } == 7)
    }

    @Test func `Who is silent is named with who started it`() throws {
        host.setProcess(11, comm: "vm", resident: 100)
        host.write("Name:\tvm\nTgid:\t11\nUid:\t1000\t0\t0\t0\n", to: "proc/11/status")
        let pipe = host.keepSilent("proc/11/cmdline")
        let list = try GuestReader.read(host.paths, Configuration())
        withExtendedLifetime(pipe) {}
        #expect(
            list.unreadable.map { "\($0.failure)" } == [
                "cannot read \(host.path("proc/11/cmdline")): its process, of user 1000, holds the lock of its memory "
                    + "and gives no answer"
            ])
    }

    @Test func `Those that fall silent behind the beginning are not all waited for, and others' are read`() throws {
        let long = "kvm -name " + String(repeating: "x", count: 20_000)
        var pipes: [FileHandle] = []
        for pid in 11...40 {
            host.setProcess(pid, comm: "kvm", resident: 100)
            host.write("Tgid:\t\(pid)\nUid:\t1000\t1000\n", to: "proc/\(pid)/status")
            pipes.append(host.keepSilent("proc/\(pid)/cmdline"))
            try pipes[pid - 11].write(contentsOf: Data(long.utf8.prefix(16384)))
        }
        host.setGuest(41, comm: "kvm", long + " -m 1G")
        host.write("Tgid:\t41\nUid:\t107\t107\n", to: "proc/41/status")
        let list = try GuestReader.read(host.paths, Configuration())
        withExtendedLifetime(pipes) {}
        #expect(list.guests.count == 31)
        #expect(list.unknownFiles.count { $0.cause == .silence } == 16)
        #expect(list.unknownFiles.count { $0.cause == .silenceOfOthers } == 14)
        #expect(list.guests.last?.configured == KiB(1024 * 1024))
    }
}
