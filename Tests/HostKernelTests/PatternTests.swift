import HostKernel
import Testing

@Suite struct PatternTests {
    private static func refusal(_ text: String) -> Pattern.Refusal? {
        do throws(Pattern.Refusal) {
            _ = try Pattern(text)
            return nil
        } catch {
            return error
        }
    }

    private static func matches(_ text: String, _ name: String) throws -> Bool {
        try Pattern(text).matches(Array(name.utf8).span)
    }

    @Test func `Expressions that hosts use are taken`() throws {
        for text in [
            "^(qemu-(system-|kvm)|kvm)", "^qemu|^kvm$|crosvm|cloud-hyper", "[[:alpha:]]+-vm[0-9]{1,3}$", "a.*b.*c",
            "(foo|bar)?baz", "([a-z]+[0-9]?)+x", "x{2}", "x{2,}", "x{0,3}y", "[]{1,255}(]", "[^](]\\(x\\)\\{",
            "a{1,255}",
            "(qemu|kvm|)$", "\\.qemu-system-.*", "",
        ] {
            #expect(Self.refusal(text) == nil, "\(text)")
        }
        #expect(try Self.matches("^(qemu-(system-|kvm)|kvm)", "qemu-system-x86"))
        #expect(try !Self.matches("^(qemu-(system-|kvm)|kvm)", "bash"))
        #expect(try Self.matches("x{2}", "xx"))
    }

    /// Each of these takes regcomp(3) seconds or gigabytes, or the next one of its kind does.
    @Test(arguments: [
        ("((((a{1,255}){1,255}){1,255}){1,255}){1,255}", "more than 2000 characters"),
        ("(a{1,50}){1,50}", "more than 2000 characters"),
        ("a{2001}", "more than 2000 characters"), ("(ab){1001,}", "more than 2000 characters"),
        ("a{99999999999999999999}", "more than 2000 characters"),
        ("((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+", "more than 2000 characters"),
        ("((a*)*)*", "what it repeats may be empty"), ("(a?){1,4}", "what it repeats may be empty"),
        ("(a|)+", "what it repeats may be empty"), ("()*", "what it repeats may be empty"),
        ("(^|x)*", "what it repeats may be empty"), ("(x{0})*", "what it repeats may be empty"),
        ("(\\b)*", "what it repeats may be empty"), ("(a*b*|c)+", "what it repeats may be empty"),
        ("(.*)(.*)\\2\\1", "it refers back with \\2"),
    ])
    func `Expressions that cost too much are refused before they are compiled`(_ row: (text: String, reason: String)) {
        let refusal = Self.refusal(row.text)
        #expect(refusal?.isTooCostly == true)
        #expect(refusal?.reason.contains(row.reason) == true, "\(refusal?.reason ?? "it is taken")")
    }

    @Test(arguments: ["(kvm", "[a", "a{2,1}", "*a", "[[:none:]]", "a{1", "\\"])
    func `What is no expression is refused as regcomp says it`(_ text: String) {
        let refusal = Self.refusal(text)
        #expect(refusal?.isTooCostly == false)
        #expect(refusal?.reason.isEmpty == false)
    }
}
