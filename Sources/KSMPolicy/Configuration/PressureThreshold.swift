/// How much waiting for memory counts as pressure: the trigger of the kernel's pressure stall information; see
/// `Documentation/accounting/psi.rst`. `KSM_PRESSURE=`
package struct PressureThreshold: Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// Some tasks wait.
        case some
        /// All tasks wait that are not idle.
        case full
    }

    package let kind: Kind
    /// The time waited within a window that counts.
    package let stall: Duration
    package let window: Duration

    /// What the kernel takes for a window.
    package static let windows = Duration.milliseconds(500)...Duration.seconds(10)

    package init(_ kind: Kind, stall: Duration, window: Duration) {
        self.kind = kind
        self.stall = stall
        self.window = window
    }

    package enum ParseError: Error, Equatable, Sendable {
        case notAThreshold
        case windowOutOfRange
        case stallOutOfRange
    }

    /// Reads `some 150ms/1s`: a kind, the time waited, and the window, in `us`, `ms` or `s`.
    ///
    /// - Throws: ``ParseError`` for other text, for a window that the kernel does not take, and for a time that is
    ///   zero or longer than its window.
    package init(parsing text: String) throws(ParseError) {
        let words = text.utf8.split(whereSeparator: { $0.isBlank })
        guard words.count == 2, let kind = Kind(rawValue: String(decoding: words[0], as: UTF8.self)) else {
            throw .notAThreshold
        }
        let times = words[1].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard times.count == 2, let stall = Self.duration(Array(times[0])),
            let window = Self.duration(Array(times[1]))
        else { throw .notAThreshold }
        guard Self.windows.contains(window) else { throw .windowOutOfRange }
        guard stall > .zero, stall <= window else { throw .stallOutOfRange }
        self.init(kind, stall: stall, window: window)
    }

    private static func duration(_ text: [UInt8]) -> Duration? {
        let digits = text.prefix { $0.isDigit }
        let unit: Duration
        switch String(decoding: text[digits.count...], as: UTF8.self) {
        case "us": unit = .microseconds(1)
        case "ms": unit = .milliseconds(1)
        case "s": unit = .seconds(1)
        default: return nil
        }
        guard let number = Int64(String(decoding: digits, as: UTF8.self)) else { return nil }
        let time = unit * number
        return time < .endless ? time : nil
    }
}
