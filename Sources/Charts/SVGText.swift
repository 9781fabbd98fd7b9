/// The text of an SVG file, an element a line.
struct SVGText {
    private(set) var text = ""
    private var depth = 0

    mutating func open(_ name: String, _ attributes: [(String, String)]) {
        begin(name, attributes)
        text += ">\n"
        depth += 1
    }

    mutating func close(_ name: String) {
        depth -= 1
        text += "\(indent)</\(name)>\n"
    }

    mutating func element(_ name: String, _ attributes: [(String, String)], _ content: String? = nil) {
        begin(name, attributes)
        text += content.map { ">\(Self.escaped($0))</\(name)>\n" } ?? "/>\n"
    }

    mutating func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ stroke: String, _ more: [(String, String)] = []
    ) {
        element(
            "line",
            [
                ("x1", Self.number(x1)), ("y1", Self.number(y1)), ("x2", Self.number(x2)), ("y2", Self.number(y2)),
                ("stroke", stroke),
            ] + more)
    }

    mutating func rectangle(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ attributes: [(String, String)]
    ) {
        element(
            "rect",
            [
                ("x", Self.number(x)), ("y", Self.number(y)), ("width", Self.number(width)),
                ("height", Self.number(height)),
            ] + attributes)
    }

    mutating func words(_ words: String, x: Double, y: Double, _ attributes: [(String, String)]) {
        element("text", [("x", Self.number(x)), ("y", Self.number(y))] + attributes, words)
    }

    private mutating func begin(_ name: String, _ attributes: [(String, String)]) {
        text += "\(indent)<\(name)"
        for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
    }

    private var indent: String { String(repeating: "  ", count: depth) }

    /// A tenth of a pixel is exact enough.
    static func number(_ number: Double) -> String {
        let text = number.text(decimals: 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// About how wide a text is, rather too much than too little: the font is the viewer's.
    static func width(_ text: String) -> Double { Double(text.count) * 6.8 }

    /// For the content of an element or an attribute. Control characters, which XML has no form for, become `?`.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f || scalar.value & 0xfffe == 0xfffe: escaped += "?"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
