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
        KernelFileError(.read, host.path(file), errno: 0, detail: ChildRead.silence)
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
    }
}
