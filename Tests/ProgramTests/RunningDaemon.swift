import Foundation
import HostFixtures
import Testing

/// A daemon that runs in a tree, and that tells each step.
///
/// It decides at start and then when told to: its interval is a minute, which no test waits for.
struct RunningDaemon {
    let host: FakeHost
    let program: RunningProgram

    /// Starts it, and waits for its first decision and its readiness.
    init(
        _ host: FakeHost, _ configuration: String = "", arguments: [String] = [], environment: [String: String] = [:]
    ) async throws {
        host.configure(configuration)
        self.host = host
        program = try RunningProgram(
            .ksmtuned, [host.rootOption, "--debug"] + arguments, environment: environment)
        try await until("it was ready") { messages.contains { $0.hasPrefix("ready: ") } }
    }

    /// The lines on standard error.
    var messages: [String] { program.messages }

    /// The lines that contain `text`.
    func messages(with text: String) -> [String] {
        messages.filter { $0.contains(text) }
    }

    /// How many samples it took, by its debug lines.
    var decisions: Int { messages.count { $0.hasPrefix("committed ") } }

    func until(_ what: String, _ holds: () throws -> Bool) async throws {
        try await program.until(what, holds)
    }

    /// Has it decide now, and waits for the state that comes of it.
    func decide() async throws {
        let last = host.state["TIME_USEC"]
        program.send(SIGUSR1)
        try await until("it had decided") { host.state["TIME_USEC"].map { $0 != last } ?? false }
    }

    /// Has it try to decide where it cannot, and waits until it tried: the header of a reload comes before.
    func reload() async throws {
        let reloads = messages.count { $0.hasPrefix("thres ") }
        program.send(SIGHUP)
        try await until("it had reloaded") { messages.count { $0.hasPrefix("thres ") } > reloads }
    }

    /// Ends it.
    ///
    /// - Returns: The exit status.
    func end(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        if program.isRunning { try expectFewResources() }
        program.send(signal)
        return try await program.ended()
    }

    /// Its own memory is small whatever it did, and it holds each file once.
    private func expectFewResources() throws {
        let folder = "/proc/\(program.pid)"
        // A debug build takes more than the one that is installed.
        let status = try String(contentsOfFile: "\(folder)/status", encoding: .utf8)
        let memory = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
            .flatMap { Int($0.filter(\.isNumber)) }
        #expect((1...8192).contains(memory ?? 0), "KiB of memory that are no file's: \(memory ?? 0)")
        let held = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/fd")
            .filter { Int($0).map { $0 > 2 } ?? false }
            .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/fd/\($0)") }
        let others = held.filter { !$0.hasSuffix("/statm") }
        #expect(Set(held).count == held.count, "held more than once: \(held.sorted())")
        #expect(others.count <= 16, "descriptors: \(others.sorted())")
    }
}
