import ArgumentParser
import Charts
import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy

/// `ksmctl explain`: the last decision as a chain of numbers.
struct ExplainCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain the last decision by its numbers, and what would have to change for the opposite.",
        discussion: """
            Where the daemon does not run, it explains what the classic rule of the configuration would decide now.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    func execute() throws {
        let report = try ExplainReport(HostView(host.paths), now: HostView.now)
        try report.print(output)
        if !report.areGuestsKnown { throw ExitCode(Refusal.Status.failed.rawValue) }
    }
}

struct ExplainReport: Report {
    static let command = "explain"

    /// Whether a running daemon made the decision.
    var isFromDaemon: Bool
    var policy: String
    var action: String
    var reason: String
    var sentence: String
    var ageSeconds: Double
    var steps: [Step]
    /// What would have to change for the opposite.
    var opposite: String
    var notes: [String] = []
    /// Whether every guest can be read now.
    private(set) var areGuestsKnown = true

    private enum CodingKeys: CodingKey {
        case isFromDaemon, policy, action, reason, sentence, ageSeconds, steps, opposite, notes
    }

    struct Step: Encodable {
        var name: String
        var text: String
    }

    init(_ view: HostView, now: WallTime) throws {
        let decision: Decision
        let guests: Int64
        if let last = view.state?.report {
            (decision, guests, isFromDaemon) = (last.decision, last.guests, true)
            sentence = last.sentence
            ageSeconds = max(now - last.time, .zero).seconds
        } else {
            let (supposed, count) = try Self.supposed(view)
            (decision, guests, isFromDaemon) = (supposed, count, false)
            sentence = supposed.sentence
            ageSeconds = 0
            notes += view.unknown
            var why = view.isDaemonAbsent ? "the daemon does not run; " : ""
            if !view.isDaemonAbsent, view.unknown.isEmpty { why = "the daemon has not decided yet; " }
            notes.append(why + "this is what the classic rule would decide now as its first decision")
            if view.configuration.policy == .adaptive {
                notes.append("KSM_POLICY=adaptive goes by what ksmd finds, which nobody knows before it runs")
            }
        }
        if let failure = view.configurationFailure { notes.append(failure) }
        notes += view.differences.map { Self.note($0, decision, view.state?.report) }
        policy = decision.policy.word
        action = decision.action.word
        reason = decision.reason.word
        let explanation = Explanation(
            decision, view.configuration, guests: guests, isMadeBefore: isFromDaemon)
        steps = explanation.steps.map { Step(name: $0.name, text: $0.text) }
        opposite = explanation.opposite
        var failures: [KernelFileError] = []
        let list = Self.see(&failures) { () throws(KernelFileError) in
            try GuestReader.read(view.paths, view.configuration)
        }
        steps = Self.steps(steps, with: Self.elsewhere(view, list, &failures))
        areGuestsKnown = list.map { $0.unreadable.isEmpty && !$0.isBlind } ?? false
        // What the steps need of a guest is what it has in swap.
        let needsSwap = !view.configuration.guestMetric.countsSwap
        if needsSwap { notes += (list?.unseen ?? []).map { "\($0): what they have in swap is in no step" } }
        notes += failures.map { "\($0): what it says is in no step" }
        let isSwapUnknown = list?.guests.contains { $0.swapped == nil && !$0.needFailures.isEmpty } ?? false
        if needsSwap, isSwapUnknown {
            areGuestsKnown = false
            if let unknown = list?.unknownNeeds { notes.append(unknown) }
        }
    }

    /// That a file holds something else than was decided.
    private static func note(
        _ difference: KnobDifference, _ decision: Decision, _ report: StateRecord.Report?
    ) -> String {
        if difference.isLeft(by: decision) { return "\(difference.text): \(difference.outlook(decision))" }
        let excuse = report?.excuse(for: difference.file)
        let why = excuse.map { ": \($0.rawValue)," } ?? ","
        return "\(difference.text)\(why) so that KSM does not follow the decision"
            + (excuse == nil ? " until the next one" : "") + ": see ksmctl status"
    }

    /// What a reader gives; a failure is kept.
    private static func see<Value>(
        _ failures: inout [KernelFileError], _ read: () throws(KernelFileError) -> Value?
    ) -> Value? {
        do throws(KernelFileError) {
            return try read()
        } catch {
            failures.append(error)
            return nil
        }
    }

    /// Memory that the rule does not see, or sees as what it is not, each to stand behind the step of a name.
    private static func elsewhere(
        _ view: HostView, _ list: GuestList?, _ failures: inout [KernelFileError]
    ) -> [(behind: String, step: Step)] {
        var found: [(String, Step)] = []
        let pool = see(&failures) { () throws(KernelFileError) in try HugePagePool.read(view.paths) }
        if let pool, pool.size > .zero {
            found.append(
                (
                    "threshold",
                    Step(
                        name: "huge pages",
                        text:
                            "\(pool.size) of the total are pools of huge pages, of which KSM_THRES_COEF takes its share "
                            + "too, though nothing there can be merged or is free for others")
                ))
        }
        if !view.configuration.freeMetric.countsCache,
            let cache = see(&failures, { () throws(KernelFileError) in try ZFSCache.read(view.paths) })
        {
            found.append(
                (
                    "free",
                    Step(
                        name: "ZFS's cache",
                        text: "\(cache.size), which does not count as free, though ZFS would give back "
                            + "\(cache.reclaimable) of it")
                ))
        }
        let swapped = (list?.guests ?? []).sum { $0.swapped ?? .zero }
        if swapped > .zero, !view.configuration.guestMetric.countsSwap {
            found.append(
                (
                    "committed",
                    Step(name: "swapped", text: "guests have \(swapped) in swap, which does not count as committed")
                ))
        }
        return found
    }

    private static func steps(_ steps: [Step], with more: [(behind: String, step: Step)]) -> [Step] {
        steps.flatMap { step in [step] + more.filter { $0.behind == step.name }.map { $0.step } }
    }

    /// What the daemon would decide now if it started.
    private static func supposed(_ view: HostView) throws -> (Decision, Int64) {
        guard view.loaded.isUsable else {
            throw Refusal(
                view.configurationFailure ?? "the configuration has errors: see ksmctl check-config", .configuration)
        }
        guard view.total > .zero else {
            throw Refusal(
                "\(view.paths.meminfo) has no MemTotal line with a number above 0, so there is nothing to decide by",
                .unavailable)
        }
        let policy: ClassicPolicy
        do throws(ClassicPolicy.Refusal) {
            policy = try ClassicPolicy(view.configuration, total: view.total)
        } catch {
            throw Refusal("the configuration does not fit this host: see ksmctl check-config", .configuration)
        }
        if let missing = view.memory.missingLine(for: view.configuration.freeMetric) {
            throw Refusal(
                "\(view.paths.meminfo) has no \(missing) line, so there is nothing to decide by", .unavailable)
        }
        if let failure = view.cacheFailure {
            throw Refusal("\(failure): the daemon would leave KSM as it is until that can be read", .failed)
        }
        let measured = try GuestCensus.measure(view.paths, view.configuration)
        if let failure = measured.failure {
            let guests =
                measured.unreadable > 0
                ? ", and \(Words.count(measured.unreadable, "guest", "guests")) in all could not be read" : ""
            throw Refusal("\(failure)\(guests): the daemon would leave KSM as it is until that can be read", .failed)
        }
        let sample = MemorySample(
            free: view.memory.free(by: view.configuration.freeMetric), committed: measured.committed)
        return (policy.decide(sample, previous: 0), Int64(measured.guests))
    }

    func text(_ style: Style) -> String {
        var text = style.bold(sentence.printable) + "\n"
        if isFromDaemon { text += "decided \(Amount.duration(seconds: ageSeconds)) ago by the \(policy) policy\n" }
        var fields = FieldList()
        for step in steps { fields.add(step.name, step.text) }
        text += "\n" + fields.text(style) + "\n" + opposite + ".\n"
        return text + Output.notes(notes, style)
    }
}
