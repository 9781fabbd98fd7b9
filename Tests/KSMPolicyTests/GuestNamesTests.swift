import HostFixtures
import KSMPolicy
import Testing

@Suite struct GuestNamesTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var comm: String
        /// The profiles under which it is a guest.
        var profiles: [Profile]

        var testDescription: String { "\"\(comm.printable)\"" }
    }

    @Test(arguments: [
        // Upstream: ^qemu(-(kvm|system-.+)|:.{1,11})$
        Case(comm: "qemu-kvm", profiles: [.union, .upstream]),
        Case(comm: "qemu-system-x86", profiles: [.union, .upstream]),
        Case(comm: "qemu-system-aar", profiles: [.union, .upstream]),
        Case(comm: "qemu-system-i", profiles: [.union, .upstream]),
        Case(comm: "qemu-system-\n", profiles: [.union, .upstream]),
        Case(comm: "qemu:a", profiles: [.union, .upstream]),
        Case(comm: "qemu:webserver1", profiles: [.union, .upstream]),
        Case(comm: "qemu:12345678901", profiles: [.union, .upstream]),
        Case(comm: "qemu:foo) Z ", profiles: [.union, .upstream]),
        Case(comm: "qemu:a\nb", profiles: [.union, .upstream]),
        Case(comm: "qemu:\u{FFFD}", profiles: [.union, .upstream]),
        // Proxmox
        Case(comm: "kvm", profiles: [.union, .proxmox]),
        // Ours
        Case(comm: ".qemu-system-x8", profiles: [.union]),
        Case(comm: ".qemu-system-aa", profiles: [.union]),
        Case(comm: "cloud-hyperviso", profiles: [.union]),
        Case(comm: "firecracker", profiles: [.union]),
        Case(comm: "crosvm", profiles: [.union]),
        // Near misses.
        Case(comm: "", profiles: []),
        Case(comm: "qemu", profiles: []),
        Case(comm: "qemu-", profiles: []),
        Case(comm: "qemu:", profiles: []),
        Case(comm: "qemu:123456789012", profiles: []),
        Case(comm: "qemu-img", profiles: []),
        Case(comm: "qemu-nbd", profiles: []),
        Case(comm: "qemu-ga", profiles: []),
        Case(comm: "qemu-io", profiles: []),
        Case(comm: "qemu-pr-helper", profiles: []),
        Case(comm: "qemu-storage-da", profiles: []),
        Case(comm: "qemu-kv", profiles: []),
        Case(comm: "qemu-kvm2", profiles: []),
        Case(comm: "qemu-kvm\n", profiles: []),
        Case(comm: "qemu-system", profiles: []),
        Case(comm: "qemu-system-", profiles: []),
        Case(comm: "qemu-x86_64", profiles: []),
        Case(comm: "Qemu-kvm", profiles: []),
        Case(comm: " qemu-kvm", profiles: []),
        Case(comm: "xqemu-kvm", profiles: []),
        Case(comm: "foo\nqemu-kvm", profiles: []),
        Case(comm: "kvm\n", profiles: []),
        Case(comm: "kvm-irqfd-clean", profiles: []),
        Case(comm: "kvm-nx-lpage-re", profiles: []),
        Case(comm: "(kvm)", profiles: []),
        Case(comm: ".qemu-system-", profiles: []),
        Case(comm: ".qemu-img-wrapp", profiles: []),
        Case(comm: "cloud-hypervis", profiles: []),
        Case(comm: "cloud-hypervisor", profiles: []),
        Case(comm: "firecrackers", profiles: []),
        Case(comm: "crosvm-worker", profiles: []),
        Case(comm: "bash", profiles: []),
        Case(comm: "ksmtuned", profiles: []),
    ])
    func `A process is a guest by its name`(_ test: Case) {
        let comm = Array(test.comm.utf8)
        for profile in Profile.allCases {
            let isGuest = GuestNames(profile).matches(comm: comm.span)
            #expect(isGuest == test.profiles.contains(profile.guests), "profile \(profile)")
        }
    }

    @Test(arguments: [
        ("qemu-system-x86_64", true), ("firecracker-v1.7.0", true), ("kvm", true), ("kvm-irqfd-clean", false),
        ("qemu-img", false),
    ])
    func `A monitor's program may have a longer name, unless other names begin like it`(name: String, isOne: Bool) {
        #expect(MonitorName.isMonitor(Array(name.utf8).span) == isOne)
    }

    @Test func `Only where Debian's expression counts is the command line read`() {
        #expect(GuestNames(.union).needsCommandLine)
        #expect(GuestNames(.scaled).needsCommandLine)
        #expect(GuestNames(.debian).needsCommandLine)
        #expect(!GuestNames(.upstream).needsCommandLine)
        #expect(!GuestNames(.proxmox).needsCommandLine)
    }
}

@Suite struct CommandLineMatcherTests {
    /// The verdict on a command line that arrives in pieces of `size`.
    private func verdict(_ text: [UInt8], pieces size: Int) -> CommandLineMatcher.Verdict {
        var matcher = CommandLineMatcher()
        var start = 0
        while start < text.count {
            let end = min(start + size, text.count)
            matcher.feed(text.span.extracting(start..<end))
            start = end
        }
        return matcher.verdict
    }

    @Test(arguments: [true, false]) func `A command line is read to its 1,048,576th byte`(isInOnePiece: Bool) {
        let text = Array("qemu-system".utf8) + Array(repeating: UInt8(ascii: "x"), count: 1_048_575 - 11)
        #expect(verdict(text, pieces: isInOnePiece ? text.count : 4096) == .undecided)
        #expect(verdict(text + [UInt8(ascii: "x")], pieces: isInOnePiece ? text.count + 1 : 4096) == .differs)
    }

    /// `^qemu-system.*-enable-kvm`, by trying every place.
    private func naive(_ text: [UInt8]) -> Bool {
        let start = Array("qemu-system".utf8)
        let option = Array("-enable-kvm".utf8)
        guard text.starts(with: start) else { return false }
        return text.indices.contains { $0 >= start.count && text[$0...].starts(with: option) }
    }

    @Test(arguments: [
        ("qemu-system-x86_64\0-enable-kvm\0-m\0512\0", true),
        ("qemu-system-x86_64\0-m\0512\0-enable-kvm\0", true),
        ("qemu-system-x86_64\0-m\0512\0-enable-kvm", true),
        ("qemu-system-enable-kvm", true),
        ("qemu-system-x86_64\0--enable-kvm\0", true),
        ("qemu-system-x86_64\0-enable--enable-kvm\0", true),
        ("qemu-system-x86_64\0-enable-enable-kvm\0", true),
        ("qemu-system-x86_64\0-name\0a\nb\0-enable-kvm-and-more", true),
        ("/usr/bin/qemu-system-x86_64\0-enable-kvm\0", false),
        ("qemu-system-x86_64\0-accel\0kvm\0", false),
        ("qemu-system-x86_64\0-enable-kv", false),
        ("qemu-system-x86_64\0-enable\0-kvm\0", false),
        ("qemu-system-x86_64\0-enable-\0kvm\0", false),
        ("qemu-syste\0-enable-kvm\0", false),
        ("kvm\0-enable-kvm\0", false),
        ("grep\0qemu-system-x86_64 -enable-kvm\0", false),
        ("", false),
        ("qemu-system", false),
    ])
    func `Debian's expression, in pieces of every size`(_ text: String, _ isGuest: Bool) {
        let bytes = Array(text.utf8)
        #expect(naive(bytes) == isGuest, "the test's own search")
        for size in 1...max(bytes.count, 1) {
            #expect((verdict(bytes, pieces: size) == .matches) == isGuest, "pieces of \(size)")
        }
    }

    @Test func `A command line that cannot match is told at the first byte that differs`() {
        var matcher = CommandLineMatcher()
        matcher.feed(Array("q".utf8).span)
        #expect(matcher.verdict == .undecided)
        matcher.feed(Array("x".utf8).span)
        #expect(matcher.verdict == .differs)
        matcher.feed(Array("emu-system -enable-kvm".utf8).span)
        #expect(matcher.verdict == .differs)
    }

    @Test func `What comes behind a megabyte is not looked at`() {
        let text = Array("qemu-system".utf8) + [UInt8](repeating: 0, count: 1 << 20) + Array("-enable-kvm".utf8)
        #expect(verdict(text, pieces: 4096) == .differs)
        // One that ends there is.
        for (length, size) in [(900_000, 4096), ((1 << 20) - 11, 4096), ((1 << 20) - 11, 1 << 20)] {
            #expect(verdict(Array(text.prefix(length)) + Array("-enable-kvm".utf8), pieces: size) == .matches)
        }
    }

    @Test func `A verdict stays`() {
        var matcher = CommandLineMatcher()
        matcher.feed(Array("qemu-system-enable-kvm and more -enable".utf8).span)
        #expect(matcher.verdict == .matches)
        matcher.feed(Array("x".utf8).span)
        #expect(matcher.verdict == .matches)
    }

    @Test(arguments: Seed.all)
    func `Random text over the expression's own letters, compared with a plain search`(_ seed: Seed) {
        var generator = SeededGenerator(seed: seed.value)
        let letters = ["-", "e", "n", "a", "b", "l", "k", "v", "m", "-enable", "-enable-", "-kvm", "enable-kv", "\0"]
        var matches = 0
        for _ in 0..<600 {
            let count = Int.random(in: 0...12, using: &generator)
            let text = Array(("qemu-system" + (0..<count).map { _ in generator.pick(letters) }.joined()).utf8)
            let isGuest = naive(text)
            if isGuest { matches += 1 }
            for size in [1, 2, 3, 5, 8, 11, 13, text.count] {
                let isSame = (verdict(text, pieces: size) == .matches) == isGuest
                if !isSame {
                    let shown = String(decoding: text, as: UTF8.self)
                    Issue.record("\(shown) in pieces of \(size) should be \(isGuest); \(seed.description)")
                }
            }
        }
        #expect(matches > 2, "the generator makes too few that match")
    }
}
