/// A ``Chart`` as a picture for a browser or a document: one SVG file that needs nothing else.
package struct SVGChart {
    private let chart: Chart
    private let layout: Layout

    package init(_ chart: Chart) {
        self.chart = chart
        layout = Layout(chart)
    }

    /// Where things are, in pixels from the left and from the top.
    private struct Layout {
        static let width = 960.0
        /// The sides of the plots: labels and the axis' title have the left margin, half a label the right one.
        static let left = 78.0
        static let right = 928.0
        static let panelHeight = 130.0
        /// Of a panel's title, with the air above it.
        static let heading = 34.0
        static let bandHeight = 12.0

        let plots: [ClosedRange<Double>]
        let bands: [ClosedRange<Double>]
        let height: Double
        /// Where the time axis is.
        let bottom: Double

        init(_ chart: Chart) {
            var y = chart.details.isEmpty ? 38.0 : 56.0
            // The legend of what is shaded.
            if !chart.bands.isEmpty || !chart.gaps.isEmpty { y += 18 }
            plots = chart.panels.map { panel in
                let top = y + Self.heading
                y = top + max(Self.panelHeight * panel.weight, 40)
                return top...y
            }
            var bands: [ClosedRange<Double>] = []
            // One is clear enough from the panels; several cover one another there.
            if chart.bands.count > 1 {
                y += 6
                for _ in chart.bands {
                    bands.append(y + 3...y + Self.bandHeight)
                    y += Self.bandHeight
                }
                y += 3
            }
            self.bands = bands
            bottom = y
            height = y + 52
        }
    }

    private enum Look {
        static let background = "#ffffff"
        static let text = "#1f2328"
        static let quiet = "#59636e"
        static let grid = "#e3e6ea"
        static let axis = "#8c959f"
        static let gap = "#eef0f2"
        static let fonts = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', Arial, sans-serif"
        /// Of one band; several must not hide the grid where they cover one another.
        static let shade = "0.13"
        static let sharedShade = "0.08"
    }

    /// The file, to its last line break.
    package var text: String {
        var svg = SVGText()
        svg.open(
            "svg",
            [
                ("xmlns", "http://www.w3.org/2000/svg"), ("width", SVGText.number(Layout.width)),
                ("height", SVGText.number(layout.height)),
                ("viewBox", "0 0 \(SVGText.number(Layout.width)) \(SVGText.number(layout.height))"), ("role", "img"),
                ("font-family", Look.fonts), ("font-size", "12"), ("fill", Look.text),
            ])
        svg.element("title", [], chart.title)
        if !chart.details.isEmpty { svg.element("desc", [], chart.details.joined(separator: ", ")) }
        svg.rectangle(0, 0, Layout.width, layout.height, [("fill", Look.background)])
        drawTitle(&svg)
        drawShades(&svg)
        let ticks = chart.timeAxis.ticks(in: chart.time, most: 10)
        for (panel, plot) in zip(chart.panels, layout.plots) { draw(panel, plot, ticks, &svg) }
        drawBands(&svg)
        drawTimeAxis(ticks, &svg)
        svg.close("svg")
        return svg.text
    }

    private func x(_ time: Double) -> Double {
        let share = (time - chart.time.lowerBound) / (chart.time.upperBound - chart.time.lowerBound)
        return Layout.left + min(max(share, 0), 1) * (Layout.right - Layout.left)
    }

    // MARK: Around the panels

    private func drawTitle(_ svg: inout SVGText) {
        svg.words(chart.title, x: Layout.left, y: 30, [("font-size", "17"), ("font-weight", "600")])
        var y = 30.0
        var details = chart.details
        while SVGText.width(details.joined(separator: ", ")) > Layout.right - Layout.left { details.removeLast() }
        if !chart.details.isEmpty {
            y += 20
            svg.words(details.joined(separator: ", "), x: Layout.left, y: y, [("fill", Look.quiet)])
        }
        var entries = chart.bands.map { (name: $0.name, fill: $0.color.rawValue, opacity: "0.3") }
        if !chart.gaps.isEmpty { entries.append(("no records", Look.axis, "0.3")) }
        var x = Layout.left
        for entry in entries {
            svg.rectangle(x, y + 11, 18, 10, [("fill", entry.fill), ("fill-opacity", entry.opacity)])
            svg.words(entry.name, x: x + 24, y: y + 20, [])
            x += 24 + SVGText.width(entry.name) + 22
        }
    }

    /// The bands and gaps through all panels, under everything else.
    private func drawShades(_ svg: inout SVGText) {
        for plot in layout.plots {
            for gap in chart.gaps {
                drawShade(gap, plot, Look.gap, opacity: "1", &svg)
            }
            for band in chart.bands {
                let shade = chart.bands.count == 1 ? Look.shade : Look.sharedShade
                for stretch in band.stretches { drawShade(stretch, plot, band.color.rawValue, opacity: shade, &svg) }
            }
        }
    }

    private func drawShade(
        _ stretch: ClosedRange<Double>, _ place: ClosedRange<Double>, _ fill: String, opacity: String,
        _ svg: inout SVGText
    ) {
        guard stretch.overlaps(chart.time) else { return }
        let start = x(stretch.lowerBound)
        // The shortest stretch is still to be seen.
        let width = max(x(stretch.upperBound) - start, 1)
        var attributes = [("fill", fill)]
        if opacity != "1" { attributes.append(("fill-opacity", opacity)) }
        svg.rectangle(start, place.lowerBound, width, place.upperBound - place.lowerBound, attributes)
    }

    private func drawBands(_ svg: inout SVGText) {
        for (band, place) in zip(chart.bands, layout.bands) {
            svg.rectangle(
                Layout.left, place.lowerBound, Layout.right - Layout.left, place.upperBound - place.lowerBound,
                [("fill", Look.gap)])
            for stretch in band.stretches { drawShade(stretch, place, band.color.rawValue, opacity: "1", &svg) }
        }
    }

    private func drawTimeAxis(_ ticks: [TimeAxis.Tick], _ svg: inout SVGText) {
        let y = layout.bottom
        svg.line(Layout.left, y, Layout.right, y, Look.axis)
        for tick in ticks {
            svg.line(x(tick.time), y, x(tick.time), y + 5, Look.axis)
            svg.words(
                tick.label, x: x(tick.time), y: y + 18, [("text-anchor", "middle"), ("fill", Look.quiet)])
        }
        svg.words(
            chart.timeAxis.title(chart.time), x: (Layout.left + Layout.right) / 2, y: y + 38,
            [("text-anchor", "middle"), ("fill", Look.quiet)])
    }

    // MARK: Panels

    private func draw(_ panel: Chart.Panel, _ plot: ClosedRange<Double>, _ ticks: [TimeAxis.Tick], _ svg: inout SVGText)
    {
        let height = plot.upperBound - plot.lowerBound
        let scale = PanelScale(panel, over: chart.time, steps: max(Int(height / 32), 2))
        func y(_ value: Double) -> Double { plot.upperBound - scale.share(value) * height }

        for tick in ticks { svg.line(x(tick.time), plot.lowerBound, x(tick.time), plot.upperBound, Look.grid) }
        for tick in scale.scale.ticks {
            let y = plot.upperBound - scale.scale.share(tick) * height
            svg.line(Layout.left, y, Layout.right, y, tick == 0 ? Look.axis : Look.grid)
            svg.words(
                scale.scale.text(tick), x: Layout.left - 8, y: y + 4, [("text-anchor", "end"), ("fill", Look.quiet)])
        }
        let middle = (plot.lowerBound + plot.upperBound) / 2
        svg.words(
            scale.title, x: 18, y: middle,
            [
                ("text-anchor", "middle"), ("fill", Look.quiet),
                ("transform", "rotate(-90 18 \(SVGText.number(middle)))"),
            ])
        svg.words(panel.title, x: Layout.left, y: plot.lowerBound - 9, [("font-weight", "600")])
        drawLegend(panel, y: plot.lowerBound - 9, &svg)
        for series in panel.series { draw(series, y, &svg) }
        drawCuts(panel, scale, y: plot.lowerBound, &svg)
        if panel.series.allSatisfy({ $0.last == nil }) {
            svg.words(
                "not known", x: (Layout.left + Layout.right) / 2, y: middle,
                [("text-anchor", "middle"), ("fill", Look.quiet)])
        }
    }

    /// From the right, in the line of the panel's title. A single series needs none.
    private func drawLegend(_ panel: Chart.Panel, y: Double, _ svg: inout SVGText) {
        guard panel.series.count > 1 else { return }
        var x = Layout.right
        for series in panel.series.reversed() {
            x -= SVGText.width(series.name)
            svg.words(series.name, x: x, y: y, [])
            svg.line(x - 30, y - 4, x - 6, y - 4, series.color.rawValue, Self.stroke(series))
            x -= 30 + 20
        }
    }

    /// An arrow at the top where a value is beyond the scale, with the number of the greatest.
    private func drawCuts(_ panel: Chart.Panel, _ scale: PanelScale, y: Double, _ svg: inout SVGText) {
        guard let greatest = scale.greatestCut else { return }
        var marked = -Double.infinity
        var label: Double?
        for point in panel.series.flatMap({ $0.points }).sorted(by: { $0.time < $1.time }) {
            guard let value = point.value, scale.cuts(value), chart.time.contains(point.time) else { continue }
            let x = x(point.time)
            if value == greatest, label == nil { label = x }
            guard x - marked > 10 else { continue }
            marked = x
            let (left, right, low) = (SVGText.number(x - 4), SVGText.number(x + 4), SVGText.number(y + 7))
            let arrow = "M\(left) \(low)H\(right)L\(SVGText.number(x)) \(SVGText.number(y))Z"
            svg.element("path", [("d", arrow), ("fill", Look.quiet)])
        }
        guard let label else { return }
        let isLeft = label > (Layout.left + Layout.right) / 2
        svg.words(
            scale.text(greatest), x: label + (isLeft ? -10 : 10), y: y + 12,
            [("text-anchor", isLeft ? "end" : "start"), ("fill", Look.quiet)])
    }

    private static func stroke(_ series: Chart.Series) -> [(String, String)] {
        [("stroke-width", "1.8")] + (series.isDashed ? [("stroke-dasharray", "6 4")] : [])
    }

    private func draw(_ series: Chart.Series, _ y: (Double) -> Double, _ svg: inout SVGText) {
        var path = ""
        /// The points of the line that is being drawn.
        var length = 0
        var end = Layout.left
        func point(_ x: Double, _ y: Double) -> String { "\(SVGText.number(x)) \(SVGText.number(y))" }
        func finish(before next: Double?) {
            if length > 0, series.shape == .steps, let next { path += "H\(SVGText.number(next))" }
            // A line to where it is: a round end makes a dot of it.
            if length == 1, series.shape == .line { path += "h0" }
            length = 0
        }
        for one in series.thinned(over: chart.time, columns: Int(Layout.right - Layout.left)) {
            let place = x(one.time)
            guard let value = one.value else {
                finish(before: place)
                continue
            }
            if length == 0 {
                path += "M" + point(place, y(value))
            } else if series.shape == .steps {
                path += "H\(SVGText.number(place))V\(SVGText.number(y(value)))"
            } else {
                path += "L" + point(place, y(value))
            }
            length += 1
            end = place
        }
        finish(before: end < Layout.right ? Layout.right : nil)
        guard !path.isEmpty else { return }
        svg.element(
            "path",
            [
                ("d", path), ("fill", "none"), ("stroke", series.color.rawValue), ("stroke-linejoin", "round"),
                ("stroke-linecap", series.isDashed ? "butt" : "round"),
            ] + Self.stroke(series))
    }
}

extension Chart.Series {
    /// The points within `time`, of many in one column of pixels only those that differ to the eye: the first, the
    /// lowest, the highest and the last, and a point that is not known.
    func thinned(over time: ClosedRange<Double>, columns: Int) -> [Chart.Point] {
        let within = points.filter { time.contains($0.time) }
        guard within.count > columns * 4 else { return within }
        let length = (time.upperBound - time.lowerBound) / Double(columns)
        func column(_ index: Int) -> Int { Int((within[index].time - time.lowerBound) / length) }
        var kept: [Chart.Point] = []
        var start = 0
        while start < within.count {
            var end = start
            while end < within.count, column(end) == column(start) { end += 1 }
            let known = (start..<end).filter { within[$0].value != nil }
            let unknown = (start..<end).first { within[$0].value == nil }
            let lowest = known.min { within[$0].value! < within[$1].value! }
            let highest = known.max { within[$0].value! < within[$1].value! }
            let chosen = Set([known.first, lowest, highest, known.last, unknown].compactMap { $0 })
            kept += chosen.sorted().map { within[$0] }
            start = end
        }
        return kept
    }
}
