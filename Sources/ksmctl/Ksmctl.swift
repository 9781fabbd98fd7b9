import ArgumentParser
import Glibc
import HostKernel
import KSMPolicy

/// The operator's tool. `start` and `stop` are those of the original, which `ksm.service` runs.
@main
struct Ksmctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ksmctl",
        abstract: "See and control Kernel Samepage Merging.",
        discussion: "See ksmctl(8) for what each command shows, ksmtuned.conf(5) for the settings.",
        version: programVersion,
        groupedSubcommands: [
            CommandGroup(
                name: "Status",
                subcommands: [
                    StatusCommand.self, ExplainCommand.self, GuestsCommand.self, DoctorCommand.self,
                    HistoryCommand.self,
                    PlotCommand.self, MetricsCommand.self,
                ]),
            CommandGroup(name: "Planning", subcommands: [PlanCommand.self, SimulateCommand.self]),
            CommandGroup(
                name: "Control",
                subcommands: [
                    RetuneCommand.self, ReloadCommand.self, StartCommand.self, StopCommand.self, UnmergeCommand.self,
                ]),
            CommandGroup(name: "Configuration", subcommands: [CheckConfigCommand.self, ShowConfigCommand.self]),
        ])

    /// Runs as the original did where its behaviour is an interface: no or a wrong word prints its usage on standard
    /// error and exits with 1.
    static func main() {
        InheritedSignals.settle()
        StandardStream.keepPlaces()
        let (called, arguments) = commandLine()
        let name = called.printable
        guard let first = arguments.first, first.hasPrefix("-") || isCommand(first) else {
            try? StandardStream.error.write(
                "Usage: \(name) {start|stop}\n       \(name) {\(otherCommands)}\n       See ksmctl(8), or \(name) --help.\n"
            )
            Glibc.exit(1)
        }
        run(arguments)
    }

    /// The program's name, and its arguments.
    private static func commandLine() -> (String, [String]) {
        do {
            let words = try ProgramArguments.read()
            return (words[0], Array(words.dropFirst()))
        } catch {
            Output.warn("\(error); see ksmctl --help")
            Glibc.exit(ExitCode.validationFailure.rawValue)
        }
    }

    /// The options of all commands that take one value, each by its names.
    private static let single = [
        ["--root"], ["--config"], ["--trace"], ["--svg"], ["--output"], ["--interval"], ["--max-age"], ["--since"],
        ["--until"], ["--width"], ["--height"], ["--lines", "-n"], ["--sort"], ["--ram"], ["--rule"], ["--host-os"],
        ["--host-swap"], ["--swap"], ["--cpus"],
    ]

    /// Of an option that is given twice ArgumentParser takes the last value, and the one that it drops may be the root that
    /// keeps a command from the real host.
    private static func refuseContradiction(_ arguments: [String]) throws {
        let options = arguments.prefix { $0 != "--" }
        for names in single {
            let values = options.indices.compactMap { index -> String? in
                let word = options[index]
                if names.contains(word) { return index + 1 < options.endIndex ? options[index + 1] : nil }
                return names.first { word.hasPrefix($0 + "=") }.map { String(word.dropFirst($0.count + 1)) }
            }
            guard let first = values.first, let other = values.first(where: { $0 != first }) else { continue }
            throw ValidationError("\(names[0]) is given twice, with \(first) and \(other): leave one out")
        }
    }

    /// As ArgumentParser's own, but help and versions that cannot be written are an error too.
    private static func run(_ arguments: [String]) -> Never {
        do {
            try refuseContradiction(arguments)
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch {
            let status = exitCode(for: error)
            // It repeats arguments as they stand, which may hold what a terminal acts on. It has several lines.
            let message = fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false)
                .map { String($0).printable }.joined(separator: "\n")
            guard status == .success, !message.isEmpty else {
                if !message.isEmpty { try? StandardStream.error.write(message + "\n") }
                Glibc.exit(status.rawValue)
            }
            do {
                try Output.write(message + "\n")
            } catch let refusal as Refusal {
                Output.warn(refusal.message)
                Glibc.exit(refusal.status.rawValue)
            } catch {}
        }
        Glibc.exit(0)
    }

    private static var commands: [String] {
        configuration.subcommands.compactMap { $0.configuration.commandName }
    }

    private static var otherCommands: String {
        commands.filter { $0 != "start" && $0 != "stop" }.joined(separator: "|")
    }

    private static func isCommand(_ word: String) -> Bool {
        word == "help" || commands.contains(word)
    }
}

/// Where the host is.
struct HostOptions: ParsableArguments {
    @OptionGroup var host: RootOptions

    /// The original ignored what stands behind its first argument.
    @Argument(parsing: .allUnrecognized, help: .hidden)
    var ignored: [String] = []

    /// An option that is not known may be one that was meant to keep this from the real host, as a `--root` misspelt.
    func validate() throws {
        guard let option = ignored.first(where: { $0.hasPrefix("-") }) else { return }
        throw ValidationError("Unknown option '\(option)'")
    }

    var paths: HostPaths { host.paths }
}
