import HostInspection
import HostKernel
import KSMPolicy

/// What merging shows one guest of another.
extension Check {
    static let securityChecks = [owners]

    static let owners = Check("owners", "Owners") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        // Where only root sees what is merged, those that may be merged count.
        let sharing = facts.guests.filter { guest in
            guest.merged.map { $0 > .zero } ?? (guest.isMergeable != false && facts.ksm.savedPages ?? .zero > .zero)
        }
        guard !sharing.isEmpty else { return check.ok("no guest has merged pages") }
        var users: [UInt32] = []
        for user in sharing.compactMap({ $0.user }) where !users.contains(user) { users.append(user) }
        guard !users.isEmpty else { return check.skip("whose the guests are is not known") }
        let who = users.sorted().map { user in
            let own = sharing.filter { $0.user == user }
            let merged = own.reduce(KiB.zero) { $0 + ($1.merged ?? .zero) }
            let seen = own.contains { $0.merged != nil }
            return "user \(user): \(Words.count(own.count, "guest"))" + (seen ? ", \(merged) merged" : "")
                + ": \(Words.list(own))"
        }
        guard users.count > 1 else {
            let result = check.ok("guests that share pages run as one user").seen(who)
            // libvirt runs all guests as one user, so that says little of who owns them.
            return sharing.count < 2
                ? result : result.seen("a manager of guests may run those of several owners as one user")
        }
        return check.warn(
            "guests of \(users.count) users share pages",
            remedy: "keep the guests of one owner out: mem-merge=off of QEMU's -machine, <nosharepages/> in libvirt's "
                + "<memoryBacking>; or switch merging off: ksmctl unmerge"
        ).seen(who).seen(
            "a write to a merged page takes longer than to another, so that a guest can learn whether another one "
                + "holds a page that it knows: a version of a program, a file, parts of an address or a key")
    }
}
