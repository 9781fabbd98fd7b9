import Foundation
import HostFixtures
import Testing

@Suite struct CommandLineTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        var status: Int32
        var output = ""
        var error = ""

        var testDescription: String { "ksmtuned " + arguments.joined(separator: " ") }

        static func refused(_ arguments: [String], _ why: String) -> Case {
            Case(arguments: arguments, status: 64, error: "ksmtuned: \(why); see ksmtuned --help\n")
        }
    }

    private static let oneTask = "--check-config, --version and --help exclude each other: leave all but one out"

    @Test(arguments: [
        Case(arguments: ["--version"], status: 0, output: "ksmtuned \(SourceTree.version)\n"),
        Case(arguments: ["--once", "--version"], status: 0, output: "ksmtuned \(SourceTree.version)\n"),
        .refused(["--bogus"], "unknown option '--bogus'"),
        .refused(["--version", "--bogus"], "unknown option '--bogus'"),
        .refused(["-x"], "unknown option '-x'"),
        .refused(["--"], "unknown option '--'"),
        .refused(["-"], "unknown option '-'"),
        .refused(["--Once"], "unknown option '--Once'"),
        .refused(["--bogus=1"], "unknown option '--bogus=1'"),
        .refused(["start"], "unknown argument 'start'"),
        .refused([""], "unknown argument ''"),
        .refused(["--once", "now"], "unknown argument 'now'"),
        .refused(["a\n\u{1B}b"], "unknown argument 'a??b'"),
        .refused(["--root"], "--root needs a value"),
        .refused(["--root", ""], "--root needs a value"),
        .refused(["--root="], "--root needs a value"),
        .refused(["--config"], "--config needs a value"),
        .refused(["--config="], "--config needs a value"),
        .refused(["--check-config="], "--check-config needs a value"),
        .refused(["--check-config", ""], "--check-config needs a value"),
        .refused(["--root", "/a", "--root", "/b"], "--root names /b, and an option before it /a: leave one out"),
        .refused(["--root=/a", "--root=/\u{1B}"], "--root names /?, and an option before it /a: leave one out"),
        .refused(["--config=/a", "--config", "/b"], "--config names /b, and an option before it /a: leave one out"),
        .refused(
            ["--config=/a", "--check-config", "/b"],
            "--check-config names /b, and an option before it /a: leave one out"),
        .refused(
            ["--check-config=/a", "--config=/b"], "--config names /b, and an option before it /a: leave one out"),
        .refused(["--version", "--check-config"], oneTask),
        .refused(["--check-config", "--help"], oneTask),
        .refused(["-h", "--version"], oneTask),
        Case(
            arguments: ["--root=/a", "--version", "--root", "/a", "--version"], status: 0,
            output: "ksmtuned \(SourceTree.version)\n"),
        .refused(["--once=1"], "--once takes no value"),
        .refused(["--dry-run=yes"], "--dry-run takes no value"),
        .refused(["--debug="], "--debug takes no value"),
        .refused(["--help=all"], "--help takes no value"),
        .refused(["--version=1"], "--version takes no value"),
    ])
    func `The command line, its exit status and its answer`(_ test: Case) async throws {
        let outcome = try await Program.ksmtuned.run(test.arguments)
        #expect(outcome.status == test.status)
        #expect(outcome.output == test.output)
        #expect(outcome.error == test.error)
    }

    /// The runtime looks for the arguments in /proc. A daemon that took none for an empty command line would act on the
    /// real host, whatever it was told; so the host's KSM is hidden, too.
    @Test(
        .enabled(if: geteuid() == 0, "only root may hide /proc"),
        arguments: [
            (Program.ksmtuned, "ksmtuned \(SourceTree.version)\n"), (Program.ksmctl, "\(SourceTree.version)\n"),
        ])
    func `No option is lost where /proc is empty`(_ program: Program, _ version: String) async throws {
        let hidden =
            "/bin/mount -t tmpfs none /sys/kernel/mm/ksm 2> /dev/null; /bin/mount -t tmpfs none /proc && exec \"$0\" --version"
        let outcome = try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "/bin/sh", "-c", hidden, program.url.path])
        #expect(outcome.status == 0)
        #expect(outcome.output == version)
    }

    /// The runtime looks for the arguments by the place of the environment, which a library that is there before it may have
    /// moved by a variable of its own: one for another allocator, say, since memory is asked for by the first constructors.
    @Test(
        .enabled(if: geteuid() == 0, "only root may hide KSM"),
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/cc"), "there is no C compiler"),
        arguments: [
            (Program.ksmtuned, "ksmtuned \(SourceTree.version)\n"), (Program.ksmctl, "\(SourceTree.version)\n"),
        ])
    func `No option is lost where a library changes the environment first`(
        _ program: Program, _ version: String
    ) async throws {
        let host = FakeHost()
        host.write(
            """
            #include <stdlib.h>
            extern char **environ;
            extern void *__libc_malloc(size_t);
            static void begin(void) {
                static int begun;
                if (begun || !environ) return;
                begun = 1;
                for (int i = 0; i < 100; i++) {
                    char name[] = {'V', '0' + i / 10, '0' + i % 10, 0};
                    setenv(name, "x", 1);
                }
            }
            void *malloc(size_t size) { begin(); return __libc_malloc(size); }
            __attribute__((constructor)) static void constructed(void) { begin(); }

            """, to: "preloaded.c")
        let library = host.path("preloaded.so")
        let compiled = try await Program(path: "/usr/bin/cc").run(
            ["-shared", "-fPIC", "-o", library, host.path("preloaded.c")], environment: ["PATH": "/usr/bin:/bin"])
        #expect(compiled.status == 0, "\(compiled.error)")
        let hidden =
            "/bin/mount -t tmpfs none /sys/kernel/mm/ksm 2> /dev/null; LD_PRELOAD=$1 exec \"$0\" --version"
        let outcome = try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "/bin/sh", "-c", hidden, program.url.path, library])
        #expect(outcome.status == 0)
        #expect(outcome.output == version)
        #expect(outcome.error == "")
    }

    @Test(arguments: [(Program.ksmtuned, "ksmtuned: "), (Program.ksmctl, "ksmctl: ")])
    func `Where not even the program's name is there, nothing is done`(_ program: Program, _ name: String) async throws
    {
        let outcome = try await Program(path: "/bin/bash").run(["-c", "exec -a '' \"$0\" --version", program.url.path])
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(outcome.error.hasPrefix(name + "the command line is empty"))
    }

    @Test(arguments: [(Program.ksmtuned, "ksmtuned"), (Program.ksmctl, "ksmctl")])
    func `An argument that is no text is refused`(_ program: Program, _ name: String) async throws {
        let outcome = try await Program(path: "/bin/bash").run(["-c", "\"$0\" --version $'--\\xFF'", program.url.path])
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(outcome.error == "\(name): argument 2 is not UTF-8; see \(name) --help\n")
    }

    @Test(arguments: ["--help", "--version", "--check-config"])
    func `An answer that cannot be written is 71 and a word on standard error`(_ option: String) async throws {
        let host = FakeHost()
        let outcome = try await Program.ksmtuned.run([option, host.rootOption], output: "/dev/full")
        #expect(outcome.status == 71)
        #expect(outcome.error == "ksmtuned: cannot write standard output: No space left on device\n")
    }

    @Test(arguments: [
        ("--check-config", ">&-"), ("--once --dry-run", "2>/dev/full"), ("--once --dry-run", "2>&-"),
    ])
    func `What nobody can hear is no success`(_ options: String, _ redirection: String) async throws {
        let host = FakeHost()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "exec \"$0\" \"$1\" \(options) \(redirection)", Program.ksmtuned.url.path, host.rootOption,
        ])
        #expect(outcome.status == 71)
        // In the other cases standard error is what is lost.
        if redirection.hasPrefix(">") {
            #expect(outcome.error == "ksmtuned: cannot write standard output: Bad file descriptor\n")
        }
    }

    @Test(arguments: ["2>/dev/full", "2>&-"])
    func `A decision that was made is a success, whoever hears of it`(_ redirection: String) async throws {
        let host = FakeHost()
        host.runShort()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "exec \"$0\" \"$1\" --once \(redirection)", Program.ksmtuned.url.path, host.rootOption,
        ])
        #expect(outcome.status == 0)
        #expect(host.knob("run") == "1")
    }

    @Test(arguments: ["--help", "-h"])
    func `The help goes to standard output`(_ option: String) async throws {
        let outcome = try await Program.ksmtuned.run([option])
        #expect(outcome.status == 0)
        #expect(outcome.error == "")
        #expect(outcome.output.hasPrefix("Usage: ksmtuned [OPTION]...\n"))
    }
}

@Suite struct CheckConfigurationTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var rule: String
        var configuration: String?
        var dropIns: KeyValuePairs<String, String> = [:]
        var environment: [String: String] = [:]
        var messages: [String] = []
        var isUsable: Bool

        var testDescription: String { rule }
    }

    @Test(arguments: [
        Case(rule: "no file is fine", isUsable: true),
        Case(rule: "an empty file is fine", configuration: "", isUsable: true),
        Case(rule: "a good file", configuration: "KSM_NPAGES_MAX=5000\nDEBUG=1\n", isUsable: true),
        Case(
            rule: "an odd file can be used", configuration: "KSM_NPAGES_MAX = 5000\nKSM_NPAGE_MAX=1\n",
            messages: [
                "ROOT/etc/ksmtuned.conf:1:1: warning: KSM_NPAGES_MAX has a space before its equals sign: the line is "
                    + "ignored, as bash did; write KSM_NPAGES_MAX=value without spaces",
                "ROOT/etc/ksmtuned.conf:2:1: warning: KSM_NPAGE_MAX is not a setting, and is ignored; did you mean "
                    + "KSM_NPAGES_MAX?",
            ], isUsable: true),
        Case(
            rule: "a bad file has all of its errors told", configuration: "reboot\nKSM_NPAGES_MAX=-1\nKSM_ON_EXIT=x\n",
            messages: [
                "ROOT/etc/ksmtuned.conf:1:1: error: 'reboot' is not an assignment, and this file is read, never run; "
                    + "write NAME=value lines only",
                "ROOT/etc/ksmtuned.conf:2:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more",
                "ROOT/etc/ksmtuned.conf:3:1: error: KSM_ON_EXIT=x is not one of its values; write keep, stop, restore, "
                    + "unmerge",
            ], isUsable: false),
        Case(
            rule: "a guest pattern that regcomp(3) does not take", configuration: "KSM_GUEST_PATTERN='(kvm'\n",
            messages: [
                "ROOT/etc/ksmtuned.conf:1:1: error: KSM_GUEST_PATTERN=(kvm is not an extended regular expression: "
                    + "Unmatched ( or \\(; see regex(7)"
            ], isUsable: false),
        Case(
            rule: "a percentage too large for this host", configuration: "KSM_THRES_COEF=9223372036854775807\n",
            messages: [
                "ROOT/etc/ksmtuned.conf:1:1: warning: KSM_THRES_COEF=9223372036854775807 is more than all memory, so KSM "
                    + "will always run; write 100 or less",
                "ROOT/etc/ksmtuned.conf:1:1: error: KSM_THRES_COEF=9223372036854775807 is so large that with this host's "
                    + "16.0 GiB the arithmetic is beyond 64 bits; write a smaller number",
            ], isUsable: false),
        Case(
            rule: "a sleep too long for this host", configuration: "KSM_SLEEP_MSEC=4294967296\n",
            messages: [
                "ROOT/etc/ksmtuned.conf:1:1: error: KSM_SLEEP_MSEC=4294967296 means a sleep of 4294967296 ms on this host "
                    + "of 16.0 GiB, beyond the kernel's 32 bits; write a smaller number"
            ], isUsable: false),
        Case(
            rule: "a value of the environment that is too long",
            environment: ["KSM_GUEST_PATTERN": String(repeating: "x", count: 4097)],
            messages: [
                "environment: error: the value of KSM_GUEST_PATTERN is longer than 4096 bytes; write a shorter one"
            ], isUsable: false),
        Case(
            rule: "one that is just short enough", environment: ["DEBUG": String(repeating: "x", count: 4096)],
            isUsable: true),
        Case(
            rule: "a variable that is no setting may be as long as it is",
            environment: ["MINE": String(repeating: "x", count: 5000)], isUsable: true),
        Case(
            rule: "the environment counts, and is named", environment: ["KSM_NPAGES_MIN": "many"],
            messages: [
                "environment: error: KSM_NPAGES_MIN=many is not a decimal integer; write digits only, with an optional "
                    + "sign"
            ], isUsable: false),
        Case(
            rule: "the file counts over the environment", configuration: "KSM_NPAGES_MIN=5\n",
            environment: ["KSM_NPAGES_MIN": "many"], isUsable: true),
        Case(
            rule: "drop-in files count in the order of their names, over the file",
            configuration: "KSM_NPAGES_MIN=a\n",
            dropIns: ["20.conf": "KSM_NPAGES_MIN=c\n", "10.conf": "KSM_NPAGES_MIN=b\n"],
            messages: [
                "ROOT/etc/ksmtuned.conf.d/20.conf:1:1: error: KSM_NPAGES_MIN=c is not a decimal integer; write digits "
                    + "only, with an optional sign"
            ], isUsable: false),
        Case(
            rule: "drop-in files of other names do not count",
            dropIns: [
                "10.conf~": "reboot\n", ".hidden.conf": "reboot\n", "10.conf.dpkg-new": "reboot\n", "conf": "x\n",
            ],
            isUsable: true),
        Case(
            rule: "a drop-in file can mend the file", configuration: "KSM_NPAGES_MIN=a\n",
            dropIns: ["x.conf": "KSM_NPAGES_MIN=\n"], isUsable: true),
    ])
    func `Everything that is wrong is told at once`(_ test: Case) async throws {
        let host = FakeHost()
        if let configuration = test.configuration { host.configure(configuration) }
        for (name, text) in test.dropIns { host.write(text, to: "etc/ksmtuned.conf.d/\(name)") }

        let outcome = try await Program.ksmtuned.run(
            [host.rootOption, "--check-config"], environment: test.environment)

        #expect(outcome.error == test.messages.map { host.filled($0) + "\n" }.joined())
        #expect(outcome.output == (test.isUsable ? "the configuration can be used\n" : ""))
        #expect(outcome.status == (test.isUsable ? 0 : 78))
    }

    @Test(arguments: [("LOGFILE", false), ("MINE", true)])
    func `A variable of the environment that is no text is refused where it is a setting`(
        _ name: String, isUsable: Bool
    ) async throws {
        let host = FakeHost()
        let script = "\(name)=$'/\\xFF' exec \"$0\" \"$1\" --check-config"
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", script, Program.ksmtuned.url.path, host.rootOption,
        ])
        #expect(outcome.status == (isUsable ? 0 : 78))
        let refusal = "environment: error: the value of \(name) is not UTF-8;"
        #expect(isUsable ? outcome.error == "" : outcome.error.hasPrefix(refusal))
    }

    @Test(arguments: [["--check-config", "FILE"], ["--check-config=FILE"], ["--config=FILE", "--check-config"]])
    func `A file that is named is read, whatever the root, with the drop-ins beside it`(_ arguments: [String])
        async throws
    {
        let host = FakeHost()
        host.configure("reboot\n")
        host.write("KSM_NPAGES_MIN=-1\n", to: "own/x.conf")
        host.write("KSM_NPAGES_MAX=-1\n", to: "own/x.conf.d/y.conf")

        let outcome = try await Program.ksmtuned.run(
            [host.rootOption] + arguments.map { $0.replacing("FILE", with: host.path("own/x.conf")) })

        #expect(
            outcome.error
                == host.filled(
                    """
                    ROOT/own/x.conf:1:1: error: KSM_NPAGES_MIN=-1 is negative; write 0 or more
                    ROOT/own/x.conf.d/y.conf:1:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more

                    """))
        #expect(outcome.status == 78)
    }

    @Test func `A file that is named must be there`() async throws {
        let host = FakeHost()
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config", host.path("none.conf")])
        #expect(
            outcome.error
                == host.filled(
                    "ROOT/none.conf:1:1: error: cannot read ROOT/none.conf: No such file or directory; "
                        + "name a file that exists\n"))
        #expect(outcome.status == 78)
    }

    @Test func `A folder in the file's place is an error`() async throws {
        let host = FakeHost()
        host.createFolder("etc/ksmtuned.conf")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.error.contains("ksmtuned.conf:1:1: error: cannot read "))
        #expect(outcome.status == 78)
    }

    @Test func `A pipe in the file's place is an error and is not waited for`() async throws {
        let host = FakeHost()
        host.makePipe("etc/ksmtuned.conf")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.error.contains("it is not a regular file"))
        #expect(outcome.status == 78)
    }

    @Test func `A file in the drop-in folder's place is an error`() async throws {
        let host = FakeHost()
        host.write("", to: "etc/ksmtuned.conf.d")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.error.contains("cannot list "))
        #expect(outcome.status == 78)
    }

    @Test func `A file of more than a mebibyte is an error`() async throws {
        let host = FakeHost()
        host.configure(String(repeating: "# comment\n", count: 110_000))
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.error.contains("File too large"))
        #expect(outcome.status == 78)
    }

    @Test func `A host whose memory cannot be read is no obstacle`() async throws {
        let host = FakeHost()
        host.remove("proc/meminfo")
        host.configure("KSM_NPAGES_MAX=5000\n")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.status == 0)
    }

    @Test(.enabled(if: geteuid() != 0, "root may read every file: needs another user"))
    func `A file that may not be read is an error`() async throws {
        let host = FakeHost()
        host.configure("")
        unsafe chmod(host.path("etc/ksmtuned.conf"), 0)
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config"])
        #expect(outcome.error.contains("Permission denied"))
        #expect(outcome.status == 78)
    }
}
