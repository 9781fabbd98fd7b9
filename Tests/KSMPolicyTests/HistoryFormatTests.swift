import HostFixtures
import KSMPolicy
import Testing

@Suite struct HistoryFormatTests {
    /// Every value another one.
    private static var full: HistoryRecord {
        var record = HistoryRecord(
            time: 1_795_219_200_123_456, memory: MemorySample(free: KiB(2), committed: KiB(3)), total: KiB(1),
            threshold: KiB(4))
        record.policy = .adaptive
        record.action = .scan
        record.reason = .newMemory
        record.available = KiB(5)
        record.saved = KiB(6)
        record.profit = -7
        record.guests = 8
        record.pagesToScan = 9
        record.sleepMilliseconds = 10
        var counters = ScanCounters()
        counters.passes = 11
        counters.shared = 12
        counters.sharing = 13
        counters.unshared = 14
        counters.volatile = 15
        counters.zero = 16
        counters.skipped = 17
        counters.scanned = 18
        counters.cpu = .nanoseconds(19)
        counters.waited = .nanoseconds(20)
        record.counters = counters
        return record
    }

    private static func read(_ bytes: [UInt8]) -> (sequence: UInt64, record: HistoryRecord)? {
        HistoryFormat.record(bytes.span)
    }

    private static func isHeader(_ bytes: [UInt8]) -> Bool { HistoryFormat.isHeader(bytes.span) }

    /// Closes a changed record with the checksum that it should have.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        let sum = CRC32.of(bytes.span.extracting(first: HistoryFormat.recordSize - 4))
        return Array(bytes.dropLast(4)) + (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
    }

    @Test func `the checksum is the one of Ethernet and gzip`() {
        #expect(CRC32.of(Array("123456789".utf8).span) == 0xcbf4_3926)
        #expect(CRC32.of([UInt8]().span) == 0)
    }

    @Test func `a record is what was written`() throws {
        let bytes = HistoryFormat.bytes(Self.full, sequence: 21)
        #expect(bytes.count == HistoryFormat.recordSize)
        let (sequence, record) = try #require(Self.read(bytes))
        #expect(sequence == 21)
        #expect(record == Self.full)
    }

    @Test func `extremes and a negative profit are kept`() throws {
        var record = Self.full
        record.time = WallTime(microseconds: .max)
        record.memory = MemorySample(free: KiB(.max), committed: .zero)
        record.profit = Bytes(.min)
        record.counters?.scanned = Pages(.max)
        let read = try #require(Self.read(HistoryFormat.bytes(record, sequence: .max)))
        #expect(read.record == record)
        #expect(read.sequence == .max)
    }

    @Test(arguments: stride(from: 8, to: 176, by: 8).filter { $0 != 64 })
    func `a record with a number below 0 where there is none is damaged`(offset: Int) {
        var bytes = HistoryFormat.bytes(Self.full, sequence: 1)
        bytes[offset + 7] = 0x80
        #expect(Self.read(Self.sealed(bytes)) == nil)
    }

    @Test func `what is not known is not zero`() throws {
        var record = Self.full
        record.available = nil
        record.saved = nil
        record.profit = nil
        record.counters?.cpu = nil
        #expect(try #require(Self.read(HistoryFormat.bytes(record, sequence: 1))).record == record)
        record.counters = nil
        #expect(try #require(Self.read(HistoryFormat.bytes(record, sequence: 1))).record == record)

        var zero = Self.full
        zero.available = .zero
        zero.saved = .zero
        zero.profit = 0
        zero.counters = ScanCounters()
        zero.counters?.cpu = .zero
        #expect(try #require(Self.read(HistoryFormat.bytes(zero, sequence: 1))).record == zero)
    }

    @Test(arguments: PolicyKind.allCases)
    func `every policy, action and reason is told from the others`(_ policy: PolicyKind) throws {
        for action in [Decision.Action.stop, .scan] {
            for reason in Decision.Reason.allCases {
                var record = Self.full
                (record.policy, record.action, record.reason) = (policy, action, reason)
                #expect(try #require(Self.read(HistoryFormat.bytes(record, sequence: 1))).record == record)
            }
        }
    }

    /// The numbers are those of files that exist: a change of these bytes is another version.
    @Test func `the places of the values are as documented`() {
        let bytes = HistoryFormat.bytes(Self.full, sequence: 0x0102)
        #expect(Array(bytes[0..<8]) == [2, 1, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[8..<16]) == [0x40, 0xa2, 0xb7, 0x0a, 0xbe, 0x60, 0x06, 0x00])
        #expect([16, 24, 32, 40, 48, 56].map { bytes[$0] } == [1, 2, 3, 4, 5, 6])
        #expect(Array(bytes[64..<72]) == [0xf9] + Array(repeating: 0xff, count: 7))
        #expect([72, 80, 88].map { bytes[$0] } == [9, 10, 8])
        #expect(stride(from: 96, through: 168, by: 8).map { bytes[$0] } == [11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
        #expect(Array(bytes[176..<180]) == [1, 1, 5, 31])
        #expect(bytes[180..<252].allSatisfy { $0 == 0 })
    }

    /// The number of the boot stands behind it, and has any digits.
    @Test(arguments: [0, 0x7f7f_7f7f_7f7f_7f7f, 0x8080_8080_8080_8080, .max] as [UInt64])
    func `a time since boot is kept, and one that is none is not known`(boot: UInt64) throws {
        let longest = Duration.endless.microseconds
        for (uptime, isKnown) in [(0, true), (1, true), (0x0102_0304_0506, true), (longest, true), (-1, false)] {
            var record = Self.full
            record.bootTime = BootTime(uptime: .microseconds(uptime), boot: boot)
            let bytes = HistoryFormat.bytes(record, sequence: 1)
            #expect(
                Array(bytes[184..<200])
                    == [uptime, Int64(bitPattern: boot)].flatMap { number in
                        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
                    })
            if !isKnown { record.bootTime = nil }
            #expect(try #require(Self.read(bytes)).record == record, "\(uptime)")
        }
        // One more than the longest: the lowest byte is the first.
        var record = Self.full
        record.bootTime = BootTime(uptime: .microseconds(longest), boot: boot)
        var bytes = HistoryFormat.bytes(record, sequence: 1)
        let beyond = longest + 1
        for place in 0..<8 { bytes[184 + place] = UInt8(truncatingIfNeeded: beyond >> (8 * Int64(place))) }
        #expect(try #require(Self.read(Self.sealed(bytes))).record.bootTime == nil)
    }

    @Test func `one wrong bit anywhere is seen`() {
        let bytes = HistoryFormat.bytes(Self.full, sequence: 21)
        for place in bytes.indices {
            for bit in [UInt8(1), 0x80] {
                var damaged = bytes
                damaged[place] ^= bit
                #expect(Self.read(damaged) == nil, "byte \(place)")
            }
        }
    }

    @Test func `a slot that was never written is no record`() {
        #expect(Self.read(Array(repeating: 0, count: HistoryFormat.recordSize)) == nil)
        #expect(Self.read(Self.sealed(Array(repeating: 0, count: HistoryFormat.recordSize))) == nil)
        #expect(Self.read([]) == nil)
        #expect(Self.read(Array(HistoryFormat.bytes(Self.full, sequence: 1).dropLast())) == nil)
    }

    @Test(arguments: [176, 177, 178])
    func `a policy, an action or a reason of a later version is passed over`(_ place: Int) {
        var bytes = HistoryFormat.bytes(Self.full, sequence: 1)
        bytes[place] = 200
        #expect(Self.read(Self.sealed(bytes)) == nil)
    }

    @Test func `the header is known, and no other`() {
        let header = HistoryFormat.header()
        #expect(header.count == HistoryFormat.recordSize)
        #expect(Array(header[0..<8]) == Array("KSMHIST\n".utf8))
        #expect(Array(header[8..<20]) == [1, 0, 0, 0, 0, 1, 0, 0, 0xff, 0x3f, 0, 0])
        #expect(Self.isHeader(header))
        #expect(!Self.isHeader(Array(header.dropLast())))
        #expect(!Self.isHeader([]))
        var other = header
        other[8] = 2
        #expect(!Self.isHeader(Self.sealed(other)))
    }

    @Test func `the whole ring is 4 MiB`() {
        #expect((HistoryFormat.slots + 1) * HistoryFormat.recordSize == 4 << 20)
    }
}
