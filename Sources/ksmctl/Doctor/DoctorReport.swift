import Charts
import HostKernel

/// The doctor's answers.
struct DoctorReport: Report {
    static let command = "doctor"

    struct Counts: Encodable {
        var ok: Int
        var warnings: Int
        var failures: Int
        var skipped: Int
    }

    /// The worst of all answers; `skip` counts as nothing.
    let verdict: Check.Verdict
    let counts: Counts
    let checks: [Check]
    private let isVerbose: Bool

    private enum CodingKeys: String, CodingKey { case verdict, counts, checks }

    init(_ facts: DoctorFacts, isVerbose: Bool = false) {
        let answers = Question.all.map { $0.answer(facts) }
        checks = answers
        self.isVerbose = isVerbose
        func count(_ verdict: Check.Verdict) -> Int { answers.count { $0.verdict == verdict } }
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

    func text(_ style: Style) -> String { text(style, columns: Terminal.isOutput ? Terminal.size.columns : nil) }

    /// - Parameter columns: Of the terminal; `nil` leaves every line whole, for a file or another program.
    func text(_ style: Style, columns: Int?) -> String {
        let width = checks.map { $0.subject.count }.max() ?? 0
        var text = ""
        for check in checks {
            let subject = check.subject + String(repeating: " ", count: width - check.subject.count)
            text += "\(label(check.verdict, style))  \(style.bold(subject))  "
            text += check.finding.wrapped(indent: width + 8, columns: columns) + "\n"
            var details: [(head: String, text: String)] = []
            if isVerbose || check.verdict == .warn || check.verdict == .fail {
                details = check.evidence.map { ($0.source.map { "\($0):" } ?? "", $0.text) }
            }
            if let remedy = check.remedy { details.append(("Remedy:", remedy)) }
            for (head, body) in details {
                // A line is broken behind the head at the earliest, which so stays its beginning.
                let lines = (head.isEmpty ? body : head + " " + body).wrapped(indent: 6, columns: columns)
                text += "      " + style.dim(head) + lines.dropFirst(head.count) + "\n"
            }
        }
        return text + "\n" + summary + "\n"
    }

    private func label(_ verdict: Check.Verdict, _ style: Style) -> String {
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
