package import HostKernel

/// The guests that one look found, and what it could not see.
package struct GuestList: Equatable, Sendable {
    /// In the order of their pids.
    package var guests: [GuestDetails] = []
    /// The `comm` of those that count for their virtual machine alone: an expression would have to name them.
    package var unnamed: [String] = []
    /// Processes that are there and could not be read: a guest among them is in no sum.
    package var unreadable: [Unreadable] = []
    /// Processes that are no guests and offer memory to KSM, in the order of their pids: the daemon does not count them.
    /// Of other users' processes only root sees that.
    package var others: [KSMProcess] = []
    /// How many processes may be such, and hide it from this user.
    package var hiddenOthers = 0
    /// Why it is not known of other processes whether they are such, though they do not hide it.
    package var othersFailures: [KernelFileError] = []
    /// Files of the host that could not be read, so that less is known of all guests; what they need does not depend on
    /// them.
    package var failures: [KernelFileError] = []
    /// Whether `/proc` hides other users' processes (`hidepid=`), so that there may be more guests.
    package var isBlind = false
    /// What that means, and what to do.
    package static let blindness = (
        what: "/proc hides other users' processes (hidepid=), guests among them",
        remedy: "run it as root with CAP_SYS_PTRACE"
    )

    package struct Unreadable: Equatable, Sendable {
        package var pid: Int32
        /// `nil` where not even its name could be read, so that it need not be a guest.
        package var comm: String?
        package var failure: KernelFileError

        package init(pid: Int32, comm: String? = nil, failure: KernelFileError) {
            self.pid = pid
            self.comm = comm
            self.failure = failure
        }
    }

    package init() {}

    /// Files that say more of a guest or of all and could not be read.
    package var unknownFiles: [KernelFileError] { failures + guests.flatMap { $0.failures } }

    /// That in a sentence without a full stop; `nil` where there are none.
    package var unknown: String? { Self.unknown(unknownFiles) }

    /// The same of the files alone that say what guests need.
    package var unknownNeeds: String? { Self.unknown(guests.flatMap { $0.needFailures }) }

    /// And of the others.
    package var otherUnknown: String? { Self.unknown(failures + guests.flatMap { $0.otherFailures }) }

    private static func unknown(_ files: [KernelFileError]) -> String? {
        guard let first = files.first else { return nil }
        let more = files.count - 1
        let others = more == 0 ? "" : more == 1 ? ", and 1 other file" : ", and \(more) other files"
        return "not known, since it could not be read: what \(first.path) says\(others) (\(first))"
    }

    /// What could not be seen and why, as sentences without a full stop; none where everything was seen.
    package var unseen: [String] {
        var sentences: [String] = []
        if let first = unreadable.first {
            let guests = unreadable.count { $0.comm != nil }
            let others = unreadable.count - guests
            var what: [String] = []
            if guests > 0 { what.append(guests == 1 ? "1 guest" : "\(guests) guests") }
            if others > 0 {
                what.append(others == 1 ? "1 process that may be one" : "\(others) processes that may be guests")
            }
            sentences.append("\(what.joined(separator: " and ")) could not be read (\(first.failure))")
        }
        if isBlind {
            sentences.append("\(Self.blindness.what): \(Self.blindness.remedy)")
        }
        return sentences
    }
}
