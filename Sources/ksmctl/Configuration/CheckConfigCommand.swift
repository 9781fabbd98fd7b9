import ArgumentParser
import HostKernel

/// `ksmctl check-config`: the same as `ksmtuned --check-config`.
struct CheckConfigCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Report what is wrong with the configuration.",
        discussion: "Exit status: 0 where it can be used, 78 where it has errors. Warnings do not count.")

    @OptionGroup var host: RootOptions

    @Argument(
        help: "A file instead of /etc/ksmtuned.conf; its drop-ins are FILE.d/*.conf.", completion: .file(),
        transform: PathArgument.path)
    var file: String?

    func execute() throws {
        try LoadedConfiguration.read(file, host.paths).check()
        try Output.write("the configuration can be used\n")
    }
}
