import Charts
import KSMAnalysis
import KSMPolicy

/// The form for people: the arithmetic in its order, the verdict, the ratios, and what is not counted on.
extension PlanReport {
    func text(_ style: Style) -> String {
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
        }
        if !findings.isEmpty { text += "\n" }
        for finding in findings {
            let title = finding.isWarning ? style.bad("Warning:") : style.warning("Note:")
            text += "\(title) \(finding.text)\n"
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
            add("+", "host swap", plan.systemSwap, sources.hostSwap)
            add("-", "RAM", plan.host.ram, sources.ram)
        case .rhel6:
            let left = max(plan.host.ram - plan.system, .zero)
            add(
                "-", "RAM for guests", left,
                "\(Amount.text(plan.host.ram)) (\(sources.ram)) less \(Amount.text(plan.system)) of the host OS")
            add("=", "beyond the RAM", max(plan.guestMemory - left, .zero), "")
            add("+", "host swap", plan.systemSwap, sources.hostSwap)
        }
        add("=", "swap needed", plan.neededText, plan.neededSwap == .zero ? "the RAM is enough" : "")
        add(" ", "there is", plan.host.swap, swapSource)
        return table.text(style, hasTitles: false)
    }

    private var guestSource: String {
        if guests.areRunning {
            return guests.count == 0 ? "none runs here" : "\(guests.count) \(guests.count == 1 ? "runs" : "run") here"
        }
        return plan.groups.map { "\($0.count) x \(Amount.text($0.memory))" }.joined(separator: ", ")
    }

    private var swapSource: String {
        if plan.host.swap == nil { return sources.swap.isEmpty ? "give --swap to compare" : "no SwapTotal line" }
        guard let zram = zramSwapBytes else { return sources.swap }
        return "\(sources.swap) without \(Amount.text(bytes: zram)) on zram, which is RAM itself"
    }

    private func sentence(_ style: Style) -> String {
        switch plan.verdict {
        case .enough: style.good(plan.neededSwap == .zero ? "No swap is needed." : "The swap is enough.")
        case .incomplete: style.warning("The swap is enough for the guests that could be read, and not all could.")
        case .tooSmall:
            style.bad("The swap is smaller than needed by \(plan.missingText).")
        case .forcedShutdowns: style.bad("RAM and swap are smaller than the guests' memory: expect forced shutdowns.")
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
            TextTable.Cell("\(Amount.text(plan.guestMemory)) of guests on \(Amount.text(plan.host.ram)) of RAM"),
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
        for bonus in bonuses where bonus.savedBytes > 0 || bonus.kind == "ksm" || bonus.ratio != nil {
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
                "at most, of \(count) \(count == 1 ? "guest" : "guests") with a balloon: configured, and not held now"
        default:
            guard let ratio, let originalBytes, let takenBytes else { return "" }
            return "\(Amount.text(bytes: originalBytes)) in \(Amount.text(bytes: takenBytes)), "
                + "\(Amount.tenths(ratio)) to 1"
        }
    }
}
