import HostInspection
import HostKernel
import KSMPolicy

extension GuestsReport {
    /// What is to be said of the guests beside the table, and what could not be seen.
    var notes: [String] { unseenNotes + mergingNotes + limitNotes + otherNotes }

    /// Those that belong to the table that is shown.
    var shownNotes: [String] { unseenNotes + (showsLimits ? limitNotes : mergingNotes + otherNotes) }

    private var unseenNotes: [String] {
        var notes = unseen
        if unreadableGuests > 0 { notes[0] += ": in no row and no total" }
        if let unknown { notes.append(unknown) }
        return notes
    }

    private var mergingNotes: [String] {
        var notes: [String] = []
        if hiddenGuests > 0 {
            let whose = hiddenGuests == 1 ? "1 guest" : "\(hiddenGuests) guests"
            notes.append("hidden, and in no total: merged, zero and profit of \(whose); run it as root to see them")
        }
        // Of a guest that is not hidden, what is missing is what the kernel does not have.
        if guests.count > hiddenGuests, failures.isEmpty {
            let missing = [
                totals.mergedBytes == nil ? "merged" : nil, totals.zeroBytes == nil ? "zero pages" : nil,
                totals.profitBytes == nil ? "profit" : nil,
            ].compactMap { $0 }
            if !missing.isEmpty {
                notes.append("this kernel does not say of a process: \(missing.joined(separator: ", "))")
            }
        }
        let grown = guests.filter { $0.hasGrown }
        if !grown.isEmpty {
            notes.append("+ holds clearly more than it was started with, so memory was added: \(Self.list(grown))")
        }
        let unknown = guests.filter { $0.mergeable == nil }
        if !unknown.isEmpty {
            notes.append(
                "? whether it can be merged, neither its command line nor the kernel says: \(Self.list(unknown))")
        }
        return notes
    }

    /// Why guests cannot be merged, for a table that has no room for it.
    var obstacleNotes: [String] {
        var obstacles: [String] = []
        for obstacle in guests.flatMap({ $0.obstacles }) where !obstacles.contains(obstacle) {
            obstacles.append(obstacle)
        }
        return obstacles.map { obstacle in
            "not merged: \(obstacle): \(Self.list(guests.filter { $0.obstacles.contains(obstacle) }))"
        }
    }

    private var limitNotes: [String] {
        let short = shortages.map { shortage in
            let need =
                shortage.guests.count == 1
                ? "may need \(shortage.needed) with its monitor"
                : "may need \(shortage.needed) together with their monitors"
            let who = Words.list(shortage.guests.map { $0.name.printable })
            return "\(who) \(need), and \(shortage.file) allows \(shortage.limit)"
        }
        let ended = guests.compactMap { guest -> String? in
            guard let kills = guest.cgroup?.oomKills, kills > 0 else { return nil }
            let processes = kills == 1 ? "1 process" : "\(kills) processes"
            return "the kernel ended \(processes) in the cgroup of \(guest.name.printable) for want of memory"
        }
        return short + ended
    }

    private var otherNotes: [String] {
        var notes: [String] = []
        if let first = othersFailures.first {
            let who = Words.count(othersFailures.count, "process that is no guest", "processes that are no guests")
            notes.append("whether \(who) may use KSM could not be read (\(first))")
        }
        return notes + (otherNote.map { [$0] } ?? [])
    }

    private var otherNote: String? {
        guard let othersPattern else { return nil }
        let count = others.reduce(0) { $0 + $1.processes }
        let programs = Words.list(
            others.map { program in
                "\(program.comm.printable) (\(program.processes), \(Amount.text(bytes: program.mergedBytes)) merged)"
            })
        let machines = others.reduce(0) { $0 + $1.machines }
        if machines > 0 {
            let whose = machines == count ? "" : "\(machines) of "
            let have =
                count == 1
                ? "1 process that offers memory to KSM has a virtual machine and no name that the daemon counts: it is a "
                    + "guest that it does not know"
                : "\(whose)\(count) processes that offer memory to KSM have a virtual machine and no name that the "
                    + "daemon counts: they are guests that it does not know"
            return "\(have): \(programs); KSM_GUEST_PATTERN='\(othersPattern)' would"
        }
        let who =
            count == 1
            ? "1 process that is no guest offers memory to KSM, and the daemon does not count it"
            : "\(count) processes that are no guests offer memory to KSM, and the daemon does not count them"
        return "\(who): \(programs); KSM_GUEST_PATTERN='\(othersPattern)' would"
    }

    private static func list(_ guests: [Guest]) -> String { Words.list(guests.map { $0.name.printable }) }
}
