import Foundation
import FoundationXML
import Testing

@testable import Charts

@Suite struct SparklineTests {
    @Test func `heights go from zero to the greatest`() {
        #expect(Sparkline.text([0, 1, 2, 3, 4, 5, 6, 7, 8], width: 9) == "▁▂▃▄▅▆▇██")
        #expect(Sparkline.text([7, 8], width: 2) == "██")
        #expect(Sparkline.text([0, 0, 0], width: 3) == "▁▁▁")
        #expect(Sparkline.text([-5, 0, 5], width: 3) == "▁▁█")
    }

    @Test func `what is not known is a blank`() {
        #expect(Sparkline.text([nil, 1, .nan, 1, .infinity], width: 5) == " █ █ ")
        #expect(Sparkline.text([nil, nil], width: 2) == "  ")
    }

    @Test func `the newest is to the right, and the width is as asked for`() {
        #expect(Sparkline.text([8, 0, 8], width: 2) == "▁█")
        #expect(Sparkline.text([8], width: 4) == "   █")
        #expect(Sparkline.text([], width: 3) == "   ")
        #expect(Sparkline.text([1], width: 0) == "")
        #expect(Sparkline.text([1], width: -1) == "")
    }

    /// A value that has gone to the left has no say in the scale.
    @Test func `the scale is that of the values shown`() {
        #expect(Sparkline.text([1000, 4, 8], width: 2) == "▅█")
    }

    @Test func `without Unicode there are three heights`() {
        #expect(Sparkline.text([0, 1, 2, 3, nil], width: 5, isUnicode: false) == ".:## ")
    }

    @Test func `absurd numbers are no trap`() {
        #expect(Sparkline.text([.greatestFiniteMagnitude, 1, -.greatestFiniteMagnitude], width: 3) == "█▁▁")
    }
}

@Suite struct ScaleTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var values: [Double]
        var steps = 4
        var isWhole = false
        var labels: [String]

        var testDescription: String { "\(values) in \(steps) steps" }
    }

    @Test(arguments: [
        Case(values: [], labels: ["0", "1"]),
        Case(values: [0, 0], labels: ["0", "1"]),
        Case(values: [8], labels: ["0", "2", "4", "6", "8"]),
        Case(values: [8.1], labels: ["0", "5", "10"]),
        Case(values: [1250], labels: ["0", "500", "1000", "1500"]),
        Case(values: [1000], labels: ["0", "500", "1000"]),
        Case(values: [100], steps: 5, labels: ["0", "20", "40", "60", "80", "100"]),
        Case(values: [0.3], steps: 3, labels: ["0.0", "0.1", "0.2", "0.3"]),
        Case(values: [0.042], labels: ["0.00", "0.02", "0.04", "0.06"]),
        Case(values: [0.3], isWhole: true, labels: ["0", "1"]),
        Case(values: [-3, 5], labels: ["-4", "-2", "0", "2", "4", "6"]),
        Case(values: [7], steps: 1, labels: ["0", "10"]),
        Case(values: [64], steps: 0, labels: ["0", "100"]),
    ])
    func `ticks are 1, 2 or 5 times a power of ten, from zero to no less than the greatest`(_ test: Case) {
        let scale = Scale(covering: test.values, steps: test.steps, isWhole: test.isWhole)
        #expect(scale.ticks.map { scale.text($0) } == test.labels)
        for value in test.values {
            #expect(value >= scale.lowest - 1e-9 && value <= scale.highest + 1e-9)
        }
    }

    @Test(arguments: [1e-9, 1e-3, 1, 123_456, 1e12, 1e300, .infinity, -1e300])
    func `a scale of any number has few ticks`(_ value: Double) {
        let scale = Scale(covering: [value], steps: 5)
        #expect((2...7).contains(scale.ticks.count))
        #expect(scale.ticks == scale.ticks.sorted())
    }

    @Test func `a share stays between the lowest and the highest`() {
        let scale = Scale(covering: [8], steps: 4)
        #expect([-1, 0, 4, 8, 9].map { scale.share($0) } == [0, 0, 0.5, 1, 1])
    }

    @Test func `numbers are decimal with their places`() {
        #expect(12.345.text(decimals: 2) == "12.35")
        #expect(0.05.text(decimals: 1) == "0.1")
        #expect((-0.04).text(decimals: 1) == "0.0")
        #expect((-2.5).text(decimals: 1) == "-2.5")
        #expect(7.0.text(decimals: 0) == "7")
        #expect(0.5.text(decimals: 400) == "0.500000000000000")
        #expect(1.005e3.text(decimals: 3) == "1005.000")
        #expect(Double.nan.text(decimals: 1) == "-")
        #expect(1e300.text(decimals: 1) == "-")
    }

    @Test func `a large number of things is in millions`() {
        func title(_ count: Double) -> String {
            let series = Chart.Series("pages", .blue, .steps, [.init(0, count)])
            return PanelScale(Chart.Panel("Pages", .count("pages"), [series]), over: 0...1, steps: 4).title
        }
        #expect(title(0) == "pages")
        #expect(title(999_999) == "pages")
        #expect(title(1_000_000) == "million pages")
        #expect(title(5e9) == "billion pages")
        #expect(title(999_999_999) == "million pages")
    }

    private static func scale(_ values: [Double]) -> PanelScale {
        let points = values.enumerated().map { Chart.Point(Double($0), $1) }
        let panel = Chart.Panel("Pages", .count("pages"), [Chart.Series("pages", .blue, .steps, points)])
        return PanelScale(panel, over: 0...1000, steps: 4)
    }

    @Test func `One spike does not flatten the rest`() {
        let rest = (0..<99).map { Double($0 % 7) * 100 }
        let scale = Self.scale(rest + [1_000_000])
        #expect(scale.greatestCut == 1_000_000)
        #expect(scale.scale.highest <= 1000)
        #expect(scale.title == "pages")
        #expect(scale.cuts(1_000_000) && !scale.cuts(600))
        #expect(scale.text(1_000_000) == "1000000")
    }

    @Test func `What happens more often, is not far off, or is one of a few is no spike`() {
        let rest = (0..<95).map { Double($0 % 7) * 100 }
        #expect(Self.scale(rest + [9000, 9000, 9000, 9000, 9000]).greatestCut == nil)
        #expect(Self.scale(rest + [2300]).greatestCut == nil)
        #expect(Self.scale(rest + [2300]).scale.highest >= 2300)
        #expect(Self.scale([1, 1, 1, 9000]).greatestCut == nil)
        #expect(Self.scale([Double](repeating: 0, count: 99) + [9000]).greatestCut == nil)
    }

    struct Amount: CustomTestStringConvertible, Sendable {
        var bytes: Double
        var text: String
        var unit: String

        var testDescription: String { "\(text) \(unit)" }
    }

    @Test(arguments: [
        Amount(bytes: 0, text: "0.0", unit: "GiB"),
        Amount(bytes: 1024, text: "1.0", unit: "KiB"),
        Amount(bytes: 0x1p20, text: "1024.0", unit: "KiB"),
        Amount(bytes: 0x1p21, text: "2.0", unit: "MiB"),
        Amount(bytes: 0x1p30, text: "1024.0", unit: "MiB"),
        Amount(bytes: 0x1p31, text: "2.0", unit: "GiB"),
        Amount(bytes: 0x1p40, text: "1024.0", unit: "GiB"),
        Amount(bytes: 0x1p42, text: "4.0", unit: "TiB"),
    ])
    func `an amount is in the unit that suits it`(_ amount: Amount) {
        let panel = Chart.Panel("Memory", .bytes, [Chart.Series("free", .blue, .line, [.init(0, amount.bytes)])])
        let scale = PanelScale(panel, over: 0...1, steps: 4)
        #expect(scale.title == amount.unit)
        #expect(scale.text(amount.bytes) == amount.text)
    }
}

@Suite struct TimeAxisTests {
    private static let start = 1_795_219_200.0

    private static func labels(_ axis: TimeAxis, _ range: ClosedRange<Double>, most: Int = 8) -> [String] {
        axis.ticks(in: range, most: most).map { $0.label }
    }

    @Test func `a day has the hours, and its date at midnight`() {
        let utc = TimeAxis.clock { _ in 0 }
        #expect(
            Self.labels(utc, Self.start...Self.start + 86_400)
                == ["21 Nov", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "22 Nov"])
        #expect(utc.title(Self.start...Self.start + 1) == "time (UTC)")
    }

    @Test func `ticks are round on the local clock`() {
        let india = TimeAxis.clock { _ in 19_800 }
        let ticks = india.ticks(in: Self.start...Self.start + 3 * 3600, most: 4)
        #expect(ticks.map { $0.label } == ["06:00", "07:00", "08:00"])
        #expect(ticks[0].time == Self.start + 1800)
        #expect(india.title(Self.start...Self.start + 1) == "local time (UTC+05:30)")
        #expect(TimeAxis.clock { _ in -12_600 }.title(0...1) == "local time (UTC-03:30)")
    }

    /// The hour from six to seven comes twice, the clocks go back.
    @Test func `ticks stay round over a change of the clocks`() {
        let change = Self.start + 5 * 3600
        let ticks = TimeAxis.clock { $0 < change ? 7200 : 3600 }.ticks(in: Self.start...Self.start + 43_200, most: 4)
        #expect(ticks.map { $0.label } == ["03:00", "06:00", "09:00", "12:00"])
        #expect(ticks.map { ($0.time - Self.start) / 3600 } == [1, 4, 8, 11])
    }

    @Test(arguments: zip([60.0, 3600, 604_800], ["00:00:10 00:00:20", "00:10 00:20", "22 Nov 23 Nov"]))
    func `steps suit the length`(_ length: Double, _ expected: String) {
        let labels = Self.labels(.clock { _ in 0 }, Self.start...Self.start + length)
        #expect(labels[1...2].joined(separator: " ") == expected)
        #expect((3...9).contains(labels.count))
    }

    @Test func `time since a start has its units`() {
        #expect(Self.labels(.elapsed, 0...5400, most: 4) == ["0", "30min", "1h", "1h 30min"])
        #expect(Self.labels(.elapsed, 0...10, most: 5) == ["0", "2s", "4s", "6s", "8s", "10s"])
        #expect(TimeAxis.elapsed.title(0...1) == "time since the start")
    }

    @Test(arguments: [1.0, 59, 1e4, 1e6, 1e8, 1e10, 1e13])
    func `any length has some ticks, and not too many`(_ length: Double) {
        let ticks = TimeAxis.elapsed.ticks(in: 0...length, most: 6)
        #expect((2...7).contains(ticks.count))
    }

    @Test func `the calendar is the Gregorian one`() {
        let times = [
            (0, "1970-01-01 00:00:00"), (-1, "1969-12-31 23:59:59"), (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"), (1_795_219_200 + 36_495, "2026-11-21 10:08:15"),
            (4_107_542_399, "2100-02-28 23:59:59"), (4_107_542_400, "2100-03-01 00:00:00"),
        ]
        for (seconds, text) in times {
            let civil = CivilTime(seconds: seconds)
            #expect("\(civil.date) \(civil.timeOfDay)" == text)
            #expect(civil.seconds == seconds)
        }
        for day in stride(from: -800_000, to: 800_000, by: 97) {
            #expect(CivilTime(seconds: day * 86_400 + 7).seconds == day * 86_400 + 7)
        }
    }
}

@Suite struct SampledSeriesTests {
    private static func samples(_ shape: Chart.Series.Shape, _ points: [Chart.Point], parts: Int) -> [Double?] {
        Chart.Series("x", .blue, shape, points).sampled(over: 0...10, parts: parts)
    }

    @Test func `several points in a part give their mean`() {
        #expect(Self.samples(.line, [.init(0, 2), .init(1, 4), .init(6, 8), .init(10, 10)], parts: 2) == [3, 9])
    }

    @Test func `between two points a line goes on, and a step stays`() {
        let points = [Chart.Point(0, 0), Chart.Point(10, 10)]
        #expect(Self.samples(.line, points, parts: 5) == [0, 3, 5, 7, 10])
        #expect(Self.samples(.steps, points, parts: 5) == [0, 0, 0, 0, 10])
    }

    @Test func `nothing goes over what is not known`() {
        let points = [Chart.Point(0, 1), Chart.Point(3, nil), Chart.Point(9, 1)]
        #expect(Self.samples(.line, points, parts: 5) == [1, nil, nil, nil, 1])
        #expect(Self.samples(.steps, points, parts: 5) == [1, nil, nil, nil, 1])
    }

    @Test func `before the first and behind the last point a line has ended, and a step goes on`() {
        let points = [Chart.Point(4, 5), Chart.Point(5, 5)]
        #expect(Self.samples(.line, points, parts: 5) == [nil, nil, 5, nil, nil])
        #expect(Self.samples(.steps, points, parts: 5) == [nil, nil, 5, 5, 5])
    }

    @Test func `a point before the range still says what comes into it`() {
        #expect(Self.samples(.steps, [.init(-5, 3), .init(20, 9)], parts: 2) == [3, 3])
        #expect(Self.samples(.line, [.init(-10, 0), .init(20, 30)], parts: 2) == [12.5, 17.5])
    }

    @Test func `of many points a picture keeps the extremes of each column`() {
        let points = (0..<10_000).map { Chart.Point(Double($0) / 1000, $0 == 5_005 ? 99 : Double($0 % 7)) }
        let kept = Chart.Series("x", .blue, .line, points).thinned(over: 0...10, columns: 100)
        #expect(kept.count <= 400)
        #expect(kept.first?.time == 0)
        #expect(kept.last?.time == points.last?.time)
        #expect(kept.contains { $0.value == 99 })
        #expect(zip(kept, kept.dropFirst()).allSatisfy { $0.time < $1.time })
    }
}

/// Charts as other commands make them.
enum SampleChart {
    static func points(_ count: Int, every seconds: Double, _ value: (Double) -> Double?) -> [Chart.Point] {
        (0..<count).map { Chart.Point(Double($0) * seconds, value(Double($0))) }
    }

    /// Two configurations over the same four hours.
    static let comparison = Chart(
        title: "Present & proposed", details: ["240 decisions", "a < b"], time: 0...14_400, timeAxis: .elapsed,
        panels: [
            Chart.Panel(
                "Pages per scan", .count("pages"),
                [
                    Chart.Series("present", .blue, .steps, points(240, every: 60) { $0 < 60 ? 0 : 1250 }),
                    Chart.Series("proposed", .orange, .steps, points(240, every: 60) { $0 < 100 ? 0 : 300 }),
                ])
        ],
        bands: [
            Chart.Band("KSM runs, present", .blue, [3600...14_400]),
            Chart.Band("KSM runs, proposed", .orange, [6000...9000, 12_000...12_001]),
        ])

    static func plain(_ points: [Chart.Point], gaps: [ClosedRange<Double>] = []) -> Chart {
        Chart(
            title: "One", time: (points.first?.time ?? 0)...(points.last?.time ?? 0), timeAxis: .elapsed,
            panels: [Chart.Panel("Saved memory", .bytes, [Chart.Series("saved", .green, .line, points)])], gaps: gaps)
    }

    static let all: [(name: String, chart: Chart)] = [
        ("a comparison", comparison),
        ("one point", plain([.init(5, 7e9)])),
        ("zeros", plain(points(20, every: 60) { _ in 0 })),
        ("nothing known", plain(points(20, every: 60) { _ in nil })),
        ("absurd", plain([.init(0, 1e300), .init(60, -1e300), .init(120, 0)])),
        ("a spike to the left", plain(points(99, every: 60) { $0 == 3 ? 0x1p40 : $0 * 0x1p20 })),
        ("a spike to the right", plain(points(99, every: 60) { $0 == 97 ? 0x1p40 : $0 * 0x1p20 })),
        (
            "millions",
            Chart(
                title: "Pages", time: 0...600, timeAxis: .elapsed,
                panels: [
                    Chart.Panel(
                        "Pages per scan", .count("pages"),
                        [Chart.Series("pages", .blue, .steps, points(10, every: 60) { $0 * 1_000_000 })])
                ])
        ),
        ("a gap", plain([.init(0, 1), .init(60, nil), .init(600, 1)], gaps: [60...600])),
        ("no panel", Chart(title: "", time: 0...0, timeAxis: .clock { _ in 3600 }, panels: [])),
    ]
}

@Suite struct TerminalChartTests {
    private static func text(_ chart: Chart, _ width: Int, _ height: Int, _ glyphs: Glyphs = .unicode) -> String {
        TerminalChart(chart, width: width, height: height, glyphs: glyphs).text(.plain)
    }

    @Test func `an area of one series`() {
        let chart = SampleChart.plain(SampleChart.points(21, every: 180) { $0 * 0x1p30 / 2 })
        #expect(
            Self.text(chart, 44, 12) == """
                One
                Saved memory, GiB       last 10.0, most 10.0
                10 ┤                                   ▂▂▅▅█
                   │                             ▁▂▄▅▇██████
                   │                       ▁▂▄▄▇▇███████████
                   │                 ▁▁▃▄▆▇█████████████████
                   │            ▁▃▄▆▆███████████████████████
                   │       ▃▃▅▆█████████████████████████████
                 0 ┤ ▂▃▅▆███████████████████████████████████
                   └┬─────────┬─────────┬─────────┬────────┬
                    0       15min     30min     45min     1h

                """)
        #expect(
            Self.text(chart, 44, 9, .ascii) == """
                One
                Saved memory, GiB     last 10.0, most 10.0
                10 +                              ...::::#
                 5 +                    ....:::###########
                   |           ...::::####################
                 0 + ....:::##############################
                   ++------------------+-----------------+
                    0                30min              1h

                """)
    }

    @Test func `lines of two series with a band for each`() {
        #expect(
            Self.text(SampleChart.comparison, 72, 16) == """
                Present & proposed  240 decisions, a < b
                Pages per scan, pages
                1500 ┤
                     │            ⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤ present
                1000 ┤            ⡇
                     │            ⡇
                     │           ⢸
                 500 ┤           ⢸
                     │           ⢸
                     │           ⢸       ⢸⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ proposed
                   0 ┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣸⣀⣀⣀⣀⣀⣀⣀⡸
                                 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ KSM runs, present
                                         ━━━━━━━━━━━         ━        KSM runs, proposed
                     └┬──────────┬───────────┬───────────┬──────────┬
                      0         1h          2h          3h         4h

                """)
        #expect(
            Self.text(SampleChart.comparison, 72, 14, .ascii) == """
                Present & proposed  240 decisions, a < b
                Pages per scan, pages
                1500 +
                     |            ********************************* * present
                     |           *
                     |           *
                     |           *
                     |           *       oooooooooooooooooooooooooo o proposed
                   0 +ooooooooooooooooooo
                                 ================================== KSM runs, present
                                        ===========        =        KSM runs, proposed
                     ++----------+----------+----------+----------+
                      0         1h         2h         3h         4h

                """)
    }

    @Test(arguments: [(40, 12), (80, 24), (81, 25), (200, 60)])
    func `no chart is wider or higher than asked for, and none ends a line with a blank`(_ width: Int, _ height: Int) {
        for (name, chart) in SampleChart.all {
            for glyphs in [Glyphs.unicode, .ascii] {
                let text = Self.text(chart, width, height, glyphs)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                #expect(lines.allSatisfy { $0.count <= width }, "\(name)")
                #expect(lines.count < height, "\(name)")
                #expect(!lines.contains { $0.hasSuffix(" ") }, "\(name)")
            }
        }
    }

    @Test func `without Unicode there is nothing but ASCII`() {
        for (_, chart) in SampleChart.all {
            #expect(Self.text(chart, 80, 24, .ascii).utf8.allSatisfy { $0 < 0x80 })
        }
    }

    @Test func `colours leave the text as it is`() {
        let chart = TerminalChart(SampleChart.comparison, width: 80, height: 24, glyphs: .unicode)
        let coloured = chart.text(Style(isColoured: true))
        #expect(coloured != chart.text(.plain))
        #expect(coloured.replacing(/\u{1B}\[\d+m/, with: "") == chart.text(.plain))
    }

    /// Three lines at the bottom: their names still stand in the order of their values.
    @Test func `names stand in the order of the last values`() {
        let series = [("least", 0.0), ("greatest", 100), ("middle", 2)].map { name, value in
            Chart.Series(name, .blue, .line, [.init(0, 100), .init(50, value), .init(100, value)])
        }
        let chart = Chart(
            title: "x", time: 0...100, timeAxis: .elapsed, panels: [Chart.Panel("Pages", .count("pages"), series)])
        let names = series.map { $0.name }
        let words = Self.text(chart, 60, 12).split { " \n".contains($0) }.map { String($0) }
        #expect(words.filter { names.contains($0) } == ["greatest", "middle", "least"])
    }

    @Test func `rows are shared out by weight`() {
        #expect(TerminalChart.distribute(14, over: [1, 1.5, 1, 1], least: 2) == [3, 5, 3, 3])
        #expect(TerminalChart.distribute(3, over: [1, 1], least: 2) == [2, 2])
        #expect(TerminalChart.distribute(10, over: [], least: 2) == [])
    }
}

@Suite struct SVGChartTests {
    /// The elements of a picture.
    private final class Elements: NSObject, XMLParserDelegate {
        var elements: [(name: String, attributes: [String: String], text: String)] = []
        private var open: [Int] = []

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            open.append(elements.count)
            elements.append((name, attributes, ""))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if let index = open.last { elements[index].text += text }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            open.removeLast()
        }

        static func of(_ text: String) throws -> [(name: String, attributes: [String: String], text: String)] {
            let parser = XMLParser(data: Data(text.utf8))
            let elements = Elements()
            parser.delegate = elements
            try #require(parser.parse(), "\(String(describing: parser.parserError)) in \(text)")
            return elements.elements
        }
    }

    @Test func `every picture is an SVG file without scripts or other files`() throws {
        for (name, chart) in SampleChart.all {
            let text = SVGChart(chart).text
            let elements = try Elements.of(text)
            #expect(elements.first?.name == "svg", "\(name)")
            #expect(elements[0].attributes["width"] == "960")
            #expect(
                Set(elements.map { $0.name }).isSubset(of: ["svg", "title", "desc", "rect", "line", "text", "path"]))
            #expect(!text.contains("href") && !text.contains("url(") && !text.contains("nan") && !text.contains("inf"))
        }
    }

    @Test func `texts are escaped, and control characters do no harm`() throws {
        var chart = SampleChart.comparison
        chart.title = "a < b & \"c\" \u{1B}[0m \u{0}"
        let elements = try Elements.of(SVGChart(chart).text)
        #expect(elements.contains { $0.name == "title" && $0.text == "a < b & \"c\" ?[0m ?" })
    }

    private struct Box {
        var text: String
        var x: ClosedRange<Double>
        var y: ClosedRange<Double>
    }

    /// Where the texts are; those on their side have a column of their own.
    private static func boxes(_ svg: String) throws -> [Box] {
        try Elements.of(svg).filter { $0.name == "text" && $0.attributes["transform"] == nil }.map { element in
            let size = Double(element.attributes["font-size"] ?? "12")!
            let width = SVGText.width(element.text) * size / 12
            let x = Double(element.attributes["x"]!)!
            let y = Double(element.attributes["y"]!)!
            let start =
                switch element.attributes["text-anchor"] {
                case "end": x - width
                case "middle": x - width / 2
                default: x
                }
            return Box(text: element.text, x: start...start + width, y: y - size * 0.8...y + size * 0.2)
        }
    }

    @Test func `no text is on another or outside of the picture`() throws {
        for (name, chart) in SampleChart.all {
            let svg = SVGChart(chart).text
            let height = Double(try Elements.of(svg)[0].attributes["height"]!)!
            let boxes = try Self.boxes(svg)
            for (index, box) in boxes.enumerated() {
                #expect(box.x.lowerBound >= 24 && box.x.upperBound <= 960, "\(name): \(box)")
                #expect(box.y.lowerBound >= 0 && box.y.upperBound <= height, "\(name): \(box)")
                for other in boxes[(index + 1)...] {
                    #expect(!(box.x.overlaps(other.x) && box.y.overlaps(other.y)), "\(name): \(box), \(other)")
                }
            }
        }
    }

    @Test func `no label reaches the title of its axis`() throws {
        for (name, chart) in SampleChart.all {
            for element in try Elements.of(SVGChart(chart).text) where element.attributes["text-anchor"] == "end" {
                let end = Double(element.attributes["x"]!)!
                // The title stands on its side around x = 18, and is as high as its font.
                #expect(end - SVGText.width(element.text) > 24, "\(name): \(element.text)")
            }
        }
    }

    @Test func `A spike is marked at the top, with its number`() throws {
        let elements = try Elements.of(SVGChart(SampleChart.all.first { $0.name == "a spike to the left" }!.chart).text)
        #expect(elements.contains { $0.name == "text" && $0.text == "1048576.0" })
        #expect(elements.count { $0.name == "path" && $0.attributes["d"]?.hasSuffix("Z") == true } == 1)
    }

    @Test func `a line does not go over what is not known`() throws {
        let points = [Chart.Point(0, 1024), .init(60, 1024), .init(120, nil), .init(600, 1024), .init(660, 1024)]
        let path = try #require(try Elements.of(SVGChart(SampleChart.plain(points)).text).first { $0.name == "path" })
        #expect(path.attributes["d"]?.filter { $0 == "M" }.count == 2)
    }

    @Test func `steps go along and then up, and the last holds to the end`() throws {
        let chart = Chart(
            title: "x", time: 0...850, timeAxis: .elapsed,
            panels: [
                Chart.Panel(
                    "Pages", .count("pages"), [Chart.Series("x", .blue, .steps, [.init(0, 0), .init(425, 100)])])
            ])
        let path = try #require(try Elements.of(SVGChart(chart).text).first { $0.name == "path" })
        #expect(path.attributes["d"] == "M78 202H503V72H928")
    }

    @Test func `one band is shaded in every panel, two have rows of their own as well`() throws {
        let shades = try Elements.of(SVGChart(SampleChart.comparison).text).filter {
            $0.name == "rect" && $0.attributes["fill"] == Chart.Color.orange.rawValue
        }
        // The legend, two stretches in the panel, two in the row; the shortest can be seen.
        #expect(shades.count == 5)
        #expect(shades.allSatisfy { Double($0.attributes["width"]!)! >= 1 })
    }

    @Test func `a long history stays a small file`() {
        let chart = SampleChart.plain(SampleChart.points(16_383, every: 60) { Double(Int($0) * 7919 % 1000) * 1e6 })
        #expect(SVGChart(chart).text.utf8.count < 100_000)
    }
}
