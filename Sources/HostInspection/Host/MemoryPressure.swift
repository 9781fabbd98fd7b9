package import HostKernel

/// How much tasks wait for memory, as shares of the time in percent, averaged over ten seconds; see
/// `Documentation/accounting/psi.rst`.
package struct MemoryPressure: Equatable, Sendable {
    /// At least one task waited.
    package var some: Double
    /// All tasks that had something to do waited.
    package var full: Double

    package init(some: Double, full: Double) {
        self.some = some
        self.full = full
    }

    /// - Returns: `nil` where the kernel does not account for it, as with `psi=0`.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> MemoryPressure? {
        guard let text = try SmallFile.text(paths.memoryPressure) else { return nil }
        var shares: [Substring: Double] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 1, words[1].hasPrefix("avg10=") else { continue }
            shares[words[0]] = Double(words[1].dropFirst(6)).flatMap { $0.isFinite ? $0 : nil }
        }
        guard let some = shares["some"], let full = shares["full"] else {
            throw SmallFile.notUnderstood(paths.memoryPressure, "it has no averages of ten seconds")
        }
        return MemoryPressure(some: some, full: full)
    }
}
