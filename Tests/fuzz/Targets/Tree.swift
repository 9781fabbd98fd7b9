import Glibc
import HostFixtures
import HostKernel
import KSMPolicy

/// The parts of an input that stands for several files: `@name` on a line of its own, then the text of that file.
struct Sections {
    struct Section {
        var name: String
        var text: ArraySlice<UInt8>
    }

    var all: [Section] = []

    init(_ input: [UInt8]) {
        var start = 0
        var name: String?
        func isHeading(_ index: Int) -> Bool {
            input[index] == UInt8(ascii: "@") && (index == 0 || input[index - 1] == UInt8(ascii: "\n"))
        }
        var index = 0
        while index < input.count {
            guard isHeading(index) else {
                index += 1
                continue
            }
            if let name { all.append(Section(name: name, text: input[start..<index])) }
            let end = input[index...].firstIndex(of: UInt8(ascii: "\n")) ?? input.count
            name = String(decoding: input[(index + 1)..<end], as: UTF8.self)
            start = min(end + 1, input.count)
            index = start
        }
        if let name { all.append(Section(name: name, text: input[start...])) }
    }
}

/// A folder that stands for a host, of which an input may write those files that it has from the beginning.
final class Tree {
    let host = FakeHost()
    private let healthy: [String: [UInt8]]
    private var touched: Set<String> = []

    /// A section with this text removes its file.
    static let missing = Array("!missing".utf8)

    /// - Parameter files: Paths and texts.
    init(_ files: [(path: String, text: String)]) {
        var healthy: [String: [UInt8]] = [:]
        for (path, text) in files {
            host.write(text, to: path)
            healthy[path] = Array(text.utf8)
        }
        self.healthy = healthy
    }

    var paths: HostPaths { host.paths }

    /// Has every file as it was at first.
    func reset() {
        for path in touched { put(healthy[path]![...], path) }
        touched = []
    }

    /// - Returns: Whether there is such a file.
    @discardableResult
    func write(_ text: ArraySlice<UInt8>, to path: String) -> Bool {
        guard healthy[path] != nil else { return false }
        touched.insert(path)
        if text.starts(with: Self.missing) { unsafe unlink(host.path(path)) } else { put(text, path) }
        return true
    }

    private func put(_ text: ArraySlice<UInt8>, _ path: String) {
        let file = unsafe open(host.path(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(file >= 0)
        defer { close(file) }
        guard !text.isEmpty else { return }
        let put = unsafe text.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress!, $0.count) }
        precondition(put == text.count)
    }

    /// Has the files of an input, and all others as at first.
    func fill(_ input: [UInt8]) {
        reset()
        for section in Sections(input).all { write(section.text, to: section.name) }
    }
}
