import HostFixtures
import Testing

/// A file of the host's memory that cannot be read costs what depends on it, and nothing else.
@Suite struct UnknownMemoryTests {
    private static let arcstats = "proc/spl/kstat/zfs/arcstats"

    private func host(cache: String, merged: Int = 0) -> FakeHost {
        let host = FakeHost()
        host.configure("KSM_FREE_METRIC=available+arc\n")
        host.write(cache, to: Self.arcstats)
        host.write("\(merged)\n", to: "sys/kernel/mm/ksm/pages_sharing")
        return host
    }

    private func run(_ host: FakeHost, _ arguments: String...) async throws -> (
        status: Int32, output: String, error: String
    ) {
        let outcome = try await Program.ksmctl.run(arguments + [host.rootOption])
        return (outcome.status, outcome.output, outcome.error)
    }

    @Test func `Without ZFS's numbers the rest is shown, and what they are missing in is said`() async throws {
        let host = host(cache: "garbage\n")
        let said = host.filled("what ZFS's cache can give back is not known: cannot understand ROOT/\(Self.arcstats)")
        let status = try await run(host, "status")
        #expect(status.status == 3)
        #expect(status.output.contains(said))
        #expect(status.output.contains("16.0 GiB"))
        let metrics = try await run(host, "metrics")
        #expect(metrics.status == 0)
        #expect(metrics.output.contains("ksmtuned_up 0"))
        #expect(metrics.error.contains(said))
        let doctor = try await run(host, "doctor")
        #expect(doctor.output.contains("arcstats"))
        #expect(doctor.status == 1 || doctor.status == 2)
        // What would be decided depends on it.
        let explain = try await run(host, "explain")
        #expect(explain.status == 1)
        #expect(explain.error.contains("the daemon would leave KSM as it is until that can be read"))
    }

    @Test func `Unmerging asks for what it needs to know, and force is force`() async throws {
        let host = host(cache: "garbage\n", merged: 1000)
        let unmerged = try await run(host, "unmerge")
        #expect(host.read("sys/kernel/mm/ksm/run") == "2\n")
        // This tree's pages are never unmerged.
        #expect(unmerged.status == 1)
        host.write("0\n", to: "sys/kernel/mm/ksm/run")
        host.remove("proc/meminfo")
        let refused = try await run(host, "unmerge")
        #expect(refused.status == 1)
        #expect(refused.error.contains("so whether unmerging fits is not known"))
        #expect(host.read("sys/kernel/mm/ksm/run") == "0\n")
        let forced = try await run(host, "unmerge", "--force")
        #expect(forced.error.contains("going on, as --force says"))
        #expect(host.read("sys/kernel/mm/ksm/run") == "2\n")
    }

    @Test func `Metrics without the host's memory`() async throws {
        let host = FakeHost()
        host.remove("proc/meminfo")
        let metrics = try await run(host, "metrics")
        #expect(metrics.status == 0)
        #expect(metrics.output.contains("ksmtuned_up 0"))
        #expect(metrics.error.contains("the host's memory is not known"))
    }

    @Test func `A guest of which not all is known makes the sums incomplete`() async throws {
        let host = FakeHost()
        host.setGuest(10, "qemu-system-x86_64 -name a -m 1G")
        #expect(try await run(host, "guests").status == 0)
        host.remove("proc/10/cmdline")
        host.createFolder("proc/10/cmdline")
        #expect(try await run(host, "guests").status == 1)
    }
}
