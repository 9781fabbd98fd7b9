import Foundation
import Testing

/// The manual pages and the README say what the programs do.
@Suite struct ManualTests {
    /// A file of the source tree.
    private func source(_ relative: String) throws -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: tests.deletingLastPathComponent().appending(path: relative), encoding: .utf8)
    }

    /// The long options of `--help`, without their hyphens.
    private func helpOptions(_ program: Program) async throws -> Set<String> {
        let help = try await program.run(["--help"]).output
        return Set(help.matches(of: /(?m)^ +(?:-[a-z], )?--([a-z-]+)/).map { String($0.1) })
    }

    /// The long options that have an entry in a manual page: `.It Fl -once`.
    private func manualOptions(_ page: String) throws -> Set<String> {
        Set(try source(page).matches(of: /(?m)^\.It Fl -([a-z-]+)/).map { String($0.1) })
    }

    @Test func `Every option of the help is in ksmtuned(8), and none else`() async throws {
        let options = try await helpOptions(.ksmtuned)
        #expect(options.isSuperset(of: ["root", "once"]))
        #expect(try manualOptions("man/ksmtuned.8") == options)
    }

    @Test func `Every option in the synopsis of ksmtuned(8) has its entry`() async throws {
        let synopsis = try source("man/ksmtuned.8").matches(of: /(?m)^\.(?:Op )?Fl -([a-z-]+)/).map { String($0.1) }
        #expect(try manualOptions("man/ksmtuned.8").isSuperset(of: synopsis))
    }

    @Test func `Every command of ksmctl and every option of it is in ksmctl(8), and none else`() async throws {
        let help = try await Program.ksmctl.run(["--help"]).output
        let commands = help.matches(of: #/(?m)^  ([a-z][a-z-]+)  /#).map { String($0.1) }
        #expect(commands.count >= 15)
        let page = try source("man/ksmctl.8")
        var options: Set = ["version"]
        for command in commands {
            let entry = "\n.It Cm \(command)"
            #expect(page.contains(entry + " ") || page.contains(entry + "\n"), "\(command)")
            #expect(page.contains("ksmctl \(command)"), "an example of \(command)")
            let outcome = try await Program.ksmctl.run(["help", command])
            options.formUnion(
                outcome.output.matches(of: /(?m)^ +(?:-[a-z], )?--([a-z-]+)/).map { String($0.1) })
        }
        let told = Set(page.matches(of: /Fl -([a-z-]+)/).map { String($0.1) })
        // That of the daemon, which is told of there.
        #expect(told.subtracting(["check-config"]) == options)
    }

    @Test func `Every exit status is in ksmtuned(8) and in the README, and none else`() throws {
        let statuses = Set(
            try source("Sources/ksmtuned/ExitStatus.swift").matches(of: /case [a-zA-Z]+ = (\d+)/).map { String($0.1) })
        #expect(statuses.contains("69"))

        let section = try source("man/ksmtuned.8").split(separator: ".Sh EXIT STATUS")[1].split(separator: ".Sh ")[0]
        #expect(Set(section.matches(of: /(?m)^\.It (\d+)$/).map { String($0.1) }) == statuses)

        let table = try source("README.md").split(separator: "| Exit status |")[1].split(separator: "\n\n")[0]
        #expect(Set(table.matches(of: /(?m)^\| (\d+) \|/).map { String($0.1) }) == statuses)
    }

    @Test func `The unit does not restart after the statuses that a restart does not cure`() throws {
        let statuses = try source("Sources/ksmtuned/ExitStatus.swift").matches(of: /case [a-zA-Z]+ = (\d+)/)
            .map { String($0.1) }.filter { $0 != "0" }
        #expect(
            try source("systemd/ksmtuned.service").contains(
                "\nRestartPreventExitStatus=\(statuses.joined(separator: " "))\n"))
    }

    @Test func `Every MESSAGE_ID is in ksmtuned(8), and none else`() throws {
        let known = Set(
            try source("Sources/ksmtuned/MessageID.swift").matches(of: /"([0-9a-f]{32})"/).map { String($0.1) })
        #expect(known.count > 10)
        let told = Set(
            try source("man/ksmtuned.8").matches(of: /\b([0-9a-f]{32})\b/).map { String($0.1) })
        #expect(told == known)
    }

    @Test func `Every field of a journal entry is in ksmtuned(8)`() throws {
        let fields = try source("Sources/ksmtuned/Log.swift").matches(of: /Field\("(KSM_[A-Z_]+)"/).map { String($0.1) }
        #expect(fields.count == 9)
        let page = try source("man/ksmtuned.8")
        for field in fields { #expect(page.contains("\n.It Li \(field)\n"), "\(field)") }
    }

    @Test func `The messages that the README shows are the program's`() async throws {
        let readme = try source("README.md")
        let text = "KSM_NPAGES_MIN=1\nKSM_NPAGE_MAX=2\n\nif true; then\nfi\n"
        let file = FileManager.default.temporaryDirectory.appending(path: "ksmtuned-readme-\(UUID().uuidString)")
        try text.write(to: file, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let outcome = try await Program.ksmtuned.run(["--root=/nonexistent", "--check-config", file.path])
        #expect(outcome.status == 78)
        for line in outcome.error.split(separator: "\n") {
            let shown = line.replacing(file.path, with: "bad.conf")
            #expect(readme.contains("\n\(shown)\n"), "\(shown)")
        }
    }
}
