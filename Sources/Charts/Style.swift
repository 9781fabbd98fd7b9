import Glibc

/// How text looks: in colour on a terminal, plain everywhere else.
package struct Style: Sendable {
    package let isColoured: Bool
    /// Whether it can show more than ASCII.
    package var isUnicode = true

    package static let plain = Style(isColoured: false)

    /// Of standard output. `NO_COLOR`, when it is set and not empty, switches colour off (https://no-color.org), and so
    /// does a dumb terminal.
    package static var standardOutput: Style {
        Style(isColoured: Terminal.isOutput && !isSet("NO_COLOR") && !Terminal.isDumb, isUnicode: Glyphs.isUnicode)
    }

    package func bold(_ text: String) -> String { wrap(text, "1") }
    package func dim(_ text: String) -> String { wrap(text, "2") }
    package func good(_ text: String) -> String { wrap(text, "32") }
    package func warning(_ text: String) -> String { wrap(text, "33") }
    package func bad(_ text: String) -> String { wrap(text, "31") }

    private func wrap(_ text: String, _ code: String) -> String {
        isColoured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    private static func isSet(_ name: String) -> Bool { Environment.value(name)?.isEmpty == false }
}

private enum Environment {
    static func value(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }
}

/// The terminal that standard output is, if it is one.
package enum Terminal {
    package static var isOutput: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether it shows the sequences that move the cursor as text.
    package static var isDumb: Bool { Environment.value("TERM") == "dumb" }

    /// Its columns and rows; what a program may assume where it is none.
    package static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}
