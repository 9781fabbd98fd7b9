internal import CLinux
internal import Glibc
package import KSMPolicy

/// The kernel's KSM files, or those of a tree that stands for them.
package struct KSMDirectory: KSMControl {
    private let folder: String
    private let files: [KernelFile]
    /// `nil` for a tree, whose processes are not those of this kernel.
    private let thread: KSMThreadFinder?

    package init(_ paths: HostPaths) {
        folder = paths.ksm
        files = KSMFile.allCases.map { KernelFile("\(paths.ksm)/\($0.name)", isHeld: !paths.isStandIn) }
        thread = paths.isStandIn ? nil : KSMThreadFinder(paths, isHeld: false)
    }

    package var takesEffect: Bool { true }

    package func path(_ file: KSMFile) -> String {
        files[file.rawValue].path
    }

    package func read(_ file: KSMFile) throws(KernelFileError) -> Int64? {
        let value = try readAsIs(file)
        // While memory is taken offline the kernel adds 4 to what it shows.
        return file == .run ? value.map { $0 & 3 } : value
    }

    /// The same with all that `run` holds, for those who show it.
    package func readAsIs(_ file: KSMFile) throws(KernelFileError) -> Int64? {
        guard let text = try readText(file) else { return nil }
        // A setting of that kind would be put back one day, as if it were one.
        let isNegative = file.isCounter && text.first == UInt8(ascii: "-")
        guard let number = DecimalField(text.span, at: isNegative ? 1 : 0) else {
            throw KernelFileError(.understand, path(file), errno: 0, detail: "it holds no number")
        }
        return isNegative ? -number.value : number.value
    }

    package func readAdvisorMode() throws(KernelFileError) -> AdvisorMode? {
        guard let text = try readText(.advisorMode) else { return nil }
        // All modes in a row, the present one in brackets: `[none] scan-time`.
        let present = text.drop { $0 != UInt8(ascii: "[") }.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        return AdvisorMode(rawValue: String(decoding: present, as: UTF8.self))
    }

    private func readText(_ file: KSMFile) throws(KernelFileError) -> [UInt8]? {
        try KernelFileError.unlessMissing { () throws(KernelFileError) in
            try files[file.rawValue].read(limit: 256)
        }
    }

    package func write(_ text: String, to file: KSMFile) throws(KernelFileError) {
        // What begins a scan finds ksmd asleep, and most other files have no lock.
        let hasMoved = file == .run && text != "1" && moveToKsmd()
        defer { if hasMoved { linux_move_back() } }
        try HostFile.write(text + "\n", to: path(file))
    }

    package func beginWriting(run value: Int64) throws(KernelFileError) -> ChildWrite? {
        let hasMoved = moveToKsmd()
        defer { if hasMoved { linux_move_back() } }
        return try ChildWrite("\(value)\n", to: path(.run))
    }

    /// Moves to the processor that ksmd runs on, before a write that has to wait for its batch.
    ///
    /// ksmd holds a lock for as long as a batch lasts. The kernel has whoever waits for a lock spin while its owner runs,
    /// in the hope that it is soon done (`mutex_spin_on_owner` in kernel/locking/mutex.c), so each stop would take
    /// another processor for the rest of a batch. On the same one the owner does not run while the waiter does, so the
    /// waiter sleeps.
    private func moveToKsmd() -> Bool {
        guard let processor = try? thread?.find(at: Waiter.now)?.processorWhileReady() else { return false }
        return linux_move_to(processor) == 0
    }

    package func readKsmd() throws(KernelFileError) -> KsmdState? {
        try thread?.find(at: Waiter.now)?.state()
    }

    package func schedule(ksmd wanted: Scheduling) throws(KernelFileError) {
        guard let thread = thread?.find(at: Waiter.now), let present = try thread.scheduling()?.scheduling else {
            throw KernelFileError(.schedule, "ksmd", errno: ESRCH)
        }
        try thread.schedule(wanted, over: present)
    }

    /// Makes sure that the daemon can do its work here, without changing anything.
    ///
    /// - Throws: ``KernelFileError`` for the first file that is missing or cannot be opened for writing.
    package func check() throws(KernelFileError) {
        for file in [KSMFile.run, .pagesToScan, .sleepMilliseconds] {
            _ = try FileDescriptor(opening: path(file), O_WRONLY | O_NONBLOCK, for: .write)
        }
    }
}
