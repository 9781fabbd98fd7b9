import Charts
import KSMPolicy

extension GuestsReport {
    func text(_ style: Style) -> String { text(style, columns: Terminal.isOutput ? Terminal.size.columns : nil) }

    /// - Parameter columns: Of the terminal: what does not fit is left out, and said so. `nil` leaves nothing out, for
    ///   a file or another program.
    func text(_ style: Style, columns: Int?) -> String {
        var notes = shownNotes
        var text = emptiness
        if !guests.isEmpty {
            let (table, left, hasReasons) = fitted(showsLimits ? limitColumns : memoryColumns, columns)
            text = table.text(style)
            if !hasReasons && !showsLimits { notes += obstacleNotes }
            if !left.isEmpty {
                notes.append("left out for want of width: \(left.joined(separator: ", ")); a file or --json has all")
            }
            if !notes.isEmpty { text += "\n" }
        }
        return text + notes.map { $0.printable.wrapped(indent: 0, columns: columns) + "\n" }.joined()
    }

    private var emptiness: String {
        if unreadableGuests > 0 { return "no guest could be read\n" }
        if let pattern = criterion.pattern {
            return "no guests found: no process has a name that KSM_GUEST_PATTERN=\(pattern.printable) matches\n"
        }
        let names = criterion.profile.isEmpty ? "the daemon" : "KSM_PROFILE=\(criterion.profile)"
        return
            "no guests found: no process has a name that \(names) knows; set KSM_GUEST_PATTERN= if yours has another\n"
    }

    // MARK: Tables

    /// A column of either table.
    private struct Column {
        var title: String
        var alignment = TextTable.Alignment.right
        /// What sorts by it, which keeps it in its place.
        var key: GuestColumn?
        /// Which goes first where the terminal is too narrow: the highest; 0 stays.
        var dispensability = 0
        var total: TextTable.Cell = ""
        var cell: (Guest) -> TextTable.Cell
    }

    private var memoryColumns: [Column] {
        [
            Column(title: "PID", key: .pid) { "\($0.pid)" },
            Column(title: "NAME", alignment: .left, key: .name, total: "total") { Self.name($0) },
            Column(title: "USER", alignment: .left, key: .user, dispensability: 5) {
                TextTable.Cell($0.owner.printable)
            },
            Column(title: "RESIDENT", key: .resident, total: Self.amount(totals.residentBytes)) {
                Self.amount($0.residentBytes)
            },
            Column(title: "SWAPPED", key: .swapped, total: Self.amount(totals.swappedBytes)) {
                Self.amount($0.swappedBytes)
            },
            Column(title: "MERGED", key: .merged, total: Self.amount(totals.mergedBytes)) {
                Self.amount($0.mergedBytes)
            },
            Column(title: "ZERO", key: .zero, dispensability: 6, total: Self.amount(totals.zeroBytes)) {
                Self.amount($0.zeroBytes)
            },
            Column(title: "PROFIT", key: .profit, dispensability: 2, total: Self.amount(totals.profitBytes)) {
                Self.amount($0.profitBytes)
            },
            Column(title: "MEMORY", key: .memory, total: Self.amount(totals.configuredBytes)) { Self.memory($0) },
            Column(title: "VCPUS", key: .vcpus, dispensability: 3, total: Self.number(totals.vcpus)) {
                Self.number($0.vcpus)
            },
            Column(title: "BALLOON", alignment: .left, dispensability: 4) { TextTable.Cell($0.balloon ?? "-") },
            Column(title: "MERGEABLE", alignment: .left, key: .mergeable) { Self.mergeable($0) },
        ]
    }

    private var limitColumns: [Column] {
        [
            Column(title: "PID", key: .pid) { "\($0.pid)" },
            Column(title: "NAME", alignment: .left, key: .name) { Self.name($0) },
            Column(title: "RESIDENT", key: .resident, dispensability: 3) { Self.amount($0.residentBytes) },
            Column(title: "MEMORY", key: .memory) { Self.memory($0) },
            Column(title: "MEM.MAX") { guest in
                guard guest.cgroup?.neededBytes != nil else { return Self.amount(guest.cgroup?.memoryMaxBytes) }
                return TextTable.Cell(Self.amount(guest.cgroup?.memoryMaxBytes).text) { $0.bad($1) }
            },
            Column(title: "MEM.HIGH", dispensability: 4) { Self.amount($0.cgroup?.memoryHighBytes) },
            Column(title: "MEM.LOW", dispensability: 6) { Self.amount($0.cgroup?.memoryLowBytes) },
            Column(title: "MEM.MIN", dispensability: 7) { Self.amount($0.cgroup?.memoryMinBytes) },
            Column(title: "SWAP.MAX") { Self.amount($0.cgroup?.swapMaxBytes) },
            Column(title: "CPU.WEIGHT", dispensability: 5) { Self.number($0.cgroup?.cpuWeight) },
            Column(title: "CPU.MAX", dispensability: 1) {
                TextTable.Cell($0.cgroup?.cpuMax.map { Amount.percent($0) } ?? "-")
            },
            Column(title: "UNIT", alignment: .left, dispensability: 2) {
                TextTable.Cell($0.cgroup.map { Self.unit($0.path).printable } ?? "-")
            },
        ]
    }

    /// The widest table that fits, and the titles of the columns that do not. Why a guest cannot be merged is left out
    /// first: the notes have it.
    private func fitted(
        _ columns: [Column], _ width: Int?
    ) -> (table: TextTable, left: [String], hasReasons: Bool) {
        var columns = columns
        var table = table(columns)
        guard let width, table.width > width else { return (table, [], true) }
        var left: [String] = []
        for index in columns.indices where columns[index].key == .mergeable {
            columns[index].cell = { Self.mergeable($0, hasReason: false) }
        }
        table = self.table(columns)
        while table.width > width,
            let index = columns.indices.filter({ columns[$0].dispensability > 0 && columns[$0].key != column })
                .max(by: { columns[$0].dispensability < columns[$1].dispensability })
        {
            left.append(columns.remove(at: index).title)
            table = self.table(columns)
        }
        if table.width > width, let index = columns.firstIndex(where: { $0.key == .name }) {
            // What remains is narrow enough for names of a few letters at least.
            let room = max(widest - (table.width - width), 6)
            columns[index].cell = { Self.name($0, most: room) }
            table = self.table(columns)
        }
        return (table, left, false)
    }

    private var widest: Int { guests.map { Self.name($0).text.count }.max() ?? 0 }

    private func table(_ columns: [Column]) -> TextTable {
        var table = TextTable(columns.map { TextTable.Column(title: $0.title, alignment: $0.alignment) })
        table.rows = guests.map { guest in columns.map { $0.cell(guest) } }
        if !showsLimits {
            table.rows.append(columns.map { TextTable.Cell($0.total.text) { style, text in style.bold(text) } })
        }
        return table
    }

    // MARK: Cells

    /// Names can be as long as somebody likes; JSON has more of it.
    private static func name(_ guest: Guest, most: Int = 32) -> TextTable.Cell {
        let name = guest.name.printable
        return TextTable.Cell(name.count > most ? name.prefix(most - 3) + "..." : name)
    }

    private static func amount(_ bytes: Int64?) -> TextTable.Cell {
        TextTable.Cell(bytes.map { Amount.text(bytes: $0) } ?? "-")
    }

    private static func number(_ number: (some BinaryInteger)?) -> TextTable.Cell {
        TextTable.Cell(number.map { "\($0)" } ?? "-")
    }

    private static func memory(_ guest: Guest) -> TextTable.Cell {
        TextTable.Cell(amount(guest.configuredBytes).text + (guest.hasGrown ? "+" : ""))
    }

    private static func mergeable(_ guest: Guest, hasReason: Bool = true) -> TextTable.Cell {
        let why = hasReason && !guest.obstacles.isEmpty ? ": " + guest.obstacles.joined(separator: ", ") : ""
        switch guest.mergeable {
        case true: return guest.obstacles.isEmpty ? "yes" : TextTable.Cell("partly\(why)") { $0.warning($1) }
        case false: return TextTable.Cell("no\(why)") { $0.bad($1) }
        case nil: return "?"
        }
    }

    /// systemd's unit in which a group is, or the last group of a path without units.
    private static func unit(_ path: String) -> String {
        let groups = path.split(separator: "/").map { String($0) }
        return groups.last { $0.hasSuffix(".scope") || $0.hasSuffix(".service") } ?? groups.last ?? "/"
    }
}
