import Foundation
import HostFixtures
import HostKernel
import Testing

@Suite struct MachineEventTests {
    /// What Linux 6.18 says, `|` for the zero bytes.
    private static let message =
        "change@/devices/virtual/misc/kvm|ACTION=change|DEVPATH=/devices/virtual/misc/kvm|SUBSYSTEM=misc|CREATED=1|"
        + "COUNT=1|EVENT=create|PID=3426|STATS_PATH=/kvm/3426-8|MAJOR=10|MINOR=232|DEVNAME=kvm|SEQNUM=821|"

    private func event(_ message: String) -> MachineEvent? {
        let bytes = message.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        return MachineEvent(parsing: bytes.span)
    }

    private func event(replacing part: String, by other: String) -> MachineEvent? {
        event(Self.message.replacing(part, with: other))
    }

    @Test func `a machine that is created or destroyed, and who created it`() {
        #expect(event(Self.message) == MachineEvent(.create, by: 3426))
        #expect(event(replacing: "create", by: "destroy") == MachineEvent(.destroy, by: 3426))
        #expect(event(replacing: "PID=3426", by: "PID=2147483647") == MachineEvent(.create, by: .max))
        #expect(event("DEVPATH=/devices/virtual/misc/kvm|PID=1|EVENT=create|") == MachineEvent(.create, by: 1))
    }

    @Test(arguments: [
        ("DEVPATH=/devices/virtual/misc/kvm", "DEVPATH=/devices/virtual/misc/kvm2"),
        ("DEVPATH=/devices/virtual/misc/kvm", "DEVPATH=/devices/virtual/misc/kv"),
        ("DEVPATH=/devices/virtual/misc/kvm", "DEVPATH=/devices/virtual/net/tap0"),
        ("DEVPATH=", "XDEVPATH="), ("EVENT=create", "EVENT=created"), ("EVENT=create", "EVENT="),
        ("EVENT=create", "SYNTH_ARG_EVENT=create"), ("EVENT=create", "create"), ("PID=3426", "PID="),
        ("PID=3426", "PID=0"),
        ("PID=3426", "PID=-3426"), ("PID=3426", "PID= 3426"), ("PID=3426", "PID=3426x"), ("PID=3426", "PPID=3426"),
        ("PID=3426", "PID=2147483648"), ("PID=3426", "PID=99999999999999999999"),
    ])
    func `another message is none`(part: String, other: String) {
        #expect(event(replacing: part, by: other) == nil)
    }

    @Test func `nothing happened where nothing was heard and nothing was lost`() {
        #expect(MachineEvents().isEmpty)
        #expect(!MachineEvents(isLossy: true).isEmpty)
        #expect(!MachineEvents([MachineEvent(.create, by: 1)]).isEmpty)
    }

    @Test func `a message that was cut anywhere never gives another number`() {
        for length in 0...Self.message.count {
            let found = event(String(Self.message.prefix(length)))
            #expect(found == nil || found == MachineEvent(.create, by: 3426))
        }
        #expect(event("DEVPATH=/devices/virtual/misc/kvm|EVENT=create|PID=34") == nil)
        #expect(event("") == nil)
        #expect(event("||||") == nil)
    }
}

/// Whether a socket can be had.
private var isPossible: Bool {
    do {
        _ = try MachineEventSource()
        return true
    } catch {
        return false
    }
}

/// The real netlink socket, and what can be sent to it here.
@Suite(
    .enabled(if: isPossible, "no netlink socket can be had here"),
    // Each hears what the others bring about.
    .serialized
)
struct MachineEventSourceTests {
    private static let uevent = "/sys/devices/virtual/misc/kvm/uevent"

    /// Has the kernel send a message of KVM's device that is about no machine.
    private func sendSynthetic(times: Int = 1) throws {
        let file = try FileDescriptor(opening: Self.uevent, O_WRONLY)
        for _ in 0..<times { try file.writeAll("change".utf8.span, path: Self.uevent) }
    }

    private func waitForInput(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) == 1
    }

    /// The kernel doubles it, and takes 832 bytes for a message.
    @Test func `there is room for the events of two thousand machines, each of which sends two`() {
        #expect(Int64(MachineEventSource.receiveBuffer) * 2 >= 2000 * 2 * 832)
    }

    @Test func `where nothing comes nothing is taken, and nothing is waited for`() throws {
        let source = try MachineEventSource()
        var heard = MachineEvents()
        try source.take(into: &heard)
        #expect(!heard.isLossy)
    }

    @Test(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: uevent), "\(uevent) cannot be written: needs root and KVM"))
    func `a message of KVM's device that is about no machine is no event`() throws {
        let source = try MachineEventSource()
        try sendSynthetic()
        #expect(waitForInput(source.descriptor, milliseconds: 1000))
        var heard = MachineEvents()
        try source.take(into: &heard)
        #expect(heard.events.isEmpty)
        #expect(!waitForInput(source.descriptor, milliseconds: 0))
    }

    @Test(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: "/sys/devices/virtual/mem/null/uevent"),
            "/sys/devices/virtual/mem/null/uevent cannot be written: needs root"))
    func `messages of other devices do not wake`() throws {
        let source = try MachineEventSource()
        try HostFile.write("change", to: "/sys/devices/virtual/mem/null/uevent")
        #expect(!waitForInput(source.descriptor, milliseconds: 50))
    }

    @Test(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: uevent), "\(uevent) cannot be written: needs root and KVM"))
    func `messages that had no room make it lossy, and it goes on`() throws {
        let source = try MachineEventSource(receiveBuffer: 0)
        try sendSynthetic(times: 100)
        var heard = MachineEvents()
        try source.take(into: &heard)
        #expect(heard.isLossy)
        heard = MachineEvents()
        try source.take(into: &heard)
        #expect(heard.isEmpty)
    }

    @Test(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: uevent), "\(uevent) cannot be written: needs root and KVM"))
    func `a storm is taken in parts, so that there is time for decisions between`() throws {
        let source = try MachineEventSource()
        try sendSynthetic(times: 1024 + 10)
        var heard = MachineEvents()
        let isMore = try source.take(into: &heard)
        #expect(isMore)
        #expect(waitForInput(source.descriptor, milliseconds: 0))
        let isStillMore = try source.take(into: &heard)
        #expect(!isStillMore)
    }

    @Test(.enabled(if: geteuid() == 0, "only root may send to another's netlink socket"))
    func `a message that another process forges is no event`() throws {
        let source = try MachineEventSource()
        // struct sockaddr_nl: the family, two bytes of nothing, the receiver's number, groups.
        var address = [UInt8](repeating: 0, count: 12)
        var length = socklen_t(address.count)
        let named = unsafe address.withUnsafeMutableBytes {
            unsafe getsockname(source.descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        try #require(named == 0)
        address.replaceSubrange(8..., with: [0, 0, 0, 0])
        let sender = FileDescriptor(adopting: socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 15))
        let message = Array(
            "change@/devices/virtual/misc/kvm\0DEVPATH=/devices/virtual/misc/kvm\0EVENT=create\0PID=1\0".utf8)
        let sent = unsafe address.withUnsafeBytes {
            unsafe sendto(
                sender.number, message, message.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 12)
        }
        try #require(sent == message.count, "\(errno)")
        #expect(waitForInput(source.descriptor, milliseconds: 1000))
        var heard = MachineEvents()
        try source.take(into: &heard)
        #expect(!heard.events.contains(MachineEvent(.create, by: 1)))
    }
}
