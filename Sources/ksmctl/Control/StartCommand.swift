import ArgumentParser
import Glibc
import HostKernel

/// `ksmctl start`: what the original did, for `ksm.service`.
struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Let ksmd scan at its present pace (run=1).")

    @OptionGroup var host: HostOptions

    func run() throws {
        let kernel = KSMDirectory(host.paths)
        try host.paths.requireInside([.maxKernelPages, .run].map { kernel.path($0) })
        limitKernelPages(kernel)
        try RunKnob.write(1, kernel)
    }

    /// Kernels before 2.6.33 could not swap merged pages, and had a limit for them. Failures here never mattered.
    private func limitKernelPages(_ kernel: KSMDirectory) {
        guard ((try? kernel.read(.maxKernelPages)) ?? nil) != nil else { return }
        let limit = MaximumKernelPages.configured ?? Int64(sysconf(Int32(_SC_PHYS_PAGES))) / 2
        try? kernel.write(String(limit), to: .maxKernelPages)
    }
}

/// `ksmctl stop`: what the original did, for `ksm.service`.
struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop ksmd; merged pages stay merged (run=0).")

    @OptionGroup var host: HostOptions

    func run() throws {
        let kernel = KSMDirectory(host.paths)
        try host.paths.requireInside([kernel.path(.run)])
        try RunKnob.write(0, kernel)
    }
}

enum RunKnob {
    /// - Throws: `ExitCode` 1, after saying what failed.
    static func write(_ value: Int64, _ kernel: KSMDirectory) throws {
        do throws(KernelFileError) {
            try kernel.write(String(value), to: .run)
        } catch {
            let remedy =
                error.isDenied ? "run it as root" : error.isMissing ? "this kernel has no KSM" : "see ksmctl(8)"
            Output.warn("\(error): \(remedy)")
            throw ExitCode(1)
        }
    }
}

enum MaximumKernelPages {
    /// `KSM_MAX_KERNEL_PAGES` of `/etc/default/ksm`, through the environment of `ksm.service`.
    ///
    /// Read as strtoll(3) with base 0 does, and as a whole: 0 means no limit, anything unreadable means unset.
    static var configured: Int64? {
        guard let text = unsafe getenv("KSM_MAX_KERNEL_PAGES"), unsafe text.pointee != 0 else { return nil }
        var end: UnsafeMutablePointer<CChar>?
        let value = unsafe strtoll(text, &end, 0)
        guard let end = unsafe end, unsafe end.pointee == 0, value >= 0, value < Int64.max else { return nil }
        return value
    }
}
