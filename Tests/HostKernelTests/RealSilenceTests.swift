import Foundation
import HostKernel
import KSMPolicy
import Testing

/// `Tests/host/silent.c`, compiled and started.
private final class SilentProgram {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("silent-\(UUID().uuidString)")
    private let process = Process()
    private let input = Pipe()

    var pid: Int32 { process.processIdentifier }

    /// - Returns: `nil` where there is no compiler, or what the program needs may not be done.
    init?() {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../host/silent.c").standardizedFileURL
        let program = folder.appendingPathComponent("silent")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["cc", "-O1", "-pthread", "-o", program.path, source.path]
        compiler.standardError = FileHandle.nullDevice
        let output = Pipe()
        process.executableURL = program
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try compiler.run()
            compiler.waitUntilExit()
            guard compiler.terminationStatus == 0 else { return nil }
            try process.run()
        } catch {
            return nil
        }
        guard output.fileHandleForReading.availableData == Data("silent\n".utf8) else { return nil }
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
        try? FileManager.default.removeItem(at: folder)
    }

    static var isPossible: Bool { SilentProgram() != nil }
}

/// The files of a process that keeps the lock of its memory, on this host's own kernel.
@Suite(
    .serialized,
    .enabled(if: SilentProgram.isPossible, "it takes root, a C compiler, and a file system in user space (/dev/fuse)"))
struct RealSilenceTests {
    private let program: SilentProgram

    init() throws { program = try #require(SilentProgram()) }

    @Test(.timeLimit(.minutes(2)), arguments: ["cmdline", "smaps_rollup", "ksm_stat"])
    func `A file that gives no answer is left, and others are read`(file: String) throws {
        let proc = try FileDescriptor(opening: "/proc", O_RDONLY | O_DIRECTORY)
        let own = getpid()
        let round = ChildRead.ask(
            [program.pid, own], for: file, upTo: 256, in: ChildRead.Folder(proc.number, isStandIn: false), mostSilent: 2
        )
        #expect(round.answers.last?.pid == own)
        // An older kernel has no such file, or takes no lock for it.
        #expect(round.silent == [program.pid] || file == "ksm_stat")
        #expect(round.unasked == [])
    }

    @Test(.timeLimit(.minutes(2))) func `The host's guests are found and measured all the same`() throws {
        var table = try GuestTable(HostPaths(), matcher: NameMatcher(profile: .debian, pattern: nil))
        try table.refresh()
        #expect(table.silence?.path == "/proc/\(program.pid)/cmdline")
        let matcher = try NameMatcher(profile: .union, pattern: "^silent$")
        table.adopt(matcher)
        try table.refresh()
        let sum = table.measure(by: .pss)
        // Its server has its name.
        #expect(sum.guests == 2)
        #expect(sum.failure == nil)
        #expect(sum.fallback?.path == "/proc/\(program.pid)/smaps_rollup")
    }
}
