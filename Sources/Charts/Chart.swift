/// Values over time, as a picture in a terminal (``TerminalChart``) or in a file (``SVGChart``).
///
/// Panels stand below one another and share one time axis; bands are stretches of time that are shaded through all of
/// them. To compare two runs, give each panel a series for each, and the chart a band for each:
///
/// ```swift
/// let chart = Chart(
///     title: "Two configurations", details: ["4 h", "240 decisions"], time: 0...14_400, timeAxis: .elapsed,
///     panels: [
///         Chart.Panel(
///             "Pages per scan", .count("pages"),
///             [
///                 Chart.Series("present", .blue, .steps, first.map { .init($0.time, $0.pages) }),
///                 Chart.Series("proposed", .orange, .steps, second.map { .init($0.time, $0.pages) }),
///             ])
///     ],
///     bands: [
///         Chart.Band("KSM runs, present", .blue, [600...3_600]),
///         Chart.Band("KSM runs, proposed", .orange, [1_200...2_400]),
///     ])
/// let picture = SVGChart(chart).text
/// let text = TerminalChart(chart, width: 80, height: 24, glyphs: .ofLocale).text(style)
/// ```
package struct Chart: Sendable {
    package var title: String
    /// What the picture is of, the most important first: as many as fit into a line, with commas between.
    package var details: [String]
    /// What the time axis covers, in seconds. What is outside is not shown.
    package var time: ClosedRange<Double>
    package var timeAxis: TimeAxis
    package var panels: [Panel]
    package var bands: [Band]
    /// Stretches of which nothing is known, in order.
    package var gaps: [ClosedRange<Double>]

    package init(
        title: String, details: [String] = [], time: ClosedRange<Double>, timeAxis: TimeAxis, panels: [Panel],
        bands: [Band] = [], gaps: [ClosedRange<Double>] = []
    ) {
        self.title = title
        self.details = details
        // An axis needs a length, also for one moment.
        self.time =
            time.upperBound - time.lowerBound >= 1 ? time : time.lowerBound - 30...time.lowerBound + 30
        self.timeAxis = timeAxis
        self.panels = panels
        self.bands = bands
        self.gaps = gaps
    }

    /// Series with one vertical axis, which begins at zero.
    package struct Panel: Sendable {
        package var title: String
        package var unit: Unit
        package var series: [Series]
        /// Its height in proportion to that of the others.
        package var weight: Double

        package init(_ title: String, _ unit: Unit, _ series: [Series], weight: Double = 1) {
            self.title = title
            self.unit = unit
            self.series = series
            self.weight = weight
        }
    }

    /// What the numbers of a panel are.
    package enum Unit: Sendable {
        /// Shown in KiB, MiB, GiB or TiB, as the greatest value asks for.
        case bytes
        /// Whole things, by their name in the plural.
        case count(String)
        /// Percent (0 to 100 and above, not 0 to 1) of what is named.
        case percent(String)
    }

    package struct Series: Sendable {
        /// How values between two points are meant.
        package enum Shape: Sendable {
            /// On the way from one to the next.
            case line
            /// As the point before, until the next one, and from the last one to the end of the chart's time.
            case steps
        }

        package var name: String
        package var color: Color
        package var shape: Shape
        package var isDashed: Bool
        /// In order of time.
        package var points: [Point]

        package init(_ name: String, _ color: Color, _ shape: Shape, _ points: [Point], isDashed: Bool = false) {
            self.name = name
            self.color = color
            self.shape = shape
            self.isDashed = isDashed
            self.points = points
        }
    }

    package struct Point: Sendable {
        /// In seconds, on the chart's time axis.
        package var time: Double
        /// `nil` for not known: no line goes over it.
        package var value: Double?

        package init(_ time: Double, _ value: Double?) {
            self.time = time
            self.value = value.flatMap { $0.isFinite ? $0 : nil }
        }
    }

    /// Stretches of time of one kind.
    package struct Band: Sendable {
        package var name: String
        package var color: Color
        /// In order, apart from one another.
        package var stretches: [ClosedRange<Double>]

        package init(_ name: String, _ color: Color, _ stretches: [ClosedRange<Double>]) {
            self.name = name
            self.color = color
            self.stretches = stretches
        }
    }

    /// The colour of a series: apart from one another for most people, and dark enough on white.
    package enum Color: String, Sendable {
        case green = "#0a7f4f"
        case blue = "#0a66c2"
        case orange = "#c2500a"
        case grey = "#59636e"
        case violet = "#7a4fd0"
        case rose = "#b8286b"
    }
}

extension Chart.Series {
    /// The series over `time` in a number of parts of equal length: the mean of the points in each, or what the shape says
    /// for a part between two points.
    ///
    /// - Returns: `nil` for parts of which nothing is known.
    package func sampled(over time: ClosedRange<Double>, parts: Int) -> [Double?] {
        var samples: [Double?] = []
        let length = (time.upperBound - time.lowerBound) / Double(max(parts, 1))
        var next = points.firstIndex { $0.time >= time.lowerBound } ?? points.count
        for part in 0..<max(parts, 0) {
            let start = time.lowerBound + Double(part) * length
            let end = part == parts - 1 ? time.upperBound.nextUp : start + length
            let first = next
            while next < points.count, points[next].time < end { next += 1 }
            let values = points[first..<next].compactMap { $0.value }
            if !values.isEmpty {
                samples.append(values.reduce(0, +) / Double(values.count))
            } else if first < next || next == 0 {
                samples.append(nil)
            } else {
                samples.append(value(at: start + length / 2, behind: points[next - 1], before: next))
            }
        }
        return samples
    }

    private func value(at time: Double, behind previous: Chart.Point, before next: Int) -> Double? {
        guard let value = previous.value else { return nil }
        if shape == .steps { return value }
        guard next < points.count, let other = points[next].value else { return nil }
        return value + (other - value) * (time - previous.time) / (points[next].time - previous.time)
    }

    /// The last value that is known.
    package var last: Double? { points.last { $0.value != nil }?.value }

    package var greatest: Double? { points.compactMap { $0.value }.max() }
}
