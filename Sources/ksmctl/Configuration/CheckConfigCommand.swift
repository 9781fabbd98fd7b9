import ArgumentParser
import HostKernel
import KSMPolicy

/// `ksmctl check-config`: the same as `ksmtuned --check-config`.
struct CheckConfigCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Say what is wrong with the configuration.",
        discussion: "Exit status: 0 where it can be used, 78 where it has errors. Warnings do not count.")

    @OptionGroup var host: RootOptions

    @Argument(help: "A file instead of /etc/ksmtuned.conf; its drop-ins are FILE.d/*.conf.")
    var file: String?

    func execute() throws {
        let files = file.map { ConfigurationFiles(named: $0) } ?? ConfigurationFiles(host.paths)
        let loaded = files.load(total: try? MemoryReader(host.paths).total())
        for diagnostic in loaded.diagnostics { try? StandardStream.error.write("\(diagnostic)\n") }
        guard loaded.isUsable else { throw ExitCode(Refusal.Status.configuration.rawValue) }
        try Output.write("the configuration can be used\n")
    }
}
