import Foundation
import HostFixtures
import KSMPolicy
import Testing

@testable import HostKernel

/// A process can keep whoever reads its command line waiting for ever, and anybody can have one.
///
/// A pipe that somebody may still write to stands for its file.
@Suite struct SilentProcessTests {
    private let host = FakeHost()

    private func table(_ profile: Profile = .union, firstPause: Duration = .zero) throws -> GuestTable {
        try GuestTable(host.paths, matcher: NameMatcher(profile: profile, pattern: nil), firstPause: firstPause)
    }

    private func silence(_ pid: Int) -> KernelFileError {
        ChildRead.silence(host.path("proc/\(pid)/cmdline"), of: nil)
    }

    private func setGuest(_ pid: Int, user: Int? = nil) {
        host.setProcess(pid, comm: "vm", resident: 100, commandLine: ["qemu-system-x86_64", "-enable-kvm"])
        if let user { host.write("Tgid:\t\(pid)\nUid:\t\(user)\t0\t0\t0\n", to: "proc/\(pid)/status") }
    }

    private func setSilent(_ pids: ClosedRange<Int>, user: Int? = nil) -> [FileHandle] {
        pids.map { pid in
            setGuest(pid, user: user)
            return host.keepSilent("proc/\(pid)/cmdline")
        }
    }

    private func guests(_ table: borrowing GuestTable) -> [Int32] {
        var pids: [Int32] = []
        #expect(table.residents { pid, _, _, _ in pids.append(pid) } == nil)
        return pids.sorted()
    }

    @Test func `A child that ends before it has asked is no process's silence`() {
        // It has no folder to ask in.
        let folder = ChildRead.Folder(-1, isStandIn: false)
        let round = ChildRead.ask([10, 11], for: "cmdline", upTo: 64, in: folder, mostSilent: 2)
        #expect(round.answers.isEmpty)
        #expect(round.silent == [])
        #expect(round.unasked == [10, 11])
        #expect(round.failure == .noChild(EBADF))
    }

    @Test func `The last 64 users that had a silent one are known`() {
        var allowance = SilenceAllowance(pause: .seconds(10))
        for user in 0...64 { allowance.spend(Int64(user)) }
        #expect(!allowance.hasSpent(0))
        #expect(allowance.hasSpent(1))
        #expect(allowance.hasSpent(64))
    }

    // MARK: The daemon's table

    @Test func `It is no guest and no failure, and is told of`() throws {
        host.setProcess(10, comm: "kvm", resident: 100)
        setGuest(11)
        setGuest(12)
        let pipe = host.keepSilent("proc/11/cmdline")
        var table = try table()
        for _ in 0..<3 {
            try table.refresh()
            #expect(guests(table) == [10, 12])
            #expect(table.silence == silence(11))
        }
        withExtendedLifetime(pipe) {}
        host.removeProcess(11)
        try table.refresh()
        #expect(guests(table) == [10, 12])
        #expect(table.silence == nil)
    }

    @Test func `A guest's name counts without its command line`() throws {
        host.setProcess(11, comm: "qemu-kvm", resident: 100)
        let pipe = host.keepSilent("proc/11/cmdline")
        var table = try table()
        try table.refresh()
        withExtendedLifetime(pipe) {}
        #expect(guests(table) == [11])
        #expect(table.silence == nil)
    }

    @Test func `It is asked again later, and not before`() throws {
        setGuest(11)
        let pipe = host.keepSilent("proc/11/cmdline")
        var soon = try table()
        var late = try table(firstPause: .seconds(3600))
        try soon.refresh()
        try late.refresh()
        withExtendedLifetime(pipe) {}
        host.remove("proc/11/cmdline")
        setGuest(11)
        try soon.refresh()
        try late.refresh()
        #expect(guests(soon) == [11])
        #expect(soon.silence == nil)
        #expect(guests(late) == [])
        #expect(late.silence == silence(11))
    }

    @Test func `Another process of its number is asked at once`() throws {
        setGuest(11)
        host.write("11 (vm) S \(String(repeating: "0 ", count: 18))500 0\n", to: "proc/11/stat")
        let pipe = host.keepSilent("proc/11/cmdline")
        var table = try table(firstPause: .seconds(3600))
        try table.refresh()
        withExtendedLifetime(pipe) {}
        host.removeProcess(11)
        setGuest(11)
        host.write("11 (vm) S \(String(repeating: "0 ", count: 18))600 0\n", to: "proc/11/stat")
        try table.refresh()
        #expect(guests(table) == [11])
        #expect(table.silence == nil)
    }

    @Test func `A virtual machine that the kernel announced counts`() throws {
        setGuest(11)
        let pipe = host.keepSilent("proc/11/cmdline")
        var table = try table()
        try table.refresh()
        table.announce(MachineEvents([MachineEvent(.create, by: 11)]))
        try table.refresh()
        withExtendedLifetime(pipe) {}
        #expect(guests(table) == [11])
    }

    @Test func `Whoever is announced is asked with the next listing`() throws {
        var table = try table()
        try table.refresh()
        setGuest(11)
        table.announce(MachineEvents([MachineEvent(.create, by: 11)]))
        #expect(guests(table) == [11])
        try table.refresh()
        table.announce(MachineEvents([MachineEvent(.destroy, by: 11)]))
        #expect(guests(table) == [11])
    }

    @Test func `One that counted by its command line stays a guest`() throws {
        setGuest(11)
        var table = try table()
        try table.refresh()
        let pipe = host.keepSilent("proc/11/cmdline")
        table.adopt(try NameMatcher(profile: .debian, pattern: nil))
        try table.refresh()
        withExtendedLifetime(pipe) {}
        #expect(guests(table) == [11])
    }

    @Test func `Names alone ask nobody`() throws {
        setGuest(11)
        let pipe = host.keepSilent("proc/11/cmdline")
        var table = try table()
        try table.refresh()
        table.adopt(try NameMatcher(profile: .upstream, pattern: nil))
        try table.refresh()
        withExtendedLifetime(pipe) {}
        #expect(table.silence == nil)
    }

    @Test func `Of many of one user all are asked by and by, and those first that have waited`() throws {
        let pipes = setSilent(11...15)
        setGuest(16)
        var table = try table()
        var found: [[Int32]] = []
        for _ in 0..<5 {
            try table.refresh()
            found.append(guests(table))
        }
        withExtendedLifetime(pipes) {}
        #expect(found == [[], [], [], [], [16]])
        #expect(table.silence != nil)
    }

    @Test func `While a user's are waited for no more, other users' are asked all the same`() throws {
        let pipes = setSilent(11...15, user: 1000)
        setGuest(16, user: 1000)
        setGuest(17, user: 107)
        var table = try table(firstPause: .seconds(3600))
        try table.refresh()
        #expect(guests(table) == [17])
        setGuest(18, user: 1000)
        setGuest(19, user: 107)
        let others = setSilent(20...21, user: 1001)
        setGuest(22, user: 1001)
        setGuest(23, user: 108)
        for _ in 0..<3 { try table.refresh() }
        #expect(guests(table) == [17, 19, 23])
        #expect(
            table.silence.map { "\($0)" }
                == "cannot read \(host.path("proc/11/cmdline")): its process, of user 1000, holds the lock of its memory "
                + "and gives no answer")
        // Those that were silent have ended, and the others still wait their turn.
        for pid in 11...15 { host.removeProcess(pid) }
        for pid in 20...21 { host.removeProcess(pid) }
        try table.refresh()
        withExtendedLifetime(pipes + others) {}
        #expect(
            table.silence.map { "\($0)" }
                == "cannot read \(host.path("proc/16/cmdline")): too many processes give no answer")
    }

    @Test func `One that is announced twice while it waits is one guest in the end`() throws {
        let pipes = setSilent(11...12)
        var table = try table()
        table.adopt(try NameMatcher(profile: .debian, pattern: nil))
        try table.refresh()
        setGuest(13)
        for _ in 0..<2 { table.announce(MachineEvents([MachineEvent(.create, by: 13)])) }
        for _ in 0..<4 { try table.refresh() }
        withExtendedLifetime(pipes) {}
        #expect(guests(table) == [13])
    }

    @Test func `A line that goes on in silence is one`() throws {
        setGuest(11)
        let pipe = host.keepSilent("proc/11/cmdline")
        try pipe.write(contentsOf: Array("qemu-system-x86_64\0\(String(repeating: "-x\0", count: 100))".utf8))
        var table = try table()
        try table.refresh()
        withExtendedLifetime(pipe) {}
        #expect(guests(table) == [])
        #expect(table.silence == silence(11))
    }

    @Test func `A proportional share that is not given is counted by the resident size`() throws {
        for pid in 10...12 {
            host.setProcess(pid, comm: "kvm", resident: 100)
            host.write("Rss: 400 kB\nPss: 40 kB\n", to: "proc/\(pid)/smaps_rollup")
        }
        let pipe = host.keepSilent("proc/11/smaps_rollup")
        var table = try table()
        try table.refresh()
        let sum = table.measure(by: .pss)
        withExtendedLifetime(pipe) {}
        #expect(sum.guests == 3)
        #expect(sum.committed == KiB(2 * 40) + Pages(100).kibibytes(of: Host.pageSize))
        #expect(sum.failure == nil)
        #expect(sum.fallback?.path == host.path("proc/11/smaps_rollup"))
        #expect(sum.fallback?.detail == "its process holds the lock of its memory and gives no answer")
    }

    // MARK: The child

    private func ask(_ pids: [Int32], upTo size: Int = 256, mostSilent: Int = 2) throws -> ChildRead.Round {
        let folder = try FileDescriptor(opening: host.path("proc"), O_RDONLY | O_DIRECTORY)
        return ChildRead.ask(
            pids, for: "cmdline", upTo: size, in: ChildRead.Folder(folder.number, isStandIn: false),
            mostSilent: mostSilent, patience: .milliseconds(300))
    }

    @Test(.timeLimit(.minutes(5))) func `A child reads, and is ended where it would wait`() throws {
        for pid in 10...16 { host.setProcess(pid, comm: "vm", resident: 1, commandLine: ["line \(pid)"]) }
        let pipes = [11, 13, 15].map { host.keepSilent("proc/\($0)/cmdline") }
        host.remove("proc/12/cmdline")
        host.remove("proc/14/cmdline")
        host.createFolder("proc/14/cmdline")
        let round = try ask(Array(10...16), upTo: 7)
        withExtendedLifetime(pipes) {}
        #expect(round.silent == [11, 13])
        #expect(round.unasked == [14, 15, 16])
        #expect(round.failure == nil)
        #expect(round.answers.map { $0.pid } == [10, 12])
        #expect(round.answers.map { $0.answer } == [.bytes(Array("line 10".utf8)), .failed(ENOENT)])
        let rest = try ask([14, 16, 17])
        #expect(rest.silent == [] && rest.unasked == [])
        #expect(
            rest.answers.map { $0.answer } == [.failed(EISDIR), .bytes(Array("line 16\0".utf8)), .failed(ENOENT)])
    }

    @Test func `A child that cannot be had or work is no process's silence`() throws {
        for pid in 10...11 { host.setProcess(pid, comm: "vm", resident: 1, commandLine: ["line \(pid)"]) }
        // More memory than can be had for the answers.
        let round = try ask([10, 11], upTo: 1 << 47)
        #expect(round.silent == [] && round.unasked == [10, 11])
        #expect(round.failure == .noChild(ENOMEM))
        #expect(
            "\(round.failure(ofUnasked: "/proc/10/cmdline"))"
                == "cannot read /proc/10/cmdline: no process can be started to read it: Cannot allocate memory")
        // Where there is no such folder, it ends at once.
        let folder = ChildRead.Folder(99_999, isStandIn: false)
        let broken = ChildRead.ask([10, 11], for: "cmdline", upTo: 256, in: folder, mostSilent: 2)
        #expect(broken.silent == [] && broken.unasked == [10, 11])
        #expect(broken.failure == .noChild(EBADF))
    }

    @Test func `More than one child reads are read in several`() throws {
        for pid in 1...1030 { host.write("\(pid)", to: "proc/\(pid)/cmdline") }
        let round = try ask(Array(1...1030))
        #expect(round.answers.map { $0.pid } == Array(1...1030))
        #expect(round.answers.map { $0.answer } == (1...1030).map { .bytes(Array("\($0)".utf8)) })
        let long = String(repeating: "7", count: (1 << 20) - 1)
        for pid in 1...20 { host.write(long, to: "proc/\(pid)/cmdline") }
        let answers = try ask(Array(1...20), upTo: 1 << 20).answers
        #expect(answers.count == 20)
        #expect(answers.allSatisfy { $0.answer == .bytes(Array(long.utf8)) })
    }
}
