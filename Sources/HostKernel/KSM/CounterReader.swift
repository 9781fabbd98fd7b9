package import KSMPolicy

/// Reads KSM's counters, with ksmd's CPU time.
package struct CounterReader {
    private let thread: KSMThreadFinder
    private let now: () -> Instant

    /// - Parameter now: The monotonic clock.
    package init(_ paths: HostPaths, now: @escaping () -> Instant = { Waiter.now }) {
        thread = KSMThreadFinder(paths)
        self.now = now
    }

    /// All of them.
    package func read(_ control: some KSMControl) throws(KernelFileError) -> ScanCounters {
        var counters = ScanCounters()
        try readProgress(&counters, control)
        try readPages(&counters, control)
        return counters
    }

    /// Those that show how far ksmd came; the others too where a pass has ended since.
    ///
    /// - Parameter known: Counters whose pages still hold while the pass lasts.
    package func read(
        since known: ScanCounters, _ control: some KSMControl
    ) throws(KernelFileError) -> ScanCounters {
        var counters = known
        try readProgress(&counters, control)
        if counters.passes != known.passes { try readPages(&counters, control) }
        return counters
    }

    private func readProgress(
        _ counters: inout ScanCounters, _ control: some KSMControl
    ) throws(KernelFileError) {
        counters.passes = max(try control.read(.fullScans) ?? 0, 0)
        counters.scanned = try pages(.pagesScanned, control)
        counters.skipped = try pages(.pagesSkipped, control)
        // Whoever goes by CPU time can do without it for a step, as on kernels that do not account for it.
        let times = (try? thread.find(at: now())?.times()) ?? nil
        counters.cpu = times?.cpu
        counters.waited = times?.waited ?? .zero
    }

    private func readPages(_ counters: inout ScanCounters, _ control: some KSMControl) throws(KernelFileError) {
        counters.shared = try pages(.pagesShared, control)
        counters.sharing = try pages(.pagesSharing, control)
        counters.unshared = try pages(.pagesUnshared, control)
        counters.volatile = try pages(.pagesVolatile, control)
        counters.zero = try pages(.zeroPages, control)
    }

    /// 0 where this kernel does not count them.
    private func pages(_ file: KSMFile, _ control: some KSMControl) throws(KernelFileError) -> Pages {
        Pages(try control.read(file) ?? 0).nonNegative
    }
}
