/// The text of every setting with the place it comes from, before it is understood.
///
/// The order is: defaults, then the profile, the environment, and the files in the order read. A later assignment
/// wins, and an empty one means the default, as `${NAME:-default}` meant in the original.
package struct SettingValues: Sendable {
    package struct Value: Equatable, Sendable {
        package var text: String
        package var origin: Origin

        /// As a message quotes it.
        package var shown: String { text.quotable }
    }

    private var assigned: [Setting: Value] = [:]
    private let defaults: Defaults

    /// - Parameters:
    ///   - assignments: In order of rank, the last wins. Names that are no setting are passed over.
    ///   - total: `MemTotal` of the host, for defaults that follow it.
    package init(_ assignments: [Assignment], total: KiB = Defaults.assumedTotal) {
        for assignment in assignments {
            guard let setting = Setting(rawValue: assignment.name) else { continue }
            assigned[setting] = Value(text: assignment.value, origin: assignment.origin)
        }
        let profile = Profile.allCases.first { [assigned] in $0.word == assigned[.profile]?.text } ?? .union
        defaults = Defaults(profile, total: total)
    }

    /// Whose defaults count.
    package var profile: Profile { defaults.profile }

    package subscript(_ setting: Setting) -> Value {
        if let value = assigned[setting], !value.text.isEmpty { return value }
        if let text = defaults.own(setting) { return Value(text: text, origin: .profile(profile)) }
        return Value(text: setting.defaultText, origin: .builtIn)
    }
}
