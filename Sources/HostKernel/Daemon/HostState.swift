package import KSMPolicy

/// What the daemon tells other programs in `/run/ksmtuned/state`: the last decision with all that explains it, and
/// what was found before the first one.
///
/// The file is `NAME=value` lines in the form of the configuration file, replaced as a whole after each decision and
/// removed at an orderly end. One that is there when a daemon starts is from a daemon that had no such end.
package struct HostState: Equatable, Sendable {
    package var pid: Int32
    /// The knobs before the daemon touched them.
    package var found: KnobValues
    /// What the other knobs held, of those that the daemon has changed.
    package var foundKnobs: KnobSettings

    package init(pid: Int32, found: KnobValues, foundKnobs: KnobSettings = KnobSettings()) {
        self.pid = pid
        self.found = found
        self.foundKnobs = foundKnobs
    }

    /// The text of the file before there is a decision.
    package func text() -> [UInt8] {
        var text = TextBuffer(capacity: 256)
        Self.say("PID=", Int64(pid), &text)
        appendFound(to: &text)
        return text.bytes
    }

    /// The text of the file.
    ///
    /// - Parameters:
    ///   - decision: The last decision.
    ///   - guests: How many guests were counted for it.
    ///   - saved: What merging saves now, `nil` where it cannot be told.
    ///   - time: When it was made.
    ///   - interval: The time until the next decision, if nothing else happens.
    package func text(
        _ decision: Decision, guests: Int, saved: KiB?, time: WallTime, interval: Duration
    ) -> [UInt8] {
        var text = TextBuffer(capacity: 768)
        func say(_ name: StaticString, _ value: Int64?) { Self.say(name, value, &text) }
        say("PID=", Int64(pid))
        say("TIME_USEC=", time.microseconds)
        say("INTERVAL_USEC=", interval.microseconds)
        text.append(decision.policyLine)
        text.append("ACTION=")
        text.append(decision.action.word)
        text.append("\nREASON=")
        text.append(decision.reason.word)
        text.append("\nSENTENCE='")
        decision.appendSentence(to: &text)
        text.append("'\n")
        say("TOTAL_KIB=", decision.total.count)
        say("THRESHOLD_KIB=", decision.threshold.count)
        say("FREE_KIB=", decision.memory.free.count)
        say("COMMITTED_KIB=", decision.memory.committed.count)
        say("GUESTS=", Int64(guests))
        say("PREVIOUS_PAGES_TO_SCAN=", decision.previousPagesToScan)
        say("PAGES_TO_SCAN=", decision.pagesToScan)
        say("SLEEP_MILLISECS=", decision.sleepMilliseconds)
        say("SAVED_KIB=", saved?.count)
        if let scan = decision.scan {
            say("UNSCANNED_KIB=", scan.unscanned.count)
            say("CHANGED_KIB=", scan.changed.count)
            say("PASS=", Int64(scan.pass))
            say("KSMD_CPU_PERMILLE=", scan.cpuShare.map { Int64(saturating: $0 * 1000) })
        }
        if let advisor = decision.advisor {
            say("ADVISOR_SCAN_TIME=", advisor.scanTime.components.seconds)
            say("ADVISOR_CPU_MAX=", advisor.cpuMaximumPercent)
            say("ADVISOR_NPAGES_MIN=", advisor.pagesMinimum)
            say("ADVISOR_NPAGES_MAX=", advisor.pagesMaximum)
        }
        appendFound(to: &text)
        return text.bytes
    }

    private static func say(_ name: StaticString, _ value: Int64?, _ text: inout TextBuffer) {
        guard let value else { return }
        text.append(name)
        text.append(value)
        text.append("\n")
    }

    private func appendFound(to text: inout TextBuffer) {
        Self.say("FOUND_RUN=", found.run, &text)
        Self.say("FOUND_PAGES_TO_SCAN=", found.pagesToScan, &text)
        Self.say("FOUND_SLEEP_MILLISECS=", found.sleepMilliseconds, &text)
        Self.say("FOUND_MERGE_ACROSS_NODES=", foundKnobs[.mergeAcrossNodes], &text)
        Self.say("FOUND_MAX_PAGE_SHARING=", foundKnobs[.maxPageSharing], &text)
        Self.say("FOUND_USE_ZERO_PAGES=", foundKnobs[.useZeroPages], &text)
        Self.say("FOUND_SMART_SCAN=", foundKnobs[.smartScan], &text)
        switch found.advisorMode {
        case .some(.none): text.append("FOUND_ADVISOR_MODE=none\n")
        case .some(.scanTime): text.append("FOUND_ADVISOR_MODE=scan-time\n")
        case nil: break
        }
        Self.say("FOUND_ADVISOR_SCAN_TIME=", found.advisor?.scanTime.components.seconds, &text)
        Self.say("FOUND_ADVISOR_CPU_MAX=", found.advisor?.cpuMaximumPercent, &text)
        Self.say("FOUND_ADVISOR_NPAGES_MIN=", found.advisor?.pagesMinimum, &text)
        Self.say("FOUND_ADVISOR_NPAGES_MAX=", found.advisor?.pagesMaximum, &text)
    }

    /// Reads the file of a daemon that ended without removing it.
    ///
    /// - Returns: `nil` where the text is no such file.
    package init?(parsing text: [UInt8]) {
        var parser = AssignmentParser()
        parser.read(text, from: "state")
        var values: [String: String] = [:]
        for assignment in parser.assignments { values[assignment.name] = assignment.value }
        guard let pid = values["PID"].flatMap({ Int32($0) }) else { return nil }
        func number(_ name: String) -> Int64? { values[name].flatMap { Int64($0) } }
        self.pid = pid
        found = KnobValues(
            run: number("FOUND_RUN"), pagesToScan: number("FOUND_PAGES_TO_SCAN"),
            sleepMilliseconds: number("FOUND_SLEEP_MILLISECS"),
            advisorMode: values["FOUND_ADVISOR_MODE"].flatMap { AdvisorMode(rawValue: $0) })
        if let scanTime = number("FOUND_ADVISOR_SCAN_TIME"), let cpuMaximum = number("FOUND_ADVISOR_CPU_MAX"),
            let pagesMinimum = number("FOUND_ADVISOR_NPAGES_MIN"), let pagesMaximum = number("FOUND_ADVISOR_NPAGES_MAX")
        {
            found.advisor = AdvisorPolicy.Order(
                scanTime: .seconds(scanTime), cpuMaximumPercent: cpuMaximum, pagesMinimum: pagesMinimum, pagesMaximum: pagesMaximum)
        }
        foundKnobs = KnobSettings()
        foundKnobs[.mergeAcrossNodes] = number("FOUND_MERGE_ACROSS_NODES")
        foundKnobs[.maxPageSharing] = number("FOUND_MAX_PAGE_SHARING")
        foundKnobs[.useZeroPages] = number("FOUND_USE_ZERO_PAGES")
        foundKnobs[.smartScan] = number("FOUND_SMART_SCAN")
    }
}

extension Decision {
    fileprivate var policyLine: StaticString {
        switch policy {
        case .classic: "POLICY=classic\n"
        case .adaptive: "POLICY=adaptive\n"
        case .advisor: "POLICY=advisor\n"
        }
    }
}
