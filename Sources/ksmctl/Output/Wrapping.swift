extension String {
    /// The text with line breaks in place of blanks where it would be wider than the terminal; what follows a break is
    /// indented. A word that is wider than a line stays whole.
    ///
    /// - Parameters:
    ///   - indent: Columns that stand before the text in its first line, and blanks before its others.
    ///   - columns: Of the terminal; `nil` leaves the text whole, for a file or another program.
    func wrapped(indent: Int, columns: Int?) -> String {
        guard let columns, columns > indent + 20 else { return self }
        var lines = ""
        var column = indent
        for (index, word) in split(separator: " ", omittingEmptySubsequences: false).enumerated() {
            if index > 0, column + 1 + word.count > columns {
                lines += "\n" + String(repeating: " ", count: indent)
                column = indent
            } else if index > 0 {
                lines += " "
                column += 1
            }
            lines += word
            column += word.count
        }
        return lines
    }
}
