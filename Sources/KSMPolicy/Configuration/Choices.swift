/// A setting whose value is one word of a few.
package protocol Choice: CaseIterable, Sendable {
    var word: String { get }
}

/// Whose defaults and whose way of recognising guests: a variant of the original's, or ours for large hosts.
/// `KSM_PROFILE=`
package enum Profile: String, Choice {
    /// The default: upstream's settings, and every known name of a guest process. It has no word of its own.
    case union = ""
    case upstream, debian, proxmox
    /// As ``union``, with a threshold and a sleep that follow the host's memory; see ``Defaults``.
    case scaled

    package var word: String { rawValue }

    /// Whether the host's memory counts as it was at the start, as with the variants of the original. Else it is what
    /// each decision reads: memory can be added to a host that runs.
    package var readsTotalOnce: Bool { self == .upstream || self == .debian || self == .proxmox }

    /// The profile that recognises guests as this one does.
    package var guests: Profile { self == .scaled ? .union : self }
}

/// What a guest is counted with. `KSM_PS_METRIC=`
package enum GuestMetric: String, Choice {
    /// Resident size, merged pages included. The original's.
    case rsz
    /// Proportional share: a page merged in n guests counts a n-th in each. Walks the guest's page tables.
    case pss
    /// Resident size less the pages that KSM merged.
    case unmerged
    /// Resident size and what of it is in swap.
    case residentAndSwap = "rsz+swap"

    package var word: String { rawValue }

    /// Whether what a guest has in swap is in it.
    package var countsSwap: Bool { self == .residentAndSwap }
}

/// What counts as free memory. `KSM_FREE_METRIC=`
package enum FreeMetric: String, Choice {
    /// MemFree + Buffers + Cached. The original's.
    case cached
    /// MemAvailable.
    case available
    /// MemAvailable, and what ZFS's cache can give back.
    case availableAndCache = "available+arc"

    package var word: String { rawValue }

    /// Whether what ZFS's cache can give back is in it.
    package var countsCache: Bool { self == .availableAndCache }
}

/// When the first decision is made. `KSM_FIRST_DECISION=`
package enum FirstDecision: String, Choice {
    case start
    /// After one whole interval, as the original did.
    case interval

    package var word: String { rawValue }
}

/// What happens to KSM when the daemon ends. `KSM_ON_EXIT=`
package enum ExitAction: String, Choice {
    /// Leave it as it is. The original's.
    case keep
    /// Stop scanning; merged pages stay merged.
    case stop
    /// Put the knobs back as they were found at start.
    case restore
    /// Stop scanning and give every guest its own pages again, if they fit.
    case unmerge

    package var word: String { rawValue }
}

/// Which rule decides. `KSM_POLICY=`
package enum PolicyKind: String, Choice {
    /// The original's: ``ClassicPolicy``.
    case classic
    /// Scans when memory has come that no pass has seen, and stops when nothing is left to gain: ``AdaptivePolicy``.
    case adaptive
    /// Hands the pace to the kernel's scan-time advisor: ``AdvisorPolicy``.
    case advisor

    package var word: String { rawValue }
}

/// When the adaptive policy may scan. `KSM_ADAPTIVE_START=`
package enum AdaptiveStart: String, Choice {
    case always
    /// Only while the classic rule would scan: the guests have committed the host, or free memory is short.
    case threshold

    package var word: String { rawValue }
}

/// What is on or off. `KSM_RETUNE_ON_GUESTS=`, `KSM_SMART_SCAN=` and others
package enum Switch: String, Choice {
    case yes, no

    package var word: String { rawValue }

    /// In any of the words for the two.
    init?(word: String) {
        guard let isOn = Bool(word: word) else { return nil }
        self = isOn ? .yes : .no
    }
}
