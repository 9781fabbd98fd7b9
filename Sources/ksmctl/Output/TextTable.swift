import Charts
import KSMPolicy

/// Rows of aligned columns, as `systemctl` and `zramctl` print them: two blanks between, nothing behind the last.
struct TextTable {
    enum Alignment { case left, right }

    struct Column {
        var title: String
        var alignment: Alignment

        static func left(_ title: String) -> Column { Column(title: title, alignment: .left) }
        static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
    }

    /// A text of one line that keeps its width whatever its colour.
    struct Cell: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
        var text: String
        var look: (@Sendable (Style, String) -> String)?

        init(stringLiteral text: String) { self.init(text) }
        init(_ text: String, _ look: (@Sendable (Style, String) -> String)? = nil) {
            self.text = text.printable
            self.look = look
        }
    }

    var columns: [Column]
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// Of the longest line, with titles.
    var width: Int {
        let widths = columns.indices.map { column in
            max(columns[column].title.count, rows.map { $0[column].text.count }.max() ?? 0)
        }
        return widths.reduce(0, +) + 2 * max(columns.count - 1, 0)
    }

    /// - Parameter hasTitles: Whether the columns' titles are the first line.
    func text(_ style: Style, hasTitles: Bool = true) -> String {
        var lines = rows
        if hasTitles { lines.insert(columns.map { Cell($0.title) { style, text in style.bold(text) } }, at: 0) }
        let widths = columns.indices.map { column in lines.map { $0[column].text.count }.max() ?? 0 }
        var text = ""
        for line in lines {
            // Blanks behind the last word of a line are nobody's.
            let last = line.lastIndex { !$0.text.isEmpty } ?? 0
            for (index, cell) in line[...last].enumerated() {
                let blanks = String(repeating: " ", count: widths[index] - cell.text.count)
                let shown = cell.look?(style, cell.text) ?? cell.text
                if index > 0 { text += "  " }
                switch columns[index].alignment {
                case .left: text += index == last ? shown : shown + blanks
                case .right: text += blanks + shown
                }
            }
            text += "\n"
        }
        return text
    }
}

/// Names and values below one another, the names to the right as in `systemctl status`.
struct FieldList {
    private var fields: [(name: String, lines: [String])] = []

    /// `nil` leaves the field out.
    mutating func add(_ name: String, _ value: String?) {
        if let value { add(name, lines: [value]) }
    }

    /// Those behind the first line are indented as it is.
    mutating func add(_ name: String, lines: [String]) {
        if !lines.isEmpty { fields.append((name, lines.map { $0.printable })) }
    }

    func text(_ style: Style) -> String {
        let width = (fields.map { $0.name.count }.max() ?? 0) + 1
        var text = ""
        for (name, lines) in fields {
            let title = String(repeating: " ", count: width - name.count - 1) + name + ":"
            let indent = "\n" + String(repeating: " ", count: width + 1)
            text += style.bold(title) + " " + lines.joined(separator: indent) + "\n"
        }
        return text
    }
}
