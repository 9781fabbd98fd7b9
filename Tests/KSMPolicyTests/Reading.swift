import KSMPolicy

/// A configuration text as the daemon understands it, with everything that is said about it.
struct Reading {
    var configuration: Configuration
    var values: SettingValues
    /// Each diagnostic as the line that a user sees.
    var messages: [String]

    /// - Parameters:
    ///   - text: One file, named `f` in messages, or several, named `f`, `g`, `h`.
    ///   - environment: What counts below the files.
    ///   - total: The host's memory.
    ///   - isTotalKnown: Whether it was read from the host, so that it is held against the settings.
    init(
        _ text: String..., environment: KeyValuePairs<String, String> = [:], total: KiB = Defaults.assumedTotal,
        isTotalKnown: Bool = false
    ) {
        self.init(
            bytes: text.map { Array($0.utf8) }, environment: environment, total: total, isTotalKnown: isTotalKnown)
    }

    init(
        bytes files: [[UInt8]], environment: KeyValuePairs<String, String> = [:], total: KiB = Defaults.assumedTotal,
        isTotalKnown: Bool = false
    ) {
        let environment = environment.map { Assignment(name: $0.key, value: $0.value, origin: .environment) }
        var parser = AssignmentParser(environment: environment)
        for (file, name) in zip(files, ["f", "g", "h"]) { parser.read(file, from: name) }
        var diagnostics = parser.diagnostics
        values = SettingValues(environment + parser.assignments, total: total)
        configuration = Configuration(values, total: isTotalKnown ? total : nil, diagnostics: &diagnostics)
        messages = diagnostics.map(\.description)
    }
}
