import Foundation

/// The files of the project, for tests that hold its documents to its programs.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func url(_ relative: String) -> URL { root.appending(path: relative) }

    static func text(_ relative: String) throws -> String {
        try String(contentsOf: url(relative), encoding: .utf8)
    }

    /// The version, found as the Makefile finds it; empty where that line has another form.
    static let version =
        (try? text("Sources/HostKernel/Version.swift"))?
        .firstMatch(of: /(?m)^package let programVersion = "(\d+\.\d+\.\d+)"$/).map { String($0.1) } ?? ""
}
