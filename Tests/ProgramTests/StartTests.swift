import Foundation
import HostFixtures
import Testing

@Suite struct StartTests {
    // MARK: Why it does not start

    struct Case: CustomTestStringConvertible, Sendable {
        var rule: String
        var status: Int32
        /// Standard error, with `ROOT` for the tree.
        var error: String
        /// How the tree differs from one that works.
        var differ: @Sendable (FakeHost) -> Void

        var testDescription: String { rule }
    }

    private static let noKSM = "this kernel has no KSM (CONFIG_KSM), or hides it"
    private static let noTotal =
        "ksmtuned: cannot understand ROOT/proc/meminfo: it has no MemTotal line with a number above 0, "
        + "so there is nothing to decide by\n"

    @Test(arguments: [
        Case(
            rule: "no KSM", status: 69,
            error: "ksmtuned: cannot write ROOT/sys/kernel/mm/ksm/run: No such file or directory: \(noKSM)\n",
            differ: { $0.remove("sys/kernel/mm/ksm") }),
        Case(
            rule: "no sysfs", status: 69,
            error: "ksmtuned: cannot write ROOT/sys/kernel/mm/ksm/run: No such file or directory: \(noKSM)\n",
            differ: { $0.remove("sys") }),
        Case(
            rule: "no pages_to_scan", status: 69,
            error: "ksmtuned: cannot write ROOT/sys/kernel/mm/ksm/pages_to_scan: No such file or directory: \(noKSM)\n",
            differ: { $0.remove("sys/kernel/mm/ksm/pages_to_scan") }),
        Case(
            rule: "a folder in the place of sleep_millisecs", status: 69,
            error: "ksmtuned: cannot write ROOT/sys/kernel/mm/ksm/sleep_millisecs: Is a directory: \(noKSM)\n",
            differ: {
                $0.remove("sys/kernel/mm/ksm/sleep_millisecs")
                $0.createFolder("sys/kernel/mm/ksm/sleep_millisecs")
            }),
        Case(
            rule: "no /proc/meminfo", status: 69,
            error: "ksmtuned: cannot read ROOT/proc/meminfo: No such file or directory, so there is nothing to decide "
                + "by\n",
            differ: { $0.remove("proc/meminfo") }),
        Case(
            rule: "a folder in the place of /proc/meminfo", status: 69,
            error: "ksmtuned: cannot read ROOT/proc/meminfo: Is a directory, so there is nothing to decide by\n",
            differ: {
                $0.remove("proc/meminfo")
                $0.createFolder("proc/meminfo")
            }),
        Case(rule: "an empty /proc/meminfo", status: 69, error: noTotal, differ: { $0.write("", to: "proc/meminfo") }),
        Case(
            rule: "a /proc/meminfo without MemTotal", status: 69, error: noTotal,
            differ: { $0.write("MemFree: 1 kB\nBuffers: 1 kB\nCached: 1 kB\n", to: "proc/meminfo") }),
        Case(
            rule: "a MemTotal that is cut off", status: 69, error: noTotal,
            differ: { $0.write("MemTotal:       1677", to: "proc/meminfo") }),
        Case(
            rule: "a MemTotal of zero", status: 69, error: noTotal,
            differ: { $0.write("MemTotal: 0 kB\n", to: "proc/meminfo") }),
        Case(
            rule: "a MemTotal beyond 64 bits", status: 69, error: noTotal,
            differ: { $0.write("MemTotal: 99999999999999999999 kB\n", to: "proc/meminfo") }),
        Case(
            rule: "a broken configuration, with every error", status: 78,
            error: """
                ksmtuned: ROOT/etc/ksmtuned.conf:1:1: error: 'if' is shell syntax, and this file is read, never run; \
                write NAME=value lines only
                ksmtuned: ROOT/etc/ksmtuned.conf:4:1: error: KSM_NPAGES_MAX=-1 is negative; write 0 or more
                ksmtuned: the configuration is refused, not starting

                """,
            differ: { $0.configure("if true; then\nKSM_NPAGES_MIN=1\nfi\nKSM_NPAGES_MAX=-1\n") }),
        Case(
            rule: "a file in the place of /run", status: 69,
            error: "ksmtuned: cannot create ROOT/run/ksmtuned: Not a directory, so a second daemon could not be kept "
                + "away\n",
            differ: {
                $0.remove("run")
                $0.write("", to: "run")
            }),
        Case(
            rule: "a link in the place of the lock", status: 69,
            error:
                "ksmtuned: cannot lock ROOT/run/ksmtuned/lock: it is a link: remove it, so a second daemon could not be "
                + "kept away\n",
            differ: { $0.link("run/ksmtuned/lock", to: $0.path("etc")) }),
        Case(
            rule: "a socket in the place of the lock", status: 69,
            error: "ksmtuned: cannot lock ROOT/run/ksmtuned/lock: it is a socket, so a second daemon could not be kept "
                + "away\n",
            differ: { $0.makeSocket("run/ksmtuned/lock") }),
        Case(
            rule: "a folder in the place of the file that the pid is written to first", status: 78,
            error: "ksmtuned: cannot create ROOT/var/run/.ksmtune.pid.new: Is a directory: see PIDFILE= in "
                + "ksmtuned.conf(5)\n",
            differ: { $0.createFolder("var/run/.ksmtune.pid.new") }),
        Case(
            rule: "a folder in the place of the pid file", status: 78,
            error: "ksmtuned: cannot create ROOT/var/run/ksmtune.pid: something else is in its place, which is no file "
                + "of ksmtuned: see PIDFILE= in ksmtuned.conf(5)\n",
            differ: { $0.createFolder("var/run/ksmtune.pid") }),
        Case(
            rule: "a pid file whose folder is missing and cannot be made", status: 78,
            error: "ksmtuned: cannot create ROOT/srv/x.pid: No such file or directory: see PIDFILE= in "
                + "ksmtuned.conf(5)\n",
            differ: {
                $0.configure("PIDFILE=/srv/x.pid\n")
                $0.link("srv", to: "nonexistent/folder")
            }),
        Case(
            rule: "a pid file under a file", status: 78,
            error: "ksmtuned: cannot create ROOT/srv/x.pid: Not a directory: see PIDFILE= in ksmtuned.conf(5)\n",
            differ: {
                $0.configure("PIDFILE=/srv/x.pid\n")
                $0.write("", to: "srv")
            }),
        Case(
            rule: "a link in the place of the pid file", status: 78,
            error: "ksmtuned: cannot create ROOT/srv/x.pid: a link is in its place, which is no file of ksmtuned: see "
                + "PIDFILE= in ksmtuned.conf(5)\n",
            differ: {
                $0.configure("PIDFILE=/srv/x.pid\n")
                $0.createFolder("srv")
                $0.link("srv/x.pid", to: "/dev/full")
            }),
    ])
    func `What keeps it from starting is one message and an exit status`(_ test: Case) async throws {
        let host = FakeHost()
        test.differ(host)
        let before = host.knobs

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])

        #expect(outcome.error == host.filled(test.error))
        #expect(outcome.output == "")
        #expect(outcome.status == test.status)
        #expect(host.knobs == before)
    }

    @Test(.enabled(if: geteuid() != 0, "root may write every file: needs another user"))
    func `Who may not write KSM's files is told so with status 77`() async throws {
        let host = FakeHost()
        unsafe chmod(host.path("sys/kernel/mm/ksm/run"), 0o444)
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(
            outcome.error
                == host.filled(
                    "ksmtuned: cannot write ROOT/sys/kernel/mm/ksm/run: Permission denied: run it as root, or with "
                        + "--dry-run\n"))
        #expect(outcome.status == 77)
    }

    @Test func `A limit of the size of files is not the configuration's fault`() async throws {
        let host = FakeHost()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "(ulimit -f 0; exec \"$0\" \"$1\" --once) 2>&1 | /bin/cat; exit ${PIPESTATUS[0]}",
            Program.ksmtuned.url.path, host.rootOption,
        ])
        #expect(outcome.status == 77)
        #expect(
            outcome.output
                == host.filled(
                    "ksmtuned: cannot write ROOT/var/run/ksmtune.pid: File too large: see LimitFSIZE= in systemd.exec(5), or "
                        + "ulimit -f\n"))
    }

    @Test(arguments: [(10, true), (47, true), (48, false)])
    func `Too few descriptors to hold are said once`(_ limit: Int, _ isTooFew: Bool) async throws {
        let host = FakeHost()
        let outcome = try await Program(path: "/bin/bash").run([
            "-c", "ulimit -n \(limit) && exec \"$0\" \"$1\" --once --debug", Program.ksmtuned.url.path, host.rootOption,
        ])
        #expect(outcome.status == 0)
        let said = outcome.error.split(separator: "\n").filter { $0.contains("files open") }
        let word: Substring =
            "ksmtuned: this process may have no more than \(limit) files open, too few to hold those that it reads, so "
            + "each decision opens and closes them: see LimitNOFILE= in systemd.exec(5), or ulimit -n"
        #expect(said == (isTooFew ? [word] : []))
    }

    @Test func `A socket in the place of state, history and log is called one`() async throws {
        let host = FakeHost()
        host.createFolder("var/lib/ksmtuned")
        for file in ["run/ksmtuned/state", "var/lib/ksmtuned/history", "log"] { host.makeSocket(file) }
        host.configure("DEBUG=1\nLOGFILE=/log\n")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 0)
        for file in ["read ROOT/run/ksmtuned/state", "create ROOT/var/lib/ksmtuned/history", "open ROOT/log"] {
            #expect(outcome.error.contains(host.filled("ksmtuned: cannot \(file): it is a socket, ")), "\(file)")
        }
    }

    // MARK: Links out of the tree

    struct Way: CustomTestStringConvertible, Sendable {
        var rule: String
        /// What is named, below the root.
        var path: String
        var configuration = ""
        /// How the tree comes to lead to another one, `outside`.
        var lead: @Sendable (FakeHost, FakeHost) throws -> Void = { _, _ in }

        var testDescription: String { rule }
    }

    @Test(arguments: [
        Way(rule: "the pid file's folder is a link, as in Debian", path: "var/run/ksmtune.pid") {
            $0.createFolder("var")
            $0.link("var/run", to: $1.path("run"))
        },
        Way(rule: "a link to what is not there yet", path: "var/run/ksmtune.pid") {
            $0.createFolder("var")
            $0.link("var/run", to: $1.path("none/yet"))
        },
        Way(rule: "a link by way of a link in the tree", path: "var/run/ksmtune.pid") {
            $0.createFolder("var")
            $0.link("var/run", to: "../away/run")
            $0.link("away", to: $1.root.path)
        },
        Way(rule: "PIDFILE= goes up", path: "../OUTSIDE/run/x.pid", configuration: "PIDFILE=/../OUTSIDE/run/x.pid\n"),
        Way(
            rule: "PIDFILE= goes up through a folder that is not there",
            path: "none/../../OUTSIDE/run/x.pid", configuration: "PIDFILE=/none/../../OUTSIDE/run/x.pid\n"),
        Way(rule: "LOGFILE= goes up", path: "../OUTSIDE/log", configuration: "LOGFILE=/../OUTSIDE/log\n"),
        Way(rule: "LOGFILE= is a link", path: "log", configuration: "LOGFILE=/log\n") {
            $1.write("", to: "log")
            $0.link("log", to: $1.path("log"))
        },
        Way(rule: "/run is a link", path: "run/ksmtuned/lock") { $0.link("run", to: $1.path("run")) },
        Way(rule: "the history's folder is a link", path: "var/lib/ksmtuned/history") {
            $0.createFolder("var")
            $0.link("var/lib", to: $1.path("run"))
        },
        Way(rule: "KSM's folder is a link", path: "sys/kernel/mm/ksm/run") {
            $0.link("sys/kernel/mm/ksm", to: $1.path("sys/kernel/mm/ksm"))
        },
        Way(rule: "a file of KSM's is a link", path: "sys/kernel/mm/ksm/sleep_millisecs") {
            $0.link("sys/kernel/mm/ksm/sleep_millisecs", to: $1.path("sys/kernel/mm/ksm/sleep_millisecs"))
        },
    ])
    func `Nothing is written outside of the tree that stands for a host`(_ way: Way) async throws {
        let (host, outside) = (FakeHost(), FakeHost())
        func named(_ text: String) -> String { text.replacing("OUTSIDE", with: outside.root.lastPathComponent) }
        host.runShort()
        host.configure(named(way.configuration))
        try way.lead(host, outside)
        outside.write("123456789\n", to: "run/ksmtune.pid")
        outside.write("123456789\n", to: "run/x.pid")
        let before = outside.everything

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once", "--debug"])

        #expect(outcome.status == 64)
        let word = "\(host.root.path)/\(named(way.path)): it leads out of the tree of --root, to \(outside.root.path)/"
        #expect(outcome.error.contains(word), "\(outcome.error)")
        #expect(outside.everything == before)
    }

    /// Reading there is no harm, nor is a device.
    @Test func `Links to what is only read, and to devices, are followed`() async throws {
        let (host, outside) = (FakeHost(), FakeHost())
        outside.runShort()
        host.remove("proc")
        host.link("proc", to: outside.path("proc"))
        host.createFolder("var/lib/elsewhere")
        host.link("var/lib/ksmtuned", to: host.path("var/lib/elsewhere"))
        host.link("dev", to: "/dev")
        host.configure("LOGFILE=/dev/null\n")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once", "--debug"])
        #expect(outcome.status == 0)
        #expect(host.knob("run") == "1")
        #expect(!outcome.error.contains("/dev/null"))
        #expect(host.exists("var/lib/elsewhere/history"))
    }

    /// It writes nothing.
    @Test func `A dry run may see the host's own KSM by a link`() async throws {
        let (host, outside) = (FakeHost(), FakeHost())
        host.link("sys", to: outside.path("sys"))
        let before = outside.everything
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once", "--dry-run"])
        #expect(outcome.status == 0)
        #expect(outside.everything == before)
    }

    @Test func `A log that a reload would place outside of the tree is a message, and the lines go to standard error`()
        async throws
    {
        let (host, outside) = (FakeHost(), FakeHost())
        let daemon = try await RunningDaemon(host)
        host.configure("LOGFILE=/../\(outside.root.lastPathComponent)/log\n")
        try await daemon.reload()
        #expect(daemon.messages(with: "it leads out of the tree of --root").count == 1)
        #expect(!outside.exists("log"))
        #expect(try await daemon.end() == 0)
    }

    @Test(arguments: ["start", "stop", "unmerge", "retune", "reload"])
    func `ksmctl acts on nothing outside of the tree`(_ command: String) async throws {
        let (host, outside) = (FakeHost(), FakeHost())
        let daemon = outside.startDaemon(pid: 1)
        host.setKSM(["pages_sharing": 0])
        for folder in ["run", "sys"] {
            host.remove(folder)
            host.link(folder, to: outside.path(folder))
        }
        outside.write("7\n", to: "sys/kernel/mm/ksm/run")
        let outcome = try await Program.ksmctl.run([command, host.rootOption])
        #expect(outcome.status == 64)
        #expect(outcome.error.contains(": it leads out of the tree of --root, to \(outside.root.path)/"))
        #expect(outside.knob("run") == "7")
        withExtendedLifetime(daemon) {}
    }

    // MARK: One decision

    @Test func `One decision is written, and what else was made is removed`() async throws {
        let host = FakeHost()
        host.runShort()

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])

        #expect(outcome.status == 0)
        #expect(host.knobs == ["1", "300", "10"])
        #expect(!host.exists("var/run/ksmtune.pid"))
        #expect(!host.exists("run/ksmtuned/state"))
        #expect(!host.exists("run/ksmtuned/.state"))
        #expect(
            outcome.error == """
                ksmtuned: scanning 300 pages every 10 ms: 976.5 MiB free < 3.1 GiB threshold

                """)
    }

    @Test func `KSM_ON_EXIT is not applied after one decision`() async throws {
        let host = FakeHost()
        host.runShort()
        host.configure("KSM_ON_EXIT=stop\n")
        _ = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(host.knobs == ["1", "300", "10"])
    }

    @Test func `With plenty of memory it writes 0 to run and nothing else`() async throws {
        let host = FakeHost()
        host.write("1\n", to: "sys/kernel/mm/ksm/run")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 0)
        #expect(host.knobs == ["0", "100", "20"])
    }

    @Test func `The debug lines are the original's`() async throws {
        let host = FakeHost()
        host.runShort()
        host.setProcess(100, comm: "qemu-kvm", resident: 1 << 20)
        let committed = (1 << 20) * sysconf(Int32(_SC_PAGESIZE)) / 1024

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once", "--debug"])

        let lines = outcome.error.split(separator: "\n").map { $0.dropFirst("ksmtuned: ".count) }
        #expect(
            lines.prefix(7) == [
                "total 16777216", "sleep 10", "thres 3355443", "committed \(committed) free 1000000",
                "\(committed + 3_355_443) > 16777216, start ksm", "1000000 < 3355443, boost", "KSMCTL start 300 10",
            ])
    }

    struct Size: CustomTestStringConvertible, Sendable {
        var name: String
        var total: Int64
        var threshold: Int64

        var testDescription: String { name }
    }

    @Test(arguments: [
        Size(name: "3 TiB", total: 3 << 30, threshold: 644_245_094),
        Size(name: "9 PiB", total: 9 << 40, threshold: 1_979_120_929_996),
    ])
    func `A huge host is a host`(_ size: Size) async throws {
        let host = FakeHost(total: size.total)
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once", "--debug"])
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("total \(size.total)\nksmtuned: sleep 10\nksmtuned: thres \(size.threshold)\n"))
    }

    @Test func `A 63-bit host is refused with a reason, not with a crash`() async throws {
        let host = FakeHost(total: .max)
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 78)
        #expect(outcome.error.contains("the arithmetic is beyond 64 bits"))
    }

    // MARK: A dry run

    @Test(arguments: ["", "KSM_ON_EXIT=restore\nDEBUG=1\nLOGFILE=/var/log/ksmtuned\n"])
    func `A dry run changes nothing at all`(_ configuration: String) async throws {
        let host = FakeHost()
        host.runShort()
        host.configure(configuration)
        host.createFolder("var/log")
        let before = host.everything

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--dry-run", "--once"])

        #expect(host.everything == before)
        #expect(outcome.status == 0)
        let knobs = host.filled("ROOT/sys/kernel/mm/ksm")
        let said = outcome.error.split(separator: "\n").filter { $0.contains("would write") }
        #expect(
            said == [
                "ksmtuned: would write 300 to \(knobs)/pages_to_scan",
                "ksmtuned: would write 10 to \(knobs)/sleep_millisecs", "ksmtuned: would write 1 to \(knobs)/run",
            ])
    }

    @Test func `A dry run says that it would unmerge for a knob, and set it`() async throws {
        let host = FakeHost()
        host.configure("KSM_MAX_PAGE_SHARING=512\nKSM_ALLOW_UNMERGE=yes\n")
        host.write("256\n", to: "sys/kernel/mm/ksm/max_page_sharing")
        host.write("5\n", to: "sys/kernel/mm/ksm/pages_shared")
        let before = host.everything
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--dry-run", "--once"])
        #expect(outcome.status == 0)
        let folder = host.path("sys/kernel/mm/ksm")
        #expect(
            outcome.error.split(separator: "\n").prefix(2) == [
                "ksmtuned: would write 2 to \(folder)/run", "ksmtuned: would write 512 to \(folder)/max_page_sharing",
            ])
        #expect(host.everything == before)
    }

    @Test func `A dry run needs no KSM`() async throws {
        let host = FakeHost()
        host.remove("sys")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--dry-run", "--once"])
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("this kernel has no KSM at"))
    }

    // MARK: Places that cannot be written

    @Test func `A folder in the place of LOGFILE is one message, and the lines go to standard error`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/var/log\n")
        host.createFolder("var/log")

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])

        #expect(outcome.status == 0)
        let lines = outcome.error.split(separator: "\n")
        #expect(
            lines.filter { $0.contains("var/log") } == [
                Substring(
                    host.filled(
                        "ksmtuned: cannot open ROOT/var/log: Is a directory, writing debug lines here until that works")
                )
            ])
        #expect(lines.contains("ksmtuned: total 16777216"))
        #expect(host.knob("run") == "0")
    }

    @Test func `A full disk under LOGFILE is one message, and the lines go to standard error`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/dev/full\n")
        host.link("dev", to: "/dev")

        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])

        #expect(outcome.status == 0)
        let lines = outcome.error.split(separator: "\n")
        #expect(
            lines.filter { $0.contains("/full") } == [
                Substring(
                    host.filled(
                        "ksmtuned: cannot write ROOT/dev/full: No space left on device, writing debug lines here until that "
                            + "works"))
            ])
        #expect(lines.contains("ksmtuned: total 16777216"))
        #expect(lines.contains("ksmtuned: committed 0 free 8388608"))
    }

    @Test func `A link in the place of LOGFILE is not followed`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/log\n")
        host.write("precious\n", to: "etc/shadow")
        host.link("log", to: host.path("etc/shadow"))
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 0)
        #expect(
            outcome.error.contains("/log: it is a link: name the file itself by LOGFILE=, writing debug lines here"))
        #expect(host.read("etc/shadow") == "precious\n")
    }

    @Test func `A pipe that nobody reads in the place of LOGFILE is not waited for`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/log\n")
        host.makePipe("log")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--once"])
        #expect(outcome.status == 0)
        #expect(outcome.error.contains("writing debug lines here until that works"))
    }

    @Test func `LOGFILE gets each line behind the date, and is appended to`() async throws {
        let host = FakeHost()
        host.configure("DEBUG=1\nLOGFILE=/var/log/ksmtuned\n")
        host.write("before\n", to: "var/log/ksmtuned")

        let outcome = try await Program.ksmtuned.run(
            [host.rootOption, "--once"], environment: ["LC_ALL": "de_DE.UTF-8"])

        #expect(outcome.status == 0)
        let lines = try #require(host.read("var/log/ksmtuned")).split(separator: "\n")
        #expect(lines.first == "before")
        let date =
            #/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 123][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} UTC [0-9]{4}: /#
        #expect(lines.dropFirst().allSatisfy { $0.firstMatch(of: date) != nil })
        #expect(
            lines.dropFirst().map { $0.replacing(date, with: "") } == [
                "total 16777216", "sleep 10", "thres 3355443", "committed 0 free 8388608",
                "3355443 < 16777216 and free > 3355443, stop ksm",
            ])
        // What needs nobody's attention is said all the same.
        #expect(outcome.error.hasPrefix("ksmtuned: not scanning: 0 KiB committed"))
        #expect(!outcome.error.contains("total 16777216"))
    }
}
