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
