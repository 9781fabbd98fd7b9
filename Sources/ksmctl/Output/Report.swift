import ArgumentParser
import Charts
import FoundationEssentials
import HostKernel

/// What a command found: the same values as text for people and as JSON for programs.
///
/// JSON has one object. Its keys are the properties' names in snake case; amounts are in bytes and times in seconds
/// unless the name says another unit; what is not known is left out. `share/ksmctl.schema.json` describes each.
protocol Report: Encodable {
    /// The subcommand.
    static var command: String { get }
    func text(_ style: Style) -> String
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object, for programs.")
    var json = false
}

extension Report {
    func print(_ options: OutputOptions) throws {
        try Output.write(options.json ? json() : text(.standardOutput))
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(Envelope(report: self)), as: UTF8.self) + "\n"
    }
}

/// What every object begins with.
private struct Envelope<R: Report>: Encodable {
    let report: R

    enum Key: String, CodingKey { case schemaVersion, command }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        // Raised when a key changes its meaning or goes; new ones may come at any time.
        try container.encode(1, forKey: .schemaVersion)
        try container.encode(R.command, forKey: .command)
        try report.encode(to: encoder)
    }
}

enum Output {
    /// A reader that has gone (`ksmctl history | head`) is no error worth a word.
    static func write(_ text: String) throws {
        do throws(KernelFileError) {
            try StandardStream.output.write(text)
        } catch {
            if error.isBrokenPipe { throw ExitCode.success }
            throw ExitCode.failure
        }
    }

    static func warn(_ text: String) {
        try? StandardStream.error.write("ksmctl: \(text)\n")
    }
}

/// Why a command could not do what it was asked for: said on standard error, with an exit status for scripts.
struct Refusal: Error {
    /// As in sysexits.h.
    enum Status: Int32 {
        /// The kernel has no KSM, or no daemon runs.
        case unavailable = 69
        /// Only root may.
        case notPermitted = 77
        /// A file, an option or a configuration makes no sense.
        case data = 65
        case configuration = 78
        case failed = 1
    }

    var message: String
    var status: Status

    init(_ message: String, _ status: Status = .failed) {
        self.message = message
        self.status = status
    }
}

/// A command whose errors are told in one way.
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
            Output.warn(error.description + Self.remedy(error))
            throw ExitCode(error.isDenied ? Refusal.Status.notPermitted.rawValue : Refusal.Status.failed.rawValue)
        }
    }

    private static func remedy(_ error: KernelFileError) -> String {
        error.isDenied ? ": run it as root" : ""
    }
}
