import Foundation
import Testing

/// The files that README, CONTRIBUTING and docs name are there.
@Suite struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let documents = ["README.md", "CONTRIBUTING.md", "docs/architecture.md"]

    private static func text(_ document: String) throws -> String {
        try String(contentsOf: root.appending(path: document), encoding: .utf8)
    }

    /// Every file of the source tree, by its path from the root.
    private static func files() throws -> [String] {
        var files = try FileManager.default.contentsOfDirectory(atPath: root.path)
        for folder in ["Sources", "Tests", "docs", "etc", "man", "schema", "systemd", "tools", "Benchmarks"] {
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
        // The README's names are links.
        #expect(named.count > (document == "README.md" ? 0 : 10))
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
}
