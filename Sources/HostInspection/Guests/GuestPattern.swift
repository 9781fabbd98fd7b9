package import KSMPolicy

/// Values of `KSM_GUEST_PATTERN=`, a POSIX extended regular expression.
package enum GuestPattern {
    /// An expression that counts processes of these names, and all that are counted by their names now.
    ///
    /// - Parameters:
    ///   - comms: As the kernel has them, cut at 15 bytes.
    ///   - configuration: Says what is counted now.
    package static func counting(_ comms: [String], beside configuration: Configuration) -> String {
        var names: [String] = []
        for comm in comms where !names.contains(comm) { names.append(comm) }
        let before = configuration.guestPattern.map { "(\($0))" } ?? "^(\(known))$"
        return "\(before)|^(\(names.map(escaped).joined(separator: "|")))$"
    }

    /// Every name that counts without a pattern, as an expression.
    package static var known: String {
        MonitorName.all.filter { $0.counted.contains(.union) }.map { name in
            let text = escaped("\(name.text)")
            return switch (name.leastBehind, name.mostBehind) {
            case (0, 0): text
            case (1, .max): text + ".+"
            case (let least, let most): text + ".{\(least),\(most)}"
            }
        }.joined(separator: "|")
    }

    /// A name in such an expression, between the quotes of the configuration file. What cannot stand there is any character.
    /// By scalars: a bracket with a combining mark behind it is another character, and a bracket all the same.
    private static func escaped(_ name: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            let own = String(scalar)
            if scalar == "\u{FFFD}" {
                // What is no text: a character that the kernel has cut, say.
                text += ".{1,3}".unicodeScalars
            } else if own == "'" || own.printable != own {
                // The daemon compares bytes.
                text += own.utf8.map { _ in "." }
            } else {
                if "\\.[]()*+?{}|^$".unicodeScalars.contains(scalar) { text.append("\\") }
                text.append(scalar)
            }
        }
        return String(text)
    }
}
