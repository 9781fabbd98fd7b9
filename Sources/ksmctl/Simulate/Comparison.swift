import HostKernel
import KSMAnalysis
import KSMPolicy

/// The decisions of one side beside those of the other, at the same samples.
struct Comparison {
    struct Side {
        /// What heads its column.
        var name: String
        var kind: Kind
        /// `nil` for what was recorded, where several may have decided.
        var policy: PolicyKind?
        var series: DecisionSeries
    }

    enum Kind: String {
        /// What the trace says was decided.
        case recorded
        /// The host's configuration as it is now.
        case present
        /// The other configuration.
        case file
    }

    let source: TraceSource
    let timeline: Timeline
    /// The one to compare with first, if there is any; the other configuration last.
    let sides: [Side]
    /// What should be known beside it.
    let notes: [String]

    /// - Parameter file: The other configuration.
    /// - Throws: ``Refusal`` where it cannot be replayed; its errors are printed.
    init(_ source: TraceSource, file: String, _ paths: HostPaths) throws {
        self.source = source
        let trace = source.trace
        let loaded = LoadedConfiguration.read(file, paths, total: source.greatestTotal)
        try loaded.check()
        let other = loaded.configuration
        let present = LoadedConfiguration.read(nil, paths, total: source.greatestTotal)
        // Another host's daemon may have had another interval.
        let timeline = Timeline(
            trace.records, interval: source.isHistory ? present.configuration.monitorInterval : nil)
        self.timeline = timeline
        var notes: [String] = []
        var sides: [Side] = []
        if let recorded = DecisionSeries(recordedIn: trace) {
            sides.append(Side(name: "recorded", kind: .recorded, policy: nil, series: recorded))
        } else if !present.isUsable {
            notes.append(
                "the trace does not hold what was decided, and the host's configuration has errors (ksmctl "
                    + "check-config), so there is nothing to compare with")
        } else {
            do throws(Simulation.Refusal) {
                let series = try Simulation.replay(trace, over: timeline, by: present.configuration)
                sides.append(
                    Side(name: "present", kind: .present, policy: present.configuration.policy, series: series))
            } catch {
                notes.append(
                    "the trace does not hold what was decided, and the host's configuration cannot be replayed ("
                        + error.why(paths.configuration) + "), so there is nothing to compare with")
            }
        }
        do throws(Simulation.Refusal) {
            let series = try Simulation.replay(trace, over: timeline, by: other)
            sides.append(Side(name: Self.baseName(file), kind: .file, policy: other.policy, series: series))
        } catch {
            throw Refusal(error.why(file), .configuration)
        }
        self.sides = sides
        self.notes = notes + SimulationNotes(source, timeline, other, file: file, present: present.configuration).notes
    }

    private static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map { String($0).printable } ?? path
    }
}

extension Simulation.Refusal {
    /// - Parameter file: Where the settings are.
    func why(_ file: String) -> String {
        switch self {
        case .policy:
            "\(file) has KSM_POLICY=adaptive, which cannot be replayed: it goes by what ksmd finds when it scans, and "
                + "samples recorded under other decisions do not hold that; classic can be replayed, and of advisor "
                + "when it starts and stops KSM"
        case .arithmetic(.overflow(let setting), let total):
            "\(setting.name) of \(file) is so large that with the \(total) of a sample the arithmetic is beyond 64 "
                + "bits: write a smaller number"
        case .arithmetic(.sleepTooLong(let milliseconds), let total):
            "KSM_SLEEP_MSEC of \(file) means a sleep of \(milliseconds) ms with the \(total) of a sample, beyond the "
                + "kernel's 32 bits: write a smaller number"
        }
    }
}

/// What the reader of a comparison should know.
private struct SimulationNotes {
    private(set) var notes: [String] = []

    init(_ source: TraceSource, _ timeline: Timeline, _ other: Configuration, file: String, present: Configuration) {
        let records = source.trace.records
        guard let usual = timeline.usual else {
            notes.append("there is one sample only, so no time passes in it")
            return
        }
        if timeline.gaps > 0 {
            notes.append(
                "\(timeline.gaps == 1 ? "a gap" : "\(timeline.gaps) gaps") without samples, "
                    + "\(Amount.duration(timeline.missing)) in all, counts on no side")
        }
        if other.freeMetric == .available {
            let without = records.count { $0.available == nil }
            if without > 0 {
                notes.append(
                    "\(without) of \(records.count) samples have no available_kib, so KSM_FREE_METRIC=available of "
                        + "\(file) goes by free_kib there")
            }
        }
        // A trace does not say by which metric its free_kib was read; available_kib is the only other one that it has.
        if other.freeMetric != present.freeMetric, other.freeMetric != .available {
            notes.append(
                "free memory is as recorded: KSM_FREE_METRIC=\(other.freeMetric.word) of \(file) changes nothing of that "
                    + "here")
        }
        let interval = Simulation.interval(of: other)
        if interval < usual * 0.9 {
            let setting = other.policy == .advisor ? "the advisor policy" : "KSM_MONITOR_INTERVAL of \(file)"
            notes.append(
                "\(setting) decides each \(Amount.duration(interval)), but the samples are "
                    + "\(Amount.duration(usual)) apart, so it decides once for each")
        }
        if interval > timeline.covered {
            notes.append(
                "KSM_MONITOR_INTERVAL of \(file) (\(Interval.text(other.monitorInterval))) is longer than all the samples hold, so it "
                    + "decides by the first one only")
        }
        if other.policy == .advisor {
            notes.append("with KSM_POLICY=advisor the kernel chooses pages_to_scan, so they are not known")
        }
        if Self.countsOthers(other, than: present) {
            notes.append(
                "who is a guest and what it holds is as recorded: KSM_GUEST_PATTERN, KSM_PS_METRIC and KSM_PROFILE of "
                    + "\(file) change nothing of that here")
        }
    }

    private static func countsOthers(_ other: Configuration, than present: Configuration) -> Bool {
        other.guestMetric != present.guestMetric || other.guestPattern != present.guestPattern
            || other.profile.guests != present.profile.guests
    }
}
