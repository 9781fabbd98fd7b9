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
