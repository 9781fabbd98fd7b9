import Foundation
import FuzzTargets
import Testing

/// The corpus of the fuzzer: real files, and all that it has found, each cut to what matters.
@Suite struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../fuzz/corpus").standardizedFileURL

    private static func inputs(of target: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: corpus.appendingPathComponent(target), includingPropertiesForKeys: nil
        ).sorted { $0.lastPathComponent < $1.lastPathComponent }
    }

    @Test(arguments: FuzzTarget.all)
    func `Every input of the corpus is read`(_ target: FuzzTarget) throws {
        let read = target.make()
        let inputs = try Self.inputs(of: target.name)
        #expect(!inputs.isEmpty)
        for input in inputs {
            let bytes = Array(try Data(contentsOf: input))
            #expect(bytes.count <= target.longest, "\(input.lastPathComponent) is longer than the fuzzer would make it")
            #expect(throws: Never.self, "\(target.name)/\(input.lastPathComponent)") { try read(bytes) }
        }
    }

    /// Inputs that any fuzzer would try at first.
    @Test(arguments: FuzzTarget.all)
    func `Every reader takes nothing, zeros, line breaks and one long line`(_ target: FuzzTarget) throws {
        let read = target.make()
        for byte in [0, UInt8(ascii: "\n"), UInt8(ascii: "A"), UInt8(ascii: "9"), 0xff] {
            for count in [0, 1, min(target.longest, 1 << 16)] {
                #expect(throws: Never.self, "\(count) times \(byte)") {
                    try read([UInt8](repeating: byte, count: count))
                }
            }
        }
    }

    @Test func `The corpus has a folder for each target, and no other`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map { $0.name }))
        #expect(folders.count == FuzzTarget.all.count)
    }
}
