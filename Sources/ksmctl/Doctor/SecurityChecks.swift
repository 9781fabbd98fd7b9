import HostInspection
import HostKernel
import KSMPolicy

/// What merging shows one guest of another.
extension Check {
    static let securityChecks = [owners]

    static let owners = Check.ofAll("owners", "Owners") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        // Where only root sees what is merged, those that may be merged count.
        let sharing = facts.guests.filter { guest in
            guest.merged.map { $0 > .zero } ?? (guest.isMergeable != false && facts.ksm.savedPages ?? .zero > .zero)
        }
        guard !sharing.isEmpty else { return check.ok("no guest has merged pages") }
        let known = GuestOwner.Kind.allCases.map { (kind: $0, groups: groups(sharing, by: $0)) }
            .filter { !$0.groups.isEmpty }
        guard let users = known.first(where: { $0.kind == .user }) ?? known.first else {
            return check.skip("whose the guests are is not known")
        }
        // Where some are marked as somebody's, those without a mark may be anybody's.
        func unmarked(_ kind: GuestOwner.Kind) -> [GuestDetails] {
            kind == .user ? [] : sharing.filter { $0.owner(by: kind) == nil }
        }
        let divided = known.filter { $0.groups.count > 1 || !unmarked($0.kind).isEmpty }
        guard let first = divided.first(where: { $0.groups.count > 1 }) ?? divided.first else {
            let result = check.ok("guests that share pages have one owner, as far as the host tells")
                .seen(lines(users.groups))
            // libvirt runs all guests as one user, so that says little of who owns them.
            return sharing.count < 2
                ? result : result.seen("a manager of guests may run those of several owners as one user")
        }
        return check.warn(
            first.groups.count > 1
                ? "guests of \(first.groups.count) \(first.kind.plural) share pages"
                : "guests of a \(first.kind.word) share pages with guests of none",
            remedy: "keep the guests of one owner out: mem-merge=off of QEMU's -machine, <nosharepages/> in libvirt's "
                + "<memoryBacking>, qm set VMID --allow-ksm 0; or switch merging off: ksmctl unmerge"
        ).seen(divided.flatMap { lines($0.groups) + lines($0.kind, unmarked($0.kind)) }).seen(
            "a write to a merged page takes longer than to another, so that a guest can learn whether another one "
                + "holds a page that it knows: a version of a program, a file, parts of an address or a key")
    }

    private typealias OwnerGroup = (owner: GuestOwner, guests: [GuestDetails])

    /// Guests of which the kind of owner is known, by owner.
    private static func groups(_ guests: [GuestDetails], by kind: GuestOwner.Kind) -> [OwnerGroup] {
        let owned = guests.compactMap { guest in guest.owner(by: kind).map { (owner: $0, guest: guest) } }
        return Dictionary(grouping: owned) { $0.owner }
            .map { (owner: $0.key, guests: $0.value.map { $0.guest }) }
            .sorted { $0.owner.order < $1.owner.order }
    }

    private static func lines(_ groups: [OwnerGroup]) -> [String] {
        groups.map { "\($0.owner.kind.word) \($0.owner.name.printable): \(text($0.guests))" }
    }

    private static func lines(_ kind: GuestOwner.Kind, _ unmarked: [GuestDetails]) -> [String] {
        unmarked.isEmpty ? [] : ["of no \(kind.word), as far as is known: \(text(unmarked))"]
    }

    private static func text(_ guests: [GuestDetails]) -> String {
        let merged = guests.reduce(KiB.zero) { $0 + ($1.merged ?? .zero) }
        let seen = guests.contains { $0.merged != nil }
        return Words.count(guests.count, "guest") + (seen ? ", \(merged) merged" : "") + ": \(Words.list(guests))"
    }
}

extension GuestOwner {
    /// Users by number, all else by name.
    fileprivate var order: (Int64, String) { (kind == .user ? Int64(name) ?? 0 : 0, name) }
}

extension GuestOwner.Kind {
    fileprivate var word: String {
        switch self {
        case .project: "OpenStack project"
        case .pool: "Proxmox pool"
        case .user, .slice: rawValue
        case .label: "SELinux label"
        }
    }

    fileprivate var plural: String { word + "s" }
}
