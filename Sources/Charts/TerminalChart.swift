/// A ``Chart`` out of characters.
///
/// A panel of one series is an area from its axis up, one of several is lines with their names to the right. Stretches
/// of bands are marked in rows of their own above the time axis.
package struct TerminalChart {
    /// What is not worth a picture.
    package static let leastWidth = 40
    package static let leastHeight = 12

    private let chart: Chart
    private let height: Int
    private let glyphs: Glyphs
    /// The columns of the vertical axes' labels, of the plot, and of the names to its right.
    private let left: Int
    private let columns: Int
    private let right: Int
    private let panels: [(panel: Chart.Panel, scale: PanelScale, rows: Int)]

    /// - Parameters:
    ///   - width: In columns, none of which is exceeded.
    ///   - height: In rows, with one left for the prompt below. It is exceeded where the panels would have fewer than
    ///     two rows each.
    package init(_ chart: Chart, width: Int, height: Int, glyphs: Glyphs) {
        self.chart = chart
        self.height = height
        self.glyphs = glyphs
        // The title, a title for each panel, the bands, the axis and its labels, and the prompt.
        let rest = height - 1 - chart.panels.count - chart.bands.count - 2 - 1
        let rows = Self.distribute(rest, over: chart.panels.map { $0.weight }, least: 2)
        panels = zip(chart.panels, rows).map { panel, rows in
            (panel, PanelScale(panel, over: chart.time, steps: max(rows / 2, 4)), rows)
        }
        left = panels.flatMap { panel in panel.scale.scale.ticks.map { panel.scale.scale.text($0).count } }.max() ?? 0
        let names =
            chart.panels.filter { $0.series.count > 1 }.flatMap { panel in panel.series.map { $0.name.count } }
            + chart.bands.map { $0.name.count }
        // A character and a blank before a name show whose line it is where dots cannot.
        right = (names.max() ?? -1) + 1 + (glyphs.lines == nil ? 0 : 2)
        columns = max(width - left - 2 - right, 8)
    }

    /// Rows for each weight, together `rows` if that leaves each the least.
    static func distribute(_ rows: Int, over weights: [Double], least: Int) -> [Int] {
        let sum = weights.reduce(0, +)
        guard sum > 0 else { return weights.map { _ in least } }
        var shares = weights.map { max(Int(Double(rows) * $0 / sum), least) }
        var rest = rows - shares.reduce(0, +)
        // What rounding left over goes to the heaviest, one row each.
        for index in weights.indices.sorted(by: { weights[$0] > weights[$1] }) where rest > 0 {
            shares[index] += 1
            rest -= 1
        }
        return shares
    }

    package func text(_ style: Style) -> String {
        var lines = [Line(chart.title, style.bold)]
        let width = left + 2 + columns + right
        var details = chart.details
        while !details.isEmpty, lines[0].count + 2 + details.joined(separator: ", ").count > width {
            details.removeLast()
        }
        if !details.isEmpty { lines[0].add("  " + details.joined(separator: ", "), style.dim) }
        for (panel, scale, rows) in panels {
            lines.append(heading(panel, scale, style))
            lines +=
                panel.series.count == 1
                ? area(panel.series[0], scale, rows, style) : curves(panel.series, scale, rows, style)
        }
        lines += chart.bands.map { marks($0, style) }
        lines += timeAxis(style)
        return lines.map { $0.text + "\n" }.joined()
    }

    // MARK: Panels

    private func heading(_ panel: Chart.Panel, _ scale: PanelScale, _ style: Style) -> Line {
        var line = Line(panel.title, style.bold)
        line.add(", \(scale.title)", style.dim)
        let words: String
        if panel.series.allSatisfy({ $0.last == nil }) {
            words = "not known"
        } else if panel.series.count == 1, let last = panel.series[0].last, let greatest = panel.series[0].greatest {
            words = "last \(scale.text(last)), most \(scale.text(greatest))"
        } else if let greatest = scale.greatestCut {
            words = "most \(scale.text(greatest))"
        } else {
            return line
        }
        let blanks = left + 2 + columns - line.count - words.count
        if blanks > 0 { line.add(String(repeating: " ", count: blanks) + words, style.dim) }
        return line
    }

    /// A row of a panel up to its plot: the tick's label, if one is here, and the axis.
    private func rowStart(_ row: Int, of rows: Int, _ scale: Scale, _ style: Style) -> Line {
        let here = scale.ticks.last { Self.labelRow(scale.share($0), rows) == row }
        let label = here.map { scale.text($0) } ?? ""
        var line = Line(String(repeating: " ", count: left - label.count) + label + " ", style.dim)
        line.add(String(here == nil ? glyphs.axes.vertical : glyphs.axes.verticalTick), style.dim)
        return line
    }

    /// The row for the label of a tick at a share of the height: the highest tick has the top row, every other one
    /// the row that it is the lower edge of, about, or none.
    private static func labelRow(_ share: Double, _ rows: Int) -> Int? {
        if share == 1 { return 0 }
        let edge = (share * Double(rows)).rounded()
        return abs(share * Double(rows) - edge) <= 0.25 && Int(edge) < rows - 1 ? rows - 1 - Int(edge) : nil
    }

    private func area(_ series: Chart.Series, _ scale: PanelScale, _ rows: Int, _ style: Style) -> [Line] {
        let fill = glyphs.heights.count
        let levels = series.sampled(over: chart.time, parts: columns).map { value in
            guard let value else { return 0 }
            let level = Int((scale.share(value) * Double(rows * fill)).rounded())
            // What is there at all is seen.
            return value > 0 ? max(level, 1) : level
        }
        return (0..<rows).map { row in
            var line = rowStart(row, of: rows, scale.scale, style)
            let base = (rows - 1 - row) * fill
            let cells = levels.map { level -> Character in
                level <= base ? " " : glyphs.heights[min(level - base, fill) - 1]
            }
            line.add(String(cells), series.color.look(style))
            return line
        }
    }

    private func curves(_ series: [Chart.Series], _ scale: PanelScale, _ rows: Int, _ style: Style) -> [Line] {
        var cells = Array(repeating: Array(repeating: Character(" "), count: columns), count: rows)
        var owners = Array(repeating: [Int?](repeating: nil, count: columns), count: rows)
        // Dashed lines are limits: what comes to them is drawn over them.
        let order = series.indices.filter { series[$0].isDashed } + series.indices.filter { !series[$0].isDashed }
        if let characters = glyphs.lines {
            for (index, one) in order.map({ ($0, series[$0]) }) {
                draw(one, scale, columns, rows) { column, row in
                    cells[row][column] = characters[index % characters.count]
                    owners[row][column] = index
                }
            }
        } else {
            var canvas = BrailleCanvas(columns: columns, rows: rows)
            for (index, one) in order.map({ ($0, series[$0]) }) {
                draw(one, scale, canvas.dotColumns, canvas.dotRows) { canvas.set($0, $1, owner: index) }
            }
            for row in 0..<rows {
                for column in 0..<columns {
                    cells[row][column] = canvas.character(row: row, column: column)
                    owners[row][column] = canvas.owners[row * columns + column]
                }
            }
        }
        let names = places(of: series, scale, rows)
        return (0..<rows).map { row in
            var line = rowStart(row, of: rows, scale.scale, style)
            // One run of cells of the same series after another.
            var column = 0
            while column < columns {
                let owner = owners[row][column]
                let end = owners[row][column...].firstIndex { $0 != owner } ?? columns
                line.add(String(cells[row][column..<end]), owner.map { series[$0].color.look(style) })
                column = end
            }
            if let index = names[row] {
                let sign = glyphs.lines.map { "\($0[index % $0.count]) " } ?? ""
                line.add(" " + sign + series[index].name, series[index].color.look(style))
            }
            return line
        }
    }

    /// Sets the dots of a series on a grid, each column joined to the one before.
    private func draw(
        _ series: Chart.Series, _ scale: PanelScale, _ width: Int, _ height: Int, set: (Int, Int) -> Void
    ) {
        var previous: Int?
        for (x, value) in series.sampled(over: chart.time, parts: width).enumerated() {
            guard let value else {
                previous = nil
                continue
            }
            let y = Self.dot(scale.share(value), height)
            // Dashes are three columns long, and so is what is between them.
            if !series.isDashed || x % 6 < 3 {
                let start = previous.map { $0 < y ? $0 + 1 : $0 > y ? $0 - 1 : y } ?? y
                for dot in min(start, y)...max(start, y) { set(x, dot) }
            }
            previous = y
        }
    }

    /// The dot of `height`, from the top, at a share of the height.
    private static func dot(_ share: Double, _ height: Int) -> Int {
        height - 1 - Int((share * Double(height - 1)).rounded())
    }

    /// The row beside which each series' name stands: that of its last value, or the nearest one free.
    private func places(of series: [Chart.Series], _ scale: PanelScale, _ rows: Int) -> [Int: Int] {
        let wanted = series.indices.map { index in
            (index: index, share: series[index].last.map { scale.share($0) } ?? 0)
        }.sorted { ($1.share, $0.index) < ($0.share, $1.index) }
        var places: [Int: Int] = [:]
        for (order, one) in wanted.enumerated() where order < rows {
            let below = wanted.count - 1 - order
            let highest = (places.keys.max() ?? -1) + 1
            // Where the dots of a line are, four of which are in a row.
            let row = Self.dot(one.share, rows * 4) / 4
            places[max(min(row, rows - 1 - below), highest)] = one.index
        }
        return places
    }

    // MARK: Time

    private func column(_ time: Double) -> Int {
        let share = (time - chart.time.lowerBound) / (chart.time.upperBound - chart.time.lowerBound)
        return min(max(Int(share * Double(columns)), 0), columns - 1)
    }

    private func marks(_ band: Chart.Band, _ style: Style) -> Line {
        var cells = Array(repeating: Character(" "), count: columns)
        func fill(_ stretches: [ClosedRange<Double>], _ mark: Character) {
            for stretch in stretches where stretch.overlaps(chart.time) {
                for column in column(stretch.lowerBound)...column(stretch.upperBound) { cells[column] = mark }
            }
        }
        fill(chart.gaps, glyphs.unknown)
        fill(band.stretches, glyphs.mark)
        var line = Line(String(repeating: " ", count: left + 2))
        line.add(String(cells), band.color.look(style))
        line.add(" " + band.name, band.color.look(style))
        return line
    }

    private func timeAxis(_ style: Style) -> [Line] {
        let ticks = chart.timeAxis.ticks(in: chart.time, most: max(columns / 10, 1))
        var axis = Array(repeating: glyphs.axes.horizontal, count: columns)
        for tick in ticks { axis[column(tick.time)] = glyphs.axes.horizontalTick }
        let line = Line(String(repeating: " ", count: left + 1) + String(glyphs.axes.corner) + String(axis), style.dim)

        // Labels stand centred below their ticks, at least a blank apart, and within the width.
        var labels = ""
        let width = left + 2 + columns + right
        for tick in ticks {
            let start = max(min(left + 2 + column(tick.time) - tick.label.count / 2, width - tick.label.count), 0)
            guard start > labels.count || labels.isEmpty else { continue }
            labels += String(repeating: " ", count: start - labels.count) + tick.label
        }
        return [line, Line(labels, style.dim)]
    }
}

/// A line of text of which the width is known whatever its colours.
private struct Line {
    private(set) var count = 0
    private var parts: [(text: String, look: ((String) -> String)?)] = []

    init(_ text: String, _ look: ((String) -> String)? = nil) { add(text, look) }

    mutating func add(_ text: String, _ look: ((String) -> String)? = nil) {
        parts.append((text, look))
        count += text.count
    }

    /// Without blanks at the end.
    var text: String {
        var parts = parts
        while let last = parts.last {
            var text = last.text
            while text.last == " " { text.removeLast() }
            parts[parts.count - 1].text = text
            if !text.isEmpty { break }
            parts.removeLast()
        }
        return parts.map { part in part.look.map { $0(part.text) } ?? part.text }.joined()
    }
}

extension Chart.Color {
    /// In a terminal the colours are the user's: these differ in most.
    func look(_ style: Style) -> (String) -> String {
        switch self {
        case .green: style.good
        case .orange, .violet: style.warning
        case .rose: style.bad
        case .grey: style.dim
        case .blue: { $0 }
        }
    }
}
