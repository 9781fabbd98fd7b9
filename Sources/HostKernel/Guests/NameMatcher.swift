internal import Glibc
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

/// A POSIX extended regular expression; see regex(7).
@safe package struct Pattern: ~Copyable {
    private let compiled: UnsafeMutablePointer<regex_t>

    package struct Refusal: Error, Equatable, Sendable {
        /// As regerror(3) says it.
        package var reason: String
    }

    package init(_ text: String) throws(Refusal) {
        let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        let code = unsafe regcomp(compiled, text, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var message = [UInt8](repeating: 0, count: 128)
            let length = unsafe message.withUnsafeMutableBytes { message in
                unsafe regerror(code, compiled, message.baseAddress, message.count)
            }
            unsafe compiled.deallocate()
            throw Refusal(reason: String(decoding: message.prefix(max(length - 1, 0)), as: UTF8.self))
        }
        unsafe self.compiled = compiled
    }

    deinit {
        unsafe regfree(compiled)
        unsafe compiled.deallocate()
    }

    package borrowing func matches(_ text: Span<UInt8>) -> Bool {
        var terminated = [CChar]()
        terminated.reserveCapacity(text.count + 1)
        for index in text.indices { terminated.append(CChar(bitPattern: text[index])) }
        terminated.append(0)
        return unsafe regexec(compiled, terminated, 0, nil, 0) == 0
    }
}
