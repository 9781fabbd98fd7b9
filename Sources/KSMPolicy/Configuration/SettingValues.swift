/// The text of every setting with the place it comes from, before it is understood.
///
/// The order is: defaults, then the profile, the environment, and the files in the order read. A later assignment
/// wins, and an empty one means the default, as `${NAME:-default}` meant in the original.
package struct SettingValues: Sendable {
    package struct Value: Equatable, Sendable {
        package var text: String
        package var origin: Origin
    }

    private var assigned: [Setting: Value] = [:]
    /// Which variant's defaults count.
    package let profile: Profile

    /// - Parameter assignments: In order of rank, the last wins. Names that are no setting are passed over.
    package init(_ assignments: [Assignment]) {
        for assignment in assignments {
            guard let setting = Setting(rawValue: assignment.name) else { continue }
            assigned[setting] = Value(text: assignment.value, origin: assignment.origin)
        }
        profile = Profile.allCases.first { [assigned] in $0.word == assigned[.profile]?.text } ?? .union
    }

    package subscript(_ setting: Setting) -> Value {
        if let value = assigned[setting], !value.text.isEmpty { return value }
        let text = setting.defaultText(in: profile)
        let isOwn = text == setting.defaultText(in: .union)
        return Value(text: text, origin: isOwn ? .builtIn : .profile(profile))
    }
}
