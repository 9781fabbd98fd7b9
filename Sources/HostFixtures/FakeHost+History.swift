import HostKernel
package import KSMPolicy

extension FakeHost {
    /// Writes the daemon's ring, as the daemon does.
    package func writeHistory(_ records: [HistoryRecord]) {
        do {
            var writer = try HistoryWriter(paths.history) { _ in }
            for record in records { try writer.append(record) }
        } catch {
            fatalError("\(error)")
        }
    }
}

extension HistoryRecord {
    /// A record of a host with 16 GiB.
    ///
    /// - Parameters:
    ///   - seconds: Since 1970.
    ///   - free: In MiB, as are `committed` and `saved`; the threshold is 3277 MiB.
    ///   - cpu: ksmd's CPU time since boot in milliseconds.
    package static func made(
        at seconds: Int64, _ action: Decision.Action = .stop, _ reason: Decision.Reason = .plenty,
        free: Int64 = 8192, committed: Int64 = 4096, saved: Int64? = 0, pages: Int64 = 0, cpu: Int64? = 0,
        guests: Int64 = 3
    ) -> HistoryRecord {
        var record = HistoryRecord(
            time: WallTime(seconds: seconds),
            memory: MemorySample(free: KiB(free * 1024), committed: KiB(committed * 1024)),
            total: KiB(16 * 1024 * 1024), threshold: KiB(3_355_443))
        record.action = action
        record.reason = reason
        record.available = KiB((free + 512) * 1024)
        record.saved = saved.map { KiB($0 * 1024) }
        record.pagesToScan = pages
        record.sleepMilliseconds = 10
        record.guests = guests
        if let saved {
            var counters = ScanCounters()
            counters.passes = pages / 100
            counters.shared = Pages(saved * 16)
            counters.sharing = Pages(saved * 256)
            counters.cpu = cpu.map { .milliseconds($0) }
            record.counters = counters
        }
        return record
    }

    /// A day of a host with 16 GiB, a decision a minute from 2026-11-21 00:00 UTC: guests fill it, KSM starts where free
    /// memory falls below the threshold, saves half of what they hold, slows down, and stops when they leave.
    package static var day: [HistoryRecord] {
        let policy = (boost: Int64(300), decay: Int64(-50), least: Int64(64), most: Int64(1250))
        var (pages, saved, cpu) = (Int64(0), Int64(0), Int64(0))
        return (0...1440).map { minute in
            let minute = Int64(minute)
            // What the guests hold in MiB: it grows from 04:00 to 10:00, and shrinks from 18:00 to 20:00.
            let held =
                3000 + 11_000 * min(max(minute - 240, 0), 360) / 360 - 10_000 * min(max(minute - 1080, 0), 120) / 120
            saved = min(saved, held / 2)
            let free = 15_000 - held + saved + 40 * (minute * 7 % 11)
            let isStopped = held + 3277 < 16_384 && free > 3277
            if !isStopped {
                pages += free < 3277 ? policy.boost : policy.decay
                pages = min(max(pages, policy.least), policy.most)
                saved = min(saved + pages / 40, held / 2)
                cpu += 60_000 * pages / 3000
            }
            return made(
                at: 1_795_219_200 + minute * 60, isStopped ? .stop : .scan,
                isStopped ? .plenty : free < 3277 ? .shortage : .easing, free: free, committed: held, saved: saved,
                pages: pages, cpu: cpu, guests: held / 1000)
        }
    }
}
