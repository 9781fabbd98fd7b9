import ArgumentParser
import Charts
import HostKernel
import KSMPolicy

/// `ksmctl show-config`: every effective setting with where its value comes from.
struct ShowConfigCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "show-config", abstract: "Show every setting with where its value comes from.",
        discussion: """
            It shows what the daemon would read now. Where the daemon runs by an earlier text, ksmctl reload brings \
            this one into force. Exit status: 0, or 78 where the configuration has errors.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Only those that are not a default.")
    var changed = false

    @Argument(
        help: "A file instead of /etc/ksmtuned.conf; its drop-ins are FILE.d/*.conf.", completion: .file(),
        transform: PathArgument.path)
    var file: String?

    func execute() throws {
        let loaded = LoadedConfiguration.read(file, host.paths)
        try ConfigurationReport(loaded, onlyChanged: changed).print(output)
        try loaded.check()
    }
}

struct ConfigurationReport: Report {
    static let command = "show-config"

    var settings: [Row]
    var isUsable: Bool

    struct Row: Encodable {
        var name: String
        /// As it would be written in the file; empty for one that is not set.
        var value: String
        /// `default`, `profile`, `environment` or `file`.
        var source: String
        /// The profile's name, or the place in the file as `file:line`.
        var origin: String?
    }

    init(_ loaded: LoadedConfiguration, onlyChanged: Bool) {
        settings = Setting.allCases.map { Row($0, loaded.values[$0]) }
        if onlyChanged { settings.removeAll { $0.source == "default" } }
        isUsable = loaded.isUsable
    }

    func text(_ style: Style) -> String {
        var table = TextTable([.left("SETTING"), .left("VALUE"), .left("FROM")])
        for row in settings {
            let from = row.source == "profile" ? "profile \(row.origin ?? "")" : row.origin ?? row.source
            var origin = TextTable.Cell(from)
            if row.source == "default" { origin.look = { style, text in style.dim(text) } }
            table.rows.append([TextTable.Cell(row.name), TextTable.Cell(row.value.isEmpty ? "-" : row.value), origin])
        }
        return table.text(style)
    }
}

extension ConfigurationReport.Row {
    init(_ setting: Setting, _ value: SettingValues.Value) {
        name = setting.name
        self.value = value.text
        switch value.origin {
        case .builtIn: source = "default"
        case .profile(let profile): (source, origin) = ("profile", profile.word)
        case .environment: source = "environment"
        case .file(let path, let line, _): (source, origin) = ("file", "\(path):\(line)")
        }
    }
}
