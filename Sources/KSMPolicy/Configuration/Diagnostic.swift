/// Where a setting's value comes from.
package enum Origin: Equatable, Sendable {
    case builtIn
    case profile(Profile)
    case environment
    /// Lines and columns count from 1, columns in bytes.
    case file(String, line: Int, column: Int)
}

extension Origin: CustomStringConvertible {
    package var description: String {
        switch self {
        case .builtIn: "default"
        case .profile(let profile): "profile \(profile.word)"
        case .environment: "environment"
        case .file(let file, let line, let column): "\(file):\(line):\(column)"
        }
    }
}

/// Something to tell the author of a configuration: where, what, and what to write instead.
package struct Diagnostic: Error, Equatable, Sendable {
    package enum Severity: Equatable, Sendable {
        /// The line or value has a meaning, perhaps not the meant one. The configuration can be used.
        case warning
        /// The configuration cannot be used.
        case error
    }

    package var severity: Severity
    package var origin: Origin
    package var message: String
    /// What to write instead. Empty where the message says it all.
    package var hint: String

    package init(_ severity: Severity, at origin: Origin, _ message: String, hint: String = "") {
        self.severity = severity
        self.origin = origin
        self.message = message
        self.hint = hint
    }
}

extension Diagnostic: CustomStringConvertible {
    /// One line: `/etc/ksmtuned.conf:7:1: error: …; …`.
    package var description: String {
        let kind = severity == .error ? "error" : "warning"
        let text = "\(origin): \(kind): \(message)"
        return (hint.isEmpty ? text : "\(text); \(hint)").printable
    }
}

extension String {
    /// As a message quotes it: what is longer than a line bears is cut.
    package var quotable: String { cut(toBytes: 200) }
}
