import ArgumentParser

/// What guests can be sorted by.
enum GuestColumn: String, CaseIterable, ExpressibleByArgument {
    case pid, name, user, resident, swapped, merged, zero, profit, memory, vcpus, mergeable

    /// Names upwards, amounts downwards, guests that cannot be merged first. What is not known comes last, and equal
    /// ones in the order of their pids.
    func sorted(_ guests: [GuestsReport.Guest]) -> [GuestsReport.Guest] {
        guests.sorted { left, right in
            switch self {
            case .pid: left.pid < right.pid
            case .name: (left.name, left.pid) < (right.name, right.pid)
            case .user: (left.owner, left.pid) < (right.owner, right.pid)
            case .mergeable: (left.mergeRank, left.pid) < (right.mergeRank, right.pid)
            default: (amount(left), right.pid) > (amount(right), left.pid)
            }
        }
    }

    private func amount(_ guest: GuestsReport.Guest) -> Int64 {
        let amount: Int64? =
            switch self {
            case .resident: guest.residentBytes
            case .swapped: guest.swappedBytes
            case .merged: guest.mergedBytes
            case .zero: guest.zeroBytes
            case .profit: guest.profitBytes
            case .memory: guest.configuredBytes
            case .vcpus: guest.vcpus.map { Int64($0) }
            case .pid, .name, .user, .mergeable: nil
            }
        return amount ?? .min
    }
}

extension GuestsReport.Guest {
    /// The name of its user, or the number of one without.
    var owner: String { user ?? uid.map { String($0) } ?? "-" }

    fileprivate var mergeRank: Int {
        switch mergeable {
        case false: 0
        case true: obstacles.isEmpty ? 2 : 1
        case nil: 3
        }
    }
}
