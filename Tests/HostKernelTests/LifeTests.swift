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

    @Test func `a file that was removed by hand and taken by another is left to that one`() throws {
        let host = FakeHost()
        let path = host.path("run/x.pid")
        let first = try PIDFile(path)
        host.remove("run/x.pid")
        let second = try PIDFile(path)
        first.remove()
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        second.remove()
        #expect(host.read("run/x.pid") == nil)
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

@Suite struct PublishedFileTests {
    private func publish(_ text: String, _ file: inout PublishedFile) throws {
        let bytes = Array(text.utf8)
        try file.publish(bytes.span)
    }

    @Test func `each text replaces the one before it as a whole`() throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        for text in ["a long first text", "short", "", "longer again", "x"] {
            try publish(text, &file)
            #expect(host.read("run/ksmtuned/state") == text)
        }
        file.remove()
        #expect(try FileManager.default.contentsOfDirectory(atPath: host.path("run/ksmtuned")) == [])
    }

    @Test func `what a reader has opened stays as it was at the next text`() throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        try publish("one", &file)
        try publish("two", &file)
        let reader = try #require(FileHandle(forReadingAtPath: host.paths.state))
        try publish("three", &file)
        #expect(try reader.readToEnd() == Data("two".utf8))
    }

    @Test func `a file that was removed or replaced comes back`() throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        for remove in ["run/ksmtuned/state", "run/ksmtuned/.state"] {
            try publish("one", &file)
            try publish("two", &file)
            host.remove(remove)
            try? publish("three", &file)
            try publish("four", &file)
            #expect(host.read("run/ksmtuned/state") == "four")
        }
    }

    @Test func `a folder that is gone is an error, and its return the end of it`() throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        try publish("one", &file)
        host.remove("run/ksmtuned")
        do throws(KernelFileError) {
            let bytes = Array("two".utf8)
            try file.publish(bytes.span)
            Issue.record("a file was published in a folder that is gone")
        } catch {
            #expect(error.isMissing)
        }
        host.createFolder("run/ksmtuned")
        try publish("three", &file)
        #expect(host.read("run/ksmtuned/state") == "three")
    }

    @Test func `a text that a crash left is replaced`() throws {
        let host = FakeHost()
        host.write("a long text of another daemon", to: "run/ksmtuned/state")
        host.write("a longer text of another daemon", to: "run/ksmtuned/.state")
        var file = PublishedFile(host.paths.state)
        try publish("mine", &file)
        #expect(host.read("run/ksmtuned/state") == "mine")
    }
}
