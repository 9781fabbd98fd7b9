/// Whom a guest belongs to, by something that tells owners apart on one host.
///
/// Two names are two owners as far as the host's administrator made that difference; the same name proves nothing.
package struct GuestOwner: Hashable, Sendable {
    /// What the name is one of, the most telling first.
    package enum Kind: String, CaseIterable, Sendable {
        /// OpenStack's, which Nova writes into libvirt's description of the guest.
        case project
        /// Of Proxmox VE.
        case pool
        /// Of the host, by number.
        case user
        /// Of systemd, but for those that hold the guests of everybody.
        case slice
        /// SELinux's, without the categories: libvirt gives each guest some of its own, whoever owns it.
        case label
    }

    package var kind: Kind
    package var name: String

    package init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }
}

extension GuestDetails {
    /// The owner by ``user`` and by ``owners``; `nil` where nothing of the kind is known.
    package func owner(by kind: GuestOwner.Kind) -> GuestOwner? {
        if kind == .user { return user.map { GuestOwner(.user, String($0)) } }
        return owners.first { $0.kind == kind }
    }
}
