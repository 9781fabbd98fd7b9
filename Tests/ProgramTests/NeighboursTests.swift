import Foundation
import HostFixtures
import Testing

/// What others on the host may do to the daemon: users who lock its files, readers that do not read.
@Suite(.timeLimit(.minutes(10))) struct NeighboursTests {
    private static let shell = Program(path: "/bin/sh")

    private static func has(_ programs: String...) -> Bool {
        programs.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    // MARK: Locks

    @Test(
        .enabled(
            if: geteuid() == 0 && has("/usr/bin/setpriv", "/usr/bin/flock", "/bin/sleep", "/bin/sh"),
            "needs root, setpriv and flock (package util-linux) to be another user"),
        arguments: ["-x", "-s"])
    func `Another user can neither hold the daemon's lock nor keep it from a pid file`(_ kind: String) async throws {
        let host = FakeHost()
        // What a killed daemon leaves.
        host.write("1\n", to: "var/run/ksmtune.pid")
        host.write("", to: "run/ksmtuned/lock")
        unsafe chmod(host.path("run/ksmtuned/lock"), 0o600)
        let holder = #"""
            for file; do /usr/bin/flock "$KIND" "$file" /bin/sh -c 'echo locked; exec /bin/sleep 100' & done
            wait
            """#
        let other = try RunningProgram(
            Program(path: "/usr/bin/setpriv"),
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c", holder, "sh",
                host.path("var/run/ksmtune.pid"), host.path("sys/kernel/mm/ksm"), host.path("run/ksmtuned/lock"),
            ], environment: ["KIND": kind])
        try await other.until("it held what it may hold, and was refused the rest") {
            other.output == "locked\nlocked\n" && other.error.contains("cannot open lock file")
        }

        let daemon = try await RunningDaemon(host)

        #expect(host.read("var/run/ksmtune.pid") == "\(daemon.program.pid)\n")
        #expect(try await Program.ksmctl.run(["status", host.rootOption]).status == 0)
        #expect(try await daemon.end() == 0)
        #expect(try await Program.ksmctl.run(["status", host.rootOption]).status == 3)
    }

    @Test(
        .enabled(if: geteuid() == 0 && has("/usr/bin/setpriv"), "needs root and setpriv (package util-linux)"))
    func `Who may not ask for the lock, and does not see the process that the pid file names, knows nothing`()
        async throws
    {
        let host = FakeHost()
        let daemon = try await RunningDaemon(host)
        // The tree has no such process, as where /proc hides it, and the kernel has one.
        let outcome = try await Self.run(
            "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", Program.ksmctl.url.path, "status",
            host.rootOption)
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("whether the daemon runs is not known: cannot lock "))
        #expect(try await daemon.end() == 0)
    }

    private static func run(_ words: String...) async throws -> Program.Outcome {
        try await Program(path: words[0]).run(Array(words.dropFirst()))
    }

    @Test func `Of two that start at once one runs, and the other is told so`() async throws {
        let host = FakeHost()
        let programs = try (0..<4).map { _ in try RunningProgram(.ksmtuned, [host.rootOption]) }
        try await programs[0].until("all but one had ended") { programs.count { $0.isRunning } == 1 }
        var running: RunningProgram?
        for program in programs {
            if program.isRunning {
                running = program
            } else {
                #expect(try await program.ended() == 75)
            }
        }
        let winner = try #require(running)
        try await winner.until("it was ready") { host.read("var/run/ksmtune.pid") == "\(winner.pid)\n" }
        winner.send(SIGTERM)
        #expect(try await winner.ended() == 0)
        #expect(try host.entries("var/run") == [])
        #expect(try host.entries("run/ksmtuned") == [])
    }

    @Test func `A daemon that is about to end is waited for`() async throws {
        let host = FakeHost()
        let old = host.startDaemon()
        let new = try RunningProgram(.ksmtuned, [host.rootOption])
        // It has tried by the time that its configuration was read; the second of its patience is far longer.
        withExtendedLifetime(old) {}
        _ = consume old
        try await new.until("it was ready") { host.read("var/run/ksmtune.pid") == "\(new.pid)\n" }
        new.send(SIGTERM)
        #expect(try await new.ended() == 0)
    }

    // MARK: Readers that do not read

    @Test(.enabled(if: has("/bin/sh"), "there is no /bin/sh"))
    func `Standard error that nobody reads does not stop the daemon`() async throws {
        let host = FakeHost()
        host.makePipe("errors")
        let pipe = unsafe open(host.path("errors"), O_RDWR | O_NONBLOCK)
        defer { close(pipe) }
        let block = [UInt8](repeating: 0, count: 4096)
        while unsafe write(pipe, block, block.count) > 0 {}
        let program = try RunningProgram(
            Self.shell,
            [
                "-c", #"exec "$0" "$1" --debug 2> "$2""#, Program.ksmtuned.url.path, host.rootOption,
                host.path("errors"),
            ])
        try await program.until("it had decided") { host.exists("run/ksmtuned/state") }
        program.send(SIGTERM)
        #expect(try await program.ended() == 0)
    }

    @Test func `A service manager that does not read its socket does not stop the daemon`() async throws {
        let host = FakeHost()
        let manager = try NotifySocket()
        try manager.fill()
        let program = try RunningProgram(
            .ksmtuned, [host.rootOption], environment: ["NOTIFY_SOCKET": manager.path])
        try await program.until("it had decided") { host.exists("run/ksmtuned/state") }
        // It says again that it is ready once somebody listens.
        try await program.until("it was heard") { manager.messages.contains("READY=1") }
        program.send(SIGTERM)
        #expect(try await program.ended() == 0)
    }

    @Test(
        .enabled(
            if: has("/bin/sh", "/usr/bin/stat", "/usr/bin/env")
                && !FileManager.default.fileExists(atPath: "/run/systemd/journal/socket"),
            "a journal runs here, and would take the messages"))
    func `Without a journal its messages go to standard error, a refusal too`() async throws {
        let host = FakeHost()
        host.remove("sys")
        let outcome = try await Program(path: "/bin/sh").run([
            "-c", #"JOURNAL_STREAM=$(/usr/bin/stat -L -c %d:%i /dev/fd/2) exec "$0" "$@""#, Program.ksmtuned.url.path,
            host.rootOption,
        ])
        #expect(outcome.status == 69)
        #expect(outcome.error.contains("this kernel has no KSM"))
    }
}
