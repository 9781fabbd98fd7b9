import Foundation
import Testing

/// A built program, and what comes of running it.
///
/// It always works on a tree that stands for a host, and gets an environment of its own, so that neither this machine
/// nor its settings matter.
struct Program: Sendable {
    static let ksmtuned = Program(name: "ksmtuned")
    static let ksmctl = Program(name: "ksmctl")

    let url: URL

    /// Beside the test bundle, where `swift build` puts it.
    private init(name: String) {
        url = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: name)
    }

    init(path: String) {
        url = URL(filePath: path)
    }

    /// What a program did until its end.
    struct Outcome {
        var status: Int32
        var output: String
        var error: String
    }

    /// Runs the program to its end.
    ///
    /// - Parameter output: A file that takes its standard output, in place of ``Outcome/output``.
    func run(
        _ arguments: [String], environment: [String: String] = [:], output: String? = nil
    ) async throws -> Outcome {
        let running = try RunningProgram(self, arguments, environment: environment, output: output)
        let status = try await running.ended()
        return Outcome(status: status, output: running.output, error: running.error)
    }
}

/// What went wrong with a test, as opposed to the program.
struct TestFailure: Error, CustomStringConvertible {
    var description: String
}

/// A program that runs, with its output in files. It does not outlive its owner.
final class RunningProgram {
    private let process = Process()
    private let folder: URL

    /// - Parameters:
    ///   - output: As for ``Program/run(_:environment:output:)``.
    ///   - error: What takes its standard error, in place of ``error``.
    init(
        _ program: Program, _ arguments: [String], environment: [String: String] = [:], output: String? = nil,
        error: FileHandle? = nil
    ) throws {
        guard FileManager.default.isExecutableFile(atPath: program.url.path) else {
            throw TestFailure(description: "there is no \(program.url.path): run `swift build` first")
        }
        folder = FileManager.default.temporaryDirectory.appending(path: "ksmtuned-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        process.executableURL = program.url
        process.arguments = arguments
        process.environment = ["PATH": "/nonexistent", "TZ": "UTC"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        if let output {
            guard let file = FileHandle(forWritingAtPath: output) else {
                throw TestFailure(description: "cannot open \(output)")
            }
            process.standardOutput = file
        } else {
            process.standardOutput = try Self.create(folder.appending(path: "output"))
        }
        process.standardError = try error ?? Self.create(folder.appending(path: "error"))
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    private static func create(_ file: URL) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        return try FileHandle(forWritingTo: file)
    }

    var pid: Int32 { process.processIdentifier }

    var isRunning: Bool { process.isRunning }

    var output: String { text("output") }

    var error: String { text("error") }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
    }

    /// The lines of standard error, without the program's name before each.
    var messages: [String] {
        error.split(separator: "\n").map { $0.hasPrefix("ksmtuned: ") ? String($0.dropFirst(10)) : String($0) }
    }

    func send(_ signal: Int32) {
        if process.isRunning { kill(process.processIdentifier, signal) }
    }

    /// Waits until a condition holds.
    ///
    /// - Throws: ``TestFailure`` where it does not hold in time.
    func until(_ what: String, _ holds: () throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !holds() {
            guard ContinuousClock.now < deadline else {
                throw TestFailure(description: "waited in vain until \(what); standard error: \(error)")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits for the end, which a program that hangs gets by force.
    ///
    /// - Returns: The exit status, or minus the signal that ended it.
    func ended() async throws -> Int32 {
        do {
            try await until("it ended") { !process.isRunning }
        } catch {
            send(SIGKILL)
            throw error
        }
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }
}
