/// What the adaptive policy looks at.
package struct AdaptiveSample: Sendable {
    package var now: Instant
    package var memory: MemorySample
    package var counters: ScanCounters
    /// Whether the counters are those of this moment. While ksmd rests the last ones will do most of the time.
    package var isCounted = true
    /// What each guest holds; `nil` where they were not looked at in this step.
    package var guests: [GuestMemory]?
    /// The share of the host's memory that can be had without swapping, by the kernel's estimate.
    package var available: Double?
    /// What processes hold that is no file's, each page once however many share it: `AnonPages` of `/proc/meminfo`.
    package var anonymous: KiB?
    /// The share of time in which some task waited for a CPU, since the last sample that had it.
    package var cpuPressure: Double?
    /// Whether the kernel announced memory pressure since the last sample.
    package var isUnderPressure = false
    /// Whether the operator asked for a scan.
    package var isRequested = false
    /// What guests did since the last sample that had this.
    package var activity: GuestActivity?

    package init(now: Instant, memory: MemorySample, counters: ScanCounters) {
        self.now = now
        self.memory = memory
        self.counters = counters
    }
}

/// Signs that guests change what they hold, which no counter of KSM shows before its next pass.
package struct GuestActivity: Equatable, Sendable {
    /// The share of a CPU that the busiest guest had.
    package var busiest: Double
    /// Merged pages that were written to, and became a guest's own again.
    package var brokenMerges: Pages

    /// Pages that guests touched anew though they hold no more than before: what they gave back and took again since,
    /// at least. A huge page counts as one.
    package var retaken: Pages

    package init(busiest: Double = 0, brokenMerges: Pages = .zero, retaken: Pages = .zero) {
        self.busiest = busiest
        self.brokenMerges = brokenMerges
        self.retaken = retaken
    }
}

/// What one guest holds that KSM could merge: its resident memory, without that of files and without shared memory.
package struct GuestMemory: Equatable, Sendable {
    /// What distinguishes the guest from every other, also from a later one with the same pid.
    package var id: Int64
    package var resident: KiB

    package init(id: Int64, resident: KiB) {
        self.id = id
        self.resident = resident
    }
}

extension AdaptivePolicy {
    /// What a sample should hold.
    package struct Wants: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// ``AdaptiveSample/guests``.
        package static let guests = Wants(rawValue: 1)
        /// ``AdaptiveSample/activity``.
        package static let activity = Wants(rawValue: 2)
        /// ``AdaptiveSample/cpuPressure``.
        package static let cpuPressure = Wants(rawValue: 4)
        /// All of ``AdaptiveSample/counters``, also where no pass has ended since the last sample.
        package static let allCounters = Wants(rawValue: 8)
        /// Those of ``AdaptiveSample/counters`` that show how far a pass has come: passes, pages visited, and times; all
        /// where a pass has ended.
        package static let counters = Wants(rawValue: 16)
        /// The host's memory: ``AdaptiveSample/memory``, ``AdaptiveSample/available`` and ``AdaptiveSample/anonymous``.
        package static let memory = Wants(rawValue: 32)

        /// Whether any counters are wanted.
        package var hasCounters: Bool { !isDisjoint(with: [.counters, .allCounters]) }
    }
}
