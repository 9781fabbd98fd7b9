import ArgumentParser
import HostKernel

/// Why a command could not do what it was asked for: said on standard error, with an exit status for scripts.
struct Refusal: Error {
    /// As in sysexits.h.
    enum Status: Int32, CaseIterable {
        case failed = 1
        /// Options contradict each other.
        case usage = 64
        /// A file, an option or a configuration makes no sense.
        case data = 65
        /// The kernel has no KSM, or no daemon runs.
        case unavailable = 69
        /// What was found could not be written.
        case output = 74
        /// Only root may.
        case notPermitted = 77
        case configuration = 78
    }

    var message: String
    var status: Status

    init(_ message: String, _ status: Status = .failed) {
        self.message = message
        self.status = status
    }
}

/// A command whose errors are reported in one way.
protocol HostCommand: ParsableCommand {
    func execute() throws
}

extension HostCommand {
    func run() throws {
        do {
            try execute()
        } catch let refusal as Refusal {
            Output.warn(refusal.message)
            throw ExitCode(refusal.status.rawValue)
        } catch let error as KernelFileError {
            Output.warn(error.description + (error.isDenied ? ": run it as root" : ""))
            throw ExitCode((error.isDenied ? Refusal.Status.notPermitted : .failed).rawValue)
        }
    }
}
