import Charts
import KSMPolicy

/// The doctor's results.
struct DoctorReport: Report {
    static let command = "doctor"

    struct Counts: Encodable {
        var ok: Int
        var warnings: Int
        var failures: Int
        var skipped: Int
    }

    /// The worst of all answers; `skip` counts as nothing.
    let verdict: CheckResult.Verdict
    let counts: Counts
    let checks: [CheckResult]
    private let isVerbose: Bool

    private enum CodingKeys: String, CodingKey { case verdict, counts, checks }

    init(_ facts: DoctorFacts, isVerbose: Bool = false) {
        let results = Check.all.map { $0.result(facts) }
        checks = results
        self.isVerbose = isVerbose
        func count(_ verdict: CheckResult.Verdict) -> Int { results.count { $0.verdict == verdict } }
        counts = Counts(ok: count(.ok), warnings: count(.warn), failures: count(.fail), skipped: count(.skip))
        verdict = counts.failures > 0 ? .fail : counts.warnings > 0 ? .warn : .ok
    }

    /// For scripts.
    var status: Int32 {
        switch verdict {
        case .ok, .skip: 0
        case .warn: 1
        case .fail: 2
        }
    }

    // MARK: Text

    /// More of what was looked at is shown only on demand.
    private static let mostEvidence = 10

    func text(_ style: Style) -> String { text(style, columns: Terminal.isOutput ? Terminal.size.columns : nil) }

    /// - Parameter columns: Of the terminal; `nil` leaves every line whole, for a file or another program.
    func text(_ style: Style, columns: Int?) -> String {
        let width = checks.map { $0.subject.count }.max() ?? 0
        var text = ""
        for result in checks {
            let subject = result.subject + String(repeating: " ", count: width - result.subject.count)
            text += "\(label(result.verdict, style))  \(style.bold(subject))  "
            text += result.finding.printable.wrapped(indent: width + 8, columns: columns) + "\n"
            var details: [(head: String, text: String)] = []
            if isVerbose || result.verdict == .warn || result.verdict == .fail {
                let shown = isVerbose ? result.evidence[...] : result.evidence.prefix(Self.mostEvidence)
                details = shown.map { ($0.source.map { "\($0.printable):" } ?? "", $0.text.printable) }
                let rest = result.evidence.count - shown.count
                if rest > 0 { details.append(("", "and \(rest) more: ksmctl doctor --verbose")) }
            }
            if let remedy = result.remedy { details.append(("Remedy:", remedy.printable)) }
            for (head, body) in details {
                // A line is broken behind the head at the earliest, which so stays its beginning.
                let lines = (head.isEmpty ? body : head + " " + body).wrapped(indent: 6, columns: columns)
                text += "      " + style.dim(head) + lines.dropFirst(head.count) + "\n"
            }
        }
        return text + "\n" + summary + "\n"
    }

    private func label(_ verdict: CheckResult.Verdict, _ style: Style) -> String {
        switch verdict {
        case .ok: style.good("OK  ")
        case .warn: style.warning("WARN")
        case .fail: style.bad("FAIL")
        case .skip: style.dim("SKIP")
        }
    }

    private var summary: String {
        "\(checks.count) checks: \(counts.ok) ok, \(Words.count(counts.warnings, "warning")), "
            + "\(Words.count(counts.failures, "failure")), \(counts.skipped) skipped"
    }
}
