import KSMPolicy
import Testing

@Suite struct ClockRepairTests {
    private static let day: Int64 = 86_400

    /// - Parameters: In seconds; the second one since boot.
    private func record(_ time: Int64, _ uptime: Int64?, boot: UInt64 = 1) -> HistoryRecord {
        var record = HistoryRecord(
            time: WallTime(seconds: time), memory: MemorySample(free: .zero, committed: .zero), total: KiB(1))
        record.bootTime = uptime.map { BootTime(uptime: .seconds($0), boot: boot) }
        return record
    }

    private func times(_ records: [HistoryRecord]) -> [Int64] { records.map { $0.time.wholeSeconds } }

    @Test(arguments: [day, -day])
    func `A clock that was set moves what came before it`(step: Int64) {
        let records = [
            record(1000, 100), record(1060, 160), record(1120 + step, 220), record(1180 + step, 280),
        ]
        #expect(times(ClockRepair.repaired(records)) == [1000, 1060, 1120, 1180].map { $0 + step })
    }

    @Test func `Where the kernel does not say which boot it is, one may be another`() {
        let records = [record(1000, 100, boot: 0), record(90_000, 160, boot: 0)]
        #expect(times(ClockRepair.repaired(records)) == [1000, 90_000])
    }

    @Test func `There and back`() {
        let records = [record(1000, 100), record(1060 + Self.day, 160), record(1120, 220)]
        #expect(times(ClockRepair.repaired(records)) == [1000, 1060, 1120])
    }

    @Test func `A clock that is only corrected, a second in each minute, keeps every time`() {
        let records = (0..<100).map { record(1000 + $0 * 61, 100 + $0 * 60) }
        #expect(times(ClockRepair.repaired(records)) == times(records))
    }

    @Test(arguments: [(30, 1000), (-30, 1000), (31, 1031), (-31, 969)] as [(Int64, Int64)])
    func `It was set where it moved by more than 30 s`(step: Int64, time: Int64) {
        #expect(times(ClockRepair.repaired([record(1000, 100), record(1060 + step, 160)])) == [time, 1060 + step])
    }

    @Test func `Since the newest record too`() {
        let records = [record(1000 + Self.day, 100), record(1060 + Self.day, 160)]
        let now = (time: WallTime(seconds: 1120), moment: BootTime(uptime: .seconds(220), boot: 1))
        #expect(times(ClockRepair.repaired(records, now: now)) == [1000, 1060])
    }

    @Test func `Of another boot, and of a version that did not know it, nothing is known`() {
        let records = [record(9000, 100, boot: 2), record(8000, nil), record(1000, 100), record(500, 160)]
        #expect(times(ClockRepair.repaired(records)) == [9000, 8000, 440, 500])
    }

    @Test func `The ring keeps it, and says where it is not known`() {
        for moment in [BootTime(uptime: .seconds(5), boot: .max), BootTime(uptime: .zero, boot: 0), nil] {
            var record = record(7, nil)
            record.bootTime = moment
            let bytes = HistoryFormat.bytes(record, sequence: 3)
            let read = HistoryFormat.record(bytes.span)
            #expect(read?.record == record)
        }
    }
}
