import Foundation
import HostFixtures
import KSMPolicy
import Testing

@testable import HostKernel

@Suite struct HistoryFileTests {
    private static let place = "var/lib/ksmtuned/history"
    private static let size = HistoryFormat.recordSize

    private static func records(_ numbers: ClosedRange<Int64>) -> [HistoryRecord] {
        numbers.map { HistoryRecord.made(at: 1_000 + $0, free: 100 + $0, cpu: $0) }
    }

    private static func bytes(_ host: FakeHost) -> [UInt8] {
        Array(FileManager.default.contents(atPath: host.path(place)) ?? Data())
    }

    private static func put(_ bytes: [UInt8], _ host: FakeHost) {
        host.createFolder("var/lib/ksmtuned")
        #expect(FileManager.default.createFile(atPath: host.path(place), contents: Data(bytes)))
    }

    /// A ring with these records in their slots.
    private static func ring(_ records: [(sequence: UInt64, record: HistoryRecord)]) -> [UInt8] {
        var bytes = HistoryFormat.header()
        for (sequence, record) in records {
            let start = (Int(sequence % UInt64(HistoryFormat.slots)) + 1) * size
            if bytes.count < start + size { bytes += Array(repeating: 0, count: start + size - bytes.count) }
            bytes.replaceSubrange(start..<start + size, with: HistoryFormat.bytes(record, sequence: sequence))
        }
        return bytes
    }

    // MARK: Writing and reading

    @Test func `what was written is read, the oldest first`() throws {
        let host = FakeHost()
        host.writeHistory(Self.records(1...5))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...5))
        #expect(Self.bytes(host).count == Self.size * 7)
    }

    @Test func `a daemon that starts again goes on behind its last record`() throws {
        let host = FakeHost()
        host.writeHistory(Self.records(1...3))
        host.writeHistory(Self.records(4...4))
        host.writeHistory([])
        host.writeHistory(Self.records(5...6))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...6))
    }

    @Test func `the folder is made, and the file is for everybody to read`() throws {
        let host = FakeHost()
        host.writeHistory([])
        let attributes = try FileManager.default.attributesOfItem(atPath: host.path(Self.place))
        let mode = try #require(attributes[.posixPermissions] as? Int)
        #expect(mode & 0o133 == 0)
        #expect(mode & 0o400 != 0)
    }

    @Test func `without a file there is no history, and an empty one is begun`() throws {
        let host = FakeHost()
        #expect(try HistoryReader.read(host.paths.history) == nil)
        Self.put([], host)
        #expect(try HistoryReader.read(host.paths.history) == [])
        host.writeHistory([])
        #expect(try HistoryReader.read(host.paths.history) == [])
        host.writeHistory(Self.records(1...1))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...1))
        // Their numbers begin with 1, also in one that a daemon began and left empty.
        #expect(Self.bytes(host) == Self.ring([(1, Self.records(1...1)[0])]))
    }

    @Test func `a reader sees what the daemon has written so far`() throws {
        let host = FakeHost()
        var writer = try HistoryWriter(host.paths.history) { _ in }
        for number in 1...Int64(3) {
            try writer.append(Self.records(number...number)[0])
            #expect(try HistoryReader.read(host.paths.history) == Self.records(1...number))
        }
    }

    @Test func `the newest ones are had without the others`() throws {
        let host = FakeHost()
        #expect(try HistoryReader.last(3, host.paths.history).isEmpty)
        host.writeHistory(Self.records(1...4))
        for (count, expected) in [(0, nil), (1, 4...4), (3, 2...4), (4, 1...4), (5, 1...4), (.max, 1...4)]
            as [(Int, ClosedRange<Int64>?)]
        {
            #expect(try HistoryReader.last(count, host.paths.history) == (expected.map { Self.records($0) } ?? []))
        }
        // What was torn is none of them, and nor is what is older than a round.
        var bytes = Self.bytes(host)
        bytes[4 * Self.size + 100] ^= 0x10
        Self.put(bytes, host)
        #expect(try HistoryReader.last(2, host.paths.history) == Self.records(4...4))
        #expect(try HistoryReader.last(3, host.paths.history) == [Self.records(2...2)[0], Self.records(4...4)[0]])
        let slots = UInt64(HistoryFormat.slots)
        Self.put(Self.ring([(1, Self.records(1...1)[0]), (slots + 2, Self.records(2...2)[0])]), host)
        #expect(try HistoryReader.last(.max, host.paths.history) == Self.records(2...2))
    }

    /// The kernel gives a text of its own in pieces of a page at most.
    @Test func `as many bytes are read as are asked for, however many come at once`() throws {
        let path = "/proc/self/smaps"
        let file = try FileDescriptor(opening: path, O_RDONLY)
        for count in [5000, 9999, 20_001] {
            #expect(try HistoryReader.bytes(file, path, offset: 0, count: count).count == count)
        }
    }

    // MARK: In place

    @Test func `a ring is in place until its path names another file or none`() throws {
        let host = FakeHost()
        let writer = try HistoryWriter(host.paths.history) { _ in }
        // What failed before says nothing of it.
        func isInPlace(after failure: Int32 = 0) -> Bool {
            errno = failure
            return writer.isInPlace
        }
        #expect(isInPlace() && isInPlace(after: ENOENT))
        host.remove(Self.place)
        #expect(!isInPlace())
        host.write("", to: Self.place)
        #expect(!isInPlace())
        host.remove("var/lib/ksmtuned")
        #expect(!isInPlace())
        host.write("", to: "var/lib/ksmtuned")
        #expect(!isInPlace())
        // Where that cannot be told, it is left alone.
        host.remove("var/lib/ksmtuned")
        host.link("var/lib/ksmtuned", to: "ksmtuned")
        #expect(isInPlace())
    }

    @Test func `a ring that was emptied is begun anew, and one that was written over is not`() throws {
        let host = FakeHost()
        var writer = try HistoryWriter(host.paths.history) { _ in }
        try writer.append(Self.records(1...1)[0])
        func change() throws -> HistoryWriter.Change { try writer.mend() }
        #expect(try change() == .none)
        #expect(unsafe truncate(host.paths.history, 0) == 0)
        #expect(try change() == .emptied)
        #expect(Self.bytes(host) == HistoryFormat.header())
        try writer.append(Self.records(2...2)[0])
        #expect(try HistoryReader.read(host.paths.history) == Self.records(2...2))
        let file = try FileDescriptor(opening: host.paths.history, O_WRONLY)
        try file.writeAll("nonsense".utf8.span, path: host.paths.history)
        #expect(try change() == .overwritten)
        #expect(Self.bytes(host).starts(with: Array("nonsense".utf8)))
        host.remove(Self.place)
        #expect(try change() == .replaced)
    }

    // MARK: The ring

    @Test func `a ring that has come round begins with its oldest record`() throws {
        let host = FakeHost()
        let slots = UInt64(HistoryFormat.slots)
        let old = Self.records(1...2)
        // Two at the end of the first round, and an old one in the way of the next.
        Self.put(Self.ring([(1, old[0]), (2, old[1]), (slots - 1, Self.records(3...3)[0])]), host)
        let size = Self.bytes(host).count

        host.writeHistory(Self.records(4...5))

        #expect(try HistoryReader.read(host.paths.history) == [old[1]] + Self.records(3...5))
        #expect(Self.bytes(host).count == size)
    }

    @Test func `the ring does not grow beyond 4 MiB`() throws {
        let host = FakeHost()
        let slots = UInt64(HistoryFormat.slots)
        Self.put(Self.ring([(3 * slots - 3, Self.records(1...1)[0])]), host)
        host.writeHistory(Self.records(2...5))
        #expect(Self.bytes(host).count == 4 << 20)
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...5))
    }

    @Test func `a number that no daemon comes to is none, and the largest is gone on from`() throws {
        for (sequence, goesOn) in [(1 << 24, true), (1 << 48 - 1, true), (1 << 48, false), (.max, false)]
            as [(UInt64, Bool)]
        {
            let host = FakeHost()
            Self.put(Self.ring([(sequence, Self.records(1...1)[0])]), host)
            host.writeHistory(Self.records(2...2))
            let expected = goesOn ? Self.records(1...2) : Self.records(1...2).reversed()
            #expect(try HistoryReader.read(host.paths.history) == expected, "\(sequence)")
        }
    }

    @Test func `a record in the place of another is not gone on from`() throws {
        let host = FakeHost()
        var bytes = Self.ring([(1, Self.records(1...1)[0]), (2, Self.records(2...2)[0])])
        bytes += HistoryFormat.bytes(Self.records(9...9)[0], sequence: 40)
        Self.put(bytes, host)
        host.writeHistory(Self.records(3...3))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...3))
        #expect(Self.bytes(host).count == 5 * Self.size)
    }

    // MARK: Damage

    /// What a host that lost power while it wrote leaves behind.
    @Test func `of a record that was cut short at any length only that one is lost`() throws {
        let host = FakeHost()
        let kept = Self.records(1...4)
        let sequence = UInt64(HistoryFormat.slots) + 2
        let newer = Self.records(5...5)[0]
        let whole = Self.ring(kept.enumerated().map { (UInt64($0.offset + 1), $0.element) })
        for length in 0...Self.size {
            var bytes = whole
            let start = 3 * Self.size
            bytes.replaceSubrange(
                start..<start + length, with: HistoryFormat.bytes(newer, sequence: sequence)[..<length])
            Self.put(bytes, host)

            let expected =
                switch length {
                case 0: kept
                case Self.size: [kept[0], kept[2], kept[3], newer]
                default: [kept[0], kept[2], kept[3]]
                }
            #expect(try HistoryReader.read(host.paths.history) == expected, "\(length) bytes")
        }
    }

    @Test func `behind a torn record the daemon goes on`() throws {
        let host = FakeHost()
        var bytes = Self.ring(Self.records(1...3).enumerated().map { (UInt64($0.offset + 1), $0.element) })
        bytes[4 * Self.size + 100] ^= 0x10
        Self.put(bytes, host)
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...2))
        host.writeHistory(Self.records(7...8))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...2) + Self.records(7...8))
    }

    @Test(arguments: [1, 100, 255])
    func `a file that ends within a record has the ones before it`(_ rest: Int) throws {
        let host = FakeHost()
        let bytes = Self.ring(Self.records(1...4).enumerated().map { (UInt64($0.offset + 1), $0.element) })
        Self.put(Array(bytes[..<(4 * Self.size + rest)]), host)
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...2))
        host.writeHistory(Self.records(3...5))
        #expect(try HistoryReader.read(host.paths.history) == Self.records(1...5))
    }

    struct Foreign: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var change: @Sendable (inout [UInt8]) -> Void
    }

    @Test(arguments: [
        Foreign(testDescription: "another version") { bytes in
            bytes[8] = 2
            let sum = CRC32.of(bytes.span.extracting(first: HistoryFormat.recordSize - 4))
            for place in 0..<4 { bytes[252 + place] = UInt8(truncatingIfNeeded: sum >> (8 * place)) }
        },
        Foreign(testDescription: "a damaged header") { $0[30] ^= 1 },
        Foreign(testDescription: "a header cut short") { $0.removeSubrange(100...) },
        Foreign(testDescription: "a text") { $0 = Array("time,free\n1,2\n".utf8) },
        Foreign(testDescription: "a single byte") { $0 = [UInt8(ascii: "7")] },
    ])
    func `a file of another kind is kept under another name, and a new ring begins`(_ foreign: Foreign) throws {
        let host = FakeHost()
        var bytes = Self.ring(Self.records(1...2).enumerated().map { (UInt64($0.offset + 1), $0.element) })
        foreign.change(&bytes)
        Self.put(bytes, host)

        let error = #expect(throws: KernelFileError.self) { try HistoryReader.read(host.paths.history) }
        #expect(error?.operation == .understand)
        #expect(error.map { "\($0)" } == "cannot understand \(host.paths.history): it is no history of version 1")

        var names: [String] = []
        do {
            var writer = try HistoryWriter(host.paths.history) { names.append($0) }
            for record in Self.records(5...6) { try writer.append(record) }
        }
        #expect(names.count == 1)
        let name = try #require(names.first)
        #expect(name.hasPrefix(host.paths.history + "."))
        #expect(Array(FileManager.default.contents(atPath: name) ?? Data()) == bytes)
        #expect(Self.bytes(host) == Self.ring([(1, Self.records(5...5)[0]), (2, Self.records(6...6)[0])]))
    }

    @Test func `a ring of this version is not put aside`() throws {
        let host = FakeHost()
        host.writeHistory(Self.records(1...1))
        _ = try HistoryWriter(host.paths.history) { Issue.record("put aside as \($0)") }
        let files = try FileManager.default.contentsOfDirectory(atPath: host.path("var/lib/ksmtuned"))
        #expect(files == ["history"])
    }

    @Test func `a folder in its place is an error that names it`() throws {
        let host = FakeHost()
        host.createFolder(Self.place)
        let error = #expect(throws: KernelFileError.self) { _ = try HistoryWriter(host.paths.history) { _ in } }
        #expect(error?.path == host.paths.history)
        #expect(throws: KernelFileError.self) { try HistoryReader.read(host.paths.history) }
    }

    @Test func `a pipe in its place does not hold anybody up`() throws {
        let host = FakeHost()
        host.createFolder("var/lib/ksmtuned")
        host.makePipe(Self.place)
        #expect(throws: KernelFileError.self) { _ = try HistoryWriter(host.paths.history) { _ in } }
        #expect(throws: KernelFileError.self) { try HistoryReader.read(host.paths.history) }
    }

    @Test(arguments: [true, false])
    func `a link in its place is not followed`(isDangling: Bool) throws {
        let host = FakeHost()
        if !isDangling { host.write("", to: "etc/precious") }
        host.createFolder("var/lib/ksmtuned")
        host.link(Self.place, to: host.path("etc/precious"))
        let error = #expect(throws: KernelFileError.self) { _ = try HistoryWriter(host.paths.history) { _ in } }
        #expect(
            error?.description
                == "cannot create \(host.paths.history): it is a link: remove it, or link its folder instead")
        #expect(host.read("etc/precious") == (isDangling ? nil : ""))
    }

    @Test func `its folder may be a link`() throws {
        let host = FakeHost()
        host.createFolder("var/lib/private/ksmtuned")
        host.link("var/lib/ksmtuned", to: "private/ksmtuned")
        _ = try HistoryWriter(host.paths.history) { _ in }
        #expect(try host.entries("var/lib/private/ksmtuned") == ["history"])
    }

    @Test func `a ring whose place a link to it takes is in place no more`() throws {
        let host = FakeHost()
        let writer = try HistoryWriter(host.paths.history) { _ in }
        try FileManager.default.moveItem(atPath: host.paths.history, toPath: host.path("var/lib/moved"))
        host.link(Self.place, to: host.path("var/lib/moved"))
        let isInPlace = writer.isInPlace
        #expect(!isInPlace)
    }
}
