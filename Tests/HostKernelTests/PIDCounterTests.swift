import Foundation
import HostFixtures
import HostKernel
import Testing

@Suite struct PIDCounterTests {
    private let host = FakeHost()

    init() { host.write("0.00 0.01 0.05 1/170 4711\n", to: "proc/loadavg") }

    private func counter() -> PIDCounter { PIDCounter(host.path("proc/loadavg"), own: host.path("proc/self/stat")) }

    private func setOwn(_ pid: Int32) {
        host.write("\(pid) (x) R\n", to: "proc/self/stat")
    }

    @Test func `it is the last word`() {
        setOwn(getpid())
        var counter = counter()
        let last = counter.last()
        #expect(last == 4711)
    }

    @Test func `another namespace's numbers are not asked for`() {
        setOwn(getpid() + 1)
        var counter = counter()
        let first = counter.last()
        setOwn(getpid())
        let second = counter.last()
        #expect([first, second] == [nil, nil])
    }

    @Test func `whose numbers they are is asked again where that could not be read for a moment`() throws {
        // Nothing is mapped at its beginning, so that to read it is EIO.
        host.createFolder("proc/self")
        try FileManager.default.createSymbolicLink(
            atPath: host.path("proc/self/stat"), withDestinationPath: "/proc/self/mem")
        var counter = counter()
        let first = counter.last()
        host.remove("proc/self/stat")
        setOwn(getpid())
        let second = counter.last()
        #expect([first, second] == [nil, 4711])
    }

    @Test func `where that is missing, it is not asked again`() {
        var counter = counter()
        let first = counter.last()
        setOwn(getpid())
        let second = counter.last()
        #expect([first, second] == [nil, nil])
    }
}
