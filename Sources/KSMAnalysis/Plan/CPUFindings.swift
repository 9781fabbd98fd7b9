internal import KSMPolicy

// What is to be said of virtual CPUs.

extension OvercommitPlan {
    /// Virtual CPUs for each CPU that hosts of guests with one virtual CPU carry below full load.
    package static let vcpusPerCPU: Int64 = 5

    var cpuFindings: [OvercommitFinding] {
        var findings: [OvercommitFinding] = []
        let unknown = groups.filter { $0.vcpus == nil }
        if !unknown.isEmpty {
            let who = unknown.count == 1 ? "\(unknown.titles) has" : "\(unknown.count) guests have"
            let each = unknown.count == 1 ? "it counts" : "each counts"
            findings.append(
                OvercommitFinding(
                    kind: .unknownVCPUs, text: "how many vCPUs \(who) is not known, so \(each) as one"))
        }
        guard let cpus = host.cpus else { return findings }
        let large = groups.filter { $0.vcpus ?? 0 > cpus }
        if !large.isEmpty { findings.append(moreThanCPUs(large, cpus)) }
        let limit = cpus.multipliedSaturated(by: Self.vcpusPerCPU)
        if vcpus > limit {
            findings.append(
                OvercommitFinding(
                    kind: .tooManyVCPUs,
                    text: "there are more than \(Self.vcpusPerCPU) vCPUs for each CPU, which is the most for guests of "
                        + "one vCPU below full load; run at most \(limit) here"))
        } else if vcpus > cpus, groups.contains(where: { ($0.vcpus ?? 1) > 1 }) {
            findings.append(
                OvercommitFinding(
                    kind: .overcommittedSMP,
                    text: "up to \(Self.vcpusPerCPU) vCPUs for each CPU is a rule for guests of one vCPU below full "
                        + "load; guests of several slow down sooner, so measure first"))
        }
        return findings
    }

    private func moreThanCPUs(_ large: [GuestGroup], _ cpus: Int64) -> OvercommitFinding {
        let most = large.compactMap { $0.vcpus }.max() ?? 0
        let many = large.count == 1 ? "\(most) vCPUs\(large.isPlural ? " each" : "")" : "up to \(most) vCPUs each"
        return OvercommitFinding(
            kind: .moreVCPUsThanCPUs,
            text: "\(large.titles) \(large.isPlural ? "have" : "has") \(many), and the host has \(cpus) "
                + "\(cpus == 1 ? "CPU" : "CPUs"): a guest must never have more")
    }
}
