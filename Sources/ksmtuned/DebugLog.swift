import HostKernel
import KSMPolicy
import Systemd
import Tuner

/// Where the debug lines go: into the file that `LOGFILE=` names, else to the log.
struct DebugLog: ~Copyable {
    private var file: LogFile?
    /// Where the file should be; `nil` where the lines go to the log.
    private var place: String?
    private var failures = FailureNews()
    private let paths: HostPaths

    init(_ paths: HostPaths) {
        self.paths = paths
    }

    /// Opens the file anew, for logrotate(8).
    mutating func begin(_ place: String?, _ log: Log) {
        file = nil
        // Of another place it is no news that this one did not work.
        if place != self.place { failures = FailureNews() }
        self.place = place
        open(log)
    }

    /// Opens the file if it should be open and is not.
    mutating func open(_ log: Log) {
        guard let place, file == nil else { return }
        do throws(KernelFileError) {
            try paths.requireInside(place, for: .open)
            file = try LogFile(place)
        } catch {
            report(error, log)
        }
    }

    mutating func write(_ line: String, _ fields: Journal.DecisionFields?, _ log: Log) {
        do throws(KernelFileError) {
            if try file?.append(line) != nil {
                if failures.end() {
                    log.write(.notice, .recovered, "debug lines go to \(place ?? "the log file") again")
                }
                return
            }
        } catch {
            report(error, log)
        }
        log.write(.debug, .debugLine, line, fields)
    }

    private mutating func report(_ error: KernelFileError, _ log: Log) {
        guard failures.isNews(error) else { return }
        log.write(.warning, .failed, "\(error), writing debug lines here until that works")
    }
}
