import HostFixtures
import KSMPolicy
import Testing

@Suite struct AssignmentParserTests {
    // MARK: What is an assignment

    struct Accepted: CustomTestStringConvertible, Sendable {
        var rule: String
        var text: String
        /// All assignments in order, as `NAME=value`.
        var assignments: [String]

        var testDescription: String { rule }
    }

    @Test(arguments: [
        Accepted(rule: "an empty file has none", text: "", assignments: []),
        Accepted(rule: "blank lines and comments are none", text: "\n  \n\t\n# A=1\n  # A=1\n", assignments: []),
        Accepted(rule: "a name, an equals sign, a value", text: "A=1\n", assignments: ["A=1"]),
        Accepted(rule: "the final line end may be missing", text: "A=1", assignments: ["A=1"]),
        Accepted(rule: "a comment without a final line end", text: "#", assignments: []),
        Accepted(rule: "blanks before and behind do not count", text: "  \tA=1 \t\n", assignments: ["A=1"]),
        Accepted(rule: "CRLF ends a line", text: "A=1\r\nB=2\r\n", assignments: ["A=1", "B=2"]),
        Accepted(rule: "a CR at the end of the file is a line end cut short", text: "A=1\r", assignments: ["A=1"]),
        Accepted(rule: "a CR inside of a line is a byte like others", text: "A=1\r2\n", assignments: ["A=1\r2"]),
        Accepted(rule: "a byte order mark is no part of the first name", text: "\u{FEFF}A=1\n", assignments: ["A=1"]),
        Accepted(rule: "an empty value", text: "A=\n", assignments: ["A="]),
        Accepted(rule: "an empty value at the end of the file", text: "A=", assignments: ["A="]),
        Accepted(rule: "an empty value behind which blanks stand", text: "A=  \n", assignments: ["A="]),
        Accepted(rule: "an empty value with a comment behind it", text: "A= # B=2\n", assignments: ["A="]),
        Accepted(rule: "a comment needs a blank before it", text: "A=1#2 # 3\n", assignments: ["A=1#2"]),
        Accepted(rule: "several on a line", text: "A=1 B=2\tC=3\n", assignments: ["A=1", "B=2", "C=3"]),
        Accepted(rule: "a semicolon between two", text: "A=1;B=2 ; C=3;\n", assignments: ["A=1", "B=2", "C=3"]),
        Accepted(rule: "a second equals sign belongs to the value", text: "A==1=2\n", assignments: ["A==1=2"]),
        Accepted(rule: "names have letters, digits and underscores", text: "_a9Z=1\n", assignments: ["_a9Z=1"]),
        Accepted(rule: "export does not count", text: "export A=1\n", assignments: ["A=1"]),
        Accepted(rule: "export of several", text: "export A=1 B=2 C\n", assignments: ["A=1", "B=2"]),
        Accepted(rule: "export of a name says nothing about its value", text: "A=1\nexport A\n", assignments: ["A=1"]),
        Accepted(rule: "export alone says nothing", text: "export\n", assignments: []),
        Accepted(rule: "a setting may be called export", text: "export=1\n", assignments: ["export=1"]),
        Accepted(
            rule: "single quotes keep everything", text: #"A='a b # $B `c` \ "'"# + "\n",
            assignments: [#"A=a b # $B `c` \ ""#]),
        Accepted(rule: "double quotes keep blanks", text: "A=\"a b # ; c\"\n", assignments: ["A=a b # ; c"]),
        Accepted(rule: "empty quotes are an empty value", text: "A=''\nB=\"\"\n", assignments: ["A=", "B="]),
        Accepted(rule: "quoted parts join", text: #"A=a'b'"c"d"# + "\n", assignments: ["A=abcd"]),
        Accepted(
            rule: "a backslash in double quotes goes before four characters only",
            text: #"A="\"\\\$\`\n\'""# + "\n", assignments: [#"A="\$`\n\'"#]),
        Accepted(
            rule: "a backslash outside of quotes goes before any character", text: ##"A=\a\ \#\;\\"## + "\n",
            assignments: [##"A=a #;\"##]),
        Accepted(rule: "a backslash at the line's end continues the value", text: "A=1\\\n2\n", assignments: ["A=12"]),
        Accepted(
            rule: "a backslash at the line's end continues a quoted value", text: "A=\"1\\\n2\"\n",
            assignments: ["A=12"]),
        Accepted(
            rule: "a backslash at the line's end continues the line", text: "A=1 \\\nB=2\n",
            assignments: ["A=1", "B=2"]),
        Accepted(rule: "a continued line may end in CRLF", text: "A=1\\\r\n2\r\n", assignments: ["A=12"]),
        Accepted(rule: "a comment is not continued", text: "# x \\\nA=1\n", assignments: ["A=1"]),
        Accepted(rule: "an earlier name", text: "B=1\nA=$B\n", assignments: ["B=1", "A=1"]),
        Accepted(rule: "an earlier name in braces", text: "B=1\nA=${B}2\n", assignments: ["B=1", "A=12"]),
        Accepted(rule: "an earlier name on the same line", text: "B=1 A=$B\n", assignments: ["B=1", "A=1"]),
        Accepted(
            rule: "an earlier name in double quotes", text: "B='1  2'\nA=\"<$B>\"\n",
            assignments: ["B=1  2", "A=<1  2>"]),
        Accepted(
            rule: "an earlier name outside of quotes is not split at blanks", text: "B='1  2'\nA=$B\n",
            assignments: ["B=1  2", "A=1  2"]),
        Accepted(
            rule: "what a name stands for is not read again", text: "B='$C'\nC=1\nA=$B\n",
            assignments: ["B=$C", "C=1", "A=$C"]),
        Accepted(rule: "the longest name counts", text: "B=1\nA=$Bx\n", assignments: ["B=1", "A="]),
        Accepted(
            rule: "the latest value of a name counts", text: "B=1\nB=2\nA=$B\n",
            assignments: ["B=1", "B=2", "A=2"]),
        Accepted(rule: "a name may refer to itself", text: "A=1\nA=$A$A\n", assignments: ["A=1", "A=11"]),
        Accepted(rule: "a later name is not known yet", text: "A=\"<$B>\"\nB=1\n", assignments: ["A=<>", "B=1"]),
        Accepted(rule: "a name that nobody set is nothing", text: "A=\"<$NOBODY>\"\n", assignments: ["A=<>"]),
        Accepted(
            rule: "a dollar sign alone is itself", text: "A=$\nB=a$.b\nC=\"$ \"\n",
            assignments: ["A=$", "B=a$.b", "C=$ "]),
        Accepted(
            rule: "a dollar sign before the closing quote is itself", text: "A=\"^qemu$\"\n",
            assignments: ["A=^qemu$"]),
        Accepted(
            rule: "a dollar sign before an apostrophe in double quotes is itself", text: "A=\"$'x'\"\n",
            assignments: ["A=$'x'"]),
        Accepted(
            rule: "neither stars nor braces are expanded", text: "A=/*{a,b}?[c]\n", assignments: ["A=/*{a,b}?[c]"]),
        Accepted(rule: "a tilde inside of a word is itself", text: "A=a~ B='~'\n", assignments: ["A=a~", "B=~"]),
        Accepted(rule: "text beyond ASCII", text: "A=Grüße\n", assignments: ["A=Grüße"]),
    ])
    func `Assignments mean what they mean to bash`(_ test: Accepted) {
        var parser = AssignmentParser()
        parser.read(Array(test.text.utf8), from: "f")

        let diagnostics = parser.diagnostics.map(\.description)
        #expect(diagnostics == [])
        #expect(parser.assignments.map { "\($0.name)=\($0.value)" } == test.assignments)
    }

    @Test func `Each assignment has the line and column of its name, in bytes`() {
        var parser = AssignmentParser()
        parser.read(Array("\u{FEFF}A=1\r\n\r\n  B='ü' C=2\r\nD=1\\\r\n2 E=3\n".utf8), from: "/etc/x")

        #expect(
            parser.assignments.map { "\($0.name) \($0.origin)" } == [
                "A /etc/x:1:1", "B /etc/x:3:3", "C /etc/x:3:10", "D /etc/x:4:1", "E /etc/x:5:3",
            ])
    }

    @Test func `A setting that is not UTF-8 is refused, since to mend it would name another file`() {
        var parser = AssignmentParser()
        let text = Array("COMMENT=k".utf8) + [0xE4] + Array("se\nDEBUG=1\n LOGFILE=/var/log/k".utf8) + [0xE4]
        parser.read(text, from: "f")
        #expect(
            parser.diagnostics.map(\.description) == [
                "f:3:2: error: the value of LOGFILE is not UTF-8; write it in UTF-8, and give files and folders such names"
            ])
        #expect(parser.assignments.map { "\($0.name)=\($0.value)" } == ["COMMENT=k\u{FFFD}se", "DEBUG=1"])
        parser.read(Array("LOGFILE=/var/log/$COMMENT\nPIDFILE=/run/x\n".utf8), from: "g")
        let last = try? #require(parser.diagnostics.last?.description)
        #expect(last?.hasPrefix("g:1:1: error: the value of LOGFILE is not UTF-8;") == true)
        #expect(parser.assignments.last?.name == "PIDFILE")
        let mended = Assignment(name: "D", value: "/\u{FFFD}\u{301}", origin: .environment)
        var below = AssignmentParser(environment: [mended])
        below.read(Array("LOGFILE=$D/x\n".utf8), from: "f")
        #expect(below.assignments.isEmpty && below.diagnostics.count == 1)
        // The sign itself is as good as any other.
        var other = AssignmentParser()
        other.read(Array("LOGFILE=/var/log/\u{FFFD}\n".utf8), from: "f")
        #expect(other.diagnostics.isEmpty && other.assignments.count == 1)
    }

    @Test func `A later file knows the names of an earlier one`() {
        var parser = AssignmentParser()
        parser.read(Array("A=1".utf8), from: "f")
        parser.read(Array("B=$A$A".utf8), from: "g")

        #expect(parser.assignments.last == Assignment(name: "B", value: "11", origin: .file("g", line: 1, column: 1)))
    }

    @Test func `The environment counts below the file, also for names in values`() {
        var parser = AssignmentParser(environment: [Assignment(name: "E", value: "env", origin: .environment)])
        parser.read(Array("A=$E\nE=file\nB=$E\n".utf8), from: "f")

        #expect(parser.assignments.map(\.value) == ["env", "file", "file"])
    }

    // MARK: What is not

    struct Refused: CustomTestStringConvertible, Sendable {
        var rule: String
        var text: String
        /// The lines that a user sees, in order.
        var messages: [String]
        /// The assignments that count all the same.
        var assignments: [String] = []

        var testDescription: String { rule }

        /// - Parameter position: `line:column`.
        static func command(_ word: String, at position: String, hint: String = "write NAME=value lines only")
            -> String
        {
            "f:\(position): error: '\(word)' is not an assignment, and this file is read, never run; \(hint)"
        }

        static func syntax(_ word: String, at position: String, hint: String = "write NAME=value lines only") -> String
        {
            "f:\(position): error: '\(word)' is shell syntax, and this file is read, never run; \(hint)"
        }

        static func character(_ character: String, at position: String) -> String {
            syntax(character, at: position, hint: "quote the value if the character belongs to it")
        }
    }

    @Test(arguments: [
        // Commands.
        Refused(rule: "a command", text: "echo hello\n", messages: [Refused.command("echo", at: "1:1")]),
        Refused(
            rule: "a command with a path", text: "A=1\n  /sbin/reboot -f\nB=2\n",
            messages: [Refused.command("/sbin/reboot", at: "2:3")], assignments: ["A=1", "B=2"]),
        Refused(
            rule: "a command without a final line end", text: "reboot", messages: [Refused.command("reboot", at: "1:1")]
        ),
        Refused(
            rule: "a command behind a semicolon, the assignment before it counts", text: "A=1; reboot\n",
            messages: [Refused.command("reboot", at: "1:6")], assignments: ["A=1"]),
        Refused(
            rule: "a command behind an assignment gets it in its environment only", text: "A=1 reboot\nB=2\n",
            messages: [Refused.command("reboot", at: "1:5")], assignments: ["B=2"]),
        Refused(
            rule: "a name that begins with a digit", text: "1A=2\n", messages: [Refused.command("1A=2", at: "1:1")]),
        Refused(rule: "a name with a hyphen", text: "A-B=2\n", messages: [Refused.command("A-B=2", at: "1:1")]),
        Refused(rule: "a name beyond ASCII", text: "Ä=2\n", messages: [Refused.command("Ä=2", at: "1:1")]),
        Refused(rule: "a value without a name", text: "=2\n", messages: [Refused.command("=2", at: "1:1")]),
        Refused(rule: "a test", text: "[ -f /x ] && A=1\n", messages: [Refused.command("[", at: "1:1")]),
        Refused(
            rule: "unset", text: "unset A\n",
            messages: [Refused.command("unset", at: "1:1", hint: "write NAME= to get the default")]),
        Refused(
            rule: "source", text: "source /etc/x\n",
            messages: [
                Refused.command("source", at: "1:1", hint: "put those settings into a file of the drop-in folder")
            ]),
        Refused(
            rule: "the dot command", text: ". /etc/x\n",
            messages: [Refused.command(".", at: "1:1", hint: "put those settings into a file of the drop-in folder")]),
        Refused(
            rule: "declare", text: "declare -i A=1\n",
            messages: [Refused.command("declare", at: "1:1", hint: "write NAME=value alone")]),
        Refused(
            rule: "typeset", text: "typeset A=1\n",
            messages: [Refused.command("typeset", at: "1:1", hint: "write NAME=value alone")]),
        Refused(
            rule: "readonly", text: "readonly A=1\n",
            messages: [Refused.command("readonly", at: "1:1", hint: "write NAME=value alone")]),
        Refused(
            rule: "local", text: "local A=1\n",
            messages: [Refused.command("local", at: "1:1", hint: "write NAME=value alone")]),
        Refused(
            rule: "let", text: "let A=1\n",
            messages: [Refused.command("let", at: "1:1", hint: "write NAME=value alone")]),
        Refused(
            rule: "appending", text: "A+=1\n",
            messages: [Refused.command("A+=1", at: "1:1", hint: "write the whole value with A=value")]),
        Refused(
            rule: "an element of an array", text: "A[0]=1\n",
            messages: [Refused.command("A[0]=1", at: "1:1", hint: "write A=value; settings are not arrays")]),
        Refused(
            rule: "appending to what is exported", text: "export A+=1\n",
            messages: [Refused.command("A+=1", at: "1:8", hint: "write the whole value with A=value")]),
        Refused(
            rule: "a word that only begins as export", text: "export+ A=1\n",
            messages: [Refused.command("export+", at: "1:1")]),
        Refused(
            rule: "a word that is more than a name before the equals sign", text: "A+ =5\n",
            messages: [Refused.command("A+", at: "1:1")]),
        Refused(rule: "an option of export", text: "export -n A\n", messages: [Refused.command("-n", at: "1:8")]),
        Refused(
            rule: "a control character is not passed on to the terminal", text: "\u{1B}[2J\u{7F}x\n",
            messages: [Refused.command("?[2J?x", at: "1:1")]),
        Refused(rule: "a zero byte in a name", text: "A\0B=1\n", messages: [Refused.command("A?B=1", at: "1:1")]),
        // Blocks.
        Refused(
            rule: "a condition is one error, and reading goes on behind it",
            text: "A=1\nif [ -f /x ]; then\n  B=2\n  reboot\nfi\nC=3\n",
            messages: [Refused.syntax("if", at: "2:1")], assignments: ["A=1", "C=3"]),
        Refused(
            rule: "a condition on one line", text: "if true; then A=1; fi\nB=2\n",
            messages: [Refused.syntax("if", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "conditions in conditions end with the outer one",
            text: "if a; then\nif b; then\nA=1\nfi\nB=2\nfi\nC=3\n",
            messages: [Refused.syntax("if", at: "1:1")], assignments: ["C=3"]),
        Refused(
            rule: "a condition that is never closed ends with the file", text: "if a; then\nA=1\n",
            messages: [Refused.syntax("if", at: "1:1")]),
        Refused(
            rule: "a condition without a final line end", text: "if",
            messages: [Refused.syntax("if", at: "1:1")]),
        Refused(
            rule: "a for loop", text: "for i in 1 2; do\nA=$i\ndone\nB=2\n",
            messages: [Refused.syntax("for", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "a while loop", text: "while read x; do A=$x; done < /x\nB=2\n",
            messages: [Refused.syntax("while", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "an until loop", text: "until a\ndo\nb\ndone\nB=2\n",
            messages: [Refused.syntax("until", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "a selection", text: "select a in b; do c; done\nB=2\n",
            messages: [Refused.syntax("select", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "a case", text: "case $HOSTNAME in\na) A=1 ;;\nesac\nB=2\n",
            messages: [Refused.syntax("case", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "a comment in a condition does not count as its end or as another beginning",
            text: "if a; then # see if it works\nA=1\nfi\nB=2\n",
            messages: [Refused.syntax("if", at: "1:1")], assignments: ["B=2"]),
        Refused(
            rule: "what stands outside of a block", text: "fi\nthen\ndone\nesac\nelse\ndo\nfunction f\n",
            messages: [
                Refused.syntax("fi", at: "1:1"), Refused.syntax("then", at: "2:1"), Refused.syntax("done", at: "3:1"),
                Refused.syntax("esac", at: "4:1"), Refused.syntax("else", at: "5:1"), Refused.syntax("do", at: "6:1"),
                Refused.syntax("function", at: "7:1"),
            ]),
        // Values.
        Refused(
            rule: "a command in a value", text: "A=$(reboot)\nB=2\n",
            messages: ["f:1:3: error: $(…) is never run; write its result"], assignments: ["B=2"]),
        Refused(
            rule: "a command in a quoted value", text: "A=\"x$(reboot)\"\n",
            messages: ["f:1:5: error: $(…) is never run; write its result"]),
        Refused(
            rule: "a command in backticks", text: "A=`reboot`\n",
            messages: ["f:1:3: error: `…` is never run; write its result"]),
        Refused(
            rule: "a command in backticks in quotes", text: "A=\"12`reboot`\"\n",
            messages: ["f:1:6: error: `…` is never run; write its result"]),
        Refused(
            rule: "arithmetic", text: "A=$((1 + 2))\n",
            messages: ["f:1:3: error: $(…) is never run; write its result"]),
        Refused(
            rule: "old arithmetic", text: "A=$[1 + 2]\n",
            messages: ["f:1:3: error: $[…] is never run; write its result"]),
        Refused(
            rule: "a default in braces", text: "A=${B:-1}\n",
            messages: ["f:1:3: error: only $NAME and ${NAME} are expanded; write the value itself"]),
        Refused(
            rule: "a length in braces", text: "A=${#B}\n",
            messages: ["f:1:3: error: only $NAME and ${NAME} are expanded; write the value itself"]),
        Refused(
            rule: "braces that are not closed", text: "A=${B\n",
            messages: ["f:1:3: error: only $NAME and ${NAME} are expanded; write the value itself"]),
        Refused(
            rule: "a special parameter", text: "A=a$$\n",
            messages: [
                "f:1:4: error: only $NAME and ${NAME} are expanded; write the value itself, or \\$ for a dollar sign"
            ]),
        Refused(
            rule: "a positional parameter", text: "A=$1\n",
            messages: [
                "f:1:3: error: only $NAME and ${NAME} are expanded; write the value itself, or \\$ for a dollar sign"
            ]),
        Refused(
            rule: "quotes with escapes", text: "A=$'\\n'\n",
            messages: [
                "f:1:3: error: only $NAME and ${NAME} are expanded; write the value itself, or \\$ for a dollar sign"
            ]),
        Refused(
            rule: "a single quote that is not closed on its line", text: "A='1\nB=2\n",
            messages: ["f:1:3: error: the quote is not closed on its line; add the closing '"], assignments: ["B=2"]),
        Refused(
            rule: "a double quote that is not closed on its line", text: "A=x\"1\nB=2\n",
            messages: ["f:1:4: error: the quote is not closed on its line; add the closing \""], assignments: ["B=2"]),
        Refused(
            rule: "a single quote that the file does not close", text: "A='",
            messages: ["f:1:3: error: the quote is not closed on its line; add the closing '"]),
        Refused(
            rule: "a double quote that the file does not close", text: "A=\"\\",
            messages: ["f:1:3: error: the quote is not closed on its line; add the closing \""]),
        Refused(
            rule: "a home folder", text: "A=~/x\n",
            messages: ["f:1:3: error: ~ is not expanded here; write the whole path, or quote it"]),
        Refused(
            rule: "a home folder behind a colon", text: "A=/x:~/y\n",
            messages: ["f:1:6: error: ~ is not expanded here; write the whole path, or quote it"]),
        Refused(rule: "a background job", text: "A=1&\n", messages: [Refused.character("&", at: "1:4")]),
        Refused(rule: "a pipe", text: "A=1|b\n", messages: [Refused.character("|", at: "1:4")]),
        Refused(rule: "a file to write", text: "A=1>/etc/passwd\n", messages: [Refused.character(">", at: "1:4")]),
        Refused(rule: "a file to read", text: "A=1</x\n", messages: [Refused.character("<", at: "1:4")]),
        Refused(rule: "an array", text: "A=(1 2)\n", messages: [Refused.character("(", at: "1:3")]),
        Refused(rule: "a closing parenthesis", text: "A=1)\n", messages: [Refused.character(")", at: "1:4")]),
        Refused(
            rule: "a zero byte in a value", text: "A=1\u{0}2\n",
            messages: ["f:1:4: error: a zero byte; save the file as plain text"]),
        Refused(
            rule: "a zero byte in single quotes", text: "A='1\u{0}2'\n",
            messages: ["f:1:5: error: a zero byte; save the file as plain text"]),
        Refused(
            rule: "a zero byte in double quotes", text: "A=\"1\u{0}2\"\n",
            messages: ["f:1:5: error: a zero byte; save the file as plain text"]),
        Refused(
            rule: "a wrong value takes the whole line with it", text: "A=1 B=$(x) C=3\nD=4\n",
            messages: ["f:1:7: error: $(…) is never run; write its result"], assignments: ["D=4"]),
        // Spaces around the equals sign.
        Refused(
            rule: "a space before the equals sign", text: "KSM_NPAGES_MIN =5\n",
            messages: [
                "f:1:1: warning: KSM_NPAGES_MIN has a space before its equals sign: the line is ignored, as bash did; "
                    + "write KSM_NPAGES_MIN=value without spaces"
            ]),
        Refused(
            rule: "spaces around the equals sign", text: "A=1\n  KSM_NPAGES_MIN = 5 # five\nB=2\n",
            messages: [
                "f:2:3: warning: KSM_NPAGES_MIN has a space before its equals sign: the line is ignored, as bash did; "
                    + "write KSM_NPAGES_MIN=value without spaces"
            ], assignments: ["A=1", "B=2"]),
        Refused(
            rule: "a space behind the equals sign", text: "KSM_NPAGES_MIN= 5\nB=2\n",
            messages: [
                "f:1:1: warning: KSM_NPAGES_MIN= has a space behind its equals sign: the line is ignored, as bash did; "
                    + "write KSM_NPAGES_MIN=5 without spaces"
            ], assignments: ["B=2"]),
        Refused(
            rule: "a space behind the equals sign of what is no setting", text: "MINE= 5\nB=2\n",
            messages: [Refused.command("5", at: "1:7")], assignments: ["B=2"]),
        Refused(
            rule: "a value apart from its exported name, to which bash gave an empty value",
            text: "KSM_NPAGES_MIN=5\nexport KSM_NPAGES_MIN= 6\n", messages: [Refused.command("6", at: "2:24")],
            assignments: ["KSM_NPAGES_MIN=5"]),
        // Unknown names.
        Refused(
            rule: "an unknown name with the nearest known one", text: "A=1\nKSM_NPAGES_MAXIMUM=5\n",
            messages: [
                "f:2:1: warning: KSM_NPAGES_MAXIMUM is not a setting, and is ignored; did you mean KSM_NPAGES_MAX?"
            ], assignments: ["A=1", "KSM_NPAGES_MAXIMUM=5"]),
        Refused(
            rule: "an unknown name without a near one", text: "KSM_X=5\n",
            messages: ["f:1:1: warning: KSM_X is not a setting, and is ignored"], assignments: ["KSM_X=5"]),
        Refused(
            rule: "other unknown names are a shell's own business", text: "FOO=1\nksm_mine=2\nLOGFILES=3\n",
            messages: [], assignments: ["FOO=1", "ksm_mine=2", "LOGFILES=3"]),
        // Everything at once.
        Refused(
            rule: "every error is listed at once, in the order of the file",
            text: "reboot\nA=$(x)\nif x; then\ny\nfi\nB=`z`\nKSM_Q=1\nC=3",
            messages: [
                Refused.command("reboot", at: "1:1"), "f:2:3: error: $(…) is never run; write its result",
                Refused.syntax("if", at: "3:1"), "f:6:3: error: `…` is never run; write its result",
                "f:7:1: warning: KSM_Q is not a setting, and is ignored",
            ], assignments: ["KSM_Q=1", "C=3"]),
    ])
    func `Everything else is told at its line and column, and never run`(_ test: Refused) {
        var parser = AssignmentParser()
        parser.read(Array(test.text.utf8), from: "f")

        #expect(parser.diagnostics.map(\.description) == test.messages)
        #expect(parser.assignments.map { "\($0.name)=\($0.value)" } == test.assignments)
    }

    /// Swift sorts the marks behind a letter to compare two texts: half a million of them, the longest line, take it an hour.
    @Test(arguments: [
        "MARKED", "A MARKED", "if x MARKED", "B=1 MARKED", "export MARKED", "A+MARKED", "A[MARKED", "A=MARKED",
    ])
    func `A line of a megabyte of marks is refused in a time that grows with it`(_ line: String) {
        let marked = "é" + String(repeating: "\u{301}\u{316}", count: ConfigurationBounds.text / 4 - 10)
        var parser = AssignmentParser()
        parser.read(Array(line.replacing("MARKED", with: marked).utf8), from: "f")
        #expect(parser.diagnostics.count == 1)
        #expect(parser.diagnostics.allSatisfy { $0.description.utf8.count < 1024 })
    }

    // MARK: Properties

    /// Parses, and checks that every position lies within the text.
    private func check(_ text: [UInt8], _ seed: Seed) {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var parser = AssignmentParser()
        parser.read(text, from: "f")
        var diagnostics = parser.diagnostics
        let values = SettingValues(parser.assignments)
        _ = Configuration(values, diagnostics: &diagnostics)
        for origin in diagnostics.map(\.origin) + parser.assignments.map(\.origin) {
            guard case .file(_, let line, let column) = origin else { continue }
            let isWithin = lines.indices.contains(line - 1) && (1...lines[line - 1].count + 1).contains(column)
            if !isWithin {
                Issue.record("\(origin) is outside of the text; \(seed.description), bytes \(text)")
            }
        }
        for diagnostic in diagnostics {
            let isOneLine = !diagnostic.description.utf8.contains { $0 < 0x20 || $0 == 0x7f }
            if !isOneLine { Issue.record("a message is not one line; \(seed.description), bytes \(text)") }
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: Seed.all)
    func `Random bytes end in assignments and messages within the text`(_ seed: Seed) {
        var generator = SeededGenerator(seed: seed.value)
        for _ in 0..<300 {
            let length = Int.random(in: 0...60, using: &generator)
            check((0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }, seed)
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: Seed.all)
    func `Random shell words end in assignments and messages within the text`(_ seed: Seed) {
        let words: [String] = [
            "KSM_NPAGES_MIN", "KSM_MONITOR_INTERVAL", "KSM_THRES_CONST", "A", "export", "if", "fi", "for", "done",
            "case",
            "esac", "=", "= ", "+=", " ", "\t", "\n", "\r\n", "\r", ";", "'", "\"", "\\", "\\\n", "$", "${", "}", "$(",
            ")",
            "`", "#", "~", "&", "|", "<", "64", "-50", "08", "0x10", "99999999999999999999", "9223372036", ".9", "0.5",
            "5m",
            "infinity", "ü", "\u{FEFF}", "\0", "[0]",
        ]
        var generator = SeededGenerator(seed: seed.value)
        for _ in 0..<300 {
            let count = Int.random(in: 0...25, using: &generator)
            check(Array((0..<count).map { _ in generator.pick(words) }.joined().utf8), seed)
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: Seed.all)
    func `A configuration with changed bytes ends in assignments and messages within the text`(_ seed: Seed) {
        let original = Array(
            """
            # A comment
            KSM_MONITOR_INTERVAL=60
            export KSM_SLEEP_MSEC="10"
            KSM_NPAGES_BOOST='300'; KSM_NPAGES_DECAY=-50
            KSM_NPAGES_MIN=$KSM_SLEEP_MSEC
            KSM_NPAGES_MAX = 1250
            if [ -f /x ]; then
              KSM_THRES_COEF=20
            fi
            LOGFILE=/var/log/${NAME}.log \\
              DEBUG=1

            """.utf8)
        var generator = SeededGenerator(seed: seed.value)
        for _ in 0..<300 {
            var text = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !text.isEmpty {
                let index = Int.random(in: text.indices, using: &generator)
                switch UInt64.random(in: 0..<4, using: &generator) {
                case 0: text[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: text.remove(at: index)
                case 2: text.insert(generator.pick(Array(#"'"\$`=#;~ "#.utf8)), at: index)
                default: text.removeSubrange(index...)
                }
            }
            check(text, seed)
        }
    }
}
