/// Reads the assignments of a file that the original handed to bash.
///
/// Assignments mean here what they mean there: optional `export`, single and double quotes, backslashes,
/// `$NAME` and `${NAME}` of earlier names, `#` comments, several on a line. Everything else that a shell would run
/// is never run; it becomes a ``Diagnostic`` at its line and column.
///
/// One parser reads all files of a configuration in order, since a later one may use the names of an earlier one.
package struct AssignmentParser {
    package private(set) var assignments: [Assignment] = []
    private var messages: [Diagnostic] = []
    /// What there was to say beyond ``ConfigurationBounds/messages``.
    private var unreported: (count: Int, first: Origin, severity: Diagnostic.Severity)?
    /// Whether there are more assignments than may be.
    private var isFull = false
    private var variables: [String: String] = [:]
    /// Whether a variable was not UTF-8 and holds signs for what was not.
    private var hasMended = false
    private let knowsSettings: Bool

    /// - Parameters:
    ///   - environment: The names that count below the files, as a shell's environment does.
    ///   - knowsSettings: Whether names are those of ``Setting``, so that one that looks like it and is none is
    ///     warned of. Other files have names of their own.
    package init(environment: [Assignment] = [], knowsSettings: Bool = true) {
        self.knowsSettings = knowsSettings
        for assignment in environment {
            variables[assignment.name] = assignment.value
            if Self.isMended(assignment.value) { hasMended = true }
        }
    }

    /// Whether a text has the sign that stands for what is not UTF-8.
    private static func isMended(_ text: String) -> Bool { text.unicodeScalars.contains("\u{FFFD}") }

    /// What there is to say: at most ``ConfigurationBounds/messages``, and how much more.
    package var diagnostics: [Diagnostic] {
        guard let unreported else { return messages }
        let isOne = unreported.count == 1
        return messages + [
            Diagnostic(
                unreported.severity, at: unreported.first,
                "there \(isOne ? "is 1 more error or warning" : "are \(unreported.count) more errors and warnings") from here on",
                hint: "mend those above first")
        ]
    }

    /// Keeps one more diagnostic, which is made only if there is still room for it.
    private mutating func report(
        _ severity: Diagnostic.Severity, at origin: Origin, _ make: () -> (message: String, hint: String)
    ) {
        guard messages.count >= ConfigurationBounds.messages else {
            let (message, hint) = make()
            messages.append(Diagnostic(severity, at: origin, message, hint: hint))
            return
        }
        unreported = (
            (unreported?.count ?? 0) + 1, unreported?.first ?? origin,
            unreported?.severity == .error ? .error : severity
        )
    }

    /// Reads one file to its end.
    ///
    /// - Parameters:
    ///   - text: The file's bytes. Line ends may be CRLF, and the last one may be missing.
    ///   - file: The name for diagnostics.
    package mutating func read(_ text: [UInt8], from file: String) {
        var scanner = ShellScanner(text, file: file)
        while !scanner.isAtEnd, !isFull {
            readLine(&scanner)
        }
    }

    // MARK: One line

    private mutating func readLine(_ scanner: inout ShellScanner) {
        var pending: [Assignment] = []
        // Those of the line before its last semicolon.
        var onLine = 0
        var isExporting = false
        while true {
            scanner.skipBlanks()
            guard let byte = scanner.peek, byte != UInt8(ascii: "\n") else {
                scanner.skipLine()
                break
            }
            if byte == UInt8(ascii: "#") {
                scanner.skipLine()
                break
            }
            if byte == UInt8(ascii: ";") {
                scanner.advance()
                onLine += pending.count
                commit(&pending)
                guard !isFull else { return }
                isExporting = false
                continue
            }
            let origin = scanner.origin
            let name = scanner.takeName()
            if !name.isEmpty, scanner.peek == UInt8(ascii: "=") {
                scanner.advance()
                do throws(Diagnostic) {
                    try Self.checkBounds(of: name, behind: pending.count + onLine, at: origin)
                    // `export` is a command: what stands behind it is expanded before any of it is assigned.
                    let bytes = try readValue(&scanner, isExporting ? [] : pending)
                    let value = String(validating: bytes, as: UTF8.self)
                    if value == nil { hasMended = true }
                    // To mend it would name another file, also where it takes in a variable that was mended.
                    let isMended = value.map { hasMended && Self.isMended($0) } ?? true
                    if isMended, Setting(rawValue: name) != nil { throw Self.notUTF8(name, at: origin) }
                    pending.append(
                        Assignment(name: name, value: value ?? String(decoding: bytes, as: UTF8.self), origin: origin))
                } catch {
                    report(.error, at: error.origin) { (error.message, error.hint) }
                    scanner.skipLine()
                    return
                }
                continue
            }
            if scanner.isAtWordEnd, name == "export" {
                isExporting = true
                continue
            }
            if isExporting, scanner.isAtWordEnd {
                // `export NAME` marks it for children, of which there are none.
                continue
            }
            diagnose(name, from: origin, behind: isExporting ? [] : pending, &scanner)
            return
        }
        commit(&pending)
    }

    private static func checkBounds(of name: String, behind count: Int, at origin: Origin) throws(Diagnostic) {
        guard name.utf8.count <= ConfigurationBounds.name else {
            throw Diagnostic(
                .error, at: origin,
                "the name \(name.quotable) has \(name.utf8.count) bytes, more than \(ConfigurationBounds.name)",
                hint: "write a shorter name")
        }
        guard count < ConfigurationBounds.assignmentsOnLine else {
            throw Diagnostic(
                .error, at: origin, "the line has more than \(ConfigurationBounds.assignmentsOnLine) assignments",
                hint: "write one on each line")
        }
    }

    private mutating func commit(_ pending: inout [Assignment]) {
        for assignment in pending {
            guard assignments.count < ConfigurationBounds.assignments else {
                isFull = true
                report(.error, at: assignment.origin) {
                    (
                        "there are more than \(ConfigurationBounds.assignments) assignments, and what follows is not read",
                        "leave out those that are no settings"
                    )
                }
                return
            }
            variables[assignment.name] = assignment.value
            if knowsSettings, let misnomer = Misnomer(assignment.name) {
                report(.warning, at: assignment.origin) {
                    ("\(assignment.name) \(misnomer.message)", misnomer.hint)
                }
            }
            assignments.append(assignment)
        }
        pending = []
    }

    /// Says what a line is that is not an assignment, and passes it over.
    private mutating func diagnose(
        _ name: String, from origin: Origin, behind pending: [Assignment], _ scanner: inout ShellScanner
    ) {
        let rest = scanner.takeRestOfWord()
        let word = name + rest
        scanner.skipBlanks()
        if !name.isEmpty, rest.isEmpty, pending.isEmpty, scanner.peek == UInt8(ascii: "=") {
            let name = name.quotable
            report(.warning, at: origin) {
                (
                    "\(name) has a space before its equals sign: the line is ignored, as bash did",
                    "write \(name)=value without spaces"
                )
            }
            scanner.skipLine()
            return
        }
        let shown = word.quotable
        if let assigned = pending.last, assigned.value.isEmpty, Setting(rawValue: assigned.name) != nil {
            report(.warning, at: assigned.origin) {
                (
                    "\(assigned.name)= has a space behind its equals sign: the line is ignored, as bash did",
                    "write \(assigned.name)=\(shown) without spaces"
                )
            }
            scanner.skipLine()
            return
        }
        if let assigned = pending.last, Setting(rawValue: assigned.name)?.mayHoldBlanks == true {
            report(.error, at: origin) {
                (
                    "'\(shown)' stands behind the blank that ends the value of \(assigned.name)",
                    "write quotes around the whole value: \(assigned.name)=\"\(assigned.value.quotable) \(shown)\""
                )
            }
            scanner.skipLine()
            return
        }
        report(.error, at: origin) { (Self.problem(of: word), Self.remedy(for: word, name)) }
        switch word {
        case "if", "for", "while", "until", "case", "select": scanner.skipBlock()
        default: scanner.skipLine()
        }
    }

    private static func problem(of word: String) -> String {
        switch word {
        case "if", "for", "while", "until", "case", "select", "function", "then", "else", "fi", "do", "done", "esac":
            "'\(word)' is shell syntax, and this file is read, never run"
        default:
            "'\(word.quotable)' is not an assignment, and this file is read, never run"
        }
    }

    private static func remedy(for word: String, _ name: String) -> String {
        switch word {
        case "unset": "write NAME= to get the default"
        case ".", "source": "put those settings into a file of the drop-in folder"
        case "declare", "typeset", "readonly", "local", "let": "write NAME=value alone"
        case _ where !name.isEmpty && word.utf8.dropFirst(name.utf8.count).starts(with: "+=".utf8):
            "write the whole value with \(name.quotable)=value"
        case _ where !name.isEmpty && word.utf8.dropFirst(name.utf8.count).first == UInt8(ascii: "["):
            "write \(name.quotable)=value; settings are not arrays"
        default: "write NAME=value lines only"
        }
    }

    // MARK: One value

    /// That the value of a setting is refused for its bytes.
    package static func notUTF8(_ name: String, at origin: Origin) -> Diagnostic {
        Diagnostic(
            .error, at: origin, "the value of \(name) is not UTF-8",
            hint: "write it in UTF-8, and give files and folders such names")
    }

    private func readValue(_ scanner: inout ShellScanner, _ pending: [Assignment]) throws(Diagnostic) -> [UInt8] {
        let start = scanner
        var value: [UInt8] = []
        // Where a shell puts a home folder for a tilde: at the beginning, and behind a colon.
        var mayBeHome = true
        while let byte = scanner.peek, !scanner.isAtWordEnd {
            try Self.checkBounds(of: value, at: start)
            defer { mayBeHome = byte == UInt8(ascii: ":") }
            switch byte {
            case UInt8(ascii: "~") where mayBeHome:
                throw scanner.problem("~ is not expanded here", hint: "write the whole path, or quote it")
            case UInt8(ascii: "'"):
                try readSingleQuoted(&scanner, into: &value)
            case UInt8(ascii: "\""):
                try readDoubleQuoted(&scanner, pending, into: &value)
            case UInt8(ascii: "\\"):
                scanner.advance()
                if scanner.isAtEnd {
                    value.append(byte)
                } else if let escaped = try takeText(&scanner), escaped != UInt8(ascii: "\n") {
                    value.append(escaped)
                }
            case UInt8(ascii: "$"), UInt8(ascii: "`"):
                try expand(&scanner, pending, isQuoted: false, into: &value)
            case UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "<"), UInt8(ascii: ">"),
                UInt8(ascii: "("), UInt8(ascii: ")"):
                throw scanner.problem(
                    "'\(Character(Unicode.Scalar(byte)))' is shell syntax, and this file is read, never run",
                    hint: "quote the value if the character belongs to it")
            default:
                if let byte = try takeText(&scanner) { value.append(byte) }
            }
        }
        try Self.checkBounds(of: value, at: start)
        return value
    }

    private static func checkBounds(of value: [UInt8], at start: ShellScanner) throws(Diagnostic) {
        if value.count <= ConfigurationBounds.value { return }
        throw start.problem(Self.tooLong, hint: "write a shorter value")
    }

    private static var tooLong: String {
        "the value becomes longer than \(ConfigurationBounds.value) bytes"
    }

    private func readSingleQuoted(_ scanner: inout ShellScanner, into value: inout [UInt8]) throws(Diagnostic) {
        let unclosed = scanner.problem("the quote is not closed on its line", hint: "add the closing '")
        scanner.advance()
        while let byte = scanner.peek, byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "'") {
                scanner.advance()
                return
            }
            if let byte = try takeText(&scanner) { value.append(byte) }
        }
        throw unclosed
    }

    private func readDoubleQuoted(
        _ scanner: inout ShellScanner, _ pending: [Assignment], into value: inout [UInt8]
    ) throws(Diagnostic) {
        let unclosed = scanner.problem("the quote is not closed on its line", hint: "add the closing \"")
        scanner.advance()
        while let byte = scanner.peek, byte != UInt8(ascii: "\n") {
            switch byte {
            case UInt8(ascii: "\""):
                scanner.advance()
                return
            case UInt8(ascii: "$"), UInt8(ascii: "`"):
                try expand(&scanner, pending, isQuoted: true, into: &value)
            case UInt8(ascii: "\\"):
                scanner.advance()
                switch scanner.peek {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"), UInt8(ascii: "`"):
                    value.append(scanner.take())
                case UInt8(ascii: "\n"):
                    scanner.advance()
                default:
                    value.append(byte)
                }
            default:
                if let byte = try takeText(&scanner) { value.append(byte) }
            }
        }
        throw unclosed
    }

    /// Takes a byte that stands for itself.
    private func takeText(_ scanner: inout ShellScanner) throws(Diagnostic) -> UInt8? {
        guard scanner.peek != 0 else { throw scanner.problem("a zero byte", hint: "save the file as plain text") }
        return scanner.isAtEnd ? nil : scanner.take()
    }

    /// Takes `$NAME` or `${NAME}` and appends what it stands for: nothing where the name is not set.
    private func expand(
        _ scanner: inout ShellScanner, _ pending: [Assignment], isQuoted: Bool, into value: inout [UInt8]
    ) throws(Diagnostic) {
        let never = "is never run"
        if scanner.peek == UInt8(ascii: "`") {
            throw scanner.problem("`…` \(never)", hint: "write its result")
        }
        let start = scanner
        scanner.advance()
        var name = ""
        switch scanner.peek {
        case UInt8(ascii: "("):
            throw start.problem("$(…) \(never)", hint: "write its result")
        case UInt8(ascii: "["):
            throw start.problem("$[…] \(never)", hint: "write its result")
        case UInt8(ascii: "{"):
            scanner.advance()
            name = scanner.takeName()
            guard !name.isEmpty, scanner.peek == UInt8(ascii: "}") else {
                throw start.problem("only $NAME and ${NAME} are expanded", hint: "write the value itself")
            }
            scanner.advance()
        case UInt8(ascii: "'") where isQuoted, UInt8(ascii: "\"") where isQuoted:
            // The dollar sign at the end of an expression in quotes.
            value.append(UInt8(ascii: "$"))
        case .some(let byte) where "0123456789@*#?-$!'\"".utf8.contains(byte):
            throw start.problem(
                "only $NAME and ${NAME} are expanded", hint: "write the value itself, or \\$ for a dollar sign")
        default:
            name = scanner.takeName()
            if name.isEmpty { value.append(UInt8(ascii: "$")) }
        }
        guard !name.isEmpty else { return }
        let text = pending.last { $0.name == name }?.value ?? variables[name] ?? ""
        guard value.count + text.utf8.count <= ConfigurationBounds.value else {
            throw start.problem(Self.tooLong, hint: "write a shorter value")
        }
        value.append(contentsOf: text.utf8)
    }
}
