import ArgumentParser
import Charts
import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// `ksmctl unmerge`: every merged page becomes its process's own again.
struct UnmergeCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "unmerge", abstract: "Stop ksmd and unmerge everything (run=2).",
        discussion: """
            Each merged page needs a page of its own again. Where available memory and free swap are too little for that \
            (swap on zram, which stays in memory, does not count), it is refused, since processes would be killed. A daemon that runs goes on by its rule, and merges \
            again when that says so: stop it first.

            Exit status: 0 where nothing is merged at the end, 1 where something is, or it was refused or failed, 77 \
            without permission.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Unmerge although memory and swap are too little.")
    var force = false

    func execute() throws {
        let view = try HostView(host.paths, needsMemory: false)
        let kernel = KSMDirectory(host.paths)
        guard view.ksm.isPresent else { throw Refusal("this kernel has no KSM at \(host.paths.ksm)", .unavailable) }
        try host.paths.requireInside([kernel.path(.run)])
        try kernel.check()
        guard let saved = view.ksm.savedPages.map({ $0.kibibytes(of: Host.pageSize) }) else {
            throw Refusal("what is merged cannot be read in \(host.paths.ksm)", .unavailable)
        }
        if let objection = Self.objection(saved, view) {
            guard force else {
                throw Refusal("\(objection): stop guests, add swap, or use --force and have processes killed")
            }
            Output.warn("\(objection); going on, as --force says")
        }
        if view.daemon != .none {
            Output.warn("the daemon runs and may merge again: systemctl stop ksmtuned keeps it from that")
        }
        let report = try unmerge(saved, kernel)
        try report.print(output)
        if report.leftBytes > 0 { throw ExitCode(Refusal.Status.failed.rawValue) }
    }

    /// Why what is merged may not fit. Swap on zram is no room: what goes there stays in memory.
    private static func objection(_ saved: KiB, _ view: HostView) -> UnmergeObjection? {
        if let failure = view.memoryFailure { return .unknown(failure) }
        guard saved > .zero else { return nil }
        var memory = view.memory
        do throws(KernelFileError) {
            if let swaps = try SwapDevice.all(view.paths), swaps.contains(where: { $0.isInMemory }) {
                memory.swapFree = swaps.filter { !$0.isInMemory }.sum { ($0.size - $0.used).nonNegative }
            }
        } catch {
            return .unknown(error)
        }
        return UnmergeObjection.find(saved: saved, memory, at: view.paths.meminfo)
    }

    /// The kernel makes whoever writes 2 the OOM killer's first choice while it unmerges, so a child does.
    private func unmerge(_ saved: KiB, _ kernel: KSMDirectory) throws -> UnmergeReport {
        let began = Waiter.now
        var report = UnmergeReport(savedBytes: saved.bytes, leftBytes: saved.bytes, durationSeconds: 0)
        guard let write = try kernel.beginWriting(run: 2) else { return report }
        let isTerminal = isatty(STDERR_FILENO) == 1 && !Terminal.isDumb
        var event = pollfd(fd: write.descriptor, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&event, 1, 200) == 0 {
            guard isTerminal, let left = kernel.savedPages().map({ $0.kibibytes(of: Host.pageSize) }) else { continue }
            try? StandardStream.error.write("\r\(left) of \(saved) still merged \u{1B}[K")
        }
        if isTerminal { try? StandardStream.error.write("\r\u{1B}[K") }
        try write.finish()
        guard let left = kernel.savedPages() else {
            throw Refusal(
                "2 was written to run, and what is merged now cannot be read in \(kernel.path(.pagesSharing))",
                .unavailable)
        }
        report.leftBytes = left.kibibytes(of: Host.pageSize).bytes
        report.durationSeconds = (Waiter.now - began).seconds
        return report
    }
}

struct UnmergeReport: Report {
    static let command = "unmerge"

    /// What merging saved before.
    var savedBytes: Int64
    /// What it saves still: pages that were merged again meanwhile.
    var leftBytes: Int64
    var durationSeconds: Double

    func text(_ style: Style) -> String {
        "unmerged \(Amount.text(bytes: savedBytes)) in \(Amount.duration(seconds: durationSeconds))"
            + (leftBytes > 0 ? ", of which \(Amount.text(bytes: leftBytes)) are merged again" : "") + "\n"
    }
}
