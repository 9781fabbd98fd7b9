/// What came of one check.
struct CheckResult: Encodable, Equatable {
    enum Verdict: String, Encodable, CaseIterable {
        case ok
        /// Something costs memory, time or safety, or may do so soon.
        case warn
        /// KSM cannot do its work, or guests are in danger.
        case fail
        /// It could not be seen, or does not apply to this host; the finding says which.
        case skip
    }

    /// What was looked at, and the file it comes from, if it is one.
    struct Evidence: Encodable, Equatable {
        var text: String
        var source: String?
    }

    /// Stays the same from version to version.
    let id: String
    /// What the check is about.
    let subject: String
    var verdict: Verdict
    /// What was found, in a line.
    var finding: String
    var evidence: [Evidence] = []
    /// A command or a setting; `nil` where there is nothing to do.
    var remedy: String?

    /// Adds what was looked at.
    func seen(_ text: String, in source: String? = nil) -> CheckResult {
        var result = self
        result.evidence.append(Evidence(text: text, source: source))
        return result
    }

    func seen(_ texts: [String], in source: String? = nil) -> CheckResult {
        texts.reduce(self) { $0.seen($1, in: source) }
    }

    func seen(_ evidence: [Evidence]) -> CheckResult {
        evidence.reduce(self) { $0.seen($1.text, in: $1.source) }
    }
}
