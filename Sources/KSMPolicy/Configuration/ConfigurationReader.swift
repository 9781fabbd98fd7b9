extension Configuration {
    /// Understands every value, and says everything that is wrong at once.
    ///
    /// - Parameters:
    ///   - values: The text of every setting.
    ///   - total: The host's memory; `nil` where it is not known.
    ///   - diagnostics: Receives what there is to say. The configuration can be used if no error is among it.
    package init(_ values: SettingValues, total: KiB? = nil, diagnostics: inout [Diagnostic]) {
        var reader = ValueReader(values: values)
        monitorInterval = reader.interval(.monitorInterval)
        sleepMilliseconds = reader.integer(.sleepMilliseconds, in: 0 ... .max / ClassicPolicy.referenceTotal.count)
        // The sum with the pages per scan, at most 32 bits, must stay within 64.
        pagesBoost = reader.integer(.pagesBoost, in: .min ... .max - Int64(UInt32.max))
        pagesDecay = reader.integer(.pagesDecay, in: .min ... .max - Int64(UInt32.max))
        pagesMinimum = reader.integer(.pagesMinimum, in: 0...Int64(UInt32.max))
        pagesMaximum = reader.integer(.pagesMaximum, in: 0...Int64(UInt32.max))
        thresholdPercent = reader.integer(.thresholdPercent, in: 0 ... .max)
        thresholdConstant = KiB(reader.integer(.thresholdConstant, in: 0 ... .max))
        logFile = reader.path(.logFile)
        isDebugging = !values[.debug].text.isEmpty
        pidFile = reader.path(.pidFile) ?? Setting.pidFile.defaultText
        profile = reader.choice(.profile)
        scalesThreshold = values[.thresholdPercent].origin == .profile(.scaled)
        scalesSleep = values[.sleepMilliseconds].origin == .profile(.scaled)
        guestPattern = values[.guestPattern].text.isEmpty ? nil : values[.guestPattern].text
        guestMetric = reader.choice(.guestMetric, synonyms: ["rss": .rsz])
        freeMetric = reader.choice(.freeMetric)
        firstDecision = reader.choice(.firstDecision)
        onExit = reader.choice(.onExit)
        policy = reader.choice(.policy)
        retuneOnGuests = reader.isOn(.retuneOnGuests)
        pressure = reader.pressure(.pressure)
        cpuMaximumPercent = reader.integer(.cpuMaximum, in: 1...100)
        hostCPUMaximumPercent = reader.integer(.hostCPUMaximum, in: 1...100)
        probeCPUPercent = reader.integer(.probeCPU, in: 1...100)
        idleStep = reader.interval(.idleStep, upTo: .seconds(60))
        burstStep = reader.interval(.burstStep, upTo: .seconds(1))
        yieldMinimum = Bytes(mebibytes: reader.integer(.yieldMinimum, in: 0...1_000_000))
        adaptiveStart = reader.choice(.adaptiveStart)
        ksmdScheduling = reader.ksmdScheduling(.ksmdScheduling) ?? .standard(policy)
        advisorScanTime = .seconds(reader.integer(.advisorScanTime, in: 1...Int64(UInt32.max)))
        advisorCPUMaximumPercent = reader.integer(.advisorCPUMaximum, in: 1...100)
        advisorPagesMinimum = reader.integer(.advisorPagesMinimum, in: 1...Int64(UInt32.max))
        advisorPagesMaximum = reader.integer(.advisorPagesMaximum, in: 1...Int64(UInt32.max))
        mergeAcrossNodes = reader.switch(.mergeAcrossNodes)
        maxPageSharing = reader.optionalInteger(.maxPageSharing, in: Knob.maxPageSharing.range)
        useZeroPages = reader.switch(.useZeroPages)
        smartScan = reader.switch(.smartScan)
        allowsUnmerge = reader.isOn(.allowUnmerge)
        reader.checkAdvisorPages(self)
        reader.warnOfOddities(self, total: total)
        diagnostics += reader.diagnostics
    }
}

/// Understands one value after the other and collects what is wrong with them.
private struct ValueReader {
    let values: SettingValues
    var diagnostics: [Diagnostic] = []
    private var refused: [Setting] = []

    init(values: SettingValues) {
        self.values = values
    }

    private mutating func refuse(_ setting: Setting, _ why: String, hint: String) {
        refused.append(setting)
        let value = values[setting]
        diagnostics.append(
            Diagnostic(.error, at: value.origin, "\(setting.name)=\(value.shown) \(why)", hint: hint))
    }

    /// - Parameter longest: What the setting may be at most; endless where any time will do.
    mutating func interval(_ setting: Setting, upTo longest: Duration = .endless) -> Duration {
        do {
            let interval = try Interval.parse(values[setting].text)
            if interval <= longest { return interval }
            refuseRange(setting, upTo: longest)
        } catch {
            switch error {
            case .notADuration:
                refuse(setting, "is not a time", hint: "write seconds such as 60 or 0.5, or 30s, 2m, 1h, 1d")
            case .tooLong where longest != .endless, .tooShort where longest != .endless:
                refuseRange(setting, upTo: longest)
            case .tooLong:
                refuse(setting, "is beyond 64 bits of nanoseconds", hint: "write infinity to decide only on a signal")
            case .tooShort:
                refuse(setting, "is under 0.1 s", hint: "write 0.1 or more")
            }
        }
        return Interval.shortest
    }

    private mutating func refuse<C: Choice>(_ setting: Setting, outside choice: C.Type) {
        let words = C.allCases.map { $0.word }.filter { !$0.isEmpty }
        refuse(setting, "is not one of its values", hint: "write " + words.joined(separator: ", "))
    }

    private mutating func refuseRange(_ setting: Setting, upTo longest: Duration) {
        refuse(
            setting, "is not within \(Interval.text(Interval.shortest)) to \(Interval.text(longest))",
            hint: "write a time in that range")
    }

    mutating func integer(_ setting: Setting, in range: ClosedRange<Int64>) -> Int64 {
        do {
            let number = try DecimalInteger.parse(values[setting].text)
            if range.contains(number) { return number }
            if number < 0 && range.lowerBound == 0 {
                refuse(setting, "is negative", hint: "write 0 or more")
            } else if number < range.lowerBound || range.upperBound <= Int64(Int32.max) {
                refuse(
                    setting, "is not within \(range.lowerBound) to \(range.upperBound)",
                    hint: "write a number in that range")
            } else if range.upperBound == Int64(UInt32.max) {
                refuse(setting, "is beyond the 32 bits of the kernel's file", hint: "write \(UInt32.max) or less")
            } else {
                refuse(
                    setting, "is so large that the arithmetic with it is beyond 64 bits",
                    hint: "write \(range.upperBound) or less")
            }
        } catch {
            switch error {
            case .notANumber:
                refuse(setting, "is not a decimal integer", hint: "write digits only, with an optional sign")
            case .leadingZero(let meant):
                refuse(
                    setting,
                    "has a leading zero: the original read the same text as octal in one place and as decimal "
                        + "in another", hint: "write \(meant) if decimal was meant")
            case .hexadecimal:
                refuse(
                    setting, "is hexadecimal, which the original understood in one place and not in another",
                    hint: "write it in decimal")
            case .beyond64Bits:
                refuse(setting, "is beyond 64 bits", hint: "write a smaller number")
            }
        }
        return max(range.lowerBound, 0)
    }

    mutating func optionalInteger(_ setting: Setting, in range: ClosedRange<Int64>) -> Int64? {
        values[setting].text.isEmpty ? nil : integer(setting, in: range)
    }

    /// `nil` where it is not set.
    mutating func `switch`(_ setting: Setting) -> Switch? {
        let text = values[setting].text
        if text.isEmpty { return nil }
        if let known = Switch(word: text) { return known }
        refuse(setting, outside: Switch.self)
        return .no
    }

    mutating func isOn(_ setting: Setting) -> Bool { self.switch(setting) == .yes }

    mutating func pressure(_ setting: Setting) -> PressureThreshold? {
        let text = values[setting].text
        if text == "off" { return nil }
        do throws(PressureThreshold.ParseError) {
            return try PressureThreshold(parsing: text)
        } catch {
            switch error {
            case .notAThreshold:
                refuse(setting, "is not a threshold", hint: "write one such as \"some 300ms/2s\", or off")
            case .windowOutOfRange:
                refuse(setting, "has a window that the kernel does not take", hint: "write 500ms to 10s behind the /")
            case .stallOutOfRange:
                refuse(
                    setting, "has a time that is none or longer than its window",
                    hint: "write a time above 0 and not above the one behind the /")
            }
            return nil
        }
    }

    /// `nil` where it is not set.
    mutating func ksmdScheduling(_ setting: Setting) -> KsmdScheduling? {
        let text = values[setting].text
        if text.isEmpty { return nil }
        do throws(KsmdScheduling.ParseError) {
            return try KsmdScheduling(parsing: text)
        } catch {
            switch error {
            case .unknown: refuse(setting, "is not one of its values", hint: "write keep, idle, or \"nice 10\"")
            case .beyondRange:
                let range = Scheduling.niceValues
                refuse(
                    setting, "is not within nice \(range.lowerBound) to \(range.upperBound)",
                    hint: "write a number in that range")
            }
            return nil
        }
    }

    /// The word of a choice; of one that is refused the first choice.
    mutating func choice<C: Choice>(_ setting: Setting, synonyms: [String: C] = [:]) -> C {
        let text = values[setting].text
        if let known = synonyms[text] ?? C.allCases.first(where: { $0.word == text }) { return known }
        refuse(setting, outside: C.self)
        return C.allCases[C.allCases.startIndex]
    }

    /// A path of a file: absolute, since a daemon has no folder of its own.
    mutating func path(_ setting: Setting) -> String? {
        let text = values[setting].text
        if text.isEmpty { return nil }
        if text.utf8.first != UInt8(ascii: "/") {
            refuse(setting, "is not an absolute path", hint: "begin it with /")
        }
        return text
    }

    /// The kernel's advisor has no pace between a minimum and a maximum that is below it.
    mutating func checkAdvisorPages(_ configuration: Configuration) {
        let (least, most) = (Setting.advisorPagesMinimum, Setting.advisorPagesMaximum)
        guard configuration.advisorPagesMinimum > configuration.advisorPagesMaximum, !refused.contains(most)
        else { return }
        let hint = "write a minimum at or below the maximum"
        // Whoever wrote one of the two looks for the error at its line.
        if values[least].origin == .builtIn {
            refuse(most, "is below \(least.name)=\(values[least].shown)", hint: hint)
        } else {
            refuse(least, "is above \(most.name)=\(values[most].shown)", hint: hint)
        }
    }

    /// Values that have a meaning, which the original gave them, but hardly the one that was meant.
    mutating func warnOfOddities(_ configuration: Configuration, total: KiB?) {
        func warn(_ setting: Setting, _ message: String, hint: String) {
            let value = values[setting]
            diagnostics.append(
                Diagnostic(.warning, at: value.origin, "\(setting.name)=\(value.shown) \(message)", hint: hint))
        }
        // What was refused stands in the configuration as 0, which means nothing.
        if configuration.pagesMinimum > configuration.pagesMaximum, !refused.contains(.pagesMaximum) {
            let bound = values[.pagesMinimum].origin == .builtIn ? Setting.pagesMaximum : .pagesMinimum
            warn(
                bound,
                "leaves the minimum of \(configuration.pagesMinimum) pages above the maximum of "
                    + "\(configuration.pagesMaximum), between which the scan will alternate",
                hint: "write KSM_NPAGES_MIN at or below KSM_NPAGES_MAX")
        }
        if configuration.thresholdPercent > 100 {
            warn(
                .thresholdPercent, "is more than all memory, so KSM will always run",
                hint: "write 100 or less")
        }
        if configuration.pagesDecay > 0 {
            warn(.pagesDecay, "is added, so the scan will grow when memory is free", hint: "write a negative number")
        }
        if configuration.pagesBoost < 0 {
            warn(.pagesBoost, "is added, so the scan will shrink when memory is short", hint: "write a positive number")
        }
        // A low maximum alone bounds the default of the probe, and needs no word.
        if configuration.probeCPUPercent > configuration.cpuMaximumPercent, values[.probeCPU].origin != .builtIn,
            !refused.contains(.cpuMaximum)
        {
            warn(
                .probeCPU, "is above KSM_CPU_MAX=\(configuration.cpuMaximumPercent), which bounds it",
                hint: "write \(configuration.cpuMaximumPercent) or less")
        }
        if Bool(word: values[.debug].text) == false {
            warn(.debug, "switches it on, as any text does", hint: "write DEBUG= to switch it off, or remove the line")
        }
        if let total { warnOfThreshold(configuration, total: total) }
    }

    /// The greater of two thresholds counts, and one of less than 1 % of a host's memory is hardly meant: the setting is
    /// in KiB.
    private mutating func warnOfThreshold(_ configuration: Configuration, total: KiB) {
        let constant = configuration.thresholdConstant
        let onePercent = KiB(total.count / 100)
        let value = values[.thresholdConstant]
        switch value.origin {
        case .builtIn, .profile: return
        // The default has never counted on any host, and whoever writes it down means no more.
        case .environment, .file: if value.text == Setting.thresholdConstant.defaultText { return }
        }
        guard !refused.contains(.thresholdConstant), !refused.contains(.thresholdPercent),
            configuration.thresholdPercent >= 1, constant < onePercent
        else { return }
        diagnostics.append(
            Diagnostic(
                .warning, at: value.origin,
                "\(Setting.thresholdConstant.name)=\(value.shown) is \(constant), less than 1 % of this host's \(total), and "
                    + "counts nowhere: \(Setting.thresholdPercent.name)=\(configuration.thresholdPercent) % is more",
                hint: "it is in KiB: write \(onePercent.count) or more, or leave it out"))
    }
}
