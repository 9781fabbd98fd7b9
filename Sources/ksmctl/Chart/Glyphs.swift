import Glibc

/// The characters that charts in a terminal are drawn with.
struct Glyphs: Sendable {
    /// A cell filled from its bottom, from the least to the whole.
    let heights: [Character]
    /// A cell of the row that marks stretches.
    let mark: Character
    /// The parts of the axes.
    let (vertical, verticalTick, corner, horizontal, horizontalTick): (Character, Character, Character, Character, Character)
    /// What lines are drawn with: `nil` for the dots of Braille characters, else a character for each of the series of
    /// a panel.
    let lines: [Character]?

    static let unicode = Glyphs(
        heights: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"], mark: "█",
        (vertical: "│", verticalTick: "┤", corner: "└", horizontal: "─", horizontalTick: "┬"), lines: nil)

    /// For a terminal that knows no more.
    static let ascii = Glyphs(
        heights: [".", ":", "#"], mark: "#",
        (vertical: "|", verticalTick: "+", corner: "+", horizontal: "-", horizontalTick: "+"),
        lines: ["*", "o", "x", "%", "@"])

    private init(
        heights: [Character], mark: Character,
        _ axes: (vertical: Character, verticalTick: Character, corner: Character, horizontal: Character, horizontalTick: Character),
        lines: [Character]?
    ) {
        self.heights = heights
        self.mark = mark
        (vertical, verticalTick, corner, horizontal, horizontalTick) = axes
        self.lines = lines
    }

    /// As the user's locale says; of the C locale only ASCII can be expected.
    static var ofLocale: Glyphs { isUnicode ? .unicode : .ascii }

    /// Whether the user's locale, of `LC_ALL`, `LC_CTYPE` and `LANG` the first that is set, has UTF-8 for characters.
    static var isUnicode: Bool {
        guard unsafe setlocale(LC_CTYPE, "") != nil else {
            // A locale that is not installed on this host, as often over ssh(1): its name still tells.
            let names = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
            let name = (names.first { !$0.isEmpty } ?? "").lowercased()
            return name.hasSuffix("utf-8") || name.hasSuffix("utf8")
        }
        guard let codeset = unsafe nl_langinfo(nl_item(CODESET)) else { return false }
        return unsafe String(cString: codeset) == "UTF-8"
    }
}
