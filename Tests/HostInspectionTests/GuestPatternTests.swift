import HostInspection
import HostKernel
import KSMPolicy
import Testing

@Suite struct GuestPatternTests {
    private func matches(_ pattern: String, _ comm: String) throws -> Bool {
        try Pattern(pattern).matches(Array(comm.utf8).span)
    }

    @Test(arguments: [
        "qemu-kvm", "qemu-system-x86", "qemu-system-", "qemu:a", "qemu:12345678901", "qemu:123456789012", "qemu:",
        "kvm",
        "kvm-irqfd", ".qemu-system-x8", "xqemu-system-x8", "cloud-hyperviso", "firecracker", "crosvm", "crosvm2",
        "stratovirt", "bash", "",
    ])
    func `the expression of all known names is the table of them`(_ comm: String) throws {
        let isKnown = GuestNames(.union).matches(comm: Array(comm.utf8).span)
        #expect(try matches("^(\(GuestPattern.known))$", comm) == isKnown)
    }

    @Test func `new names are counted beside those that are counted now`() throws {
        let pattern = GuestPattern.counting(["java", "a.b", "java"], beside: Configuration())
        for comm in ["java", "a.b", "kvm", "qemu-system-x86"] { #expect(try matches(pattern, comm), "\(comm)") }
        for comm in ["javac", "aXb", "bash"] { #expect(try !matches(pattern, comm), "\(comm)") }
        var configuration = Configuration()
        configuration.guestPattern = "^vm"
        let added = GuestPattern.counting(["java"], beside: configuration)
        #expect(added == "(^vm)|^(java)$")
    }

    @Test func `a name that is no text is counted`() throws {
        let comm: [UInt8] = Array("caf".utf8) + [0xC3]
        let pattern = GuestPattern.counting([String(decoding: comm, as: UTF8.self)], beside: Configuration())
        #expect(try Pattern(pattern).matches(comm.span))
    }

    @Test(arguments: ["it's", "a(\u{301}'\u{301}b", "[\u{308}x", "a\u{1B}b", "a\u{202E}b", "a\tb"])
    func `a name is counted whatever it holds, by an expression that can stand between quotes`(comm: String) throws {
        let pattern = GuestPattern.counting([comm], beside: Configuration())
        #expect(try matches(pattern, comm))
        #expect(try !matches(pattern, comm + "x") && !matches(pattern, "x" + comm))
        #expect(!pattern.utf8.contains(UInt8(ascii: "'")) && pattern.printable == pattern)
    }
}
