internal import KSMPolicy

/// What an operator should know of a plan beside its numbers.
package struct OvercommitFinding: Equatable, Sendable {
    package enum Kind: Sendable, CaseIterable {
        case noGuests
        case unseenGuests
        case unknownNeeds
        case unreadFiles
        case residentCounted
        case grown
        case hugePages
        case idleHugePages
        case tooFewHugePages
        case unswappable
        case fileCache
        case forcedShutdowns
        case tooLittleRAM
        case tooLittleSwap
        case doubtfulSwap
        case swappiness
        case unknownVCPUs
        case moreVCPUsThanCPUs
        case tooManyVCPUs
        case overcommittedSMP

        package var word: String {
            switch self {
            case .noGuests: "no-guests"
            case .unseenGuests: "unseen-guests"
            case .unknownNeeds: "unknown-needs"
            case .unreadFiles: "unread-files"
            case .residentCounted: "resident-counted"
            case .grown: "grown"
            case .hugePages: "huge-pages"
            case .idleHugePages: "idle-huge-pages"
            case .tooFewHugePages: "too-few-huge-pages"
            case .unswappable: "unswappable"
            case .fileCache: "file-cache"
            case .forcedShutdowns: "forced-shutdowns"
            case .tooLittleRAM: "too-little-ram"
            case .tooLittleSwap: "too-little-swap"
            case .doubtfulSwap: "doubtful-swap"
            case .swappiness: "swappiness"
            case .unknownVCPUs: "unknown-vcpus"
            case .moreVCPUsThanCPUs: "more-vcpus-than-cpus"
            case .tooManyVCPUs: "too-many-vcpus"
            case .overcommittedSMP: "overcommitted-smp"
            }
        }

        /// Whether something should be done; else it is good to know.
        package var isWarning: Bool {
            switch self {
            case .unseenGuests, .unknownNeeds, .tooFewHugePages, .forcedShutdowns, .tooLittleRAM, .tooLittleSwap,
                .doubtfulSwap, .swappiness, .moreVCPUsThanCPUs, .tooManyVCPUs:
                true
            case .noGuests, .unreadFiles, .residentCounted, .grown, .hugePages, .idleHugePages, .unswappable,
                .fileCache, .unknownVCPUs, .overcommittedSMP:
                false
            }
        }
    }

    package var kind: Kind
    /// A sentence without its full stop.
    package var text: String
}

extension OvercommitPlan {
    /// In the order of the plan: guests, memory, swap, CPUs.
    package var findings: [OvercommitFinding] { guestFindings + memoryFindings + swapFindings + cpuFindings }
}

extension [GuestGroup] {
    /// More names than these tell no more than their number.
    private static var mostNames: Int { 4 }

    /// `guest db`, `guests db and web`, `guests a, b, c, d and 56 more`; for supposed ones how many how large.
    var titles: String {
        let named = compactMap { $0.name?.printable }
        guard named.count == count else { return map { $0.title }.joined(separator: ", ") }
        guard count > 1 else { return "guest \(named.first ?? "")" }
        let shown = named.prefix(count > Self.mostNames ? Self.mostNames : count - 1).joined(separator: ", ")
        return "guests \(shown) and \(count > Self.mostNames ? "\(count - Self.mostNames) more" : named[count - 1])"
    }

    /// Whether a verb of them is in the plural.
    var isPlural: Bool { count > 1 || (first?.count ?? 1) > 1 }
}

extension GuestGroup {
    var title: String {
        if let name { return "guest \(name.printable)" }
        return count == 1 ? "a guest of \(memory)" : "\(count) guests of \(memory)"
    }
}
