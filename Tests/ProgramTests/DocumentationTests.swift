import Foundation
import KSMPolicy
import Testing

/// The files, commands, options and settings that README, CONTRIBUTING, docs and packaging name are there.
@Suite struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let documents = [
        "README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/operations.md", "docs/neighbours.md",
        "docs/migration.md",
        "docs/faq.md", "docs/portability.md", "packaging/kubernetes/README.md", "packaging/ansible/README.md",
    ]
    /// Those that say where in the sources something is.
    private static let ofSources = ["CONTRIBUTING.md", "docs/architecture.md"]

    private static func text(_ document: String) throws -> String {
        try String(contentsOf: root.appending(path: document), encoding: .utf8)
    }

    /// Every file of the source tree, by its path from the root.
    private static func files() throws -> [String] {
        var files = try FileManager.default.contentsOfDirectory(atPath: root.path)
        for folder in [
            "Sources", "Tests", "docs", "etc", "man", "schema", "systemd", "tools", "Benchmarks", "packaging",
        ] {
            let below = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
            files += below.map { "\(folder)/\($0)" }
        }
        return files
    }

    /// What stands for a name of one's own choice in "how to add".
    private static func isPlaceholder(_ path: Substring) -> Bool {
        path.contains("NAME") || path.contains("GROUP") || path.contains("Name") || path.contains("schema/name")
    }

    @Test(arguments: documents)
    func `Every source file that is named exists`(_ document: String) throws {
        let files = try Self.files()
        let named = try Self.text(document).matches(of: /`([A-Za-z0-9_+.\/-]+\.(?:swift|service|json|md|conf|[58]))`/)
            .map { $0.1 }.filter { !Self.isPlaceholder($0) && $0.first != "/" }
        // Elsewhere names are links.
        if Self.ofSources.contains(document) { #expect(named.count > 10) }
        for path in named {
            #expect(files.contains { $0 == path || $0.hasSuffix("/\(path)") }, "\(path)")
        }
    }

    @Test(arguments: documents)
    func `Every relative link leads to a file`(_ document: String) throws {
        let links = try Self.text(document).matches(of: /\]\(([^):#]+)\)/).map { String($0.1) }
        #expect(!links.isEmpty)
        let folder = Self.root.appending(path: document).deletingLastPathComponent()
        for link in links {
            #expect(FileManager.default.fileExists(atPath: folder.appending(path: link).path), "\(link)")
        }
    }

    // MARK: Commands and settings

    /// The words of each command line of ours in a fixed block or between backticks, without the program's path.
    private static func commands(_ document: String, of program: String) throws -> [[String]] {
        let blocks = try text(document).matches(of: /(?m)^(?:[$#] )?(?:sudo )?((?:ksmctl|ksmtuned)(?: .*)?)$/)
            .map { $0.1 }
        let inline = try text(document).matches(of: /`((?:ksmctl|ksmtuned) [^`\n]+)`/).map { $0.1 }
        return (blocks + inline).map { line in
            // Up to what the shell does with it, and a comment.
            let line = line.prefix { !"|>&;#".contains($0) }
            return line.split(separator: " ").map(String.init)
        }.filter { $0.first == program }
    }

    private static func options(_ words: [String]) -> Set<String> {
        Set(words.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" }) })
    }

    @Test(arguments: documents)
    func `Every command and option that is shown exists`(_ document: String) async throws {
        for words in try Self.commands(document, of: "ksmctl") {
            let command = try #require(words.dropFirst().first, "\(words)")
            if command.hasPrefix("-") { continue }
            let help = try await Program.ksmctl.run(["help", command])
            #expect(help.status == 0 && help.output.contains("USAGE: ksmctl \(command)"), "\(words)")
            for option in Self.options(words) { #expect(help.output.contains(option), "\(words)") }
        }
        let help = try await Program.ksmtuned.run(["--help"]).output
        for words in try Self.commands(document, of: "ksmtuned") {
            for option in Self.options(words) { #expect(help.contains(option), "\(words)") }
        }
    }

    /// Names that documents have from elsewhere: of other files, of the timer's service, of the journal, and a wrong one.
    private static let others: Set<String> = [
        "KSM_MAX_KERNEL_PAGES", "KSM_ENABLED", "KSM_METRICS_FOLDER", "KSM_METRICS_OPTIONS", "KSM_REASON",
        "KSM_FREE_KIB", "KSM_NPAGE_MAX",
    ]

    @Test(arguments: documents)
    func `Every setting that is named exists`(_ document: String) throws {
        let known = Set(Setting.allCases.map { $0.name }).union(Self.others)
        for name in try Self.text(document).matches(of: /\bKSM_[A-Z_]+[A-Z]\b/).map({ String($0.0) }) {
            #expect(known.contains(name), "\(name)")
        }
    }
}
