import Charts
import KSMPolicy

extension GuestsReport {
    func text(_ style: Style) -> String {
        guard !guests.isEmpty else { return emptiness + notes.map { "\($0)\n" }.joined() }
        let table = showsLimits ? limitsTable : table
        return table.text(style) + (notes.isEmpty ? "" : "\n") + notes.map { "\($0)\n" }.joined()
    }

    private var emptiness: String {
        if unreadableGuests > 0 { return "no guest could be read\n" }
        if let pattern = criterion.pattern {
            return "no guests found: no process has a name that KSM_GUEST_PATTERN=\(pattern.visible) matches\n"
        }
        let names = criterion.profile.isEmpty ? "the daemon" : "KSM_PROFILE=\(criterion.profile)"
        return
            "no guests found: no process has a name that \(names) knows; set KSM_GUEST_PATTERN= if yours has another\n"
    }

    // MARK: Tables

    private var table: TextTable {
        var table = TextTable([
            .right("PID"), .left("NAME"), .left("USER"), .right("RESIDENT"), .right("MERGED"), .right("ZERO"),
            .right("PROFIT"), .right("MEMORY"), .right("VCPUS"), .left("BALLOON"), .left("MERGEABLE"),
        ])
        for guest in guests {
            table.rows.append([
                "\(guest.pid)", Self.name(guest), TextTable.Cell(guest.owner.visible), Self.amount(guest.residentBytes),
                Self.amount(guest.mergedBytes), Self.amount(guest.zeroBytes), Self.amount(guest.profitBytes),
                Self.amount(guest.configuredBytes), Self.number(guest.vcpus), Self.balloon(guest),
                Self.mergeable(guest),
            ])
        }
        let sums: [TextTable.Cell] = [
            "", "total", "", Self.amount(totals.residentBytes), Self.amount(totals.mergedBytes),
            Self.amount(totals.zeroBytes), Self.amount(totals.profitBytes), Self.amount(totals.configuredBytes),
            Self.number(totals.vcpus), "", "",
        ]
        table.rows.append(sums.map { TextTable.Cell($0.text) { style, text in style.bold(text) } })
        return table
    }

    private var limitsTable: TextTable {
        var table = TextTable([
            .right("PID"), .left("NAME"), .right("RESIDENT"), .right("MEM.MAX"), .right("MEM.HIGH"), .right("MEM.LOW"),
            .right("MEM.MIN"), .right("SWAP.MAX"), .right("CPU.WEIGHT"), .right("CPU.MAX"), .left("UNIT"),
        ])
        for guest in guests {
            let group = guest.cgroup
            table.rows.append([
                "\(guest.pid)", Self.name(guest), Self.amount(guest.residentBytes), Self.amount(group?.memoryMaxBytes),
                Self.amount(group?.memoryHighBytes), Self.amount(group?.memoryLowBytes),
                Self.amount(group?.memoryMinBytes), Self.amount(group?.swapMaxBytes), Self.number(group?.cpuWeight),
                TextTable.Cell(group?.cpuMax.map { Amount.percent($0) } ?? "-"),
                TextTable.Cell(group.map { Self.unit($0.path).visible } ?? "-"),
            ])
        }
        return table
    }

    // MARK: Cells

    /// Names can be as long as somebody likes; JSON has the whole.
    private static func name(_ guest: Guest) -> TextTable.Cell {
        let name = guest.name.visible
        return TextTable.Cell(name.count > 32 ? name.prefix(29) + "..." : name)
    }

    private static func amount(_ bytes: Int64?) -> TextTable.Cell {
        TextTable.Cell(bytes.map { Amount.text(bytes: $0) } ?? "-")
    }

    private static func number(_ number: (some BinaryInteger)?) -> TextTable.Cell {
        TextTable.Cell(number.map { "\($0)" } ?? "-")
    }

    private static func balloon(_ guest: Guest) -> TextTable.Cell {
        TextTable.Cell(guest.balloon ?? "-")
    }

    private static func mergeable(_ guest: Guest) -> TextTable.Cell {
        let why = guest.obstacles.joined(separator: ", ")
        switch guest.mergeable {
        case true: return guest.obstacles.isEmpty ? "yes" : TextTable.Cell("partly: \(why)") { $0.warning($1) }
        case false: return TextTable.Cell(why.isEmpty ? "no" : "no: \(why)") { $0.bad($1) }
        case nil: return "-"
        }
    }

    /// systemd's unit in which a group is, or the last group of a path without units.
    private static func unit(_ path: String) -> String {
        let groups = path.split(separator: "/").map { String($0) }
        return groups.last { $0.hasSuffix(".scope") || $0.hasSuffix(".service") } ?? groups.last ?? "/"
    }
}

extension String {
    /// The text without characters that would move the cursor or turn the line around: names are the guests' own.
    fileprivate var visible: String {
        var shown = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: shown += "?"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
