/// A small picture of values on one line of text, the newest to the right: `▁▁▂▅█▇▃ ▂`.
package enum Sparkline {
    /// The last `width` values, one column each.
    ///
    /// The scale goes from zero to the greatest of the values shown, so that a height means the same as its number:
    /// zero and below are the lowest block, the greatest is the full one, and a line of zeros stays flat.
    ///
    /// - Parameters:
    ///   - values: From the oldest to the newest; `nil`, for one that is not known, is a blank.
    ///   - width: In columns. Fewer values stand to the right, so that the newest is always in the same place.
    ///   - isUnicode: Whether the terminal can show block characters; see ``Glyphs``.
    /// - Returns: Always `width` characters.
    package static func text(_ values: [Double?], width: Int, isUnicode: Bool = true) -> String {
        let blocks = isUnicode ? Glyphs.unicode.heights : Glyphs.ascii.heights
        let shown = values.suffix(max(width, 0)).map { value in value.flatMap { $0.isFinite ? $0 : nil } }
        let greatest = shown.reduce(0) { max($0, $1 ?? 0) }
        var text = String(repeating: " ", count: max(width - shown.count, 0))
        for value in shown {
            guard let value else {
                text.append(" ")
                continue
            }
            let share = greatest > 0 ? max(value, 0) / greatest : 0
            text.append(blocks[min(Int(share * Double(blocks.count)), blocks.count - 1)])
        }
        return text
    }
}
