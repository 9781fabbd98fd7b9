import Glibc

/// A vertical axis: from zero (or below, if a value is) to a round number, with round numbers between.
package struct Scale: Equatable, Sendable {
    /// From the lowest to the highest, at least two, evenly apart: 1, 2 or 5 times a power of ten.
    package let ticks: [Double]
    /// The decimals by which the ticks differ.
    package let decimals: Int

    package var lowest: Double { ticks[0] }
    package var highest: Double { ticks[ticks.count - 1] }

    /// - Parameters:
    ///   - values: What must fit in. None, or zeros alone, get a scale to one step.
    ///   - steps: About how many steps are wanted, at least 1.
    ///   - isWhole: Whether the steps must be whole numbers.
    package init(covering values: [Double], steps: Int, isWhole: Bool = false) {
        // A number beyond this is none of a host, and would not leave whole numbers between the ticks.
        let bounded = values.filter { $0.isFinite }.map { min(max($0, -1e15), 1e15) }
        let low = bounded.reduce(0, min)
        let high = bounded.reduce(0, max)
        let wanted = high > low ? (high - low) / Double(max(steps, 1)) : 1
        var step = Self.roundStep(atLeast: wanted)
        if isWhole { step = max(step, 1) }
        let first = (low / step).rounded(.down)
        // An extreme on the tick but for the last bits of its number asks for no step more.
        let last = max((high / step - 1e-9).rounded(.up), first + 1)
        ticks = stride(from: first, through: last, by: 1).map { $0 * step }
        decimals = max(0, -Int(log10(step).rounded(.down)))
    }

    /// The least of 1, 2 and 5 times a power of ten that is no less.
    package static func roundStep(atLeast wanted: Double) -> Double {
        let power = pow(10, log10(wanted).rounded(.down))
        return (([1, 2, 5].first { $0 * power >= wanted * (1 - 1e-9) }) ?? 10) * power
    }

    /// 0 at the lowest, 1 at the highest; within them.
    package func share(_ value: Double) -> Double {
        min(max((value - lowest) / (highest - lowest), 0), 1)
    }

    package func text(_ tick: Double) -> String { tick.text(decimals: decimals) }
}

extension Double {
    /// In decimal with this number of places behind the point, 15 at most, without an exponent: `-` where there is none.
    package func text(decimals: Int) -> String {
        let decimals = min(decimals, 15)
        let factor = pow(10, Double(decimals))
        let scaled = (self * factor).rounded()
        guard scaled.isFinite, scaled.magnitude < 1e18 else { return "-" }
        let whole = Int64(scaled.magnitude) / Int64(factor)
        var text = (scaled < 0 ? "-" : "") + String(whole)
        guard decimals > 0 else { return text }
        let rest = String(Int64(scaled.magnitude) % Int64(factor))
        text += "." + String(repeating: "0", count: decimals - rest.count) + rest
        return text
    }
}

/// The vertical axis of a panel, in the unit that suits its values.
package struct PanelScale: Sendable {
    package let scale: Scale
    /// What one of the unit is in the values' own.
    package let unit: Double
    /// The name of the unit: the axis' title.
    package let title: String
    /// The greatest value, where it is so far above nearly all others that the scale ends below it: to scale, they
    /// would be a line on the axis.
    package let greatestCut: Double?
    private let decimals: Int

    package init(_ panel: Chart.Panel, over time: ClosedRange<Double>, steps: Int) {
        let values = panel.series.flatMap { series in
            // Nothing of a host is beyond 64 bits, and its labels would need more place than there is.
            series.points.filter { time.contains($0.time) }.compactMap {
                $0.value.map { min(max($0, -0x1p63), 0x1p63) }
            }
        }
        let limit = Self.limit(of: values)
        let shown = limit.map { limit in values.filter { $0 <= limit } } ?? values
        greatestCut = limit.flatMap { _ in values.max() }
        let greatest = shown.reduce(0) { max($0, $1.magnitude) }
        let size: Double
        switch panel.unit {
        case .bytes:
            let units = [
                ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("PiB", 0x1p50), ("EiB", 0x1p60),
            ]
            // The scale of nothing is that of the amounts that memory is counted in.
            (title, size) = greatest == 0 ? units[2] : units.last { greatest >= 2 * $0.1 } ?? units[0]
        case .count(let things):
            // Six digits are as many as there is place for.
            let units = [("", 1), ("million ", 1e6), ("billion ", 1e9), ("trillion ", 1e12)]
            let (word, number) = units.last { greatest >= $0.1 } ?? units[0]
            (title, size) = (word + things, number)
        case .percent(let whole):
            (title, size) = ("% of \(whole)", 1)
        }
        unit = size
        let isWhole = if case .count = panel.unit, size == 1 { true } else { false }
        scale = Scale(covering: shown.map { $0 / size }, steps: steps, isWhole: isWhole)
        decimals = isWhole ? 0 : max(1, scale.decimals)
    }

    /// The greatest value that the scale shows, where others are spikes; `nil` where it shows all.
    ///
    /// Spikes are at most one value in fifty, and each more than four times what all others stay below. Few values have
    /// none: one that is extreme among them is what happened.
    private static func limit(of values: [Double]) -> Double? {
        guard values.count >= 50, let greatest = values.max() else { return nil }
        let limit = values.sorted()[values.count - 1 - values.count / 50]
        return limit > 0 && greatest > 4 * limit ? values.filter { $0 <= 2 * limit }.max() : nil
    }

    package func share(_ value: Double) -> Double { scale.share(value / unit) }

    /// Whether a value is beyond the end of the scale.
    package func cuts(_ value: Double) -> Bool { greatestCut != nil && value / unit > scale.highest }

    /// A value in the unit, without its name.
    package func text(_ value: Double) -> String { (value / unit).text(decimals: decimals) }
}
