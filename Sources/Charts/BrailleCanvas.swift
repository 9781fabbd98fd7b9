/// Lines in a terminal, out of the dots of Braille characters: two beside and four above one another in each cell.
struct BrailleCanvas {
    let columns: Int
    let rows: Int
    private var cells: [UInt8]
    /// Which series drew last in a cell.
    private(set) var owners: [Int?]

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        cells = Array(repeating: 0, count: columns * rows)
        owners = Array(repeating: nil, count: columns * rows)
    }

    var dotColumns: Int { columns * 2 }
    var dotRows: Int { rows * 4 }

    /// - Parameters:
    ///   - x: From the left.
    ///   - y: From the top.
    mutating func set(_ x: Int, _ y: Int, owner: Int) {
        guard (0..<dotColumns).contains(x), (0..<dotRows).contains(y) else { return }
        // The dots are numbered 1, 2, 3, 7 downwards on the left, and 4, 5, 6, 8 on the right.
        let bit: UInt8 = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]][x % 2][y % 4]
        let cell = y / 4 * columns + x / 2
        cells[cell] |= bit
        owners[cell] = owner
    }

    /// The character in a cell, a blank where there is no dot.
    func character(row: Int, column: Int) -> Character {
        let bits = cells[row * columns + column]
        guard bits != 0, let scalar = Unicode.Scalar(0x2800 + UInt32(bits)) else { return " " }
        return Character(scalar)
    }
}
