import Foundation
import HostFixtures
import Testing

/// A `/proc` that hides other users' processes: guests may be among them, so nothing is decided as if there were none.
///
/// The programs see their own processes and no KSM, and the daemon is told to write nothing.
@Suite(
    .enabled(
        if: geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
        "only root may mount /proc, and setpriv takes its capabilities away"))
struct HiddenProcessesTests {
    /// Runs a program as root without capabilities, as the unit does, with the first process hidden or not. `gid=` names
    /// who sees everything: without it that is group 0, to which root belongs.
    private static func run(_ program: Program, _ arguments: [String], hides: Bool) async throws -> Program.Outcome {
        let script = """
            /bin/mount -t tmpfs none /sys/kernel/mm/ksm 2> /dev/null
            /bin/mount -t tmpfs none /run && /bin/mount -t proc -o hidepid=\(hides ? 2 : 0),gid=65533 none /proc || exit 99
            /usr/bin/setpriv --bounding-set=-all --inh-caps=-all "$0" "$@"
            exit $?
            """
        return try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "--pid", "--fork", "/bin/sh", "-c", script, program.url.path] + arguments)
    }

    @Test(arguments: [true, false])
    func `The daemon makes no decision by guests that it cannot see`(hides: Bool) async throws {
        let host = FakeHost()
        host.configure("")
        let outcome = try await Self.run(
            .ksmtuned, ["--dry-run", "--once", "--config", host.path("etc/ksmtuned.conf")], hides: hides)
        #expect(outcome.status == (hides ? 71 : 0))
        #expect(
            outcome.error.contains(
                "cannot list /proc: it hides other users' processes, guests among them (hidepid=, and no CAP_SYS_PTRACE "
                    + "here), so KSM stays as it is until that can be read") == hides)
        #expect(outcome.error.contains("needs CAP_SYS_PTRACE, which this process lacks: KSM stays as it is") == hides)
    }

    @Test(arguments: ["guests", "explain"])
    func `ksmctl ends with 1 where guests may be hidden`(_ command: String) async throws {
        let hidden = try await Self.run(.ksmctl, [command], hides: true)
        #expect(hidden.status == 1)
        #expect((hidden.output + hidden.error).contains("hides other users' processes"))
        let shown = try await Self.run(.ksmctl, [command], hides: false)
        #expect(shown.status == 0)
    }

    @Test func `Whoever cannot write KSM's files is no other writer, whatever he calls his process`() async throws {
        let host = FakeHost()
        host.link("uksmd", to: "/bin/cat")
        host.link("momd", to: "/bin/cat")
        for folder in ["", "uksmd", "momd"] { unsafe chmod(host.path(folder), 0o755) }
        let script = """
            /bin/mount -t tmpfs none /sys/kernel/mm/ksm 2> /dev/null
            /bin/mount -t tmpfs none /run && /bin/mount -t proc none /proc || exit 99
            PATH=/usr/bin:/bin
            mkfifo /run/wait && chmod 644 /run/wait
            "$1/momd" < /run/wait &
            /usr/bin/setpriv --reuid 65534 --clear-groups "$1/uksmd" < /run/wait &
            exec 3> /run/wait
            tries=0
            until [ "$(cat /proc/[0-9]*/comm 2> /dev/null | grep -c -x -e uksmd -e momd)" = 2 ]; do
                tries=$((tries + 1))
                [ $tries -lt 2000 ] || exit 98
            done
            "$0" doctor --json 3>&-
            exec 3>&-
            wait
            """
        let outcome = try await Program(path: "/usr/bin/unshare")
            .run(["--mount", "--pid", "--fork", "/bin/sh", "-c", script, Program.ksmctl.url.path, host.root.path])
        #expect(outcome.output.contains("momd runs (process "))
        #expect(!outcome.output.contains("uksmd runs"))
    }

    @Test func `Where guests may be hidden, nothing is said to be well with all of them`() async throws {
        for hides in [true, false] {
            let outcome = try await Self.run(.ksmctl, ["doctor"], hides: hides)
            #expect(outcome.output.contains("Other writers     none found") == !hides)
            #expect(outcome.output.contains("SKIP  Other writers     /proc hides other users' processes") == hides)
        }
    }

    /// As `/proc` is with `hidepid=1`: its processes are there, and deny their files.
    @Test(arguments: [true, false])
    func `ksmctl ends with 1 where a process denies its name`(isDenied: Bool) async throws {
        let host = FakeHost()
        host.setProcess(10, comm: "bash", resident: 5)
        if isDenied { unsafe chmod(host.path("proc/10/comm"), 0) }
        let outcome = try await Self.run(.ksmctl, ["guests", host.rootOption], hides: false)
        #expect(outcome.status == (isDenied ? 1 : 0))
        #expect((outcome.output + outcome.error).contains("hides other users' processes") == isDenied)
    }
}
