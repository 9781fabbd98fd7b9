/// How ksmd is to be scheduled while the daemon lets it scan. `KSM_KSMD_SCHEDULING=`
///
/// ksmd has SCHED_OTHER and nice 5 by itself, and takes its turn among the threads of guests. In a burst of the
/// adaptive policy the 99th percentile of a neighbour's latency was 2 to 2.8 times that without KSM, and 1.1 times with
/// ksmd under SCHED_IDLE, at the same saving and the same CPU time. nice 19 gained nothing.
package enum KsmdScheduling: Equatable, Sendable {
    /// It is left as it is.
    case keep
    /// SCHED_IDLE: only on a CPU that nobody else wants, but for a trace that keeps it going.
    case idle
    /// SCHED_OTHER, with this nice value.
    case nice(Int64)

    /// Why a text is none.
    package enum ParseError: Error, Equatable {
        case unknown, beyondRange
    }

    /// Understands `keep`, `idle` and `nice 10`.
    package init(parsing text: String) throws(ParseError) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { String($0) }
        switch (words.first, words.count) {
        case ("keep", 1): self = .keep
        case ("idle", 1): self = .idle
        case ("nice", 2):
            guard let value = try? DecimalInteger.parse(words[1]) else { throw .unknown }
            guard Scheduling.niceValues.contains(value) else { throw .beyondRange }
            self = .nice(value)
        default: throw .unknown
        }
    }

    /// What counts where it is not set. SCHED_IDLE wants somebody who looks whether ksmd starves, and only the adaptive
    /// policy looks often enough; the others leave ksmd as the original did.
    package static func standard(_ policy: PolicyKind) -> KsmdScheduling {
        policy == .adaptive ? .idle : .keep
    }

    /// As it is written in the file, without quotes.
    package var text: String {
        switch self {
        case .keep: "keep"
        case .idle: "idle"
        case .nice(let value): "nice \(value)"
        }
    }

    /// The same with the quotes that it needs there.
    package var quoted: String { if case .nice = self { "\"\(text)\"" } else { text } }

    /// What ksmd is to have.
    ///
    /// - Parameter present: What it has. Its nice value stays under SCHED_IDLE, where it means nothing.
    /// - Returns: `nil` to leave it alone.
    package func wanted(over present: Scheduling) -> Scheduling? {
        switch self {
        case .keep: nil
        case .idle: Scheduling(.idle, nice: present.nice)
        case .nice(let value): Scheduling(.other, nice: value)
        }
    }
}
