import Glibc

/// The characters that charts in a terminal are drawn with.
package struct Glyphs: Sendable {
    /// Where an axis is, and how its ticks look on it.
    package struct Axes: Sendable {
        package var vertical: Character
        package var verticalTick: Character
        package var corner: Character
        package var horizontal: Character
        package var horizontalTick: Character
    }

    /// A cell filled from its bottom, from the least to the whole.
    package let heights: [Character]
    /// A cell of the row that marks stretches: marked, and not known.
    package let mark: Character
    package let unknown: Character
    package let axes: Axes
    /// What lines are drawn with: `nil` for the dots of Braille characters, else a character for each of the series of
    /// a panel, in turn.
    package let lines: [Character]?

    package static let unicode = Glyphs(
        heights: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"], mark: "━", unknown: "·",
        axes: Axes(vertical: "│", verticalTick: "┤", corner: "└", horizontal: "─", horizontalTick: "┬"), lines: nil)

    /// For a terminal that knows no more.
    package static let ascii = Glyphs(
        heights: [".", ":", "#"], mark: "=", unknown: "?",
        axes: Axes(vertical: "|", verticalTick: "+", corner: "+", horizontal: "-", horizontalTick: "+"),
        lines: ["*", "o", "-", "x", "%"])

    /// As the user's locale says; of the C locale only ASCII can be expected.
    package static var ofLocale: Glyphs { isUnicode ? .unicode : .ascii }

    /// Whether the user's locale, of `LC_ALL`, `LC_CTYPE` and `LANG` the first that is set, writes UTF-8.
    package static var isUnicode: Bool {
        guard unsafe setlocale(LC_CTYPE, "") != nil else {
            // A locale that is not installed on this host, as often over ssh(1): its name still says it.
            let names = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { (name: String) -> String? in
                unsafe getenv(name).map { unsafe String(cString: $0) }
            }
            let name = (names.first { !$0.isEmpty } ?? "").lowercased()
            return name.hasSuffix("utf-8") || name.hasSuffix("utf8")
        }
        guard let codeset = unsafe nl_langinfo(nl_item(CODESET)) else { return false }
        return unsafe String(cString: codeset) == "UTF-8"
    }
}
