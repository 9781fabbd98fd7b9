package import HostKernel

/// A KSM that takes every value and remembers the order, and that refuses when told to.
package struct RecordingControl: KSMControl {
    /// What was written, in order: `pages_to_scan=300`.
    package private(set) var writes: [String] = []
    package var values: [KSMFile: Int64] = [.run: 0, .pagesToScan: 100, .sleepMilliseconds: 20, .pagesSharing: 0]
    package var advisorMode: AdvisorMode? = .some(.none)
    /// The errno of each file that refuses to be written.
    package var refusals: [KSMFile: Int32] = [:]
    package var takesEffect = true
    /// The value of each write to `run` that was begun in a child. None is ever finished.
    package private(set) var begun: [Int64] = []

    package init() {}

    package func read(_ file: KSMFile) -> Int64? { values[file] }

    package func readAdvisorMode() -> AdvisorMode? { advisorMode }

    package mutating func write(_ text: String, to file: KSMFile) throws(KernelFileError) {
        writes.append("\(file.name)=\(text)")
        if let errno = refusals[file] { throw KernelFileError(.write, file.name, errno: errno) }
        if file == .pagesToScan, advisorMode == .scanTime { throw KernelFileError(.write, file.name, errno: 22) }
        if file == .advisorMode { advisorMode = AdvisorMode(rawValue: text) }
        if takesEffect, let value = Int64(text) { values[file] = value }
    }

    package mutating func beginWriting(run value: Int64) -> ChildWrite? {
        begun.append(value)
        return nil
    }

    /// Forgets what was written so far.
    package mutating func forget() {
        writes = []
    }
}
