package import Foundation

/// A process of this host that has ended while a file of it was open.
package final class EndedProcess {
    private let descriptor: Int32

    package init() {
        var pid: pid_t = 0
        let name = unsafe strdup("/bin/true")
        defer { unsafe free(name) }
        let failure = unsafe posix_spawn(&pid, "/bin/true", nil, nil, [name, nil], environ)
        precondition(failure == 0, "posix_spawn: \(failure)")
        // It is there until it is waited for.
        descriptor = unsafe open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
        precondition(descriptor >= 0)
        waitpid(pid, nil, 0)
    }

    deinit {
        close(descriptor)
    }

    /// A file that can be opened and gives ESRCH when it is read, as any of a process that ends meanwhile.
    package var file: String { "/proc/self/fd/\(descriptor)" }
}

/// A process of this host with a name of its own, until it is told to end.
package final class NamedProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// Returns when it has its name.
    ///
    /// - Parameter name: Of 15 bytes at most.
    package init(_ name: String, _ host: FakeHost) throws {
        host.link(name, to: "/bin/cat")
        process.executableURL = URL(fileURLWithPath: host.path(name))
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        // What comes back comes from the program, behind exec.
        try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
        _ = output.fileHandleForReading.availableData
    }

    package var pid: pid_t { process.processIdentifier }

    /// Has it end, and waits for that.
    package func end() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// How many of its files are open here.
    package var heldFiles: Int {
        let folder = "/proc/self/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            return target?.hasPrefix("/proc/\(pid)/") == true
        }
    }
}
