import ArgumentParser
import Glibc
import HostKernel

/// The operator's tool. Its first two subcommands are those of the original, which `ksm.service` runs.
@main
struct Ksmctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ksmctl",
        abstract: "Control Kernel Samepage Merging.",
        version: "0.1.0",
        subcommands: [StartCommand.self, StopCommand.self])

    /// Runs as the original did where its behaviour is an interface: no or a wrong word prints its usage on standard
    /// error and exits with 1, and words behind the first are passed over.
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let first = arguments.first, first.hasPrefix("-") || isCommand(first) else {
            try? StandardStream.error.write("Usage: \(CommandLine.arguments.first ?? "ksmctl") {start|stop}\n")
            Glibc.exit(1)
        }
        main(arguments)
    }

    private static func isCommand(_ word: String) -> Bool {
        word == "help" || configuration.subcommands.contains { $0.configuration.commandName == word }
    }
}

/// Where the host is.
struct HostOptions: ParsableArguments {
    @Option(help: "Take every path of the host under this folder.")
    var root = "/"

    /// The original passed over what stands behind its first argument.
    @Argument(parsing: .allUnrecognized, help: .hidden)
    var ignored: [String] = []

    var paths: HostPaths { HostPaths(root: root) }
}
