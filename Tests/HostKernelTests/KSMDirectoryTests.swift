import CLinux
import Foundation
import Glibc
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct KSMDirectoryTests {
    @Test func `ksmd of a tree is nobody's here, and is not touched`() throws {
        let host = FakeHost()
        host.setProcess(45, comm: "ksmd", resident: 0)
        host.write("45 (ksmd) R" + String(repeating: " 0", count: 49) + "\n", to: "proc/45/stat")
        host.write("1000 2000 3\n", to: "proc/45/schedstat")
        let kernel = KSMDirectory(host.paths)
        let state = try kernel.readKsmd()
        #expect(state == nil)
        #expect(throws: KernelFileError(.schedule, "ksmd", errno: 3)) {
            try kernel.schedule(ksmd: Scheduling(.idle, nice: 0))
        }
    }

    @Test func `How a thread is scheduled stands in its stat, behind a name that may hold anything`() throws {
        let host = FakeHost()
        host.setProcess(45, comm: "ksmd", resident: 0)
        let thread = try #require(try KSMThread(host.paths))
        #expect(try thread.scheduling() == nil)
        func stat(state: String = "S", nice: String = "5", policy: String = "5") -> String {
            "45 (a) R (ksmd ) \(state) 2 0 0 0 -1 2097216 0 0 0 0 0 18749 0 0 25 \(nice) 1 0 13 0 0 18446744073709551615 "
                + "0 0 0 0 0 0 0 2147483647 0 1 0 0 17 1 0 \(policy) 0 0 0 0 0 0 0 0 0 0 0\n"
        }
        host.write(stat(), to: "proc/45/stat")
        #expect(try thread.scheduling()! == (Scheduling(.idle, nice: 5), false))
        host.write(stat(state: "R", nice: "-20", policy: "0"), to: "proc/45/stat")
        #expect(try thread.scheduling()! == (Scheduling(.other, nice: -20), true))
        #expect(try thread.state() == nil)
        host.write("7 8 9\n", to: "proc/45/schedstat")
        let state = KsmdState(
            scheduling: Scheduling(.other, nice: -20), isReady: true, cpu: .nanoseconds(7), waited: .nanoseconds(8))
        #expect(try thread.state() == state)
        for text in [
            "", "45 (ksmd)", "45 (ksmd) ", "45 (ksmd) S 2", stat(nice: "20"), stat(policy: "4"), stat(policy: "x"),
        ] {
            host.write(text, to: "proc/45/stat")
            #expect(try thread.scheduling() == nil, "\(text)")
        }
    }

    @Test func `A thread takes another policy and nice value`() throws {
        let host = FakeHost()
        let child = try NamedProcess("a-test-thread", host)
        defer { try? child.end() }
        let pid = child.pid
        host.setProcess(Int(pid), comm: "ksmd", resident: 0)
        let thread = try #require(try KSMThread(host.paths))
        try thread.schedule(Scheduling(.idle, nice: 19), over: Scheduling(.other, nice: 0))
        host.write(try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), to: "proc/\(pid)/stat")
        #expect(try thread.scheduling()?.scheduling == Scheduling(.idle, nice: 19))
    }

    @Test(.enabled(if: geteuid() != 0, "root may give every nice value: needs another user"))
    func `A thread that cannot have a nice value keeps its policy, too`() throws {
        let host = FakeHost()
        let child = try NamedProcess("a-test-thread", host)
        defer { try? child.end() }
        let pid = child.pid
        host.setProcess(Int(pid), comm: "ksmd", resident: 0)
        let thread = try #require(try KSMThread(host.paths))
        #expect(throws: KernelFileError(.schedule, "ksmd (pid \(pid))", errno: EACCES)) {
            try thread.schedule(Scheduling(.batch, nice: -20), over: Scheduling(.other, nice: 0))
        }
        host.write(try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), to: "proc/\(pid)/stat")
        #expect(try thread.scheduling()?.scheduling.policy == .other)
    }

    @Test func `A thread that is not there takes neither, and what is as it should be needs no call`() throws {
        let host = FakeHost()
        // Beyond the greatest that Linux gives; see PID_MAX_LIMIT.
        let pid: Int32 = 4_194_305
        host.setProcess(Int(pid), comm: "ksmd", resident: 0)
        let thread = try #require(try KSMThread(host.paths))
        for (policy, nice) in [(Scheduling.Policy.other, 19), (.idle, 18)] as [(Scheduling.Policy, Int64)] {
            #expect(throws: KernelFileError(.schedule, "ksmd (pid \(pid))", errno: ESRCH)) {
                try thread.schedule(Scheduling(policy, nice: nice), over: Scheduling(.idle, nice: 19))
            }
        }
        try thread.schedule(Scheduling(.idle, nice: 19), over: Scheduling(.idle, nice: 19))
    }

    @Test(arguments: [("R", "3", 3), ("S", "3", nil), ("D", "3", nil), ("R", "x", nil), ("R", "99999999999", nil)])
    func `A thread has a processor while it runs or waits for one`(state: String, processor: String, expected: Int32?)
        throws
    {
        let host = FakeHost()
        host.setProcess(45, comm: "ksmd", resident: 0)
        let thread = try #require(try KSMThread(host.paths))
        #expect(try thread.processorWhileReady() == nil)
        // Between the name and the processor, the 39th, lie 36 fields, and behind it comes the priority of real time.
        let fields = [state] + [String](repeating: "7", count: 35) + [processor, "9", "0"]
        host.write("45 (ksmd) \(fields.joined(separator: " "))\n", to: "proc/45/stat")
        #expect(try thread.processorWhileReady() == expected)
        host.write("45 (ksmd) \(fields.prefix(36).joined(separator: " "))\n", to: "proc/45/stat")
        #expect(try thread.processorWhileReady() == nil)
    }

    @Test func `a value is written with a line break`() throws {
        let host = FakeHost()
        let kernel = KSMDirectory(host.paths)
        try kernel.write("1250", to: .pagesToScan)
        #expect(host.read("sys/kernel/mm/ksm/pages_to_scan") == "1250\n")
        try kernel.write("64", to: .pagesToScan)
        #expect(host.read("sys/kernel/mm/ksm/pages_to_scan") == "64\n")
        #expect(try kernel.read(.pagesToScan) == 64)
    }

    @Test func `where ksmd cannot be seen a write to run leaves the processors that the writer may use`() throws {
        let host = FakeHost()
        func processors() throws -> String {
            let lines = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8).split(separator: "\n")
            let name = "Cpus_allowed_list:\t"
            return String(try #require(lines.first { $0.hasPrefix(name) }).dropFirst(name.count))
        }
        let first = try processors().prefix { $0.isNumber }
        #expect(linux_move_to(try #require(Int32(first))) == 0)
        defer { linux_move_back() }
        for text in ["0", "1", "2"] {
            try KSMDirectory(host.paths).write(text, to: .run)
            #expect(try processors() == first)
        }
    }

    @Test func `a file that this kernel does not have reads as nil`() throws {
        let host = FakeHost()
        #expect(try KSMDirectory(host.paths).read(.maxKernelPages) == nil)
        #expect(try KSMDirectory(host.paths).readAdvisorMode() == nil)
    }

    @Test func `a failure is never nil`() {
        let host = FakeHost()
        host.remove("sys/kernel/mm/ksm/run")
        host.createFolder("sys/kernel/mm/ksm/run")
        #expect(throws: KernelFileError.self) { _ = try KSMDirectory(host.paths).read(.run) }
        host.write("nonsense\n", to: "sys/kernel/mm/ksm/pages_to_scan")
        let file = host.path("sys/kernel/mm/ksm/pages_to_scan")
        #expect(throws: KernelFileError(.understand, file, errno: 0, detail: "it holds no number")) {
            try KSMDirectory(host.paths).read(.pagesToScan)
        }
    }

    @Test(arguments: ["1e3\n", "20abc\n", "0x20\n", "1.5\n", "-5\n", "-\n"])
    func `half of a number is none, and no setting is below 0`(text: String) {
        let host = FakeHost()
        host.write(text, to: "sys/kernel/mm/ksm/sleep_millisecs")
        let file = host.path("sys/kernel/mm/ksm/sleep_millisecs")
        #expect(throws: KernelFileError(.understand, file, errno: 0, detail: "it holds no number")) {
            try KSMDirectory(host.paths).read(.sleepMilliseconds)
        }
    }

    @Test func `a counter can be below 0`() throws {
        let host = FakeHost()
        host.write("-5\n", to: "sys/kernel/mm/ksm/general_profit")
        host.write("-6\n", to: "sys/kernel/mm/ksm/full_scans")
        #expect(try KSMDirectory(host.paths).read(.generalProfit) == -5)
        #expect(try KSMDirectory(host.paths).read(.fullScans) == -6)
    }

    @Test(arguments: [("0\n", 0), ("1\n", 1), ("2\n", 2), ("5\n", 1), ("4\n", 0), ("6\n", 2)])
    func `run is read without the kernel's mark of memory going offline`(text: String, value: Int64) throws {
        let host = FakeHost()
        host.write(text, to: "sys/kernel/mm/ksm/run")
        #expect(try KSMDirectory(host.paths).read(.run) == value)
    }

    @Test(arguments: [
        ("[none] scan-time\n", AdvisorMode?.some(.none)), ("none [scan-time]\n", .scanTime), ("none [other]\n", nil),
        ("\n", nil), ("[", nil),
    ])
    func `the advisor's mode is the word in brackets`(text: String, mode: AdvisorMode?) throws {
        let host = FakeHost()
        host.write(text, to: "sys/kernel/mm/ksm/advisor_mode")
        #expect(try KSMDirectory(host.paths).readAdvisorMode() == mode)
    }

    @Test func `a full device and a folder in a file's place fail with their errno`() {
        let host = FakeHost()
        let kernel = KSMDirectory(host.paths)
        host.link("sys/kernel/mm/ksm/run", to: "/dev/full")
        var error = #expect(throws: KernelFileError.self) { try kernel.write("1", to: .run) }
        #expect(error?.errno == ENOSPC)
        #expect(error?.description.contains("cannot write") == true)
        host.remove("sys/kernel/mm/ksm/run")
        error = #expect(throws: KernelFileError.self) { try kernel.write("1", to: .run) }
        #expect(error?.isMissing == true)
        host.createFolder("sys/kernel/mm/ksm/run")
        error = #expect(throws: KernelFileError.self) { try kernel.write("1", to: .run) }
        #expect(error?.errno == EISDIR)
    }

    @Test(arguments: ["run", "pages_to_scan", "sleep_millisecs"])
    func `the check names the knob that is missing or cannot be written`(name: String) throws {
        let host = FakeHost()
        let kernel = KSMDirectory(host.paths)
        try kernel.check()
        host.remove("sys/kernel/mm/ksm/\(name)")
        let error = #expect(throws: KernelFileError.self) { try kernel.check() }
        #expect(error?.path.hasSuffix("/\(name)") == true)
        // A folder can be opened, but not for writing.
        host.createFolder("sys/kernel/mm/ksm/\(name)")
        #expect(throws: KernelFileError.self) { try kernel.check() }
    }

    @Test func `a dry run says what it would write, and writes nothing`() {
        let host = FakeHost()
        var said: [String] = []
        let dryRun = DryRun(host.paths) { said.append($0) }
        #expect(!dryRun.takesEffect && KSMDirectory(host.paths).takesEffect)
        dryRun.write("300", to: .pagesToScan)
        #expect(said == ["would write 300 to \(host.path("sys/kernel/mm/ksm/pages_to_scan"))"])
        #expect(host.read("sys/kernel/mm/ksm/pages_to_scan") == "100\n")
    }

    @Test func `saved pages are those shared and those of zeros`() {
        var control = RecordingControl()
        control.values[.pagesSharing] = 100
        #expect(control.savedPages() == 100)
        control.values[.zeroPages] = 11
        #expect(control.savedPages() == 111)
        control.values[.pagesSharing] = nil
        #expect(control.savedPages() == nil)
    }

    @Test func `a child writes, and its failure comes back`() throws {
        let host = FakeHost()
        try ChildWrite("2\n", to: host.path("sys/kernel/mm/ksm/run")).finish()
        #expect(host.read("sys/kernel/mm/ksm/run") == "2\n")
        let error = #expect(throws: KernelFileError.self) { try ChildWrite("2\n", to: "/dev/full").finish() }
        #expect(error?.errno == ENOSPC)
    }

    /// A process other than this that has a file open.
    private func user(of path: String) -> pid_t? {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = pid_t(name), pid != getpid() else { continue }
            for entry in (try? files.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? [] {
                let file = try? files.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(entry)")
                if file == path { return pid }
            }
        }
        return nil
    }

    @Test(.timeLimit(.minutes(10))) func `a child that is ended says by which signal`() throws {
        let host = FakeHost()
        host.makePipe("full")
        let path = host.path("full")
        // So that it waits.
        let pipe = try FileDescriptor(opening: path, O_RDWR | O_NONBLOCK, for: .write)
        let piece = [UInt8](repeating: 0, count: 4096)
        while unsafe Glibc.write(pipe.number, piece, piece.count) > 0 {}
        let child = try ChildWrite("2\n", to: path)
        var pid: pid_t?
        while pid == nil { pid = user(of: path) }
        kill(try #require(pid), SIGKILL)
        let error = #expect(throws: KernelFileError.self) { try child.finish() }
        #expect(error?.description == "cannot write \(path): the process that wrote was ended by signal 9")
    }

    @Test(arguments: ["run", "pages_to_scan"])
    func `a pipe or a socket in a file's place is named as one`(name: String) {
        let host = FakeHost()
        let path = host.path("sys/kernel/mm/ksm/\(name)")
        host.remove("sys/kernel/mm/ksm/\(name)")
        host.makePipe("sys/kernel/mm/ksm/\(name)")
        let control = KSMDirectory(host.paths)
        let text = "cannot write \(path): it is a pipe that nobody reads"
        #expect(KernelFileError.caught(control.check)?.description == text)
        let failure = KernelFileError.caught { () throws(KernelFileError) in try HostFile.write("1\n", to: path) }
        #expect(failure?.description == text)
        host.remove("sys/kernel/mm/ksm/\(name)")
        host.makeSocket("sys/kernel/mm/ksm/\(name)")
        #expect(KernelFileError.caught(control.check)?.description == "cannot write \(path): it is a socket")
    }

    @Test(.timeLimit(.minutes(10))) func `a child does not wait for the reader of a pipe`() throws {
        let host = FakeHost()
        host.remove("sys/kernel/mm/ksm/run")
        host.makePipe("sys/kernel/mm/ksm/run")
        let path = host.path("sys/kernel/mm/ksm/run")
        let error = #expect(throws: KernelFileError.self) { try ChildWrite("2\n", to: path).finish() }
        #expect(error == KernelFileError(.write, path, errno: ENXIO))
    }
}
