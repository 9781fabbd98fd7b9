import HostInspection

/// A check that the doctor makes, with the name and subject of its results.
struct Check: Sendable {
    let id: String
    let subject: String
    private let look: @Sendable (Check, DoctorFacts) -> CheckResult

    /// - Parameter look: A pure function of the facts.
    init(_ id: String, _ subject: String, _ look: @escaping @Sendable (Check, DoctorFacts) -> CheckResult) {
        self.id = id
        self.subject = subject
        self.look = look
    }

    func result(_ facts: DoctorFacts) -> CheckResult { look(self, facts) }

    /// What a check of guests or processes found, where some may be hidden: that all is well with those that are seen says
    /// nothing of the others.
    static func ofAll(
        _ id: String, _ subject: String, _ look: @escaping @Sendable (Check, DoctorFacts) -> CheckResult
    ) -> Check {
        Check(id, subject) { check, facts in
            let result = look(check, facts)
            guard facts.isBlind, result.verdict == .ok else { return result }
            return check.blind.seen("of those that are seen: \(result.finding)").seen(result.evidence)
        }
    }

    /// That there may be processes that are not seen.
    var blind: CheckResult { skip(GuestList.blindness.what, remedy: GuestList.blindness.remedy) }

    func ok(_ finding: String) -> CheckResult { CheckResult(id: id, subject: subject, verdict: .ok, finding: finding) }

    func warn(_ finding: String, remedy: String) -> CheckResult {
        CheckResult(id: id, subject: subject, verdict: .warn, finding: finding, remedy: remedy)
    }

    func fail(_ finding: String, remedy: String) -> CheckResult {
        CheckResult(id: id, subject: subject, verdict: .fail, finding: finding, remedy: remedy)
    }

    /// - Parameter reason: Why it could not be made, or does not apply.
    func skip(_ reason: String, remedy: String? = nil) -> CheckResult {
        CheckResult(id: id, subject: subject, verdict: .skip, finding: reason, remedy: remedy)
    }

    static let all: [Check] =
        [ksm, readable] + daemonChecks + guestChecks + userChecks + kernelChecks + memoryChecks + swapChecks
        + securityChecks
}
