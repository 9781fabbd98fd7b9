import ArgumentParser
import Glibc
import HostInspection
import HostKernel
import KSMPolicy

/// `ksmctl guests`: a row for each guest.
struct GuestsCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "guests", abstract: "Show each guest: its memory, what KSM merges of it, or why it cannot.",
        discussion: """
            Guests are the processes that the daemon counts: by the names of KSM_PROFILE= or KSM_GUEST_PATTERN=, and \
            for root, who may see that in debugfs, also those under other names that have a virtual machine of KVM.

            NAME, MEMORY (configured), VCPUS, BALLOON and MERGEABLE come from the guest's command line; RESIDENT and \
            SWAPPED, MERGED, ZERO, PROFIT and how much of its memory is registered with KSM come from the kernel, which \
            shows what KSM does to root and to the guest's own user. "-" is what is not known, with --limits also \
            what has no limit; "?" whether it can be merged is not known; a "+" behind MEMORY, that the guest holds \
            clearly more by now. Where the terminal is too narrow, columns are left out.

            Exit status: 0, also without guests; 1 where not all guests could be read, so that the sums are not all; 69 where the processes cannot be listed; 78 where \
            KSM_GUEST_PATTERN= makes no sense.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Sort by a column: names upwards, amounts downwards.", valueName: "column"))
    var sort = GuestColumn.pid

    @Flag(help: "Show what each guest's cgroup allows it instead: memory.max to cpu.max.")
    var limits = false

    func execute() throws {
        let paths = host.paths
        let memory = try? MemoryReader(paths).read()
        let loaded = ConfigurationFiles(paths).load(total: memory?.total)
        if !loaded.isUsable {
            Output.warn("the configuration has errors, and the daemon would refuse it: see ksmctl check-config")
        }
        var list = GuestList()
        do throws(KernelFileError) {
            list = try GuestReader.read(paths, loaded.configuration)
        } catch {
            guard error.operation == .understand else { throw Refusal("\(error): is /proc mounted?", .unavailable) }
            throw Refusal("\(error): see regex(7) and ksmctl check-config", .configuration)
        }
        // A tree that stands for a host has users of its own.
        let users = paths.isStandIn ? { _ in nil } : UserNames.name
        var report = GuestsReport(list, loaded.configuration, users: users, sortedBy: sort)
        report.showsLimits = limits
        try report.print(output)
        let isAll = list.unreadable.isEmpty && !list.isBlind && list.unknown == nil
        if !isAll { throw ExitCode(Refusal.Status.failed.rawValue) }
    }
}

enum UserNames {
    /// - Returns: `nil` for a user without a name.
    static func name(_ uid: UInt32) -> String? {
        guard let entry = unsafe getpwuid(uid) else { return nil }
        return unsafe String(cString: entry.pointee.pw_name)
    }
}
