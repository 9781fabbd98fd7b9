import ArgumentParser
import HostKernel
import KSMAnalysis
import KSMPolicy

/// `ksmctl plan`: how much swap a host needs for its guests.
struct PlanCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Plan how much swap a host needs for its guests.",
        discussion: """
            Without options it plans this host and its guests: each with what its command line configures, and no \
            less than it holds. Each option replaces what is \
            found here: --guests plans other guests on this host, --ram asks whether the guests of this host fit \
            another, of which also swap and CPUs are known only as far as --swap and --cpus tell; with both nothing \
            of this host counts.

            Sizes are numbers with a unit, in powers of 1024: 512M, 1.5G, 2T.

            Exit status: 0 where the swap is enough or there is none to compare with, 1 where it is smaller than \
            needed or not all could be read, 2 where RAM and swap together are smaller than the guests' memory, or the \
            RAM than what cannot go to swap.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp("The host's RAM, instead of this host's.", valueName: "size"), transform: PlanArgument.ram)
    var ram: KiB?

    @Option(
        help: ArgumentHelp(
            "How many guests, how large each, and how many virtual CPUs each has (1 if not said), instead of those "
                + "that run. Can be repeated.", valueName: "NxSIZE[/VCPUS]"), transform: PlanArgument.guests)
    var guests: [GuestGroup] = []

    @Option(
        help: ArgumentHelp(
            "rhel7: guests + host OS + host swap - RAM. rhel6: the swap recommended for the host, and the guests' "
                + "memory beyond the RAM left for them.", valueName: "rhel7|rhel6"),
        completion: .list(OvercommitPlan.Rule.allCases.map { $0.word }), transform: PlanArgument.rule)
    var rule = OvercommitPlan.Rule.rhel7

    @Option(
        help: ArgumentHelp(
            "Memory of the host itself; by default 4 GiB, or a quarter of the RAM where that is less.",
            valueName: "size"), transform: PlanArgument.size)
    var hostOS: KiB?

    @Option(
        help: ArgumentHelp(
            "Swap of the host itself; by default 4 GiB, with --rule rhel6 2 to 32 GiB by the RAM.",
            valueName: "size"), transform: PlanArgument.size)
    var hostSwap: KiB?

    @Option(
        help: ArgumentHelp("The swap that there is, instead of this host's.", valueName: "size"),
        transform: PlanArgument.size)
    var swap: KiB?

    @Option(help: ArgumentHelp("The host's CPUs, instead of this host's.", valueName: "number"))
    var cpus: Int64?

    func validate() throws {
        if let cpus, cpus < 1 { throw ValidationError("--cpus takes a number above 0") }
        let host = OvercommitPlan.Host(ram: .zero, system: hostOS, systemSwap: hostSwap)
        let plan = OvercommitPlan(rule, host: host, groups: guests)
        guard plan.neededSwap.count <= .max / 1024, plan.vcpus < .max else {
            throw ValidationError("all guests together are more than 64 bits hold")
        }
    }

    func execute() throws {
        let report = try PlanReport(self)
        try report.print(output)
        if let status = report.exitStatus { throw ExitCode(status) }
    }
}

/// What the options take.
private enum PlanArgument {
    static func size(_ text: String) throws -> KiB {
        do throws(MemorySize.ParseError) {
            return try MemorySize.parse(text)
        } catch {
            throw ValidationError(error.text)
        }
    }

    static func ram(_ text: String) throws -> KiB {
        let ram = try size(text)
        guard ram > .zero else { throw ValidationError("a host has more than no RAM") }
        return ram
    }

    static func guests(_ text: String) throws -> GuestGroup {
        do throws(GuestGroup.ParseError) {
            return try GuestGroup(parsing: text)
        } catch {
            throw ValidationError(error.text)
        }
    }

    static func rule(_ text: String) throws -> OvercommitPlan.Rule {
        guard let rule = OvercommitPlan.Rule(word: text) else { throw ValidationError("it is rhel7 or rhel6") }
        return rule
    }
}
