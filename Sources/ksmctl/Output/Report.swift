import ArgumentParser
import Charts
import FoundationEssentials
import KSMPolicy

/// What a command found: the same values as text for people and as JSON for programs.
///
/// JSON has one object. Its keys are the properties' names in snake case; amounts are in bytes and times in seconds
/// unless the name says another unit; what is not known is left out. The folder `schema` describes each.
protocol Report: Encodable {
    /// The subcommand.
    static var command: String { get }
    func text(_ style: Style) -> String
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object, for programs.")
    var json = false
}

extension Report {
    func print(_ options: OutputOptions) throws {
        try Output.write(options.json ? json() : text(.standardOutput))
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return Self.escaped(String(decoding: try encoder.encode(Envelope(report: self)), as: UTF8.self)) + "\n"
    }

    /// The same JSON without characters that a terminal would act on. Only its strings can hold any but the line breaks
    /// between its lines.
    private static func escaped(_ json: String) -> String {
        var text = ""
        for scalar in json.unicodeScalars {
            guard scalar.isInvisible, scalar != "\n" else {
                text.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return text
    }
}

/// What every object begins with.
private struct Envelope<R: Report>: Encodable {
    let report: R

    enum Key: String, CodingKey { case schemaVersion, command }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        // Raised when a key changes its meaning or goes; new ones may come at any time.
        try container.encode(1, forKey: .schemaVersion)
        try container.encode(R.command, forKey: .command)
        try report.encode(to: encoder)
    }
}
