import Foundation
import Testing

/// What README, manuals and docs show of our programs is what the programs print.
///
/// After a change of the programs, `UPDATE_TRANSCRIPTS=1 swift test --filter TranscriptTests` writes the documents anew.
@Suite(.serialized) struct TranscriptTests {
    private static var documents: [String] {
        get throws {
            let folders = ["docs", "man"].flatMap { folder in
                ((try? FileManager.default.contentsOfDirectory(atPath: SourceTree.url(folder).path)) ?? [])
                    .map { "\(folder)/\($0)" }
            }
            return (["README.md", "CONTRIBUTING.md"] + folders.sorted()).filter {
                FileManager.default.fileExists(atPath: SourceTree.url($0).path) && $0.last != "/"
                    && !SourceTree.url($0).hasDirectoryPath
            }
        }
    }

    /// A command that a document shows, with what it prints.
    private struct Shown {
        /// Of the output, from 0.
        var lines: Range<Int>
        /// Without its prompt and the comment behind it; of a block without a prompt, its first line.
        var command: String
        var output: [String]
    }

    /// The commands in blocks of fixed text: fenced ones of Markdown, and `.Bd -literal` of a manual page.
    private static func shown(in document: String) throws -> [Shown] {
        let lines = try SourceTree.text(document).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
        let isMarkdown = document.hasSuffix(".md")
        var found: [Shown] = []
        var start: Int?
        for (index, line) in lines.enumerated() {
            if let first = start, isMarkdown ? line == "```" : line == ".Ed" {
                found += commands(in: lines, first..<index)
                start = nil
            } else if isMarkdown ? line == "```console" : line.hasPrefix(".Bd -literal") {
                start = index + 1
            }
        }
        return found
    }

    private static func commands(in lines: [String], _ block: Range<Int>) -> [Shown] {
        var found: [Shown] = []
        for index in block {
            let line = plain(lines[index])
            if line.hasPrefix("$ ") || line.hasPrefix("# ") {
                var words = line.dropFirst(2)
                if let comment = words.firstMatch(of: /\s\s+[#]\s/)?.range { words = words[..<comment.lowerBound] }
                if words.hasPrefix("sudo ") { words = words.dropFirst(5) }
                found.append(Shown(lines: index + 1..<index + 1, command: String(words), output: []))
            } else if found.isEmpty {
                found.append(Shown(lines: index..<index + 1, command: line, output: [line]))
            } else {
                found[found.count - 1].lines = found[found.count - 1].lines.lowerBound..<index + 1
                found[found.count - 1].output.append(line)
            }
        }
        return found
    }

    /// A line of a manual page without its escapes.
    private static func plain(_ line: String) -> String {
        line.replacing("\\-", with: "-").replacing("\\e", with: "\\").replacing("\\&", with: "")
    }

    private static func escaped(_ line: String, for document: String) -> String {
        guard !document.hasSuffix(".md") else { return line }
        let text = line.replacing("\\", with: "\\e")
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
    }

    private static let updates = ProcessInfo.processInfo.environment["UPDATE_TRANSCRIPTS"] == "1"

    @Test(arguments: Transcript.all)
    func `What is shown is what is printed`(_ transcript: Transcript) async throws {
        let shown = try #require(
            try Self.shown(in: transcript.document).first { $0.command == transcript.command && !$0.output.isEmpty },
            "\(transcript.document) no longer shows it: take it out of the table")
        let printed = try await transcript.lines()
        if transcript.masked(shown.output) == transcript.masked(printed) { return }
        guard Self.updates, transcript.isExact else {
            #expect(shown.output.joined(separator: "\n") == printed.joined(separator: "\n"))
            return
        }
        var lines = try SourceTree.text(transcript.document).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
        lines.replaceSubrange(shown.lines, with: printed.map { Self.escaped($0, for: transcript.document) })
        try lines.joined(separator: "\n").write(
            to: SourceTree.url(transcript.document), atomically: true, encoding: .utf8)
    }

    @Test func `Every command of ours that is shown with its output is in the table`() throws {
        for document in try Self.documents {
            for shown in try Self.shown(in: document) where !shown.output.isEmpty {
                let program = shown.command.split(separator: " ").first { !$0.contains("=") }
                guard program == "ksmctl" || program == "ksmtuned" else { continue }
                #expect(
                    Transcript.all.contains { $0.document == document && $0.command == shown.command },
                    "\(document): \(shown.command)")
            }
        }
    }

    /// A block of a manual page without its commands is found by its first line.
    @Test func `The table finds what it names`() throws {
        #expect(try Self.documents.contains("man/ksmctl.8"))
        #expect(Set(Transcript.all.map { "\($0.document) \($0.command)" }).count == Transcript.all.count)
    }
}
