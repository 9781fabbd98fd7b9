import HostKernel
import KSMPolicy

extension HistoryReader {
    /// The daemon's past decisions, at least one.
    ///
    /// - Parameter alternative: What else the user can do where there are none.
    /// - Throws: ``Refusal`` with status 69 where there is no history yet, 65 where the file is another thing.
    static func records(_ paths: HostPaths, alternative: String = "") throws -> [HistoryRecord] {
        let records: [HistoryRecord]?
        do throws(KernelFileError) {
            records = try read(paths.history)
        } catch {
            guard error.operation == .understand else { throw error }
            throw Refusal(
                "\(error): a daemon of this version renames it and begins a new one (systemctl restart ksmtuned)", .data
            )
        }
        guard let records, !records.isEmpty else {
            let what =
                records == nil
                ? "there is no history in \(paths.history)" : "the history in \(paths.history) has no record yet"
            let remedy =
                mayRun(paths)
                ? "where it runs, it has not decided yet, or journalctl -u ksmtuned says why it could not"
                : "start it (systemctl start ksmtuned)"
            throw Refusal(
                "\(what): the daemon keeps one, a record for each decision; \(remedy)\(alternative)", .unavailable)
        }
        return repaired(records, paths)
    }

    private static func mayRun(_ paths: HostPaths) -> Bool {
        do throws(KernelFileError) {
            return try DaemonLock.holder(paths) != nil
        } catch {
            return true
        }
    }

    /// The newest records, or all, whose times are right though the clock was set; none where there is no history.
    ///
    /// - Parameter count: `nil` for all.
    static func repairedRecords(
        last count: Int? = nil, _ paths: HostPaths
    ) throws(KernelFileError) -> [HistoryRecord] {
        let records = if let count { try last(count, paths.history) } else { try read(paths.history) }
        return repaired(records ?? [], paths)
    }

    private static func repaired(_ records: [HistoryRecord], _ paths: HostPaths) -> [HistoryRecord] {
        ClockRepair.repaired(records, now: (HostView.now, HostClock.now(boot: HostClock.boot(paths))))
    }
}
