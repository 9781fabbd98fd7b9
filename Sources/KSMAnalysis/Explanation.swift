package import KSMPolicy

/// A decision as a chain of numbers, each with where it comes from, and what would have to change for the opposite.
///
/// It is made from the decision that the daemon told and from the configuration that counts; where the two do not fit
/// each other, the configuration has changed since, and the explanation says so.
package struct Explanation: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        /// A word or two.
        package var name: String
        package var text: String
    }

    package var steps: [Step] = []
    /// What would have to change for the opposite, as one sentence.
    package var opposite = ""
    /// Whether the decision follows from the configuration as it is now.
    package let followsConfiguration: Bool

    /// - Parameter isMadeBefore: Whether the decision may be of another configuration.
    package init(_ decision: Decision, _ configuration: Configuration, guests: Int64, isMadeBefore: Bool = true) {
        let free =
            switch configuration.freeMetric {
            case .cached: "MemFree + Buffers + Cached"
            case .available: "MemAvailable"
            case .availableAndCache: "MemAvailable, and what ZFS's cache can give back"
            }
        let since = configuration.profile.readsTotalOnce ? ", as of the start or the last reload" : ""
        let rule = (try? ClassicPolicy(configuration, total: decision.total))
            .flatMap { $0.threshold == decision.threshold ? $0 : nil }
        followsConfiguration = Self.follows(decision, configuration, rule, isMadeBefore: isMadeBefore)
        add("total", "\(decision.total) (MemTotal\(since))")
        explainThreshold(decision, configuration, isKnown: rule != nil)
        if decision.policy == .adaptive, configuration.adaptiveStart == .always {
            steps[steps.count - 1].text += " (by KSM_ADAPTIVE_START=always it is not asked)"
        }
        add("free", "\(decision.memory.free) (\(free))")
        // The adaptive policy measures by a dearer metric only what it holds against the threshold.
        let isResident = decision.policy == .adaptive && configuration.adaptiveStart == .always
        add(
            "committed",
            "\(decision.memory.committed) held by \(guests) \(guests == 1 ? "guest" : "guests") "
                + (isResident ? "(resident)" : "(KSM_PS_METRIC=\(configuration.guestMetric.word))"))
        switch decision.policy {
        case .classic, .advisor: explainRule(decision, configuration)
        case .adaptive: explainAdaptive(decision, configuration)
        }
        if decision.action == .scan, configuration.ksmdScheduling != .keep {
            add(
                "ksmd",
                "scheduled by KSM_KSMD_SCHEDULING=\(configuration.ksmdScheduling.quoted) while it scans"
                    + (configuration.ksmdScheduling == .idle ? ", so that guests have the CPUs first" : ""))
        }
        if !followsConfiguration {
            add("note", "the configuration has changed since this decision; ksmctl reload brings it into force")
        }
    }

    /// - Parameter rule: The classic rule of the configuration, where its threshold is that of the decision.
    private static func follows(
        _ decision: Decision, _ configuration: Configuration, _ rule: ClassicPolicy?, isMadeBefore: Bool
    ) -> Bool {
        guard let rule else { return false }
        // Where the kernel has no advisor the classic rule decides.
        let isInPlace = configuration.policy == .advisor && decision.policy == .classic
        if isMadeBefore, decision.policy != configuration.policy, !isInPlace { return false }
        guard decision.policy == .classic, decision.action == .scan else { return true }
        let present = rule.decide(decision.memory, previous: decision.previousPagesToScan)
        return present.pagesToScan == decision.pagesToScan && present.sleepMilliseconds == decision.sleepMilliseconds
    }

    private mutating func add(_ name: String, _ text: String) {
        steps.append(Step(name: name, text: text))
    }

    /// - Parameter isKnown: Whether it is that of the configuration.
    private mutating func explainThreshold(_ decision: Decision, _ configuration: Configuration, isKnown: Bool) {
        guard isKnown else {
            add("threshold", "\(decision.threshold)")
            return
        }
        let percent = "KSM_THRES_COEF=\(configuration.thresholdPercent) % of the total"
        let constant = "KSM_THRES_CONST=\(configuration.thresholdConstant.count) KiB"
        let isConstant = decision.threshold == configuration.thresholdConstant
        add(
            "threshold",
            "\(decision.threshold): \(isConstant ? constant : percent), which is more than "
                + (isConstant ? percent : constant))
    }

    // MARK: The classic rule

    private mutating func explainRule(_ decision: Decision, _ configuration: Configuration) {
        compare(decision)
        let canRest = decision.reason == .plenty
        guard decision.action == .scan else {
            add("result", "both hold, so KSM need not scan; what is merged stays merged")
            add(
                "written",
                "run 0; pages_to_scan stays " + (decision.pagesToScan > 0 ? "\(decision.pagesToScan)" : "as it is"))
            opposite = Self.untilScan(decision)
            return
        }
        add("result", canRest ? "both hold" : "not both hold, so KSM scans")
        if decision.policy == .advisor {
            if let order = decision.advisor {
                add(
                    "written",
                    "advisor_target_scan_time \(order.scanTime.components.seconds), advisor_max_cpu \(order.cpuMaximumPercent), "
                        + "advisor_min_pages_to_scan \(order.pagesMinimum), "
                        + "advisor_max_pages_to_scan \(order.pagesMaximum), advisor_mode scan-time, run 1")
            }
        } else {
            explainPace(decision, configuration)
        }
        opposite = Self.untilRest(decision)
    }

    /// The two comparisons, with the numbers that were compared.
    private mutating func compare(_ decision: Decision) {
        let sum = decision.committedWithThreshold
        let holds = sum < decision.total
        add(
            "compare",
            "\(decision.memory.committed) + \(decision.threshold) threshold = \(sum) "
                + "\(holds ? "<" : ">=") \(decision.total) total: \(holds ? "the guests fit" : "the guests do not fit")"
        )
        let free = decision.memory.free
        let relation = free > decision.threshold ? ">" : free < decision.threshold ? "<" : "="
        add(
            "compare",
            "\(free) \(relation) \(decision.threshold) threshold: "
                + (relation == ">" ? "enough is free" : "not enough is free"))
    }

    private mutating func explainPace(_ decision: Decision, _ configuration: Configuration) {
        let isBoost = decision.reason == .shortage
        let change = isBoost ? configuration.pagesBoost : configuration.pagesDecay
        let sum = decision.previousPagesToScan.addingSaturated(change)
        add(
            "step",
            "\(decision.previousPagesToScan) pages \(change < 0 ? "-" : "+") \(change.magnitude) "
                + "(\(isBoost ? "KSM_NPAGES_BOOST, since free is below the threshold" : "KSM_NPAGES_DECAY, since free is not below the threshold"))"
                + " = \(sum)")
        let bounds = "KSM_NPAGES_MIN=\(configuration.pagesMinimum), KSM_NPAGES_MAX=\(configuration.pagesMaximum)"
        add("bounds", sum == decision.pagesToScan ? "within \(bounds)" : "\(decision.pagesToScan) by \(bounds)")
        add(
            "sleep",
            "\(decision.sleepMilliseconds) ms: KSM_SLEEP_MSEC=\(configuration.sleepMilliseconds) x 16 GiB / total, at "
                + "least \(ClassicPolicy.shortestSleepMilliseconds)")
        add(
            "written",
            "pages_to_scan \(decision.pagesToScan), sleep_millisecs \(decision.sleepMilliseconds), run 1")
    }

    private static func untilScan(_ decision: Decision) -> String {
        let room = decision.total - decision.committedWithThreshold
        let reserve = decision.memory.free - decision.threshold
        return "KSM would scan if the guests held \(room) more, or if \(reserve) less were free"
    }

    private static func untilRest(_ decision: Decision) -> String {
        var conditions: [String] = []
        if decision.committedWithThreshold >= decision.total {
            conditions.append("the guests held more than \(decision.committedWithThreshold - decision.total) less")
        }
        if decision.memory.free <= decision.threshold {
            conditions.append("more than \(decision.threshold - decision.memory.free) more were free")
        }
        var text = "KSM would stop if "
        for (index, condition) in conditions.enumerated() { text += (index > 0 ? " and " : "") + condition }
        return text
    }

    // MARK: The adaptive policy

    private mutating func explainAdaptive(_ decision: Decision, _ configuration: Configuration) {
        if configuration.adaptiveStart == .threshold { compare(decision) }
        guard let scan = decision.scan, decision.reason != .plenty else {
            add("result", "the threshold of KSM_ADAPTIVE_START=threshold is not reached, so KSM need not scan")
            opposite = Self.untilScan(decision)
            return
        }
        add("trigger", decision.reason.trigger)
        add("new", "\(scan.unscanned) that guests hold and no pass has seen, as far as it is likely to be mergeable")
        add("changed", "\(scan.changed) that the last pass did not compare, since it had changed")
        add(
            "worth",
            "a pass must be expected to merge KSM_YIELD_MIN=\(configuration.yieldMinimum.count >> 20) MiB for each second of "
                + "ksmd's CPU time; new memory below \(AdaptivePolicy.Parameters.leastGrowth) is not worth one")
        guard decision.action == .scan else {
            add(
                "result",
                decision.reason == .filling
                    ? "a scan pays, and more when more has come" : "no scan would pay, so KSM rests")
            add("written", "run 0")
            opposite =
                "KSM would scan after \(AdaptivePolicy.Parameters.leastGrowth) or more of new guest memory, after enough memory "
                + "has changed, to look for such changes now and then, or at once by ksmctl retune"
            return
        }
        if scan.pass > 0 { add("pass", "\(scan.pass) of this scan") }
        let limit = decision.reason == .probing ? "KSM_CPU_PROBE" : "KSM_CPU_MAX"
        let percent = limit == "KSM_CPU_MAX" ? configuration.cpuMaximumPercent : configuration.probeCPUPercent
        add(
            "CPU",
            (scan.cpuShare.map { "\(Int64(saturating: $0 * 100)) % of a CPU in the last step, " } ?? "")
                + "at most \(limit)=\(percent) %, less while others wait for a CPU")
        add("written", "pages_to_scan \(decision.pagesToScan), sleep_millisecs \(decision.sleepMilliseconds), run 1")
        opposite = "KSM will stop at the end of a pass after which no further pass would pay"
    }
}

extension Decision.Reason {
    /// What brought the adaptive policy to it.
    fileprivate var trigger: String {
        switch self {
        case .nothingToGain: "nothing: no new guest memory, and too little that has changed"
        case .filling: "new memory comes so fast that waiting for more of it spares more than it loses"
        case .newMemory: "guests have new memory, the last pass paid, or it is not known yet what KSM knows of them"
        case .settled: "enough memory has changed since the last pass, or can be expected to have"
        case .probing: "guests may have changed what they hold, which no counter tells of"
        case .requested: "it was asked for (SIGUSR1, ksmctl retune)"
        case .nothingOffered:
            "guests have new memory, but no process has offered any to KSM; ksmd sleeps until one does"
        case .plenty, .shortage, .easing: "the threshold"
        }
    }
}
