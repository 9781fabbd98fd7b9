import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@Suite struct PIDFileTests {
    private func take(_ host: FakeHost, _ relative: String = "run/x.pid") throws(PIDFile.Refusal) -> PIDFile {
        try PIDFile(host.path(relative), host.paths)
    }

    @Test func `the file holds the pid and a line break, and is removed`() throws {
        let host = FakeHost()
        let file = try take(host)
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        #expect(try host.mode("run/x.pid") == 0o644)
        #expect(try host.entries("run") == ["ksmtuned", "x.pid"])
        file.remove()
        #expect(host.read("run/x.pid") == nil)
    }

    @Test func `a file that was removed by hand and taken by another is left to that one`() throws {
        let host = FakeHost()
        let first = try take(host)
        host.remove("run/x.pid")
        let second = try take(host)
        first.remove()
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        second.remove()
        #expect(host.read("run/x.pid") == nil)
    }

    @Test func `what a dead daemon left is replaced, also half a file beside it`() throws {
        let host = FakeHost()
        host.write("123456789\n", to: "run/x.pid")
        host.write("12", to: "run/.x.pid.new")
        let file = try take(host)
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        #expect(try host.entries("run") == ["ksmtuned", "x.pid"])
        file.remove()
    }

    @Test func `a reader never finds it empty, and another name of the old file keeps its text`() throws {
        let host = FakeHost()
        host.write("123456789\n", to: "run/x.pid")
        try FileManager.default.linkItem(atPath: host.path("run/x.pid"), toPath: host.path("run/other"))
        let file = try take(host)
        #expect(host.read("run/other") == "123456789\n")
        file.remove()
    }

    @Test func `a link is not followed: what it names stays as it is, and so does the link`() throws {
        let host = FakeHost()
        host.write("precious\n", to: "etc/shadow")
        host.link("run/x.pid", to: host.path("etc/shadow"))
        let error = #expect(throws: PIDFile.Refusal.self) { _ = try take(host) }
        guard case .failed(let failure) = error else { throw TestFailure() }
        #expect(failure.description.hasSuffix("a link is in its place, which is no file of ksmtuned"))
        #expect(host.read("etc/shadow") == "precious\n")
        #expect(try host.entries("run") == ["ksmtuned", "x.pid"])
    }

    @Test(arguments: ["root:x:0:0\n", "12 a\n", "\0", "PID=12\n"])
    func `a file that holds more than a pid is somebody's, and stays`(text: String) throws {
        let host = FakeHost()
        host.write(text, to: "run/x.pid")
        let error = #expect(throws: PIDFile.Refusal.self) { _ = try take(host) }
        guard case .failed(let failure) = error else { throw TestFailure() }
        #expect(
            failure.description
                == "cannot create \(host.path("run/x.pid")): the file that is there holds more than a pid, so it is not "
                + "ksmtuned's: name another one by PIDFILE=, or remove it")
        #expect(host.read("run/x.pid") == text)
        #expect(try host.entries("run") == ["ksmtuned", "x.pid"])
    }

    @Test(arguments: ["", "\n", " 123456789 \n", "123456789\t\n"])
    func `an empty file and blanks around a pid are no obstacle`(text: String) throws {
        let host = FakeHost()
        host.write(text, to: "run/x.pid")
        let file = try take(host)
        #expect(host.read("run/x.pid") == "\(getpid())\n")
        file.remove()
    }

    @Test func `a pipe in its place is an error, and so is a folder that is missing`() throws {
        let host = FakeHost()
        host.makePipe("run/x.pid")
        #expect(throws: PIDFile.Refusal.self) { _ = try take(host) }
        #expect(throws: PIDFile.Refusal.self) { _ = try take(host, "none/x.pid") }
        #expect(try host.entries("run") == ["ksmtuned", "x.pid"])
    }

    struct TestFailure: Error {}
}

@Suite struct DaemonLockTests {
    @Test func `only root may open it, and nobody asks in vain who holds it`() throws {
        let host = FakeHost()
        #expect(try DaemonLock.holder(host.paths) == nil)
        let lock = try DaemonLock(host.paths)
        #expect(try host.mode("run/ksmtuned/lock") == 0o600)
        #expect(try DaemonLock.holder(host.paths) == getpid())
        // Another name does not tell anybody either.
        #expect(unsafe rename(host.path("run/ksmtuned/lock"), host.path("run/ksmtuned/old")) == 0)
        #expect(try lock.restore() == .restored)
        #expect(try DaemonLock.holder(host.paths) == getpid())
        lock.remove()
        #expect(try host.entries("run/ksmtuned") == ["old"])
        #expect(try DaemonLock.holder(host.paths) == nil)
    }

    /// A process that closes any descriptor of a file lets go of its record locks on it.
    @Test func `looking whether the lock is in its place does not let go of it`() throws {
        let host = FakeHost()
        let lock = try DaemonLock(host.paths)
        #expect(try lock.restore() == .own)
        #expect(try DaemonLock.holder(host.paths) == getpid())
        lock.remove()
    }

    @Test func `a lock that somebody keeps is refused`() throws {
        let host = FakeHost()
        let daemon = host.startDaemon()
        let error = #expect(throws: DaemonLock.Refusal.self) { _ = try DaemonLock(host.paths) }
        #expect(error == .taken(by: nil))
        withExtendedLifetime(daemon) {}
    }

    @Test func `a file of a dead daemon is no obstacle, and a link is not followed`() throws {
        let host = FakeHost()
        host.write("left", to: "run/ksmtuned/lock")
        let lock = try DaemonLock(host.paths)
        // One that everybody could open is closed to them.
        #expect(try host.mode("run/ksmtuned/lock") == 0o600)
        lock.remove()
        host.write("precious\n", to: "etc/shadow")
        host.link("run/ksmtuned/lock", to: host.path("etc/shadow"))
        #expect(throws: DaemonLock.Refusal.self) { _ = try DaemonLock(host.paths) }
        #expect(host.read("etc/shadow") == "precious\n")
    }

    @Test func `a file with another name, or of another user, is no lock of the daemon's, and keeps its mode`() throws {
        let host = FakeHost()
        host.write("precious\n", to: "etc/passwd")
        unsafe chmod(host.path("etc/passwd"), 0o644)
        try FileManager.default.linkItem(atPath: host.path("etc/passwd"), toPath: host.path("run/ksmtuned/lock"))
        func refusal() throws -> String {
            let error = #expect(throws: DaemonLock.Refusal.self) { _ = try DaemonLock(host.paths) }
            guard case .failed(let failure) = error else { return "none" }
            return failure.description
        }
        #expect(
            try refusal()
                == "cannot lock \(host.paths.lock): the file has another name, too (a hard link): remove it")
        #expect(try host.mode("etc/passwd") == 0o644)
        guard geteuid() == 0 else { return }
        host.remove("etc/passwd")
        unsafe chown(host.paths.lock, 12345, 12345)
        #expect(try refusal() == "cannot lock \(host.paths.lock): it belongs to user 12345: remove it")
        #expect(try host.mode("run/ksmtuned/lock") == 0o644)
    }

    @Test func `a lock in the place of which is something else now is left to whoever put it there`() throws {
        let host = FakeHost()
        let lock = try DaemonLock(host.paths)
        host.remove("run/ksmtuned/lock")
        host.write("another's", to: "run/ksmtuned/lock")
        lock.remove()
        #expect(host.read("run/ksmtuned/lock") == "another's")
    }

    @Test func `a lock that somebody removed is made again`() throws {
        let host = FakeHost()
        let lock = try DaemonLock(host.paths)
        #expect(try lock.restore() == .own)
        host.remove("run/ksmtuned")
        #expect(throws: KernelFileError.self) { try lock.restore() }
        host.createFolder("run/ksmtuned")
        #expect(try lock.restore() == .restored)
        #expect(try lock.restore() == .own)
        #expect(try host.mode("run/ksmtuned/lock") == 0o600)
        #expect(try DaemonLock.holder(host.paths) == getpid())
        lock.remove()
        #expect(try host.entries("run/ksmtuned") == [])
    }

    @Test func `a lock that another daemon has taken meanwhile is left to it`() throws {
        let host = FakeHost()
        let lock = try DaemonLock(host.paths)
        host.remove("run/ksmtuned/lock")
        let daemon = host.startDaemon()
        #expect(try lock.restore() == .another(nil))
        lock.remove()
        #expect(try host.entries("run/ksmtuned").contains("lock"))
        withExtendedLifetime(daemon) {}
    }
}

extension DaemonLockTests {
    @Test func `what is no file is no lock that nobody holds`() throws {
        let host = FakeHost()
        for make in [{ host.createFolder("run/ksmtuned/lock") }, { host.makePipe("run/ksmtuned/lock") }] {
            make()
            do throws(KernelFileError) {
                _ = try DaemonLock.holder(host.paths)
                Issue.record("nobody holds it")
            } catch {
                #expect(error.description.hasSuffix("lock: it is not a regular file"))
            }
            host.remove("run/ksmtuned/lock")
        }
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

    @Test func `a file with another name is not appended to, and one of another user is`() throws {
        let host = FakeHost()
        host.write("precious\n", to: "etc/passwd")
        try FileManager.default.linkItem(atPath: host.path("etc/passwd"), toPath: host.path("log"))
        let error = #expect(throws: KernelFileError.self) { _ = try LogFile(host.path("log")) }
        #expect(
            error?.description
                == "cannot open \(host.path("log")): the file has another name, too (a hard link): name another one by "
                + "LOGFILE=, or remove it")
        #expect(host.read("etc/passwd") == "precious\n")
        host.remove("etc/passwd")
        if geteuid() == 0 { unsafe chown(host.path("log"), 12345, 12345) }
        _ = try LogFile(host.path("log"))
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

    /// As an editor does it, and whoever restores a folder.
    @Test(arguments: [["state"], [".state"], ["state", ".state"]])
    func `a copy in the place of a file is not taken for it`(names: [String]) throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        try publish("one", &file)
        try publish("two", &file)
        for name in names {
            host.write("a copy", to: "copy")
            #expect(unsafe rename(host.path("copy"), host.path("run/ksmtuned/\(name)")) == 0)
        }
        for text in ["three", "four", "five"] {
            try publish(text, &file)
            #expect(host.read("run/ksmtuned/state") == text)
        }
        file.remove()
        #expect(try host.entries("run/ksmtuned") == [])
    }

    @Test func `what another daemon published is not removed`() throws {
        let host = FakeHost()
        var file = PublishedFile(host.paths.state)
        try publish("one", &file)
        host.write("another's", to: "copy")
        #expect(unsafe rename(host.path("copy"), host.paths.state) == 0)
        file.remove()
        #expect(host.read("run/ksmtuned/state") == "another's")
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

    @Test(.timeLimit(.minutes(10)), arguments: ["pipe", "link", "file"])
    func `whatever lies where the next text is written gives way`(_ kind: String) throws {
        let host = FakeHost()
        host.write("precious", to: "etc/passwd")
        switch kind {
        case "pipe": host.makePipe("run/ksmtuned/.state")
        case "link": host.link("run/ksmtuned/.state", to: host.path("etc/passwd"))
        default:
            let path = host.path("run/ksmtuned/.state")
            try FileManager.default.linkItem(atPath: host.path("etc/passwd"), toPath: path)
        }
        var file = PublishedFile(host.paths.state)
        for text in ["one", "two", "three"] {
            try publish(text, &file)
            #expect(host.read("run/ksmtuned/state") == text)
        }
        #expect(host.read("etc/passwd") == "precious")
    }

    @Test func `a folder where the next text is written is an error that names it`() throws {
        let host = FakeHost()
        host.createFolder("run/ksmtuned/.state")
        var file = PublishedFile(host.paths.state)
        do throws(KernelFileError) {
            let bytes = Array("one".utf8)
            try file.publish(bytes.span)
            Issue.record("a file was published over a folder")
        } catch {
            #expect(error == KernelFileError(.create, host.path("run/ksmtuned/.state"), errno: EISDIR))
        }
    }
}
