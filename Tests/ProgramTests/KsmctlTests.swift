import Foundation
import HostFixtures
import Testing

@Suite struct KsmctlTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        /// What `run` holds before and after.
        var before: String
        var after: String

        var testDescription: String { "ksmctl \(arguments.joined(separator: " ")) with run=\(before)" }
    }

    @Test(arguments: [
        Case(arguments: ["start"], before: "0", after: "1"),
        Case(arguments: ["start"], before: "1", after: "1"),
        Case(arguments: ["start"], before: "2", after: "1"),
        Case(arguments: ["stop"], before: "1", after: "0"),
        Case(arguments: ["stop"], before: "0", after: "0"),
        Case(arguments: ["start", "stop"], before: "0", after: "1"),
        Case(arguments: ["stop", "it", "now"], before: "1", after: "0"),
        Case(arguments: ["start", ""], before: "0", after: "1"),
    ])
    func `Start and stop write run in silence, and words behind the first do not count`(_ test: Case) async throws {
        let host = FakeHost()
        host.write(test.before + "\n", to: "sys/kernel/mm/ksm/run")

        let outcome = try await Program.ksmctl.run(test.arguments + ["--root", host.root.path])

        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        #expect(outcome.error == "")
        #expect(host.read("sys/kernel/mm/ksm/run") == test.after + "\n")
        #expect(host.knob("pages_to_scan") == "100")
        #expect(!host.exists("sys/kernel/mm/ksm/max_kernel_pages"))
    }

    /// Misspelt, it would have the real host's KSM written to, so that is hidden.
    @Test(
        .enabled(if: geteuid() == 0, "only root may hide KSM"),
        arguments: [
            "start --rooot ROOT", "stop --rooot ROOT", "stop --roo ROOT", "stop --rooot=ROOT", "stop -- --root ROOT",
            "stop now --dry-run", "start -x", "stop -",
        ])
    func `An option that start and stop do not know is refused, and nothing is written`(_ line: String) async throws {
        let host = FakeHost()
        let words = line.replacing("ROOT", with: host.root.path).split(separator: " ").map { String($0) }
        let hidden = """
            knobs=/sys/kernel/mm/ksm
            [ -e $knobs ] || exec "$0" "$@"
            /bin/mount -t tmpfs none $knobs && echo untouched > $knobs/run || exit 99
            "$0" "$@"
            status=$?
            read -r run < $knobs/run
            [ "$run" = untouched ] || exit 98
            exit $status
            """
        let outcome = try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "/bin/sh", "-c", hidden, Program.ksmctl.url.path] + words)
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        let option = words.dropFirst().first { $0.hasPrefix("-") } ?? ""
        #expect(outcome.error.hasPrefix("Error: Unknown option '\(option)'\n"))
        #expect(host.knob("run") == "0")
    }

    @Test(arguments: [
        ["stop", "--root", "ROOT", "--root", "ROOT/other"], ["status", "--root=ROOT/other", "--root", "ROOT"],
        ["start", "--root", "ROOT", "it", "--root=ROOT/other"],
    ])
    func `Two roots are refused, and nothing is written below either`(_ words: [String]) async throws {
        let (host, other) = (FakeHost(), FakeHost())
        try FileManager.default.moveItem(atPath: other.root.path, toPath: host.path("other"))
        for place in ["", "other/"] { host.write("7\n", to: "\(place)sys/kernel/mm/ksm/run") }
        let outcome = try await Program.ksmctl.run(words.map { host.filled($0) })
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("Error: --root is given twice, with "))
        for place in ["", "other/"] { #expect(host.read("\(place)sys/kernel/mm/ksm/run") == "7\n") }
    }

    @Test func `Two configurations to simulate are refused, and one that is named twice is not`() async throws {
        let host = FakeHost()
        let both = ["--config", host.path("a"), "--config=\(host.path("b"))"]
        let outcome = try await Program.ksmctl.run(["simulate", host.rootOption] + both)
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("Error: --config is given twice, with "))
        let same = try await Program.ksmctl.run(["stop", host.rootOption, host.rootOption])
        #expect(same.status == 0)
    }

    /// The options of all commands that can be given once, each by its command and one of its names.
    private static func singleOptions() async throws -> [(command: String, name: String)] {
        let dump = try await Program.ksmctl.run(["--experimental-dump-help"]).output
        let whole = try JSONSerialization.jsonObject(with: Data(dump.utf8)) as? [String: Any]
        let commands = (whole?["command"] as? [String: Any])?["subcommands"] as? [[String: Any]] ?? []
        var options: [(command: String, name: String)] = []
        for command in commands {
            for argument in command["arguments"] as? [[String: Any]] ?? [] {
                guard argument["kind"] as? String == "option", argument["isRepeating"] as? Bool == false
                else { continue }
                for name in argument["names"] as? [[String: String]] ?? [] {
                    let hyphens = name["kind"] == "short" ? "-" : "--"
                    options.append((command["commandName"] as? String ?? "", hyphens + (name["name"] ?? "")))
                }
            }
        }
        return options
    }

    @Test func `Each option that takes one value refuses two`() async throws {
        let options = try await Self.singleOptions()
        #expect(options.count > 30)
        for (command, name) in options {
            let outcome = try await Program.ksmctl.run([command, name, "1", name, "2"])
            #expect(outcome.status == 64, "\(command) \(name)")
            #expect(outcome.error.contains(" is given twice, with 1 and 2: leave one out"), "\(command) \(name)")
        }
    }

    @Test(arguments: [[], [""], ["state"], ["START"], ["restart", "start"], ["starts"]])
    func `Anything else is answered with the usage and status 1`(_ arguments: [String]) async throws {
        let outcome = try await Program.ksmctl.run(arguments)
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.error.hasPrefix("Usage: \(Program.ksmctl.url.path) {start|stop}\n"))
        #expect(outcome.error.contains("{status|explain|"))
    }

    /// A line of fish ends with what may follow: `-rF` any file behind an option, `-F` one as an argument.
    @Test(arguments: [
        ("plot\" svg'", " -rF"), ("metrics\" output'", " -rF"), ("simulate\" config'", " -rF"),
        ("simulate\" trace'", " -rF"), ("simulate\" svg'", " -rF"), ("check-config\" -eq 1'", " -F"),
        ("show-config\" -eq 1'", " -F"), ("plan\" rule'", " -rfka 'rhel7 rhel6'"),
        ("status\" root'", " -rfa '(__ksmctl_complete_directories)'"),
        ("start\" root'", " -rfa '(__ksmctl_complete_directories)'"),
    ])
    func `The shell completes paths and words`(_ place: String, _ completion: String) async throws {
        let script = try await Program.ksmctl.run(["--generate-completion-script", "fish"]).output
        let lines = script.split(separator: "\n").filter { $0.contains(" \"ksmctl \(place)") }
        #expect(lines.count == 1)
        for line in lines { #expect(line.hasSuffix(completion), "\(line)") }
    }

    @Test func `The version is that of the daemon`() async throws {
        let tool = try await Program.ksmctl.run(["--version"])
        let daemon = try await Program.ksmtuned.run(["--version"])
        #expect(tool.status == 0)
        #expect("ksmtuned \(tool.output)" == daemon.output)
    }

    @Test(arguments: ["start", "stop"])
    func `Without KSM it says so and exits with 1`(_ word: String) async throws {
        let host = FakeHost()
        host.remove("sys")
        let outcome = try await Program.ksmctl.run([word, "--root", host.root.path])
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(
            outcome.error
                == host.filled(
                    "ksmctl: cannot write ROOT/sys/kernel/mm/ksm/run: No such file or directory: this kernel has no KSM\n"
                ))
    }

    @Test(.enabled(if: geteuid() != 0, "root may write every file: needs another user"))
    func `Who may not write is asked to be root`() async throws {
        let host = FakeHost()
        unsafe chmod(host.path("sys/kernel/mm/ksm/run"), 0o444)
        let outcome = try await Program.ksmctl.run(["start", "--root", host.root.path])
        #expect(outcome.status == 1)
        #expect(outcome.error.hasSuffix("Permission denied: run it as root\n"))
    }

    // MARK: Kernels before 2.6.33

    private static let half = String(sysconf(Int32(_SC_PHYS_PAGES)) / 2)

    struct Limit: CustomTestStringConvertible, Sendable {
        var setting: String?
        /// `nil` for half of this machine's pages.
        var pages: String?

        var testDescription: String { setting.map { "KSM_MAX_KERNEL_PAGES=\($0)" } ?? "KSM_MAX_KERNEL_PAGES unset" }
    }

    @Test(arguments: [
        Limit(setting: nil, pages: nil),
        Limit(setting: "", pages: nil),
        Limit(setting: "1000", pages: "1000"),
        Limit(setting: "0", pages: "0"),
        Limit(setting: "0x10", pages: "16"),
        Limit(setting: "010", pages: "8"),
        Limit(setting: "+7", pages: "7"),
        Limit(setting: "many", pages: nil),
        Limit(setting: "12many", pages: nil),
        Limit(setting: "08", pages: nil),
        Limit(setting: "0x", pages: nil),
        Limit(setting: "-5", pages: nil),
        Limit(setting: "99999999999999999999", pages: nil),
    ])
    func `A kernel with a limit of merged pages gets it before run`(_ limit: Limit) async throws {
        let host = FakeHost()
        host.write("2000\n", to: "sys/kernel/mm/ksm/max_kernel_pages")

        let outcome = try await Program.ksmctl.run(
            ["start", "--root", host.root.path],
            environment: limit.setting.map { ["KSM_MAX_KERNEL_PAGES": $0] } ?? [:])

        #expect(outcome.status == 0)
        #expect(outcome.error == "")
        #expect(host.knob("max_kernel_pages") == limit.pages ?? Self.half)
        #expect(host.knob("run") == "1")
    }

    @Test func `Stop leaves the limit alone`() async throws {
        let host = FakeHost()
        host.write("2000\n", to: "sys/kernel/mm/ksm/max_kernel_pages")
        _ = try await Program.ksmctl.run(
            ["stop", "--root", host.root.path], environment: ["KSM_MAX_KERNEL_PAGES": "5"])
        #expect(host.knob("max_kernel_pages") == "2000")
    }
}
