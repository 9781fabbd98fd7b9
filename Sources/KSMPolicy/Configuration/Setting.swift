/// Every setting, by the name it has in the configuration file, in the environment, in the manual and in messages.
package enum Setting: String, CaseIterable, Sendable {
    case monitorInterval = "KSM_MONITOR_INTERVAL"
    case sleepMilliseconds = "KSM_SLEEP_MSEC"
    case pagesBoost = "KSM_NPAGES_BOOST"
    case pagesDecay = "KSM_NPAGES_DECAY"
    case pagesMinimum = "KSM_NPAGES_MIN"
    case pagesMaximum = "KSM_NPAGES_MAX"
    case thresholdPercent = "KSM_THRES_COEF"
    case thresholdConstant = "KSM_THRES_CONST"
    case logFile = "LOGFILE"
    case debug = "DEBUG"
    case pidFile = "PIDFILE"
    case profile = "KSM_PROFILE"
    case guestPattern = "KSM_GUEST_PATTERN"
    case guestMetric = "KSM_PS_METRIC"
    case freeMetric = "KSM_FREE_METRIC"
    case firstDecision = "KSM_FIRST_DECISION"
    case onExit = "KSM_ON_EXIT"
    case policy = "KSM_POLICY"
    case retuneOnGuests = "KSM_RETUNE_ON_GUESTS"
    case pressure = "KSM_PRESSURE"
    case cpuMaximum = "KSM_CPU_MAX"
    case hostCPUMaximum = "KSM_CPU_MAX_HOST"
    case probeCPU = "KSM_CPU_PROBE"
    case idleStep = "KSM_STEP_IDLE"
    case burstStep = "KSM_STEP_BURST"
    case yieldMinimum = "KSM_YIELD_MIN"
    case adaptiveStart = "KSM_ADAPTIVE_START"
    case ksmdScheduling = "KSM_KSMD_SCHEDULING"
    case advisorScanTime = "KSM_ADVISOR_SCAN_TIME"
    case advisorCPUMaximum = "KSM_ADVISOR_CPU_MAX"
    case advisorPagesMinimum = "KSM_ADVISOR_NPAGES_MIN"
    case advisorPagesMaximum = "KSM_ADVISOR_NPAGES_MAX"
    case mergeAcrossNodes = "KSM_MERGE_ACROSS_NODES"
    case maxPageSharing = "KSM_MAX_PAGE_SHARING"
    case useZeroPages = "KSM_USE_ZERO_PAGES"
    case smartScan = "KSM_SMART_SCAN"
    case allowUnmerge = "KSM_ALLOW_UNMERGE"

    package var name: String { rawValue }

    /// Its default, as it would be written in the file, where no profile has one of its own; see ``Defaults``. Empty
    /// means unset.
    var defaultText: String {
        switch self {
        case .monitorInterval: "60"
        case .sleepMilliseconds: "10"
        case .pagesBoost: "300"
        case .pagesDecay: "-50"
        case .pagesMinimum: "64"
        case .pagesMaximum: "1250"
        case .thresholdPercent: "20"
        case .thresholdConstant: "2048"
        case .logFile, .debug, .profile, .guestPattern: ""
        // By the policy; see KsmdScheduling.standard(_:).
        case .ksmdScheduling: ""
        case .mergeAcrossNodes, .maxPageSharing, .useZeroPages, .smartScan: ""
        case .pidFile: "/var/run/ksmtune.pid"
        case .guestMetric: "rsz"
        case .freeMetric: "cached"
        case .firstDecision: "start"
        case .onExit: "keep"
        case .policy: "classic"
        case .retuneOnGuests: "yes"
        case .pressure: "some 300ms/2s"
        case .cpuMaximum: "95"
        case .hostCPUMaximum: "50"
        case .probeCPU: "10"
        case .idleStep: "1"
        case .burstStep: "0.1"
        case .yieldMinimum: "50"
        case .adaptiveStart: "always"
        case .advisorScanTime: "200"
        case .advisorCPUMaximum: "70"
        case .advisorPagesMinimum: "500"
        case .advisorPagesMaximum: "30000"
        case .allowUnmerge: "no"
        }
    }

    /// Whether a value can be of several words, so that the file needs quotes around it.
    var mayHoldBlanks: Bool { self == .pressure || self == .monitorInterval || self == .ksmdScheduling }

    /// The known setting whose name is nearest to `name`, for "did you mean".
    ///
    /// - Returns: `nil` where every name is so far away that a guess would mislead.
    package static func nearest(to name: String) -> Setting? {
        var best: Setting?
        var least = name.utf8.count / 3 + 1
        for setting in allCases {
            let distance = editDistance(Array(name.utf8), Array(setting.name.utf8))
            if distance < least {
                least = distance
                best = setting
            }
        }
        return best
    }

    /// Levenshtein's distance: the least number of bytes to insert, remove or change.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for i in left.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let change = diagonal + (left[i] == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
