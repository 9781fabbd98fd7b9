internal import KSMPolicy

/// A virtual machine of KVM that was created or destroyed, as the kernel announced it.
///
/// The kernel announces each, whichever program makes it, in a uevent of `/devices/virtual/misc/kvm`.
package struct MachineEvent: Equatable, Sendable {
    package enum Kind: Sendable {
        case create, destroy
    }

    package let kind: Kind
    /// The thread that created the machine, in both kinds of event. It need not be the first thread of its process,
    /// whose number is the pid.
    package let creator: Int32

    package init(_ kind: Kind, by creator: Int32) {
        self.kind = kind
        self.creator = creator
    }

    /// Reads a message: `change@/devices/virtual/misc/kvm`, then fields `NAME=value`, each ended by a zero byte.
    ///
    /// - Returns: `nil` for a message of another device or about something else. A field without its zero byte may
    ///   have been cut off, and counts as missing.
    package init?(parsing message: Span<UInt8>) {
        var isKVM = false
        var kind: Kind?
        var creator: Int32?
        var start = 0
        for end in message.indices where message[end] == 0 {
            let field = message.extracting(start..<end)
            start = end + 1
            if field.hasPrefix("DEVPATH=") {
                isKVM = field.isEqual(to: "DEVPATH=/devices/virtual/misc/kvm")
            } else if field.hasPrefix("EVENT=") {
                kind = field.isEqual(to: "EVENT=create") ? .create : field.isEqual(to: "EVENT=destroy") ? .destroy : nil
            } else if field.hasPrefix("PID=") {
                creator = DecimalField(field, at: 4).flatMap { $0.end == field.count ? Int32(exactly: $0.value) : nil }
            }
        }
        guard isKVM, let kind, let creator, creator > 0 else { return nil }
        self.init(kind, by: creator)
    }
}

/// What the kernel announced within some time.
package struct MachineEvents: Equatable, Sendable {
    /// In the order in which they happened.
    package var events: [MachineEvent]
    /// Whether there were more, which nobody knows: only a look at the processes tells what is there.
    package var isLossy: Bool

    package init(_ events: [MachineEvent] = [], isLossy: Bool = false) {
        self.events = events
        self.isLossy = isLossy
    }

    /// Whether nothing happened.
    package var isEmpty: Bool { events.isEmpty && !isLossy }
}
