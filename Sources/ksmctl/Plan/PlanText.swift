import Charts
import KSMAnalysis
import KSMPolicy

/// The form for people: the arithmetic in its order, the verdict, the ratios, and what is not counted on.
extension PlanReport {
    func text(_ style: Style) -> String { text(style, columns: Terminal.isOutput ? Terminal.size.columns : nil) }

    /// - Parameter columns: Of the terminal; `nil` leaves every line whole, for a file or another program.
    func text(_ style: Style, columns: Int?) -> String {
        let guide = plan.rule == .rhel7 ? "RHEL 7" : "RHEL 6"
        var text = style.bold("Swap by the rule of the \(guide) guide") + "\n\n" + arithmetic(style) + "\n"
        text += sentence(style) + "\n\n" + ratios.text(style, hasTitles: false)
        let saved = bonusTable
        if saved.rows.isEmpty {
            text += "\nWhat KSM, balloons and compression may save is not counted on.\n"
        } else {
            text += "\n" + style.bold("Saved today, and not counted on") + "\n\n"
            text += saved.text(style, hasTitles: false)
            text += "\nA merged page can become private again at any time, a balloon deflate, data stop compressing.\n"
                .wrapped(indent: 0, columns: columns)
        }
        if !findings.isEmpty { text += "\n" }
        for finding in findings {
            let title = finding.isWarning ? "Warning:" : "Note:"
            let line = "\(title) \(finding.text.printable)".wrapped(indent: 0, columns: columns).dropFirst(title.count)
            text += (finding.isWarning ? style.bad(title) : style.warning(title)) + line + "\n"
        }
        return text
    }

    // MARK: The arithmetic

    private func arithmetic(_ style: Style) -> String {
        var table = TextTable([.left(""), .left(""), .right(""), .left("")])
        func add(_ sign: TextTable.Cell, _ name: String, _ amount: KiB?, _ from: String) {
            add(sign, name, amount.map { Amount.text($0) } ?? "-", from)
        }
        func add(_ sign: TextTable.Cell, _ name: String, _ amount: String, _ from: String) {
            table.rows.append([
                sign, TextTable.Cell(name), TextTable.Cell(amount),
                TextTable.Cell(from) { style, text in style.dim(text) },
            ])
        }
        add(" ", "guests", plan.guestMemory, guestSource)
        switch plan.rule {
        case .rhel7:
            add("+", "host OS", plan.system, sources.hostOS)
            if plan.cache > .zero { add("+", "ZFS cache", plan.cache, "its maximum, zfs_arc_max") }
            add("+", "host swap", plan.systemSwap, sources.hostSwap)
            add("-", "RAM", plan.ram, ramSource)
        case .rhel6:
            let left = (plan.ram - plan.system - plan.cache).nonNegative
            let own = plan.cache > .zero ? "the host OS and \(Amount.text(plan.cache)) of ZFS" : "the host OS"
            add(
                "-", "RAM for guests", left,
                "\(Amount.text(plan.ram)) (\(ramSource)) less \(Amount.text(plan.system)) of \(own)")
            add("=", "beyond the RAM", (plan.guestMemory - left).nonNegative, "")
            add("+", "host swap", plan.systemSwap, sources.hostSwap)
        }
        add("=", "swap needed", plan.neededText, plan.neededSwap == .zero ? "the RAM is enough" : "")
        add(" ", "there is", plan.host.swap, swapSource)
        if plan.unswappable > .zero {
            add(" ", "cannot swap", plan.unswappable, "of the guests, on \(Amount.text(plan.usableRAM)) of RAM")
        }
        return table.text(style, hasTitles: false)
    }

    private var guestSource: String {
        guard guests.areRunning else {
            return plan.groups.map { "\($0.count) x \(Amount.text($0.memory))" }.joined(separator: ", ")
        }
        if guests.count == 0 { return "none runs here" }
        let run = "\(guests.count) \(guests.count == 1 ? "runs" : "run") here"
        let huge = plan.guestHugePages
        return huge > .zero ? "\(run), without \(Amount.text(huge)) in huge pages" : run
    }

    private var ramSource: String {
        let huge = plan.host.ram - plan.ram
        guard huge > .zero else { return sources.ram }
        return "\(sources.ram) \(Amount.text(plan.host.ram)) without \(Amount.text(huge)) of huge pages"
    }

    private var swapSource: String {
        if plan.host.swap == nil { return sources.swap.isEmpty ? "give --swap to compare" : "no SwapTotal line" }
        switch (zramSwapBytes, doubtfulSwapBytes) {
        case (nil, nil): return sources.swap
        case (let zram?, nil): return "\(sources.swap) without \(Amount.text(bytes: zram)) on zram, which is RAM itself"
        case (nil, let doubtful?): return "\(sources.swap) without \(Amount.text(bytes: doubtful)) that may not work"
        case (let zram?, let doubtful?):
            let both = Amount.text(bytes: zram.addingSaturated(doubtful))
            return "\(sources.swap) without \(both) on zram or that may not work"
        }
    }

    private func sentence(_ style: Style) -> String {
        switch plan.verdict {
        case .enough: style.good(plan.neededSwap == .zero ? "No swap is needed." : "The swap is enough.")
        case .incomplete where plan.host.swap == nil:
            style.warning(
                "Not all could be read of the guests; those that could need "
                    + (plan.neededSwap == .zero ? "no swap." : "\(plan.neededText) of swap."))
        case .incomplete: style.warning("The swap is enough for what could be read of the guests, and not all could.")
        case .tooSmall:
            plan.missingSwap ?? .zero > .zero
                ? style.bad("The swap is smaller than needed by \(plan.missingText).")
                : style.bad("The RAM is too small for what cannot go to swap and the host itself.")
        case .forcedShutdowns:
            plan.unswappable > plan.usableRAM
                ? style.bad("The RAM is smaller than what cannot go to swap: expect forced shutdowns.")
                : style.bad("RAM and swap are smaller than the guests' memory: expect forced shutdowns.")
        case .notCompared:
            plan.neededSwap == .zero
                ? "No swap is needed." : "Give the host \(plan.neededText) of swap."
        }
    }

    // MARK: The rest

    private var ratios: TextTable {
        var table = TextTable([.left(""), .left(""), .left("")])
        table.rows.append([
            "memory", TextTable.Cell(Self.ratio(plan.memoryRatio)),
            TextTable.Cell("\(Amount.text(plan.guestMemory)) of guests on \(Amount.text(plan.ram)) of RAM"),
        ])
        let cpus = plan.host.cpus.map { "\($0) \($0 == 1 ? "CPU" : "CPUs")" } ?? "CPUs that are not known: give --cpus"
        table.rows.append([
            "vCPUs", TextTable.Cell(plan.vcpuRatio.map { Self.ratio($0) } ?? "-"),
            TextTable.Cell("\(guests.vcpus) on \(cpus)"),
        ])
        return table
    }

    private static func ratio(_ ratio: Double) -> String { "\(Amount.tenths(ratio)) to 1" }

    private var bonusTable: TextTable {
        var table = TextTable([.left(""), .right(""), .left("")])
        for bonus in bonuses
        where bonus.savedBytes > 0 || bonus.guests != nil || bonus.kind == "ksm" || bonus.ratio != nil {
            table.rows.append([
                TextTable.Cell(bonus.kind == "ksm" ? "KSM" : bonus.kind == "balloon" ? "balloons" : bonus.kind),
                TextTable.Cell(Amount.text(bytes: bonus.savedBytes)), TextTable.Cell(bonus.detail),
            ])
        }
        return table
    }
}

extension PlanReport.Bonus {
    fileprivate var detail: String {
        switch kind {
        case "ksm": return "merged pages"
        case "balloon":
            let count = guests ?? 0
            return
                "at most, of \(count) \(count == 1 ? "guest" : "guests") with one: configured, and not held"
        default:
            guard let ratio, let originalBytes, let takenBytes else { return "" }
            return "\(Amount.text(bytes: originalBytes)) in \(Amount.text(bytes: takenBytes)), "
                + "\(Amount.tenths(ratio)) to 1"
        }
    }
}
