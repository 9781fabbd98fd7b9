import KSMPolicy

/// Amounts and times as people read them.
enum Amount {
    /// `511 KiB`, `1.5 MiB`, `23.5 GiB`: as the daemon writes them.
    static func text(bytes: Int64) -> String {
        var text = TextBuffer(capacity: 16)
        text.append(KiB(bytes / 1024))
        return text.string
    }

    static func text(_ amount: KiB) -> String { "\(amount)" }

    /// `12.3 %`, with one decimal.
    static func percent(_ share: Double) -> String { "\(tenths(share * 100)) %" }

    /// With one decimal.
    static func tenths(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "-" }
        let rounded = Int64((number * 10).rounded())
        return "\(rounded < 0 ? "-" : "")\(rounded.magnitude / 10).\(rounded.magnitude % 10)"
    }

    /// As ``duration(_:)``.
    static func duration(seconds: Double) -> String { duration(Duration(rounding: seconds)) }

    /// `3s`, `4min 5s`, `2h 3min`, `5d 2h`: at most two units.
    static func duration(_ duration: Duration) -> String {
        let whole = max(duration, .zero).components.seconds
        switch whole {
        case ..<1: return "\(max(duration, .zero).milliseconds)ms"
        case ..<60: return "\(whole)s"
        case ..<3600: return "\(whole / 60)min \(whole % 60)s"
        case ..<86400: return "\(whole / 3600)h \(whole % 3600 / 60)min"
        default: return "\(whole / 86400)d \(whole % 86400 / 3600)h"
        }
    }
}
