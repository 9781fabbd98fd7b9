/// Looks for `^qemu-system.*-enable-kvm` in a command line that arrives in pieces: Debian's, for pgrep(1) with `-f`.
///
/// A command line can be megabytes long; this keeps 11 bytes of it. A process chooses how long its own is (prctl(2),
/// `PR_SET_MM_MAP`), so what comes after ``longest`` is not looked at.
package struct CommandLineMatcher: Sendable {
    /// In bytes; no more of a command line is read, whoever reads it. libvirt's for guests of hundreds of devices stay below
    /// a tenth of it.
    package static let longest = 1 << 20

    private static let start: StaticString = "qemu-system"
    private static let option: StaticString = "-enable-kvm"

    private var length = 0
    private var matchedStart = 0
    private var matchedOption = 0

    package enum Verdict: Equatable, Sendable {
        case matches, differs, undecided
    }

    package private(set) var verdict = Verdict.undecided

    package init() {}

    /// Whether a whole line is a guest's.
    package static func matches(_ line: [UInt8]) -> Bool {
        var matcher = CommandLineMatcher()
        matcher.feed(line.span)
        return matcher.verdict == .matches
    }

    /// Takes the next piece.
    package mutating func feed(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            guard verdict == .undecided else { return }
            feed(bytes[index])
        }
        length += bytes.count
        if length >= Self.longest, verdict == .undecided { verdict = .differs }
    }

    private mutating func feed(_ byte: UInt8) {
        if matchedStart < Self.start.utf8CodeUnitCount {
            matchedStart += 1
            if byte != Self.start.byte(at: matchedStart - 1) { verdict = .differs }
            return
        }
        if byte == Self.option.byte(at: matchedOption) {
            matchedOption += 1
        } else {
            // The option begins with its only two hyphens at 0 and 7, and what follows them differs,
            // so after a mismatch at 8 ("-enable-" and no k) the match can restart behind its second hyphen.
            let isSecondHyphen = matchedOption == 8 && byte == UInt8(ascii: "e")
            matchedOption = isSecondHyphen ? 2 : (byte == UInt8(ascii: "-") ? 1 : 0)
        }
        if matchedOption == Self.option.utf8CodeUnitCount { verdict = .matches }
    }
}
