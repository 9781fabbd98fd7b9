internal import KSMPolicy

/// What an operator should know of a plan beside its numbers.
package struct OvercommitFinding: Equatable, Sendable {
    package enum Kind: Sendable {
        case noGuests
        case unseenGuests
        case residentCounted
        case unswappable
        case forcedShutdowns
        case tooLittleSwap
        case unknownVCPUs
        case moreVCPUsThanCPUs
        case tooManyVCPUs
        case overcommittedSMP

        package var word: String {
            switch self {
            case .noGuests: "no-guests"
            case .unseenGuests: "unseen-guests"
            case .residentCounted: "resident-counted"
            case .unswappable: "unswappable"
            case .forcedShutdowns: "forced-shutdowns"
            case .tooLittleSwap: "too-little-swap"
            case .unknownVCPUs: "unknown-vcpus"
            case .moreVCPUsThanCPUs: "more-vcpus-than-cpus"
            case .tooManyVCPUs: "too-many-vcpus"
            case .overcommittedSMP: "overcommitted-smp"
            }
        }

        /// Whether something should be done; else it is good to know.
        package var isWarning: Bool {
            switch self {
            case .unseenGuests, .forcedShutdowns, .tooLittleSwap, .moreVCPUsThanCPUs, .tooManyVCPUs: true
            case .noGuests, .residentCounted, .unswappable, .unknownVCPUs, .overcommittedSMP: false
            }
        }
    }

    package var kind: Kind
    /// A sentence without its full stop.
    package var text: String
}

extension OvercommitPlan {
    /// Virtual CPUs for each CPU that hosts of guests with one virtual CPU carry below full load.
    package static let vcpusPerCPU: Int64 = 5

    /// In the order of the plan: guests, memory, CPUs.
    package var findings: [OvercommitFinding] { guestFindings + memoryFindings + cpuFindings }

    private var guestFindings: [OvercommitFinding] {
        if let unseen {
            return [OvercommitFinding(kind: .unseenGuests, text: "\(unseen), and what they need is in no sum")]
                + residentFindings + unswappableFindings
        }
        if groups.isEmpty {
            return [OvercommitFinding(kind: .noGuests, text: "no guest runs here; --guests plans some")]
        }
        return residentFindings + unswappableFindings
    }

    private var residentFindings: [OvercommitFinding] {
        let resident = groups.filter { $0.isResident }
        guard !resident.isEmpty else { return [] }
        let held = resident.reduce(KiB.zero) { $0 + $1.total }
        let text =
            resident.count == 1
            ? "the configured memory of \(resident[0].title) is not known, so it counts with the \(held) that it holds "
                + "now; it may come to need more"
            : "the configured memory of \(resident.count) guests is not known, so they count with the \(held) that "
                + "they hold now; they may come to need more"
        return [OvercommitFinding(kind: .residentCounted, text: text)]
    }

    private var unswappableFindings: [OvercommitFinding] {
        let fixed = groups.filter { $0.isUnswappable }
        guard let first = fixed.first else { return [] }
        let memory = fixed.reduce(KiB.zero) { $0 + $1.total }
        let who = fixed.count == 1 ? first.title : "\(fixed.count) guests"
        return [
            OvercommitFinding(
                kind: .unswappable,
                text: "the \(memory) of \(who) lie in huge pages, which are never swapped: the other guests need the "
                    + "swap all the sooner")
        ]
    }

    private var memoryFindings: [OvercommitFinding] {
        guard let swap = host.swap else { return [] }
        switch verdict {
        case .forcedShutdowns:
            return [
                OvercommitFinding(
                    kind: .forcedShutdowns,
                    text: "RAM and swap together are \(host.ram + swap), less than the \(guestMemory) of the guests: "
                        + "when the guests use what they are configured with, the kernel shuts some of them down by "
                        + "force; add \(missingText) of swap, or run fewer guests")
            ]
        case .tooSmall:
            return [
                OvercommitFinding(
                    kind: .tooLittleSwap,
                    text: "the guests' memory fits into RAM and swap, but leaves too little for the host itself; add "
                        + "\(missingText) of swap, or run fewer guests")
            ]
        case .enough, .incomplete, .notCompared: return []
        }
    }

    private var cpuFindings: [OvercommitFinding] {
        var findings: [OvercommitFinding] = []
        let unknown = groups.filter { $0.vcpus == nil }
        if let first = unknown.first {
            let who = unknown.count == 1 ? "\(first.title) has" : "\(unknown.count) guests have"
            let each = unknown.count == 1 ? "it counts" : "each counts"
            findings.append(
                OvercommitFinding(
                    kind: .unknownVCPUs, text: "how many vCPUs \(who) is not known, so \(each) as one"))
        }
        guard let cpus = host.cpus else { return findings }
        for group in groups {
            guard let vcpus = group.vcpus, vcpus > cpus else { continue }
            findings.append(
                OvercommitFinding(
                    kind: .moreVCPUsThanCPUs,
                    text: "\(group.title) \(group.count == 1 ? "has \(vcpus) vCPUs" : "have \(vcpus) vCPUs each"), and "
                        + "the host has \(cpus) \(cpus == 1 ? "CPU" : "CPUs"): a guest must never have more"))
        }
        let (limit, overflow) = cpus.multipliedReportingOverflow(by: Self.vcpusPerCPU)
        if !overflow, vcpus > limit {
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
}

extension GuestGroup {
    fileprivate var title: String {
        if let name { return "guest \(name.printable)" }
        return count == 1 ? "a guest of \(memory)" : "\(count) guests of \(memory)"
    }
}
