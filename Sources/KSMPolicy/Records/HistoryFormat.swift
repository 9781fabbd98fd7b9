/// The ring file of the daemon's history, byte by byte.
///
/// All numbers are little-endian. The file begins with a header as long as a record; slot `n` follows at
/// `(n + 1) * recordSize`, and holds the record whose sequence number is `n` modulo the number of slots. The newest
/// record is the one with the greatest sequence number. Each record ends with a checksum of the bytes before it, so one
/// that was being written when the host lost power is noticed and passed over, and readers need no lock.
///
/// | Header | | Record | |
/// |---|---|---|---|
/// | 0 | `KSMHIST\n` | 0 | sequence number, from 1 |
/// | 8 | version, 32 bits | 8 | microseconds since 1970 |
/// | 12 | record size, 32 bits | 16 | `MemTotal`, 24 free, 32 committed, 40 threshold, 48 available, 56 saved; KiB |
/// | 16 | slots, 32 bits | 64 | `general_profit`, bytes |
/// | 252 | CRC-32 | 72 | pages to scan, 80 sleep in ms, 88 guests |
/// | | | 96 | `full_scans`, then `pages_shared`, `_sharing`, `_unshared`, `_volatile`, `ksm_zero_pages`, `pages_skipped`, `_scanned`, ksmd's time on a CPU and waiting for one in ns |
/// | | | 176 | policy, 177 action, 178 reason, 179 which of the optional values are there |
/// | | | 184 | time since boot in microseconds, 192 the first half of the boot's number |
/// | | | 252 | CRC-32 |
package enum HistoryFormat {
    package static let magic = "KSMHIST\n"
    package static let version: UInt32 = 1
    package static let recordSize = 256
    /// With the header, 4 MiB.
    package static let slots = 16383

    /// What stands for a number that is not there, beside its flag.
    private static let absent: Int64 = 0

    private enum Flag {
        static let available: UInt8 = 1
        static let saved: UInt8 = 2
        static let profit: UInt8 = 4
        static let counters: UInt8 = 8
        static let cpu: UInt8 = 16
        static let bootTime: UInt8 = 32
    }

    // MARK: Header

    package static func header() -> [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(recordSize)
        for byte in magic.utf8 { bytes.append(byte) }
        append(version, to: &bytes)
        append(UInt32(recordSize), to: &bytes)
        append(UInt32(slots), to: &bytes)
        return sealed(&bytes)
    }

    /// Whether these bytes begin a ring that this program writes and reads.
    package static func isHeader(_ bytes: Span<UInt8>) -> Bool {
        let own = header()
        guard bytes.count == own.count else { return false }
        for index in own.indices where bytes[index] != own[index] { return false }
        return true
    }

    // MARK: Records

    package static func bytes(_ record: HistoryRecord, sequence: UInt64) -> [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(recordSize)
        append(sequence, to: &bytes)
        func put(_ number: Int64?) { append(UInt64(bitPattern: number ?? absent), to: &bytes) }
        put(record.time.microseconds)
        put(record.total.count)
        put(record.memory.free.count)
        put(record.memory.committed.count)
        put(record.threshold.count)
        put(record.available?.count)
        put(record.saved?.count)
        put(record.profit?.count)
        put(record.pagesToScan)
        put(record.sleepMilliseconds)
        put(record.guests)
        let counters = record.counters
        put(counters?.passes)
        put(counters?.shared.count)
        put(counters?.sharing.count)
        put(counters?.unshared.count)
        put(counters?.volatile.count)
        put(counters?.zero.count)
        put(counters?.skipped.count)
        put(counters?.scanned.count)
        put(counters?.cpu?.nanoseconds)
        put(counters?.waited.nanoseconds)
        var flags: UInt8 = 0
        if record.available != nil { flags |= Flag.available }
        if record.saved != nil { flags |= Flag.saved }
        if record.profit != nil { flags |= Flag.profit }
        if counters != nil { flags |= Flag.counters }
        if counters?.cpu != nil { flags |= Flag.cpu }
        if record.bootTime != nil { flags |= Flag.bootTime }
        bytes.append(record.policy.traits.code)
        bytes.append(record.action.code)
        bytes.append(record.reason.code)
        bytes.append(flags)
        append(UInt32(0), to: &bytes)
        put(record.bootTime?.uptime.microseconds)
        append(record.bootTime?.boot ?? 0, to: &bytes)
        return sealed(&bytes)
    }

    /// The number of a record, whole or torn; 0 for a slot that was never written.
    package static func sequence(_ bytes: Span<UInt8>) -> UInt64 { number(bytes, 0) }

    /// - Returns: `nil` for a slot that was never written, or whose record was torn or damaged.
    package static func record(_ bytes: Span<UInt8>) -> (sequence: UInt64, record: HistoryRecord)? {
        guard bytes.count == recordSize else { return nil }
        guard
            CRC32.of(bytes.extracting(first: recordSize - 4))
                == UInt32(truncatingIfNeeded: number(bytes, recordSize - 4, 4))
        else { return nil }
        let sequence = number(bytes, 0)
        let flags = bytes[179]
        guard sequence > 0, let policy = PolicyKind(code: bytes[176]), let action = Decision.Action(code: bytes[177]),
            let reason = Decision.Reason(code: bytes[178])
        else { return nil }
        func get(_ offset: Int) -> Int64 { Int64(bitPattern: number(bytes, offset)) }
        // Of all numbers only the profit can be negative, whatever the checksum says.
        for offset in stride(from: 8, to: 176, by: 8) where offset != 64 && get(offset) < 0 { return nil }
        var record = HistoryRecord(
            time: WallTime(microseconds: get(8)), memory: MemorySample(free: KiB(get(24)), committed: KiB(get(32))),
            total: KiB(get(16)),
            threshold: KiB(get(40)))
        record.policy = policy
        record.action = action
        record.reason = reason
        if flags & Flag.available != 0 { record.available = KiB(get(48)) }
        if flags & Flag.saved != 0 { record.saved = KiB(get(56)) }
        if flags & Flag.profit != 0 { record.profit = Bytes(get(64)) }
        record.pagesToScan = get(72)
        record.sleepMilliseconds = get(80)
        record.guests = get(88)
        if flags & Flag.counters != 0 {
            var counters = ScanCounters()
            counters.passes = get(96)
            counters.shared = Pages(get(104))
            counters.sharing = Pages(get(112))
            counters.unshared = Pages(get(120))
            counters.volatile = Pages(get(128))
            counters.zero = Pages(get(136))
            counters.skipped = Pages(get(144))
            counters.scanned = Pages(get(152))
            if flags & Flag.cpu != 0 { counters.cpu = .nanoseconds(get(160)) }
            counters.waited = .nanoseconds(get(168))
            record.counters = counters
        }
        // No daemon wrote a time since boot that is none, whatever the checksum says.
        if flags & Flag.bootTime != 0, 0 <= get(184), get(184) <= Duration.endless.microseconds {
            record.bootTime = BootTime(uptime: .microseconds(get(184)), boot: number(bytes, 192))
        }
        return (sequence, record)
    }

    // MARK: Bytes

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        for place in stride(from: 0, to: number.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> place))
        }
    }

    private static func number(_ bytes: Span<UInt8>, _ offset: Int, _ count: Int = 8) -> UInt64 {
        var number: UInt64 = 0
        for index in (0..<count).reversed() { number = number << 8 | UInt64(bytes[offset + index]) }
        return number
    }

    /// Fills up with zeros, and closes with the checksum.
    private static func sealed(_ bytes: inout [UInt8]) -> [UInt8] {
        while bytes.count < recordSize - 4 { bytes.append(0) }
        append(CRC32.of(bytes.span), to: &bytes)
        return bytes
    }
}
