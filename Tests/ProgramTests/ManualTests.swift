import Foundation
import HostKernel
import KSMPolicy
import Systemd
import Testing

@testable import ksmctl
@testable import ksmtuned

/// The manual pages and the README say what the programs do.
@Suite struct ManualTests {
    /// The long options of `--help`, without their hyphens.
    private func helpOptions(_ program: Program) async throws -> Set<String> {
        let help = try await program.run(["--help"]).output
        return Set(help.matches(of: /(?m)^ +(?:-[a-z], )?--([a-z-]+)/).map { String($0.1) })
    }

    /// The long options that have an entry in a manual page: `.It Fl -once`.
    private func manualOptions(_ page: String) throws -> Set<String> {
        Set(try SourceTree.text(page).matches(of: /(?m)^\.It Fl -([a-z-]+)/).map { String($0.1) })
    }

    @Test func `Every option of the help is in ksmtuned(8), and none else`() async throws {
        let options = try await helpOptions(.ksmtuned)
        #expect(options.isSuperset(of: ["root", "once"]))
        #expect(try manualOptions("man/ksmtuned.8") == options)
    }

    @Test func `Every option in the synopsis of ksmtuned(8) has its entry`() async throws {
        let synopsis = try SourceTree.text("man/ksmtuned.8").matches(of: /(?m)^\.(?:Op )?Fl -([a-z-]+)/).map {
            String($0.1)
        }
        #expect(try manualOptions("man/ksmtuned.8").isSuperset(of: synopsis))
    }

    /// What ArgumentParser says of a command for programs.
    private struct CommandInfo: Decodable {
        var commandName: String
        var shouldDisplay: Bool?
        var subcommands: [CommandInfo]?
        var arguments: [Argument]?

        struct Argument: Decodable {
            var shouldDisplay: Bool?
            var names: [Name]?

            struct Name: Decodable {
                var kind: String
                var name: String
            }
        }

        var options: [String] {
            (arguments ?? []).filter { $0.shouldDisplay != false }.flatMap { $0.names ?? [] }
                .filter { $0.kind == "long" }.map { $0.name }
        }
    }

    private static func ksmctl() async throws -> CommandInfo {
        struct Tool: Decodable {
            var command: CommandInfo
        }
        let outcome = try await Program.ksmctl.run(["--experimental-dump-help"])
        #expect(outcome.status == 0)
        return try JSONDecoder().decode(Tool.self, from: Data(outcome.output.utf8)).command
    }

    @Test func `Every command of ksmctl and every option of it is in ksmctl(8), and none else`() async throws {
        let root = try await Self.ksmctl()
        let commands = (root.subcommands ?? []).filter { $0.commandName != "help" }
        #expect(commands.count >= 15)
        let page = try SourceTree.text("man/ksmctl.8")
        var options = Set(root.options)
        for command in commands {
            let entry = "\n.It Cm \(command.commandName)"
            #expect(page.contains(entry + " ") || page.contains(entry + "\n"), "\(command.commandName)")
            #expect(page.contains("ksmctl \(command.commandName)"), "an example of \(command.commandName)")
            options.formUnion(command.options)
        }
        let described = Set(page.matches(of: /Fl -([a-z-]+)/).map { String($0.1) })
        // --check-config is the daemon's.
        #expect(described.subtracting(["check-config"]) == options)
    }

    @Test func `Every exit status of ksmctl is in ksmctl(8), and none else`() throws {
        let section = try SourceTree.text("man/ksmctl.8").split(separator: ".Sh EXIT STATUS")[1].split(
            separator: ".Sh ")[0]
        let described = Set(section.matches(of: /(?m)^\.It (\d+)$/).compactMap { Int32($0.1) })
        // 0, what doctor, plan and status have beside, and the command line's own.
        let others: Set<Int32> = [0, 2, 3, 4, 64]
        #expect(described == others.union(Refusal.Status.allCases.map { $0.rawValue }))
    }

    @Test func `Every exit status is in ksmtuned(8) and in the README, and none else`() throws {
        let statuses = Set(ExitStatus.allCases.map { "\($0.rawValue)" })

        let section = try SourceTree.text("man/ksmtuned.8").split(separator: ".Sh EXIT STATUS")[1].split(
            separator: ".Sh ")[0]
        #expect(Set(section.matches(of: /(?m)^\.It (\d+)$/).map { String($0.1) }) == statuses)

        let table = try SourceTree.text("README.md").split(separator: "| Exit status |")[1].split(separator: "\n\n")[0]
        #expect(Set(table.matches(of: /(?m)^\| (\d+) \|/).map { String($0.1) }) == statuses)
    }

    @Test func `The unit does not restart after the statuses that a restart does not cure`() throws {
        let statuses = ExitStatus.allCases.filter { $0 != .success && !$0.isRestarted }.map { "\($0.rawValue)" }
        #expect(
            try SourceTree.text("systemd/ksmtuned.service").contains(
                "\nRestartPreventExitStatus=\(statuses.joined(separator: " "))\n"))
    }

    /// To systemd an end by HUP is an orderly one, but for a service that says itself when it is ready, and has not yet.
    @Test func `A request to reload that comes too early for the daemon to hear it has it restarted`() throws {
        let unit = try SourceTree.text("systemd/ksmtuned.service")
        for line in ["Type=notify", "NotifyAccess=main", "Restart=on-failure"] {
            #expect(unit.contains("\n\(line)\n"), "\(line)")
        }
        let section = try SourceTree.text("man/ksmtuned.8").split(separator: ".Sh EXIT STATUS")[1]
        #expect(section.prefix(400).contains("\nIt does after a\n.Dv HUP\nor\n.Dv USR1 ,\n"))
    }

    @Test func `Every MESSAGE_ID is in ksmtuned(8), and none else`() throws {
        let known = Set(MessageID.allCases.map { $0.rawValue })
        #expect(known.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{32}/) != nil })
        let described = Set(
            try SourceTree.text("man/ksmtuned.8").matches(of: /\b([0-9a-f]{32})\b/).map { String($0.1) })
        #expect(described == known)
    }

    @Test func `Every field of a journal entry is in ksmtuned(8)`() throws {
        let decision = try ClassicPolicy(Configuration(), total: KiB(1 << 24))
            .decide(MemorySample(free: .zero, committed: .zero), previous: 0)
        let fields = Journal.DecisionFields(decision: decision, guests: 0).fields.map { $0.name }
        let page = try SourceTree.text("man/ksmtuned.8")
        for field in fields { #expect(page.contains("\n.It Li \(field)\n"), "\(field)") }
    }
}
