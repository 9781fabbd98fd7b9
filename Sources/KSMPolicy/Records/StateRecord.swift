/// What the daemon reports to other programs in `/run/ksmtuned/state`: the last decision with all that explains it, and
/// what was found before the first one.
///
/// The file is `NAME=value` lines in the form of the configuration file, replaced as a whole after each decision that is news
/// and removed at an orderly end. One that is there when a daemon starts is from a daemon that had no such end, or that says
/// by ``isEnded`` that something is still to be put back.
package struct StateRecord: Equatable, Sendable {
    package var pid: Int32
    /// The knobs before the daemon touched them.
    package var found = KnobValues()
    /// What the other knobs held, of those that the daemon has changed.
    package var foundKnobs = KnobSettings()
    /// What ksmd's scheduling was, and what the daemon gave it; `nil` while it has its own.
    package var ksmd: SchedulingChange?
    /// `nil` before the first decision.
    package var report: Report?
    /// Whether its daemon has ended and put back all but what ``found`` and ``foundKnobs`` say, or left it on purpose.
    package var isEnded = false
    /// The time since boot at which the first decision is due; `nil` where it was made, or comes on a signal only.
    package var firstDue: Duration?
    /// What was counted up to that; `nil` before the first decision.
    package var tally: Tally?
    /// Lines about what was found that the kernel's files cannot have held, as they stand. Their values are left out.
    package var disbelieved: [String] = []
    /// Whether there is something of a decision and yet not all of it, so that ``report`` is not known.
    package var isReportDamaged = false

    /// A decision, with what was known beside it.
    package struct Report: Equatable, Sendable {
        package var decision: Decision
        /// When it was made.
        package var time: WallTime
        /// The same by a clock that nobody sets; `nil` where the file does not say.
        package var bootTime: BootTime?
        /// The time until the next one if nothing else happens; `nil` where the file does not say.
        package var pause: Duration?
        /// How many guests were counted for it.
        package var guests: Int64
        /// What merging saves now; `nil` where that is not known.
        package var saved: KiB?
        /// The daemon's own words, which are those of ``decision``.
        package var sentence: String
        /// The files that held something else than was decided when the kernel had refused a write for it: of `run`,
        /// `pages_to_scan` and `sleep_millisecs`.
        package var refused: [String] = []
        /// Whether the kernel had not finished a write for it.
        package var isPending = false

        package init(
            _ decision: Decision, time: WallTime, bootTime: BootTime? = nil, pause: Duration?, guests: Int64,
            saved: KiB?,
            sentence: String
        ) {
            self.decision = decision
            self.time = time
            self.bootTime = bootTime
            self.pause = pause
            self.guests = guests
            self.saved = saved
            self.sentence = sentence
        }
    }

    package init(pid: Int32, found: KnobValues = KnobValues(), foundKnobs: KnobSettings = KnobSettings()) {
        self.pid = pid
        self.found = found
        self.foundKnobs = foundKnobs
    }

    /// The names in the file. They are an interface: never changed, only added to.
    private enum Key: String {
        case pid = "PID"
        case ended = "ENDED"
        case firstDue = "FIRST_DUE_USEC"
        case time = "TIME_USEC"
        case uptime = "UPTIME_USEC"
        case boot = "BOOT_ID"
        case pause = "INTERVAL_USEC"
        case policy = "POLICY"
        case action = "ACTION"
        case reason = "REASON"
        case sentence = "SENTENCE"
        case refused = "REFUSED"
        case pending = "PENDING"
        case total = "TOTAL_KIB"
        case threshold = "THRESHOLD_KIB"
        case free = "FREE_KIB"
        case committed = "COMMITTED_KIB"
        case guests = "GUESTS"
        case previousPagesToScan = "PREVIOUS_PAGES_TO_SCAN"
        case pagesToScan = "PAGES_TO_SCAN"
        case sleep = "SLEEP_MILLISECS"
        case saved = "SAVED_KIB"
        case unscanned = "UNSCANNED_KIB"
        case changed = "CHANGED_KIB"
        case pass = "PASS"
        case cpuShare = "KSMD_CPU_PERMILLE"
        case advisorScanTime = "ADVISOR_SCAN_TIME"
        case advisorCPUMaximum = "ADVISOR_CPU_MAX"
        case advisorPagesMinimum = "ADVISOR_NPAGES_MIN"
        case advisorPagesMaximum = "ADVISOR_NPAGES_MAX"
        case scanDecisions = "SCAN_DECISIONS"
        case stopDecisions = "STOP_DECISIONS"
        case pressureEvents = "PRESSURE_EVENTS"
        case foreignWrites = "FOREIGN_WRITES"
        case failedWrites = "FAILED_WRITES"
        case foundRun = "FOUND_RUN"
        case foundPagesToScan = "FOUND_PAGES_TO_SCAN"
        case foundSleep = "FOUND_SLEEP_MILLISECS"
        case foundMergeAcrossNodes = "FOUND_MERGE_ACROSS_NODES"
        case foundMaxPageSharing = "FOUND_MAX_PAGE_SHARING"
        case foundUseZeroPages = "FOUND_USE_ZERO_PAGES"
        case foundSmartScan = "FOUND_SMART_SCAN"
        case foundKsmdPolicy = "FOUND_KSMD_POLICY"
        case foundKsmdNice = "FOUND_KSMD_NICE"
        case ksmdPolicy = "KSMD_POLICY"
        case ksmdNice = "KSMD_NICE"
        case foundAdvisorMode = "FOUND_ADVISOR_MODE"
        case foundAdvisorScanTime = "FOUND_ADVISOR_SCAN_TIME"
        case foundAdvisorCPUMaximum = "FOUND_ADVISOR_CPU_MAX"
        case foundAdvisorPagesMinimum = "FOUND_ADVISOR_NPAGES_MIN"
        case foundAdvisorPagesMaximum = "FOUND_ADVISOR_NPAGES_MAX"

        static func found(_ knob: Knob) -> Key {
            switch knob {
            case .mergeAcrossNodes: .foundMergeAcrossNodes
            case .maxPageSharing: .foundMaxPageSharing
            case .useZeroPages: .foundUseZeroPages
            case .smartScan: .foundSmartScan
            }
        }
    }

    /// The names of the four numbers that the kernel's advisor goes by.
    private struct OrderKeys {
        var scanTime, cpuMaximum, pagesMinimum, pagesMaximum: Key

        static var given: OrderKeys {
            OrderKeys(
                scanTime: .advisorScanTime, cpuMaximum: .advisorCPUMaximum, pagesMinimum: .advisorPagesMinimum,
                pagesMaximum: .advisorPagesMaximum)
        }
    }
}

// MARK: Writing

extension StateRecord {
    /// The text of the file.
    package var text: [UInt8] {
        var writer = Writer()
        writer.put(.pid, Int64(pid))
        if isEnded { writer.put(.ended, word: "yes") }
        if let report { Self.put(report, &writer) } else { writer.put(.firstDue, firstDue?.microseconds) }
        if let tally {
            writer.put(.scanDecisions, tally.scanDecisions)
            writer.put(.stopDecisions, tally.stopDecisions)
            writer.put(.pressureEvents, tally.pressureEvents)
            writer.put(.foreignWrites, tally.foreignWrites)
            writer.put(.failedWrites, tally.failedWrites)
        }
        writer.put(.foundRun, found.run)
        writer.put(.foundPagesToScan, found.pagesToScan)
        writer.put(.foundSleep, found.sleepMilliseconds)
        for knob in Knob.allCases { writer.put(.found(knob), foundKnobs[knob]) }
        if let ksmd {
            writer.put(.foundKsmdPolicy, word: ksmd.found.policy.word)
            writer.put(.foundKsmdNice, ksmd.found.nice)
            writer.put(.ksmdPolicy, word: ksmd.given.policy.word)
            writer.put(.ksmdNice, ksmd.given.nice)
        }
        if let mode = found.advisorMode { writer.put(.foundAdvisorMode, word: mode.word) }
        writer.put(.foundAdvisorScanTime, found.advisor.scanTimeSeconds)
        writer.put(.foundAdvisorCPUMaximum, found.advisor.cpuMaximumPercent)
        writer.put(.foundAdvisorPagesMinimum, found.advisor.pagesMinimum)
        writer.put(.foundAdvisorPagesMaximum, found.advisor.pagesMaximum)
        return writer.text.bytes
    }

    private static func put(_ report: Report, _ writer: inout Writer) {
        let decision = report.decision
        writer.put(.time, report.time.microseconds)
        if let bootTime = report.bootTime {
            writer.put(.uptime, bootTime.uptime.microseconds)
            writer.put(.boot, word: Self.hexadecimal(bootTime.boot))
        }
        writer.put(.pause, report.pause?.microseconds)
        writer.put(.policy, word: decision.policy.word)
        writer.put(.action, word: decision.action.word)
        writer.put(.reason, word: decision.reason.word)
        writer.put(.sentence, quoted: report.sentence)
        if !report.refused.isEmpty { writer.put(.refused, word: report.refused.joined(separator: ",")) }
        if report.isPending { writer.put(.pending, word: "yes") }
        writer.put(.total, decision.total.count)
        writer.put(.threshold, decision.threshold.count)
        writer.put(.free, decision.memory.free.count)
        writer.put(.committed, decision.memory.committed.count)
        writer.put(.guests, report.guests)
        writer.put(.previousPagesToScan, decision.previousPagesToScan)
        writer.put(.pagesToScan, decision.pagesToScan)
        writer.put(.sleep, decision.sleepMilliseconds)
        writer.put(.saved, report.saved?.count)
        if let scan = decision.scan {
            writer.put(.unscanned, scan.unscanned.count)
            writer.put(.changed, scan.changed.count)
            writer.put(.pass, Int64(scan.pass))
            writer.put(.cpuShare, scan.cpuShare.map { Int64(saturating: ($0 * 1000).rounded()) })
        }
        put(decision.advisor, OrderKeys.given, &writer)
    }

    /// All 16 digits, as the file has them that it comes from.
    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func put(_ order: AdvisorPolicy.Order?, _ keys: OrderKeys, _ writer: inout Writer) {
        guard let order else { return }
        writer.put(keys.scanTime, order.scanTime.components.seconds)
        writer.put(keys.cpuMaximum, order.cpuMaximumPercent)
        writer.put(keys.pagesMinimum, order.pagesMinimum)
        writer.put(keys.pagesMaximum, order.pagesMaximum)
    }

    private struct Writer {
        var text = TextBuffer(capacity: 1024)

        mutating func put(_ key: Key, _ value: Int64?) {
            guard let value else { return }
            begin(key)
            text.append(value)
            text.append("\n")
        }

        mutating func put(_ key: Key, word: String) {
            begin(key)
            text.append(word)
            text.append("\n")
        }

        mutating func put(_ key: Key, quoted sentence: String) {
            begin(key)
            text.append("'")
            var isFirst = true
            for part in sentence.split(separator: "'", omittingEmptySubsequences: false) {
                // As a shell has it: out of the quotes, one that stands for itself, and into them again.
                if !isFirst { text.append("'\\''") }
                isFirst = false
                text.append(String(part))
            }
            text.append("'\n")
        }

        private mutating func begin(_ key: Key) {
            text.append(key.rawValue)
            text.append("=")
        }
    }
}

// MARK: Reading

extension StateRecord {
    /// Why a text that is no such file cannot be understood.
    package static let foreign = "it is no state of a ksmtuned"

    /// - Returns: `nil` where the text is no such file, or was cut: half a number is another number. What is missing or not
    ///   to be understood in one is left out.
    package init?(parsing text: [UInt8]) {
        guard text.last == UInt8(ascii: "\n") else { return nil }
        let values = Values(text)
        guard let pid = values[.pid].flatMap({ Int32(exactly: $0) }) else { return nil }
        self.init(pid: pid)
        isEnded = values.word(.ended) == "yes"
        report = Self.report(values)
        firstDue = report == nil ? values.span(.firstDue) : nil
        isReportDamaged = report == nil && (values.word(.time) != nil || values.word(.action) != nil)
        tally = Self.tally(values)
        found.run = believed(.foundRun, values, 0...2)
        found.pagesToScan = believed(.foundPagesToScan, values, Self.unsigned)
        found.sleepMilliseconds = believed(.foundSleep, values, Self.unsigned)
        found.advisor.scanTimeSeconds = believed(.foundAdvisorScanTime, values, 1...Self.unsigned.upperBound)
        found.advisor.cpuMaximumPercent = believed(.foundAdvisorCPUMaximum, values, Self.unsigned)
        found.advisor.pagesMinimum = believed(.foundAdvisorPagesMinimum, values, 0...Int64.max)
        found.advisor.pagesMaximum = believed(.foundAdvisorPagesMaximum, values, 0...Int64.max)
        if let word = values.word(.foundAdvisorMode) {
            found.advisorMode = AdvisorMode(rawValue: word)
            if found.advisorMode == nil { disbelieve(.foundAdvisorMode, word) }
        }
        for knob in Knob.allCases { foundKnobs[knob] = believed(.found(knob), values, knob.range) }
        if let found = scheduling(.foundKsmdPolicy, .foundKsmdNice, values),
            let given = scheduling(.ksmdPolicy, .ksmdNice, values)
        {
            ksmd = SchedulingChange(found: found, given: given)
        }
    }

    private mutating func scheduling(_ policy: Key, _ nice: Key, _ values: Values) -> Scheduling? {
        guard let word = values.word(policy) else { return nil }
        guard let known = Scheduling.Policy(word: word), known.isPlain else {
            disbelieve(policy, word)
            return nil
        }
        return believed(nice, values, Scheduling.niceValues).map { Scheduling(known, nice: $0) }
    }

    /// What an `unsigned int` of the kernel holds.
    private static var unsigned: ClosedRange<Int64> { 0...Int64(UInt32.max) }

    /// A value that is to be written to the kernel again, if its file can have held it.
    private mutating func believed(_ key: Key, _ values: Values, _ range: ClosedRange<Int64>) -> Int64? {
        guard let word = values.word(key) else { return nil }
        if let value = values[key], range.contains(value) { return value }
        disbelieve(key, word)
        return nil
    }

    private mutating func disbelieve(_ key: Key, _ word: String) {
        disbelieved.append("\(key.rawValue)=\(word)")
    }

    private static func tally(_ values: Values) -> Tally? {
        guard let scans = values.count(.scanDecisions), let stops = values.count(.stopDecisions) else { return nil }
        var tally = Tally()
        tally.scanDecisions = scans
        tally.stopDecisions = stops
        tally.pressureEvents = values.count(.pressureEvents) ?? 0
        tally.foreignWrites = values.count(.foreignWrites) ?? 0
        tally.failedWrites = values.count(.failedWrites) ?? 0
        return tally
    }

    private static func report(_ values: Values) -> Report? {
        guard let time = values.count(.time), let action = values.word(.action).flatMap({ Decision.Action(word: $0) }),
            let reason = values.word(.reason).flatMap({ Decision.Reason(word: $0) }),
            let total = values.count(.total), let threshold = values.count(.threshold), let free = values.count(.free),
            let committed = values.count(.committed)
        else { return nil }
        var decision = Decision(
            action: action, reason: reason, pagesToScan: values.count(.pagesToScan) ?? 0,
            sleepMilliseconds: values.count(.sleep) ?? 0,
            memory: MemorySample(free: KiB(free), committed: KiB(committed)), total: KiB(total),
            threshold: KiB(threshold), previousPagesToScan: values.count(.previousPagesToScan) ?? 0)
        decision.policy = PolicyKind.allCases.first { $0.word == values.word(.policy) } ?? .classic
        if let unscanned = values.count(.unscanned), let changed = values.count(.changed) {
            var scan = ScanReport(unscanned: KiB(unscanned), changed: KiB(changed))
            scan.pass = Int(clamping: values.count(.pass) ?? 0)
            scan.cpuShare = values.count(.cpuShare).map { Double($0) / 1000 }
            decision.scan = scan
        }
        decision.advisor = order(values, OrderKeys.given)
        var bootTime: BootTime?
        if let uptime = values.span(.uptime),
            let boot = values.word(.boot).flatMap({ UInt64($0, radix: 16) })
        {
            bootTime = BootTime(uptime: uptime, boot: boot)
        }
        var report = Report(
            decision, time: WallTime(microseconds: time), bootTime: bootTime,
            pause: values.span(.pause),
            guests: values.count(.guests) ?? 0, saved: values.count(.saved).map { KiB($0) },
            sentence: values.word(.sentence) ?? decision.sentence)
        report.refused = values.word(.refused)?.split(separator: ",").map { String($0) } ?? []
        report.isPending = values.word(.pending) == "yes"
        return report
    }

    private static func order(_ values: Values, _ keys: OrderKeys) -> AdvisorPolicy.Order? {
        guard let scanTime = values.count(keys.scanTime), let cpuMaximum = values.count(keys.cpuMaximum),
            let pagesMinimum = values.count(keys.pagesMinimum), let pagesMaximum = values.count(keys.pagesMaximum)
        else { return nil }
        return AdvisorPolicy.Order(
            scanTime: .seconds(scanTime), cpuMaximumPercent: cpuMaximum, pagesMinimum: pagesMinimum,
            pagesMaximum: pagesMaximum)
    }

    /// What the lines of a file say, by their names.
    private struct Values {
        private var words: [String: String] = [:]

        init(_ text: [UInt8]) {
            var parser = AssignmentParser(knowsSettings: false)
            parser.read(text, from: "state")
            for assignment in parser.assignments { words[assignment.name] = assignment.value }
        }

        func word(_ key: Key) -> String? { words[key.rawValue] }

        subscript(_ key: Key) -> Int64? { words[key.rawValue].flatMap { Int64($0) } }

        /// - Returns: `nil` for a number below 0, which none of the daemon's is.
        func count(_ key: Key) -> Int64? { self[key].flatMap { $0 < 0 ? nil : $0 } }

        /// - Returns: `nil` for a number of microseconds that is no span of 0 up to for ever.
        func span(_ key: Key) -> Duration? {
            self[key].flatMap { 0 <= $0 && $0 <= Duration.endless.microseconds ? .microseconds($0) : nil }
        }
    }
}
