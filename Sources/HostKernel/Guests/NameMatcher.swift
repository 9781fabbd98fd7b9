package import KSMPolicy

/// Tells guests from other processes: by the profile's names, or by the operator's expression.
package struct NameMatcher: ~Copyable {
    private let names: GuestNames
    private let pattern: Pattern?

    /// - Throws: ``Pattern/Refusal`` for a pattern that regcomp(3) does not take.
    package init(profile: Profile, pattern: String?) throws(Pattern.Refusal) {
        names = GuestNames(profile)
        countsAnnounced = profile.guests == .union && pattern == nil
        if let pattern {
            self.pattern = try Pattern(pattern)
        } else {
            self.pattern = nil
        }
    }

    package borrowing func matches(comm: Span<UInt8>) -> Bool {
        switch pattern {
        case .some(let pattern): pattern.matches(comm)
        case .none: names.matches(comm: comm)
        }
    }

    /// Whether a process counts that no name tells, because the kernel announced a virtual machine of it. An exact
    /// variant and the operator's expression go by names only.
    package let countsAnnounced: Bool

    /// Whether the command line must be read for a process whose `comm` says nothing.
    package var needsCommandLine: Bool {
        switch pattern {
        case .some: false
        case .none: names.needsCommandLine
        }
    }
}

extension NameMatcher {
    /// The one that a configuration asks for.
    package init(_ configuration: Configuration) throws(KernelFileError) {
        do throws(Pattern.Refusal) {
            try self.init(profile: configuration.profile, pattern: configuration.guestPattern)
        } catch {
            throw KernelFileError(.understand, Setting.guestPattern.name, errno: 0, detail: error.reason)
        }
    }
}
