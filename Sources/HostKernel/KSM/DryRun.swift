package import KSMPolicy

/// Says what would be written, and writes nothing.
package struct DryRun: KSMControl {
    private let kernel: KSMDirectory
    private let say: (String) -> Void

    /// - Parameter say: Receives a sentence for each write that is not made.
    package init(_ paths: HostPaths, say: @escaping (String) -> Void) {
        kernel = KSMDirectory(paths)
        self.say = say
    }

    package var takesEffect: Bool { false }

    package func read(_ file: KSMFile) throws(KernelFileError) -> Int64? { try kernel.read(file) }

    package func readAdvisorMode() throws(KernelFileError) -> AdvisorMode? { try kernel.readAdvisorMode() }

    package func write(_ text: String, to file: KSMFile) {
        say("would write \(text) to \(kernel.path(file))")
    }

    package func readKsmd() throws(KernelFileError) -> KsmdState? { try kernel.readKsmd() }

    package func schedule(ksmd wanted: Scheduling) {
        say("would have ksmd scheduled as \(wanted)")
    }

    package func beginWriting(run value: Int64) -> ChildWrite? {
        write(String(value), to: .run)
        return nil
    }
}
