package import HostKernel
package import KSMPolicy

/// What the daemon says in `/run/ksmtuned/state`, as another program reads it.
package struct PublishedState: Equatable, Sendable {
    package var pid: Int32
    /// `nil` before the first decision.
    package var last: LastDecision?

    /// A decision, with what was known beside it.
    package struct LastDecision: Equatable, Sendable {
        package var decision: Decision
        /// When it was made.
        package var time: WallTime
        /// The time until the next one if nothing else happens; `nil` where the file does not say.
        package var interval: Duration?
        package var guests: Int64
        package var saved: KiB?
        /// The daemon's own words, which are those of ``decision``.
        package var sentence: String
    }

    /// - Returns: `nil` where the text is no such file.
    package init?(parsing text: [UInt8]) {
        var parser = AssignmentParser()
        parser.read(text, from: "state")
        var values: [String: String] = [:]
        for assignment in parser.assignments { values[assignment.name] = assignment.value }
        func number(_ name: String) -> Int64? { values[name].flatMap { Int64($0) } }
        guard let pid = number("PID").flatMap({ Int32(exactly: $0) }) else { return nil }
        self.pid = pid
        guard let time = number("TIME_USEC"), let decision = Self.decision(values, number) else { return }
        last = LastDecision(
            decision: decision, time: WallTime(microseconds: time),
            interval: number("INTERVAL_USEC").map { .microseconds($0) }, guests: number("GUESTS") ?? 0,
            saved: number("SAVED_KIB").map { KiB($0) }, sentence: values["SENTENCE"] ?? decision.sentence)
    }

    private static func decision(_ values: [String: String], _ number: (String) -> Int64?) -> Decision? {
        guard let action = values["ACTION"].flatMap({ Decision.Action(word: $0) }),
            let reason = values["REASON"].flatMap({ Decision.Reason(word: $0) }),
            let total = number("TOTAL_KIB"), let threshold = number("THRESHOLD_KIB"), let free = number("FREE_KIB"),
            let committed = number("COMMITTED_KIB")
        else { return nil }
        var decision = Decision(
            action: action, reason: reason, pagesToScan: number("PAGES_TO_SCAN") ?? 0,
            sleepMilliseconds: number("SLEEP_MILLISECS") ?? 0,
            memory: MemorySample(free: KiB(free), committed: KiB(committed)), total: KiB(total),
            threshold: KiB(threshold), previousPagesToScan: number("PREVIOUS_PAGES_TO_SCAN") ?? 0)
        decision.policy = PolicyKind.allCases.first { $0.word == values["POLICY"] } ?? .classic
        if let unscanned = number("UNSCANNED_KIB"), let changed = number("CHANGED_KIB") {
            var scan = ScanReport(unscanned: KiB(unscanned), changed: KiB(changed))
            scan.pass = number("PASS").flatMap { Int(exactly: $0) } ?? 0
            scan.cpuShare = number("KSMD_CPU_PERMILLE").map { Double($0) / 1000 }
            decision.scan = scan
        }
        if let scanTime = number("ADVISOR_SCAN_TIME"), let cpuMaximum = number("ADVISOR_CPU_MAX"),
            let pagesMinimum = number("ADVISOR_NPAGES_MIN"), let pagesMaximum = number("ADVISOR_NPAGES_MAX")
        {
            decision.advisor = AdvisorPolicy.Order(
                scanTime: .seconds(scanTime), cpuMaximumPercent: cpuMaximum, pagesMinimum: pagesMinimum,
                pagesMaximum: pagesMaximum)
        }
        return decision
    }
}

extension PublishedState {
    /// What the daemon of this host says now.
    ///
    /// - Returns: `nil` where there is no such file, or it is not to be understood.
    package static func read(_ paths: HostPaths) -> PublishedState? {
        guard let text = (try? HostFile.readText(paths.state)) ?? nil else { return nil }
        return PublishedState(parsing: text)
    }
}
