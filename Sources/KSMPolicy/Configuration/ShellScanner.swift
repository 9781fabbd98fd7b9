/// A place in the bytes of a file, with the shell's idea of blanks, words, names and lines.
struct ShellScanner {
    private let bytes: [UInt8]
    private let file: String
    private var offset = 0
    private var line = 1
    private var lineStart = 0

    init(_ text: [UInt8], file: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        // A byte order mark is no part of the text, and CRLF ends a line as LF does.
        let start = text.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        for index in start..<text.count {
            let isLineEnd = index + 1 == text.count || text[index + 1] == UInt8(ascii: "\n")
            if text[index] == UInt8(ascii: "\r"), isLineEnd { continue }
            bytes.append(text[index])
        }
        self.bytes = bytes
        self.file = file
    }

    var isAtEnd: Bool { offset >= bytes.count }

    var peek: UInt8? { isAtEnd ? nil : bytes[offset] }

    var origin: Origin { .file(file, line: line, column: offset - lineStart + 1) }

    /// Whether an unquoted word ends here.
    var isAtWordEnd: Bool {
        guard let byte = peek else { return true }
        return byte.isBlank || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: ";")
    }

    func problem(_ message: String, hint: String) -> Diagnostic {
        Diagnostic(.error, at: origin, message, hint: hint)
    }

    mutating func advance() {
        guard let byte = peek else { return }
        offset += 1
        if byte == UInt8(ascii: "\n") {
            line += 1
            lineStart = offset
        }
    }

    mutating func take() -> UInt8 {
        let byte = bytes[offset]
        advance()
        return byte
    }

    /// Blanks, and a backslash that continues the line.
    mutating func skipBlanks() {
        while let byte = peek {
            let isContinued =
                byte == UInt8(ascii: "\\") && offset + 1 < bytes.count && bytes[offset + 1] == UInt8(ascii: "\n")
            if isContinued {
                advance()
            } else if !byte.isBlank {
                return
            }
            advance()
        }
    }

    mutating func skipLine() {
        while let byte = peek, byte != UInt8(ascii: "\n") {
            advance()
        }
        advance()
    }

    /// Passes over a compound command up to the word that closes it, or to the end of the file.
    mutating func skipBlock() {
        var depth = 1
        while !isAtEnd, depth > 0 {
            skipBlanks()
            switch takeRestOfWord() {
            case "if", "for", "while", "until", "case", "select": depth += 1
            case "fi", "done", "esac": depth -= 1
            case "": advance()
            case let word where word.hasPrefix("#"): skipLine()
            default: break
            }
        }
        skipLine()
    }

    /// `[A-Za-z_][A-Za-z0-9_]*`, or nothing.
    mutating func takeName() -> String {
        let start = offset
        while let byte = peek {
            let isLetter =
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
            guard isLetter || byte == UInt8(ascii: "_") || byte.isDigit && offset > start else { break }
            advance()
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    /// More than a message quotes, and than any word of the shell has.
    private static var longestWord: Int { 256 }

    /// - Returns: The word up to ``longestWord``. It may be a megabyte of marks, which Swift sorts to compare one text with
    ///   another, in a time that grows with the square of their number.
    mutating func takeRestOfWord() -> String {
        let start = offset
        while !isAtWordEnd {
            advance()
        }
        return String(decoding: bytes[start..<offset].prefix(Self.longestWord), as: UTF8.self)
    }
}
