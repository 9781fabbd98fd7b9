package import Foundation
package import HostKernel

/// A temporary tree that stands for a host: `/proc`, `/sys/kernel/mm/ksm`, `/etc`, `/run`. Removed with its owner.
package final class FakeHost {
    package let root: URL

    /// - Parameter total: `MemTotal` in KiB.
    package init(total: Int64 = 16 * 1024 * 1024) {
        root = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("ksmtuned-\(UUID().uuidString)")
        setMemory(total: total, free: total / 2)
        for (name, value) in [
            "run": "0", "pages_to_scan": "100", "sleep_millisecs": "20", "pages_sharing": "0", "ksm_zero_pages": "0",
        ] {
            write(value + "\n", to: "sys/kernel/mm/ksm/\(name)")
        }
        createFolder("etc")
        createFolder("run/ksmtuned")
    }

    deinit {
        try? FileManager.default.removeItem(at: root)
    }

    package var paths: HostPaths { HostPaths(root: root.path) }

    package func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    // MARK: Files

    package func createFolder(_ relative: String) {
        try! FileManager.default.createDirectory(
            at: root.appendingPathComponent(relative), withIntermediateDirectories: true)
    }

    /// Writes in place, as the kernel's files change: an open descriptor sees the new text.
    package func write(_ text: String, to relative: String) {
        createFolder((relative as NSString).deletingLastPathComponent)
        let path = path(relative)
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let file = FileHandle(forWritingAtPath: path)!
        try! file.truncate(atOffset: 0)
        try! file.write(contentsOf: Data(text.utf8))
        try! file.close()
    }

    package func read(_ relative: String) -> String? {
        try? String(contentsOfFile: path(relative), encoding: .utf8)
    }

    /// The names in a folder, in order.
    package func entries(_ relative: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(relative)).sorted()
    }

    /// A file's permissions.
    package func mode(_ relative: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path(relative))
        return attributes[.posixPermissions] as? Int ?? -1
    }

    package func remove(_ relative: String) {
        try! FileManager.default.removeItem(atPath: path(relative))
    }

    package func link(_ relative: String, to target: String) {
        if FileManager.default.fileExists(atPath: path(relative)) { remove(relative) }
        try! FileManager.default.createSymbolicLink(atPath: path(relative), withDestinationPath: target)
    }

    /// A pipe, which nobody writes or reads.
    package func makePipe(_ relative: String) {
        unsafe mkfifo(path(relative), 0o600)
    }

    /// A pipe in the place of a file, to which somebody may still write: whoever reads it would be kept waiting, until what is
    /// returned is gone.
    package func keepSilent(_ relative: String) -> FileHandle {
        try? FileManager.default.removeItem(atPath: path(relative))
        makePipe(relative)
        return FileHandle(forUpdatingAtPath: path(relative))!
    }

    /// A socket that nobody listens at.
    package func makeSocket(_ relative: String) {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path(relative).utf8)) }
        let result = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(number >= 0 && result == 0)
    }

    // MARK: Memory

    /// - Parameters: In KiB; `free` is what MemFree, Buffers and Cached sum up to.
    package func setMemory(total: Int64, free: Int64, swapFree: Int64 = 0) {
        write(
            """
            MemTotal:       \(total) kB
            MemFree:        \(free - free / 4 * 2) kB
            MemAvailable:   \(free) kB
            Buffers:        \(free / 4) kB
            Cached:         \(free / 4) kB
            SwapCached:     7777 kB
            SwapTotal:      \(swapFree) kB
            SwapFree:       \(swapFree) kB

            """, to: "proc/meminfo")
    }

    // MARK: Processes

    /// Adds a process, or changes one.
    ///
    /// - Parameters:
    ///   - comm: Its name, without the kernel's line break.
    ///   - resident: Its resident size in pages.
    ///   - commandLine: Its arguments.
    package func setProcess(_ pid: Int, comm: String, resident: Int64, commandLine: [String] = []) {
        write(comm + "\n", to: "proc/\(pid)/comm")
        write("\(resident * 2) \(resident) 0 10 0 10 0\n", to: "proc/\(pid)/statm")
        write("Name:\t?\nTgid:\t\(pid)\nPid:\t\(pid)\n", to: "proc/\(pid)/status")
        write(commandLine.map { $0 + "\0" }.joined(), to: "proc/\(pid)/cmdline")
    }

    /// Adds a thread: `/proc` has its folder, and does not list it.
    package func setThread(_ thread: Int, of pid: Int) {
        write("Name:\t?\nTgid:\t\(pid)\nPid:\t\(thread)\n", to: "proc/\(thread)/status")
    }

    package func removeProcess(_ pid: Int) {
        remove("proc/\(pid)")
    }
}
