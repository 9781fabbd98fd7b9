/// The rule that decides when KSM scans, and how hard: the one that `KSM_POLICY=` names.
///
/// Whoever runs a policy asks it here what it needs to see and what it decides; what others have to know of it, without
/// running it, stands in ``PolicyKind/Traits``.
///
/// A new policy touches seven files: its own in `Policies/`, this one, `Configuration/Choices.swift` for its word,
/// `Decision/Reason.swift` for the reasons that it gives, `Tuner/Sampler.swift` if it must see what no other does,
/// `Tuner/Applier.swift` if it writes what no other does, and `KSMAnalysis/Explanation.swift` for what `ksmctl explain`
/// says of it. Settings of its own touch the files of any setting.
package enum Policy: Sendable {
    case classic(ClassicPolicy)
    case adaptive(AdaptivePolicy)
    case advisor(AdvisorPolicy)

    /// - Parameters:
    ///   - configuration: That of `classic`.
    ///   - cpus: How many the host has.
    ///   - pageSize: Of the host.
    package init(_ configuration: Configuration, classic: ClassicPolicy, cpus: Int, pageSize: Bytes) {
        switch configuration.policy {
        case .classic: self = .classic(classic)
        case .adaptive:
            self = .adaptive(AdaptivePolicy(configuration, classic: classic, cpus: cpus, pageSize: pageSize))
        case .advisor: self = .advisor(AdvisorPolicy(configuration, classic: classic))
        }
    }

    /// Goes on by another configuration. A policy that stays the same keeps what it has learnt.
    package mutating func adopt(_ configuration: Configuration, classic: ClassicPolicy, cpus: Int, pageSize: Bytes) {
        guard case .adaptive(var policy) = self, configuration.policy == .adaptive else {
            self = Policy(configuration, classic: classic, cpus: cpus, pageSize: pageSize)
            return
        }
        policy.adopt(configuration, classic: classic, cpus: cpus)
        self = .adaptive(policy)
    }

    package var kind: PolicyKind {
        switch self {
        case .classic: .classic
        case .adaptive: .adaptive
        case .advisor: .advisor
        }
    }

    /// The rule of the original, with the host's memory and the threshold, which every policy goes by or reports.
    package var classic: ClassicPolicy {
        switch self {
        case .classic(let policy): policy
        case .adaptive(let policy): policy.classic
        case .advisor(let policy): policy.classic
        }
    }

    // MARK: A step

    /// What the next sample should hold.
    package enum Needs: Sendable {
        /// The host's memory, and what the guests hold.
        case memory
        /// Besides, how far ksmd is and what the kernel's advisor does.
        case advisor
        /// What the adaptive policy asks for at this moment.
        case adaptive(AdaptivePolicy.Wants)
    }

    /// What a policy looks at. Where its own part is missing, the classic rule decides.
    package struct Sample: Sendable {
        package var memory: MemorySample
        /// How many guests there are.
        package var guests: Int
        /// The pages per scan that the classic rule decided last, 0 at first.
        package var previousPagesToScan: Int64 = 0
        /// `nil` also where this kernel has no advisor.
        package var advisor: AdvisorPolicy.Sample?
        package var adaptive: AdaptiveSample?

        package init(_ memory: MemorySample, guests: Int) {
            self.memory = memory
            self.guests = guests
        }
    }

    package func needs(at now: Instant) -> Needs {
        switch self {
        case .classic: .memory
        case .adaptive(let policy): .adaptive(policy.wants(at: now))
        case .advisor: .advisor
        }
    }

    /// Decides what KSM should do until the next sample. The same samples always give the same decisions.
    package mutating func decide(_ sample: Sample) -> Decision {
        switch self {
        case .adaptive(var policy):
            guard let own = sample.adaptive else { break }
            // Taken out while it changes, so that it is not copied.
            self = .classic(policy.classic)
            defer { self = .adaptive(policy) }
            return policy.decide(own)
        case .advisor(var policy):
            guard let own = sample.advisor else { break }
            defer { self = .advisor(policy) }
            return policy.decide(sample.memory, own)
        case .classic: break
        }
        return classic.decide(sample.memory, previous: sample.previousPagesToScan)
    }
}

extension PolicyKind {
    /// What others have to know of a policy.
    package struct Traits: Sendable {
        /// Its number in the history, which never changes.
        package var code: UInt8
        /// Whether it sets the time of its next look itself, ``Decision/pause``, and not `KSM_MONITOR_INTERVAL=`.
        package var isPacedByItself: Bool
        /// How soon a decision that says the same again is reported in the state file and to the service manager, and
        /// recorded in the history; `nil` for each time.
        package var reported: DecisionNews.Repetition?
        package var recorded: DecisionNews.Repetition?
        /// Whether what it would have decided follows from samples that were recorded under other decisions.
        package var canBeReplayed: Bool
        /// Whether it writes only what is not there already. It looks so often that writing all of it each time would
        /// cost more than the rest.
        package var writesOnlyChanges: Bool
        /// Whether the kernel's advisor sets the pace, and changes `pages_to_scan` itself.
        package var leavesPaceToKernel: Bool
        /// Whether it leaves an operator's 2 in `run` while it rests. The original writes 0 at each decision.
        package var leavesUnmerged: Bool
    }

    package var traits: Traits {
        switch self {
        case .classic:
            Traits(
                code: 0, isPacedByItself: false, reported: nil, recorded: nil, canBeReplayed: true,
                writesOnlyChanges: false, leavesPaceToKernel: false, leavesUnmerged: false)
        case .adaptive:
            Traits(
                code: 1, isPacedByItself: true, reported: Self.often, recorded: Self.seldom, canBeReplayed: false,
                writesOnlyChanges: true, leavesPaceToKernel: false, leavesUnmerged: true)
        case .advisor:
            Traits(
                code: 2, isPacedByItself: true, reported: Self.often, recorded: Self.seldom, canBeReplayed: true,
                writesOnlyChanges: false, leavesPaceToKernel: true, leavesUnmerged: false)
        }
    }

    private static var often: DecisionNews.Repetition { .init(scanning: .seconds(2), resting: .seconds(10)) }
    private static var seldom: DecisionNews.Repetition { .init(scanning: .seconds(10), resting: .seconds(60)) }

    /// The policy of a ``Traits/code``.
    package init?(code: UInt8) {
        guard let kind = PolicyKind.allCases.first(where: { $0.traits.code == code }) else { return nil }
        self = kind
    }
}
