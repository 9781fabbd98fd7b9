internal import Glibc
package import KSMPolicy

/// The door to the kernel's KSM. The conformers are the real one, a dry run, and recorders in tests.
package protocol KSMControl {
    /// Whether writes reach the kernel.
    var takesEffect: Bool { get }

    /// The number in a file.
    ///
    /// - Returns: `nil` where this kernel has no such file.
    func read(_ file: KSMFile) throws(KernelFileError) -> Int64?

    /// - Returns: `nil` where this kernel has no advisor, or one in a mode that this program does not know.
    func readAdvisorMode() throws(KernelFileError) -> AdvisorMode?

    /// Writes a value and a line break in one call.
    mutating func write(_ text: String, to file: KSMFile) throws(KernelFileError)

    /// Begins a write to ``KSMFile/run`` that may take long, in a child.
    mutating func beginWriting(run value: Int64) throws(KernelFileError) -> ChildWrite?

    /// The kernel's thread that scans.
    ///
    /// - Returns: `nil` where it cannot be seen, or is none of this tree's: a number of a process below `--root` is
    ///   another process here.
    func readKsmd() throws(KernelFileError) -> KsmdState?

    /// Has the kernel schedule that thread so, whatever it has now.
    mutating func schedule(ksmd wanted: Scheduling) throws(KernelFileError)
}

extension KSMControl {
    /// Sets the pace: pages per scan, then the sleep between two scans, which also wakes ksmd.
    ///
    /// While the kernel's advisor sets the pace it refuses `pages_to_scan` with EINVAL; then the advisor is switched
    /// off first. Asking for it only after a refusal saves the question on every tick.
    ///
    /// - Parameters:
    ///   - pages: `nil` to leave them.
    ///   - milliseconds: `nil` to leave them.
    /// - Returns: Whether the advisor had to be switched off.
    /// - Throws: ``KernelFileError`` for the first file that could not be written. Files before it keep their new
    ///   value; files after it are untouched.
    package mutating func setPace(pages: Int64?, sleep milliseconds: Int64?) throws(KernelFileError) -> Bool {
        var displacedAdvisor = false
        if let pages { displacedAdvisor = try set(pagesToScan: pages) }
        if let milliseconds { try write(String(milliseconds), to: .sleepMilliseconds) }
        return displacedAdvisor
    }

    private mutating func set(pagesToScan pages: Int64) throws(KernelFileError) -> Bool {
        do throws(KernelFileError) {
            try write(String(pages), to: .pagesToScan)
            return false
        } catch {
            guard error.errno == EINVAL, try readAdvisorMode() == .scanTime else { throw error }
            try write(AdvisorMode.none.word, to: .advisorMode)
            try write(String(pages), to: .pagesToScan)
            return true
        }
    }

    /// What merging saves now: each page counted in `pages_sharing`, and each that became the kernel's zero page.
    ///
    /// - Returns: `nil` where it is not known.
    package func savedPages() -> Pages? {
        try? readSavedPages()
    }

    /// ``savedPages()``, or why it is not known.
    func readSavedPages() throws(KernelFileError) -> Pages {
        guard let sharing = try read(.pagesSharing) else {
            throw KernelFileError(.read, KSMFile.pagesSharing.name, errno: ENOENT)
        }
        return Pages(sharing) + Pages(try read(.zeroPages) ?? 0)
    }
}
