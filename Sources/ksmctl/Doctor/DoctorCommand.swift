import ArgumentParser

/// `ksmctl doctor`: what keeps KSM from its work, and what it may cost.
struct DoctorCommand: HostCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what keeps KSM from its work, and for what it may cost.",
        discussion: """
            Each check is OK, WARN, FAIL, or SKIP where it could not be seen or does not apply. The exit status is 0 \
            where all is well, 1 where there are warnings, 2 where there are failures. As root it sees more.
            """)

    @OptionGroup var host: RootOptions
    @OptionGroup var output: OutputOptions

    @Flag(name: .shortAndLong, help: "Show what was looked at for every check, not only for those that warn or fail.")
    var verbose = false

    func execute() throws {
        let report = DoctorReport(try DoctorFacts(host.paths), isVerbose: verbose)
        try report.print(output)
        if report.status != 0 { throw ExitCode(report.status) }
    }
}
