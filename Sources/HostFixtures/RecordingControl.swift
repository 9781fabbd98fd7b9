package import HostKernel
package import KSMPolicy

/// A KSM that takes every value and remembers the order, and that refuses when told to.
package struct RecordingControl: KSMControl {
    /// What was written, in order: `pages_to_scan=300`.
    package private(set) var writes: [String] = []
    package var values: [KSMFile: Int64] = [.run: 0, .pagesToScan: 100, .sleepMilliseconds: 20, .pagesSharing: 0]
    package var advisorMode: AdvisorMode? = .some(.none)
    /// The errno of each file that refuses to be written.
    package var refusals: [KSMFile: Int32] = [:]
    /// The errno of each file that refuses to be read.
    package var unreadable: [KSMFile: Int32] = [:]
    package var takesEffect = true
    /// The value of each write to `run` that was begun in a child. Without ``childFile`` each is done at once.
    package private(set) var begun: [Int64] = []
    /// A file that a real child writes to for each of these, so that there is something to wait for.
    package var childFile: String?
    /// What unmerging leaves in `pages_shared`.
    package var leftMerged: Int64 = 0

    /// What ksmd is like; `nil` where it cannot be seen.
    package var ksmd: KsmdState?
    /// The errno of each try to have it scheduled in another way.
    package var schedulingRefusal: Int32?

    package init() {}

    package func read(_ file: KSMFile) throws(KernelFileError) -> Int64? {
        if let errno = unreadable[file] { throw KernelFileError(.read, file.name, errno: errno) }
        return values[file]
    }

    package func readAdvisorMode() throws(KernelFileError) -> AdvisorMode? {
        if let errno = unreadable[.advisorMode] { throw KernelFileError(.read, KSMFile.advisorMode.name, errno: errno) }
        return advisorMode
    }

    package mutating func write(_ text: String, to file: KSMFile) throws(KernelFileError) {
        writes.append("\(file.name)=\(text)")
        if let errno = refusals[file] { throw KernelFileError(.write, file.name, errno: errno) }
        if file == .pagesToScan, advisorMode == .scanTime { throw KernelFileError(.write, file.name, errno: 22) }
        // As the kernel: only another value needs everything unmerged.
        if file == .mergeAcrossNodes || file == .maxPageSharing, takesEffect, values[file] != Int64(text),
            values[.pagesShared] ?? 0 > 0
        {
            throw KernelFileError(.write, file.name, errno: 16)
        }
        if file == .advisorMode { advisorMode = AdvisorMode(rawValue: text) }
        if takesEffect, let value = Int64(text) { values[file] = value }
    }

    package mutating func beginWriting(run value: Int64) throws(KernelFileError) -> ChildWrite? {
        begun.append(value)
        if let errno = refusals[.run] { throw KernelFileError(.write, KSMFile.run.name, errno: errno) }
        if takesEffect, value == 2 {
            values[.run] = 2
            values[.pagesShared] = leftMerged
            values[.pagesSharing] = leftMerged
        }
        guard let childFile else { return nil }
        return try ChildWrite("\(value)\n", to: childFile)
    }

    package func readKsmd() throws(KernelFileError) -> KsmdState? { ksmd }

    package mutating func schedule(ksmd wanted: Scheduling) throws(KernelFileError) {
        writes.append("ksmd=\(wanted)")
        if let errno = schedulingRefusal { throw KernelFileError(.schedule, "ksmd (pid 45)", errno: errno) }
        if takesEffect { ksmd?.scheduling = wanted }
    }

    /// Forgets what was written so far.
    package mutating func forget() {
        writes = []
    }
}
