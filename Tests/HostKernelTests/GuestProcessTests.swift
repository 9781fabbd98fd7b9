import Foundation
import HostFixtures
import KSMPolicy
import Testing

@testable import HostKernel

/// A guest whose file is held open, and one for which there are too few descriptors.
@Suite struct GuestProcessTests {
    private let host = FakeHost()

    /// - Parameter start: In clock ticks since boot.
    private func setProcess(resident: Int64 = 1000, start: Int64 = 777) {
        host.setProcess(10, comm: "kvm", resident: resident)
        host.write("10 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 \(start) 20\n", to: "proc/10/stat")
    }

    private func withGuest(isHeld: Bool, _ body: (GuestProcess, GuestProcess.Folder) throws -> Void) throws {
        let descriptor = try FileDescriptor(opening: host.path("proc"), O_RDONLY | O_DIRECTORY)
        let folder = GuestProcess.Folder(number: descriptor.number, path: host.path("proc"))
        let guest = GuestProcess(10, identity: 1, isNamed: true, in: folder) { _ in isHeld }
        defer { guest.close() }
        #expect((guest.statm >= 0) == isHeld)
        try body(guest, folder)
        // Until here, since the folder's number is the descriptor's.
        _ = descriptor.number
    }

    @Test(arguments: [true, false]) func `What it holds is what its file says now`(isHeld: Bool) throws {
        setProcess(resident: 1000)
        try withGuest(isHeld: isHeld) { guest, folder in
            #expect(guest.read(in: folder) == .resident(1000, anonymous: 1000))
            setProcess(resident: 5)
            #expect(guest.read(in: folder) == .resident(5, anonymous: 5))
            host.write("2000 1000 400 1 0 1 0\n", to: "proc/10/statm")
            #expect(guest.read(in: folder) == .resident(1000, anonymous: 600))
            host.write("2000 1000 1001 1 0 1 0\n", to: "proc/10/statm")
            #expect(guest.read(in: folder) == .resident(1000, anonymous: 0))
            host.write("0 0 0\n", to: "proc/10/statm")
            #expect(guest.read(in: folder) == .ended)
        }
    }

    @Test func `No child inherits a file that is held open`() throws {
        setProcess()
        try withGuest(isHeld: true) { guest, _ in
            #expect(fcntl(guest.statm, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test(arguments: [
        "", "x\n", "2000\n", "2000 x\n", "2000 1000", "2000 1000\n", "2000 0x3e8 1\n", "2000 1e3 1\n", "0x1 1000 1\n",
        "2000 1000. 1\n", "2000 1000 1_0\n",
    ])
    func `A text that does not begin with three numbers is not understood`(text: String) throws {
        setProcess()
        host.write(text, to: "proc/10/statm")
        try withGuest(isHeld: true) { guest, folder in
            let error = KernelFileError(
                .understand, host.path("proc/10/statm"), errno: 0, detail: "it does not begin with three numbers")
            #expect(guest.read(in: folder) == .failed(error))
        }
    }

    @Test func `A file that was held is closed with it`() throws {
        setProcess()
        var number: Int32 = -1
        func isHeld() -> Bool {
            let file = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
            return file == host.path("proc/10/statm")
        }
        try withGuest(isHeld: true) { guest, _ in
            number = guest.statm
            #expect(isHeld())
        }
        #expect(!isHeld())
    }

    @Test(arguments: [true, false]) func `It is the same until another process has its number`(isHeld: Bool) throws {
        setProcess(start: 777)
        try withGuest(isHeld: isHeld) { guest, folder in
            #expect(guest.isSame(in: folder))
            #expect(guest.start == (isHeld ? nil : 777))
            host.remove("proc/10/statm")
            #expect(guest.isSame(in: folder) == !isHeld)
            // What is held can still be read; of a process it could not.
            #expect(guest.read(in: folder) == (isHeld ? .resident(1000, anonymous: 1000) : .ended))
            host.write("2000 1000 0\n", to: "proc/10/statm")
            host.write("10 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 778 777\n", to: "proc/10/stat")
            #expect(!guest.isSame(in: folder))
        }
    }

    @Test func `One whose file is held is the same where it cannot be looked for`() throws {
        setProcess()
        try withGuest(isHeld: true) { guest, folder in
            host.remove("proc/10")
            // A link to itself: ELOOP.
            host.link("proc/10", to: "10")
            #expect(guest.isSame(in: folder))
        }
    }

    @Test func `Where its start cannot be told it is not taken for the same`() throws {
        setProcess()
        host.write("10 (a) b) S 1 2 3\n", to: "proc/10/stat")
        try withGuest(isHeld: false) { guest, folder in
            #expect(guest.start == nil)
            #expect(!guest.isSame(in: folder))
        }
    }

    @Test func `Its start is read from a text shorter than the bound`() throws {
        for (size, start) in [(2047, 777), (2048, nil)] as [(Int, Int64?)] {
            setProcess()
            let text = try #require(host.read("proc/10/stat"))
            host.write(text + String(repeating: "\n", count: size - text.utf8.count), to: "proc/10/stat")
            try withGuest(isHeld: false) { guest, _ in #expect(guest.start == start) }
        }
    }
}
