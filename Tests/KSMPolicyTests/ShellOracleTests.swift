import Foundation
import KSMPolicy
import Testing

/// What the original read with bash must read the same here.
@Suite struct ShellOracleTests {
    static let bash = "/bin/bash"

    /// The names whose values are compared. Unset is the same as empty, as it is in the original.
    private static let names = ["A", "B", "C", "D", "KSM_NPAGES_MIN", "KSM_NPAGES_MAX", "LOGFILE", "DEBUG"]

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: bash), "there is no /bin/bash to compare with"),
        arguments: [
            "A=1\n",
            "A=1",
            "A=\nB=2\n",
            "A= \nB=2\n",
            "A=1 # comment\n#A=2\n",
            "A=1#2\n",
            "A=#\n",
            "  A=1\t\n\n\tB=2",
            "A=1 B=2\tC=3\n",
            "A=1;B=2 ; C=3;\n",
            "A=1; # comment\n",
            "A=1\nA=2\nA=3\n",
            "A=1 A=2\n",
            "A=1 B=$A\n",
            "A=1\nB=$A$A C=${A}x D=\"$A\"\n",
            "B=$A\nA=1\n",
            "A='1 2'\nB=$A\nC=\"$A\"\n",
            "A='$B'\nB=1\nC=$A\n",
            "A=1\nA=$A$A\nA=$A$A\n",
            "A=$Bx\nB=1\nC=$B.x D=$B-x\n",
            "A='a b # ; $B `c` \\ \"'\n",
            "A=\"a b # ; 'c'\"\n",
            #"A="\"\\\$\`\n\'\a"# + "\"\n",
            ##"A=\a\ \#\;\\\"\'\$B"## + "\n",
            "A='a'\"b\"c'd'\n",
            "A=''\nB=\"\"\nC=x''y\n",
            "A=a\"b c\"d'e f'g\n",
            "A=1\\\n2\nB=\"1\\\n2\"\n",
            "A=1 \\\n  B=2\n",
            "\\\nA=1\n",
            "# not continued \\\nA=1\n",
            "export A=1\nexport B=2 C\nexport D\n",
            "export A=1 B=$A; C=3\n",
            "A==1=2\nB==\n",
            "A=*\nB=/tmp/*\nC={1,2}\nD=[a]?\n",
            "A=a~ B=x~/y C='~'\n",
            "A=~\nB=2\n".replacing("~", with: "\\~"),
            "A=$\nB=a$.b\nC=\"$ \"\n",
            "A=\"^qemu$\"\nB='^kvm$'\nC=^x$\n",
            "A=\"$'x'\"\n",
            "A=^(qemu|kvm)$\n".replacing("(qemu|kvm)", with: "'(qemu|kvm)'"),
            "A=a!b B=!\nC=%\nD=a,b+c@d:e\n",
            "A=\"!\"\nB=1\\!2\n",
            "A=Grüße\nB='日本'\n",
            "_a1=5\nA=$_a1\nB=${_a1}6\n",
            "KSM_NPAGES_MIN=08\nKSM_NPAGES_MAX=0x10\n",
            "KSM_NPAGES_MIN=\"64\"\nKSM_NPAGES_MAX='1250'\nLOGFILE=/var/log/ksmtuned\nDEBUG=1\n",
            "LOGFILE=/var/log/$KSM_NPAGES_MIN/x\nKSM_NPAGES_MIN=5\n",
            "KSM_NPAGES_MIN=5\nKSM_NPAGES_MIN = 6\nA=1\n",
            "KSM_NPAGES_MIN=5\nKSM_NPAGES_MIN= 6\nA=1\n",
            "KSM_NPAGES_MIN=5\nKSM_NPAGES_MIN =6\nA=1\n",
            "KSM_NPAGES_MIN=5\nA=1 KSM_NPAGES_MIN= 6\n",
            "A=\"\t\"\nB='\u{A0}'\n",
            "A=1\u{0B}2\nB=2\u{0C}\n",
            "A=a\\",
            "export\nA=1\n",
            "A=\"$B\"\"$C\"x\nB=${A}${A}\n",
        ])
    func `A file of assignments has the values that bash gives it`(_ text: String) throws {
        var parser = AssignmentParser()
        parser.read(Array(text.utf8), from: "f")
        var values: [String: String] = [:]
        for assignment in parser.assignments { values[assignment.name] = assignment.value }
        let errors = parser.diagnostics.filter { $0.severity == .error }.map(\.description)

        let expected = try Self.bashValues(text)

        #expect(errors == [])
        #expect(Self.names.map { "\($0)=\(values[$0] ?? "")" } == expected)
    }

    private static func bashValues(_ text: String) throws -> [String] {
        let file = FileManager.default.temporaryDirectory.appending(path: "ksmtuned-oracle-\(UUID().uuidString)")
        try text.write(to: file, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: bash)
        process.arguments =
            [
                "--norc", "--noprofile", "-c",
                #"file=$1; shift; . "$file" >/dev/null; for name; do printf '%s=%s\0' "$name" "${!name}"; done"#,
                "bash", file.path,
            ] + names
        // No command is found, and the home folder is known.
        process.environment = ["PATH": "/nonexistent", "LC_ALL": "C", "HOME": "/home/nobody"]
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return bytes.split(separator: 0, omittingEmptySubsequences: true).map { String(decoding: $0, as: UTF8.self) }
    }
}
