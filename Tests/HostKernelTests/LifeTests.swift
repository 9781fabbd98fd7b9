import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct PIDFileTests {
    @Test func `the file holds the pid and a line break, and is removed`() throws {
        let host = FakeHost()
        let path = host.path("run/x.pid")
        let file = try PIDFile(path)
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        file.remove()
        #expect(host.read("run/x.pid") == nil)
    }

    @Test func `a second one is refused and names the first`() throws {
        let host = FakeHost()
        let path = host.path("run/x.pid")
        let first = try PIDFile(path)
        let error = #expect(throws: PIDFile.Refusal.self) { _ = try PIDFile(path) }
        #expect(error == .taken(path: path, by: getpid()))
        first.remove()
    }

    @Test func `what a dead daemon left is overwritten`() throws {
        let host = FakeHost()
        host.write("123456789\n", to: "run/x.pid")
        let file = try PIDFile(host.path("run/x.pid"))
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        file.remove()
    }

    @Test func `a folder in its place is an error`() {
        let host = FakeHost()
        #expect(throws: PIDFile.Refusal.self) { _ = try PIDFile(host.path("run")) }
        #expect(throws: PIDFile.Refusal.self) { _ = try PIDFile(host.path("none/x.pid")) }
    }
}

@Suite struct LogFileTests {
    @Test func `lines are appended behind the date`() throws {
        let host = FakeHost()
        host.write("before\n", to: "log")
        var log = try LogFile(host.path("log"))
        try log.append("total 5")
        let lines = host.read("log")!.split(separator: "\n")
        #expect(lines.first == "before")
        #expect(
            lines.last?.wholeMatch(of: /[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \S+ \d{4}: total 5/) != nil)
    }

    @Test func `a full device fails at the line, a folder and a pipe without a reader at once`() throws {
        let host = FakeHost()
        var full = try LogFile("/dev/full")
        do throws(KernelFileError) {
            try full.append("x")
            Issue.record("a full device took a line")
        } catch {
            #expect(error.errno == ENOSPC)
        }
        #expect(throws: KernelFileError.self) { _ = try LogFile(host.path("run")) }
        host.makePipe("pipe")
        #expect(throws: KernelFileError.self) { _ = try LogFile(host.path("pipe")) }
    }
}

@Suite struct HostFileTests {
    @Test func `replacing leaves either the old or the new`() throws {
        let host = FakeHost()
        host.write("old", to: "run/ksmtuned/state")
        let text = Array("new".utf8)
        try HostFile.replace(host.paths.state, with: text.span)
        #expect(host.read("run/ksmtuned/state") == "new")
        #expect(host.read("run/ksmtuned/state.new") == nil)
        host.remove("run/ksmtuned")
        #expect(throws: KernelFileError.self) { try HostFile.replace(host.paths.state, with: text.span) }
    }

    @Test func `a text that is no regular file is refused without waiting`() throws {
        let host = FakeHost()
        #expect(try HostFile.readText(host.path("none")) == nil)
        #expect(throws: KernelFileError.self) { _ = try HostFile.readText(host.path("etc")) }
        host.makePipe("pipe")
        #expect(throws: KernelFileError.self) { _ = try HostFile.readText(host.path("pipe")) }
    }

    @Test func `more than the limit is an error, not a shorter text`() {
        let host = FakeHost()
        host.write(String(repeating: "x", count: 5000), to: "big")
        let error = #expect(throws: KernelFileError.self) { _ = try HostFile.read(host.path("big"), limit: 4096) }
        #expect(error?.errno == EFBIG)
    }
}

@Suite struct HostStateTests {
    private let decision = try! ClassicPolicy(Configuration(), total: KiB(16_777_216))
        .decide(MemorySample(free: KiB(5), committed: KiB(6)), previous: 0)

    @Test func `what was found is read back`() {
        let found = KnobValues(run: 2, pagesToScan: 100, sleepMilliseconds: 20, advisorMode: .scanTime)
        let state = HostState(pid: 17, found: found)
        let text = state.text(
            decision, guests: 2, saved: KiB(44), time: 1, interval: Interval(nanoseconds: 60_000_000_000))
        #expect(HostState(parsing: text) == state)
        let lines = String(decoding: text, as: UTF8.self)
        for line in ["ACTION=scan", "REASON=shortage", "GUESTS=2", "SAVED_KIB=44", "PAGES_TO_SCAN=300"] {
            #expect(lines.contains(line + "\n"))
        }
    }

    @Test(arguments: ["", "PID=\n", "PID=abc\n", "\u{0}\u{1}", "FOUND_RUN=1\n"])
    func `another text is no state`(text: String) {
        #expect(HostState(parsing: Array(text.utf8)) == nil)
    }

    @Test func `the text is assignments only`() {
        let state = HostState(pid: 1, found: KnobValues())
        var parser = AssignmentParser()
        parser.read(
            state.text(decision, guests: 0, saved: nil, time: 0, interval: .endless), from: "state")
        #expect(parser.diagnostics.isEmpty)
    }
}
