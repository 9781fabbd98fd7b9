import HostInspection
import HostKernel
import KSMPolicy

/// What the doctor says of one question.
struct Check: Encodable, Equatable {
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
    /// What the question is about.
    let subject: String
    var verdict: Verdict
    /// The answer, in a line.
    var finding: String
    var evidence: [Evidence] = []
    /// A command or a setting; `nil` where there is nothing to do.
    var remedy: String?

    /// Adds what was looked at.
    func seen(_ text: String, in source: String? = nil) -> Check {
        var check = self
        check.evidence.append(Evidence(text: text.printable, source: source))
        return check
    }

    func seen(_ texts: [String], in source: String? = nil) -> Check {
        texts.reduce(self) { $0.seen($1, in: source) }
    }
}

/// A question that the doctor asks, with the name and subject of its answers.
struct Question: Sendable {
    let id: String
    let subject: String
    private let look: @Sendable (Question, DoctorFacts) -> Check

    /// - Parameter look: A pure function of the facts.
    init(_ id: String, _ subject: String, _ look: @escaping @Sendable (Question, DoctorFacts) -> Check) {
        self.id = id
        self.subject = subject
        self.look = look
    }

    func answer(_ facts: DoctorFacts) -> Check { look(self, facts) }

    func ok(_ finding: String) -> Check { Check(id: id, subject: subject, verdict: .ok, finding: finding) }

    func warn(_ finding: String, remedy: String) -> Check {
        Check(id: id, subject: subject, verdict: .warn, finding: finding, remedy: remedy)
    }

    func fail(_ finding: String, remedy: String) -> Check {
        Check(id: id, subject: subject, verdict: .fail, finding: finding, remedy: remedy)
    }

    /// - Parameter reason: Why there is no answer.
    func skip(_ reason: String, remedy: String? = nil) -> Check {
        Check(id: id, subject: subject, verdict: .skip, finding: reason, remedy: remedy)
    }

    static let all: [Question] =
        [ksm] + daemonQuestions + guestQuestions + kernelQuestions + swapQuestions + securityQuestions
}

/// Words that several answers need.
enum Words {
    /// `1 guest`, `2 guests`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    /// More than this many names of guests tell no more than their number.
    private static let mostNames = 8

    /// `a, b, c and 4 more`.
    static func list(_ names: [String]) -> String {
        guard names.count > mostNames else { return names.joined(separator: ", ") }
        return names.prefix(mostNames).joined(separator: ", ") + " and \(names.count - mostNames) more"
    }

    /// `web (1234), db (1235)`.
    static func list(_ guests: [GuestDetails]) -> String { list(guests.map { "\($0.name) (\($0.pid))" }) }
}
