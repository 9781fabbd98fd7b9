import Foundation
import HostFixtures
import HostKernel
import Testing

@Suite struct ProcessListingTests {
    private func look(_ listing: inout ProcessListing) throws -> [Int32] {
        var pids: [Int32] = []
        try listing.refresh { pids.append($0) }
        return pids
    }

    @Test func `Processes are the folders whose names are their numbers`() throws {
        let host = FakeHost()
        // The last is 10 in 32 bits.
        for name in ["10", "9", "self", "1x", "0", "-5", "1 0", "99999999999", "4294967306"] {
            host.createFolder("proc/\(name)")
        }
        var listing = try ProcessListing(host.paths)
        #expect(try look(&listing) == [9, 10])
        #expect(listing.count == 2)
        for (pid, isThere) in [(8, false), (9, true), (10, true), (11, false)] as [(Int32, Bool)] {
            #expect(listing.contains(pid) == isThere)
        }
    }

    @Test func `A process is looked at twice when it is new, and again when it is forgotten`() throws {
        let host = FakeHost()
        host.createFolder("proc/10")
        var listing = try ProcessListing(host.paths)
        for pids in [[10], [10], []] as [[Int32]] { #expect(try look(&listing) == pids) }
        listing.forget()
        for pids in [[10], [10], []] as [[Int32]] { #expect(try look(&listing) == pids) }
    }

    @Test func `Whether there are new ones is asked of a file that stays open`() throws {
        var listing = try ProcessListing(HostPaths())
        _ = try look(&listing)
        let folder = "/proc/self/fd"
        let open = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
        }
        #expect(open.contains("/proc/loadavg"))
        #expect(listing.tellsNew == true)
    }

    @Test func `A file in the place of the processes' folder cannot be opened as one`() throws {
        let host = FakeHost()
        host.remove("proc")
        host.write("", to: "proc")
        #expect(throws: KernelFileError(.list, host.path("proc"), errno: ENOTDIR)) {
            _ = try ProcessListing.open(host.paths)
        }
    }

    @Test func `A folder without the caller's own process is none of processes`() throws {
        let host = FakeHost()
        let missing = KernelFileError(
            .list, host.path("proc"), errno: 0, detail: "there are no processes in it")
        #expect(throws: missing) { try ProcessListing.requireProcesses(host.path("proc")) }
        host.createFolder("proc/self")
        try ProcessListing.requireProcesses(host.path("proc"))
    }

    @Test func `Where that cannot be told, the reason is`() throws {
        let host = FakeHost()
        let link = host.path("proc/self")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: link)
        #expect(throws: KernelFileError(.list, host.path("proc"), errno: ELOOP)) {
            try ProcessListing.requireProcesses(host.path("proc"))
        }
    }

    @Test func `A folder that is gone cannot be listed`() throws {
        let host = FakeHost()
        host.createFolder("proc/10")
        var listing = try ProcessListing(host.paths)
        host.remove("proc")
        #expect(throws: KernelFileError(.list, host.path("proc"), errno: ENOENT)) { try look(&listing) }
    }

    // MARK: The kernel's own list

    private func lookAtNew(_ listing: inout ProcessListing) throws -> [Int32]? {
        var pids: [Int32] = []
        return try listing.refreshNew { pids.append($0) } ? pids : nil
    }

    /// A process that ends when its input does.
    private func start() throws -> (process: Process, input: Pipe) {
        let (process, input) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/bin/cat")
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return (process, input)
    }

    /// Beside other tests, which start processes as well; and where those come to the highest number meanwhile, the next
    /// ones begin from below, and only a whole listing tells them.
    @Test func `What was started since the last listing is found without a whole one`() throws {
        var listing = try ProcessListing(HostPaths())
        #expect(try lookAtNew(&listing) == nil)
        #expect(listing.tellsNew == false)
        let old = try look(&listing)
        #expect(old.contains(1) && old.contains(getpid()))
        try #require(listing.tellsNew == true)
        let before = listing.count
        let (first, firstInput) = try start()
        let new = try #require(try lookAtNew(&listing))
        #expect(new.contains(first.processIdentifier))
        #expect(listing.contains(first.processIdentifier) == true)
        // Each is looked at twice, as in a whole listing, and then no more. That of pid 1 was the first time before.
        #expect(new.contains(1))
        #expect(listing.count == before)
        let (second, secondInput) = try start()
        let again = try #require(try lookAtNew(&listing))
        #expect(again.contains(first.processIdentifier) && again.contains(second.processIdentifier))
        #expect(!again.contains(1))
        let last = try #require(try lookAtNew(&listing))
        #expect(!last.contains(first.processIdentifier) && last.contains(second.processIdentifier))
        // One that has ended is known until a whole listing. The one before is looked at again by that: between fork and exec
        // some prepare for long.
        try firstInput.fileHandleForWriting.close()
        first.waitUntilExit()
        _ = try #require(try lookAtNew(&listing))
        #expect(listing.contains(first.processIdentifier) == true)
        _ = try look(&listing)
        #expect(listing.contains(first.processIdentifier) == false)
        #expect(listing.contains(second.processIdentifier) == true)
        try secondInput.fileHandleForWriting.close()
        second.waitUntilExit()
    }

    @Test func `Where the kernel's numbers tell nothing of the folder, only a whole listing tells what is new`() throws
    {
        let host = FakeHost()
        host.createFolder("proc/10")
        host.write("0.14 0.53 0.93 1/89 10\n", to: "proc/loadavg")
        host.write("\(getpid()) (test) S 1\n", to: "proc/self/stat")
        var listing = try ProcessListing(host.paths)
        #expect(try look(&listing) == [10])
        #expect(listing.tellsNew == false)
        host.createFolder("proc/11")
        #expect(try lookAtNew(&listing) == nil)
        #expect(try look(&listing) == [10, 11])
    }

    @Test func `After it has forgotten all, a listing is a whole one`() throws {
        var listing = try ProcessListing(HostPaths())
        _ = try look(&listing)
        listing.forget()
        #expect(try lookAtNew(&listing) == nil)
        #expect(try look(&listing).contains(getpid()))
    }
}

@Suite struct ProcessTableTests {
    typealias Entry = ProcessTable.Entry

    private func added(_ entries: [Entry], to table: inout ProcessTable) -> [Int32] {
        var pids: [Int32] = []
        table.add(entries) { pids.append($0) }
        return pids
    }

    @Test func `What is added is looked at twice, in the order of its numbers`() {
        var table = ProcessTable()
        #expect(added([Entry(pid: 9, inode: 1)], to: &table) == [9])
        #expect(added([Entry(pid: 9, inode: 1), Entry(pid: 4, inode: 2)], to: &table) == [4, 9])
        #expect(added([], to: &table) == [4])
        #expect(added([Entry(pid: 9, inode: 1), Entry(pid: 4, inode: 2)], to: &table) == [])
        #expect(table.count == 2 && table.contains(4) && table.contains(9) && !table.contains(5))
    }

    /// Looked at twice in one listing, a guest would be counted twice.
    @Test func `A number that is another process's by the second look is looked at once`() {
        var table = ProcessTable()
        #expect(added([Entry(pid: 9, inode: 1)], to: &table) == [9])
        #expect(added([Entry(pid: 9, inode: 2)], to: &table) == [9])
        #expect(added([], to: &table) == [9])
        #expect(added([], to: &table) == [])
        #expect(added([Entry(pid: 9, inode: 3)], to: &table) == [9])
        #expect(table.count == 1)
    }

    @Test func `What parts of listings found is looked at once more by the next whole one`() {
        var table = ProcessTable()
        _ = added([Entry(pid: 9, inode: 1)], to: &table)
        for _ in 0..<2 { _ = added([], to: &table) }
        for expected in [[9], []] as [[Int32]] {
            var pids: [Int32] = []
            var whole = [Entry(pid: 9, inode: 1)]
            table.replace(with: &whole) { pids.append($0) }
            #expect(pids == expected)
        }
    }

    @Test func `A whole listing forgets what is not in it`() {
        var table = ProcessTable()
        _ = added([Entry(pid: 4, inode: 1), Entry(pid: 9, inode: 2)], to: &table)
        var pids: [Int32] = []
        var whole = [Entry(pid: 9, inode: 2), Entry(pid: 12, inode: 3)]
        table.replace(with: &whole) { pids.append($0) }
        #expect(pids == [9, 12])
        #expect(!table.contains(4) && table.contains(12))
        table.forget()
        #expect(table.count == 0)
    }
}
