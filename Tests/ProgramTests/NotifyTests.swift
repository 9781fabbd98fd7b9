import Foundation
import HostFixtures
import Testing

/// What the service manager is told.
@Suite(.timeLimit(.minutes(10))) struct NotifyTests {
    @Test func `Ready after the first decision, a reload between its two lines, the status with its numbers`()
        async throws
    {
        let host = FakeHost()
        host.runShort()
        let manager = try NotifySocket()
        let daemon = try await RunningDaemon(host, environment: ["NOTIFY_SOCKET": manager.path])
        let sentence = "scanning 300 pages every 10 ms: 976.5 MiB free < 3.1 GiB threshold"
        try await daemon.until("it was ready") { manager.messages.contains("READY=1") }
        #expect(manager.messages == ["STATUS=\(sentence); 0 guests, 0 KiB saved", "READY=1"])

        try await daemon.reload()
        try await daemon.until("it had reloaded") { manager.messages.count >= 5 }
        let reload = manager.messages[2...]
        #expect(reload.first?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") ?? false)
        #expect(reload.dropFirst().first == "READY=1")
        #expect(reload.last?.hasPrefix("STATUS=scanning 600 pages") ?? false)

        host.configure("reboot\n")
        try await daemon.reload()
        try await daemon.until("it had reloaded") { manager.messages.count >= 8 }
        #expect(
            manager.messages.last?.hasPrefix(
                "STATUS=configuration refused, going on with the previous one; scanning 900 pages") ?? false)

        #expect(try await daemon.end() == 0)
        #expect(manager.messages.last?.hasPrefix("STOPPING=1\n") ?? false)
    }

    @Test func `A start that is refused tells its reason and never says that it is ready`() async throws {
        let host = FakeHost()
        host.remove("sys")
        let manager = try NotifySocket()
        let outcome = try await Program.ksmtuned.run([host.rootOption], environment: ["NOTIFY_SOCKET": manager.path])
        #expect(outcome.status == 69)
        #expect(manager.messages.count == 1)
        #expect(manager.messages.first?.hasPrefix("ERRNO=2\nSTATUS=cannot write ") ?? false)
    }

    /// What it does about a line that says which process is the daemon is the manager's business.
    @Test func `No text from outside is a line of its own to the manager, or acted on by a terminal`() async throws {
        let manager = try NotifySocket()
        let outcome = try await Program.ksmtuned.run(
            ["--root", "/nonexistent/\u{1B}[31m\u{202E}\nMAINPID=1"], environment: ["NOTIFY_SOCKET": manager.path])
        #expect(outcome.status == 69)
        let message =
            "cannot read /nonexistent/?[31m??MAINPID=1/proc/meminfo: No such file or directory, so there is nothing to "
            + "decide by"
        #expect(manager.messages == ["ERRNO=2\nSTATUS=\(message)"])
        #expect(outcome.error == "ksmtuned: \(message)\n")
    }

    @Test(.enabled(if: geteuid() == 0, "only root may put a socket in the journal's place"))
    func `No text from outside is acted on where the journal is shown`() async throws {
        let host = FakeHost()
        let journal = try NotifySocket()
        let place = """
            /bin/mount -t tmpfs none /run && /bin/mkdir -p /run/systemd/journal \
                && /bin/ln -s "$1" /run/systemd/journal/socket && JOURNAL_STREAM=$(/usr/bin/stat -L -c %d:%i /dev/fd/2) \
                exec "$0" --root "$2"
            """
        let outcome = try await Program(path: "/usr/bin/unshare").run([
            "--mount", "/bin/sh", "-c", place, Program.ksmtuned.url.path, journal.path,
            host.path("\u{1B}[31m\u{202E}\u{9B}2J"),
        ])
        #expect(outcome.status == 69)
        #expect(outcome.error == "")
        let entries = journal.messages
        let message = host.filled("MESSAGE=cannot read ROOT/?[31m??2J/proc/meminfo: No such file or directory, ")
        #expect(entries.count == 1 && entries[0].hasPrefix(message), "\(entries)")
    }

    @Test func `Signs of life come at half of the watchdog's time`() async throws {
        let host = FakeHost()
        let manager = try NotifySocket()
        let daemon = try await RunningDaemon(
            host, environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"])
        try await daemon.until("it had given three signs of life") {
            manager.messages.count { $0 == "WATCHDOG=1" } >= 3
        }
        #expect(daemon.decisions == 1)
        #expect(try await daemon.end() == 0)
    }
}
