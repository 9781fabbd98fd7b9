import Charts
import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

/// What a document shows of a command, and how it is printed again.
struct Transcript: CustomTestStringConvertible, Sendable {
    let document: String
    /// Without prompt, `sudo` and comment.
    let command: String
    /// Whether every number is as it is printed. Of what took a real kernel minutes, only the words are compared.
    var isExact = true
    let print: @Sendable () async throws -> String

    var testDescription: String { "\(document): \(command)" }

    func lines() async throws -> [String] {
        try await print().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            .reversed().drop { $0.isEmpty }.reversed()
    }

    /// What is compared.
    func masked(_ lines: [String]) -> [String] {
        isExact ? lines : lines.map { $0.replacing(#/[0-9]+(\.[0-9]+)?/#, with: "0") }
    }

    static let all = [statusOfAdaptive, guests, classicDaemon, adaptiveDaemon, badConfiguration, debugLines]
}

extension Transcript {
    private static let gibibyte: Int64 = 1 << 20

    // MARK: ksmctl

    /// Three guests on a host of 24 GiB, all of whose memory KSM has seen.
    private static func adaptiveHost() -> FakeHost {
        let host = FakeHost()
        host.setMemory(total: 24_641_536, free: 22_649_241)
        host.setKSM([
            "run": 0, "pages_to_scan": 3200, "sleep_millisecs": 37, "pages_shared": 20_068, "pages_sharing": 51_240,
            "pages_unshared": 6065, "pages_volatile": 12_692, "ksm_zero_pages": 0, "full_scans": 15,
            "general_profit": 204_054_528, "pages_scanned": 3_439_699_505, "pages_skipped": 975_432_579,
            "merge_across_nodes": 1, "max_page_sharing": 256, "smart_scan": 1, "use_zero_pages": 0,
            "stable_node_chains": 3, "stable_node_dups": 118,
        ])
        host.write("[none] scan-time\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.setProcess(40, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/40/statm")
        host.write("2031200000000 0 1\n", to: "proc/40/schedstat")
        return host
    }

    private static let statusOfAdaptive = Transcript(document: "README.md", command: "ksmctl status") {
        let host = adaptiveHost()
        var decision = Decision(
            action: .stop, reason: .nothingToGain, pagesToScan: 3200, sleepMilliseconds: 37,
            memory: MemorySample(free: KiB(22_649_241), committed: KiB(1_571_430)), total: KiB(24_641_536),
            threshold: KiB(4_928_307), previousPagesToScan: 3200)
        decision.policy = .adaptive
        decision.scan = ScanReport(unscanned: KiB(1780), changed: .zero)
        let daemon = host.startDaemon(
            pid: 18564, decision: decision, guests: 3, time: 1000, interval: .milliseconds(500))
        let before = ScanMoment(KSMSnapshot(host.paths), at: WallTime(microseconds: 960_700_000))
        let text = try StatusReport(HostView(host.paths), now: WallTime(microseconds: 1_000_700_000), since: before)
            .text(.plain)
        withExtendedLifetime(daemon) {}
        return text
    }

    private static let guests = Transcript(document: "README.md", command: "ksmctl guests") {
        let host = FakeHost()
        let qemu = "/usr/bin/qemu-system-x86_64 -accel kvm -smp 1"
        host.setGuest(
            18561, resident: 130_458, "\(qemu) -m 384 -name alpha -device virtio-balloon-pci,deflate-on-oom=on")
        host.setGuest(18562, resident: 130_586, "\(qemu) -m 384 -name beta")
        host.setGuest(18563, resident: 132_020, "\(qemu) -m 256 -name gamma -machine q35,mem-merge=off")
        host.setKSMStat(18561, merging: 35_495, profit: 142_501_888)
        host.setKSMStat(18562, merging: 35_805, profit: 143_765_000)
        host.setKSMStat(18563, items: 0, offersAny: false)
        let details = try GuestReader.read(host.paths, Configuration())
        return GuestsReport(details, users: { _ in "root" }, sortedBy: .pid).text(.plain)
    }

    // MARK: ksmtuned

    /// A daemon's messages from its first debug line to its first decision.
    private static func messages(_ host: FakeHost) async throws -> [String] {
        let daemon = try await RunningDaemon(host)
        let messages = daemon.messages
        _ = try await daemon.end()
        let first = try #require(messages.firstIndex { $0.hasPrefix("total ") })
        let last = try #require(messages.firstIndex { $0.hasPrefix("scanning ") })
        return Array(messages[first...last])
    }

    private static let classicDaemon = Transcript(document: "README.md", command: "ksmtuned --debug") {
        let host = FakeHost()
        host.setMemory(total: 65_536_000, free: 10_200_000)
        host.setProcess(10, comm: "qemu-kvm", resident: 48_000_000 / Int64(getpagesize() / 1024))
        return try await messages(host).map { "ksmtuned: \($0)\n" }.joined()
    }

    private static let debugLines = Transcript(document: "man/ksmtuned.8", command: "total 16384000") {
        let host = FakeHost()
        host.setMemory(total: 16_384_000, free: 2_201_000)
        host.setProcess(10, comm: "qemu-kvm", resident: 14_000_000 / Int64(getpagesize() / 1024))
        return try await messages(host).dropLast().map { "\($0)\n" }.joined()
    }

    /// What comes of ksmd's passes over real guests has no place in a test; the sentences have.
    private static let adaptiveDaemon = Transcript(
        document: "README.md", command: "KSM_POLICY=adaptive ksmtuned", isExact: false
    ) {
        // The first batch of a host where nothing was measured yet.
        var throttle = ScanThrottle()
        throttle.begin(share: Configuration().ksmdShare(cpus: 2))
        let pace = throttle.pace
        #expect(
            (try? SourceTree.text("README.md"))?.contains(
                "scanning \(pace.pagesToScan) pages every \(pace.sleepMilliseconds) ms: pass 1") == true)
        var decision = Decision(
            action: .stop, reason: .filling, pagesToScan: pace.pagesToScan, sleepMilliseconds: pace.sleepMilliseconds,
            memory: MemorySample(free: KiB(gibibyte), committed: KiB(gibibyte)), total: KiB(gibibyte),
            threshold: KiB(gibibyte), previousPagesToScan: 0)
        decision.policy = .adaptive
        decision.scan = ScanReport(unscanned: KiB(gibibyte), changed: .zero)
        let waiting = decision.sentence
        (decision.action, decision.reason) = (.scan, .newMemory)
        decision.scan?.pass = 1
        let scanning = decision.sentence
        (decision.action, decision.reason) = (.stop, .nothingToGain)
        decision.scan = ScanReport(unscanned: KiB(31), changed: KiB(260))
        return [waiting, scanning, decision.sentence].map { "ksmtuned: \($0)\n" }.joined()
    }

    private static let badConfiguration = Transcript(
        document: "README.md", command: "ksmtuned --check-config bad.conf"
    ) {
        let host = FakeHost()
        host.write("KSM_NPAGES_MIN=1\nKSM_NPAGE_MAX=2\n\nif true; then\nfi\n", to: "bad.conf")
        let outcome = try await Program.ksmtuned.run([host.rootOption, "--check-config", host.path("bad.conf")])
        return outcome.error.replacing(host.path("bad.conf"), with: "bad.conf")
    }
}
