import HostKernel
import KSMPolicy
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
            "(qemu|kvm|)$", "\\.qemu-system-.*", "", "kvm)", ")a{2}|(b))",
        ] {
            #expect(Self.refusal(text) == nil, "\(text)")
        }
        #expect(try Self.matches("^(qemu-(system-|kvm)|kvm)", "qemu-system-x86"))
        #expect(try !Self.matches("^(qemu-(system-|kvm)|kvm)", "bash"))
        #expect(try Self.matches("x{2}", "xx"))
        #expect(try Self.matches("kvm)", "kvm)"))
    }

    @Test func `What regcomp(3) refuses is told in its words`() {
        for (text, reason) in [("(kvm", "Unmatched ( or \\("), ("[[:vm:]]", "Invalid character class name")] {
            #expect(Self.refusal(text)?.reason == reason)
            #expect(Self.refusal(text)?.isTooCostly == false)
        }
    }

    @Test func `The setting is named with what is wrong with it`() {
        var configuration = Configuration()
        configuration.guestPattern = "(kvm"
        let error = #expect(throws: KernelFileError.self) { _ = try NameMatcher(configuration) }
        #expect(error?.description == "cannot understand KSM_GUEST_PATTERN: Unmatched ( or \\(")
    }

    /// Each has 2000 characters with its repeats written out, as a group and each of its branches count one, or a few less.
    @Test(arguments: [
        "a{2000}", "a{1999}b", "a{1999}$", "^a{1999}", "a{1999}[xyz]", "a{1999}\\.", "a{1999}\\b", "(ab){666}",
        "(ab){665,}", "a{1999}b{,}",
        "(a{999})+", "(a{1998})*", "(a{1998})?", "a{1998}|b", "(a{998}){2}", "a{1,2000}", "(a{1996}|b)",
    ])
    func `An expression of two thousand characters is taken, and not one of more`(_ text: String) {
        #expect(Self.refusal(text) == nil)
        #expect(Self.refusal(text + "xxxx")?.isTooCostly == true)
    }

    @Test(arguments: [
        "a{2000}b", "a{1999}bc", "a{2000}$", "^a{2000}", "a{2000}[xyz]", "a{2000}\\.", "a{2000}\\b", "(ab){667}",
        "(ab){666,}", "(a{1000})+", "(a{2000})*", "(a{2000})?", "a{1998}|bc", "(a{1000}){2}", "a{1,2001}",
        "(a{1998}|b)",
    ])
    func `One character more is too much`(_ text: String) {
        #expect(Self.refusal(text)?.reason.contains("more than 2000 characters") == true)
    }

    @Test(arguments: [
        "(a|b)*", "(ab?)*", "(a?b)*", "(^a)*", "(a{1,2})*", "(a{2,})+", "([]])*", "(a$)*", "(\\.)*", "((a))*",
        "(x{1})*",
    ])
    func `What cannot be empty may be repeated`(_ text: String) {
        #expect(Self.refusal(text) == nil)
    }

    /// What stands in a set of characters is no repeat, and what stands behind it is one.
    @Test(arguments: [
        ("[](a{1,50}){1,50}]", false), ("[^](a{1,50}){1,50}]", false), ("[a^](a{1,50}){1,50}", true),
        ("[a](a{1,50}){1,50}]", true), ("[^a](a{1,50}){1,50}]", true), ("[]](a{1,50}){1,50}", true),
        ("[^]](a{1,50}){1,50}", true), ("[[:alpha:](a{1,50}){1,50}]", false), ("[[:alpha:]](a{1,50}){1,50}", true),
        ("[[.a.](a{1,50}){1,50}]", false), ("[[=a=]](a{1,50}){1,50}", true), ("[[:](a{1,50}){1,50}", true),
        ("[[](a{1,50}){1,50}", true), ("[[a](a{1,50}){1,50}", true), ("[[aa](a{1,50}){1,50}", true),
        ("[\\](a{1,50}){1,50}", true),
        ("[a:](a{1,50}){1,50}", true), ("[[:alpha:][:digit:](a{1,50}){1,50}]", false), ("[]a](a{1,50}){1,50}", true),
    ])
    func `A set of characters ends where regcomp ends it`(text: String, isTooCostly: Bool) {
        let refusal = Self.refusal(text)
        #expect((refusal?.isTooCostly ?? false) == isTooCostly)
        #expect(isTooCostly || refusal == nil, "\(refusal?.reason ?? "")")
    }

    /// Each of these takes regcomp(3) seconds or gigabytes, or the next one of its kind does.
    @Test(arguments: [
        ("((((a{1,255}){1,255}){1,255}){1,255}){1,255}", "more than 2000 characters"),
        ("(a{1,50}){1,50}", "more than 2000 characters"),
        ("a{2001}", "more than 2000 characters"), ("(ab){1001,}", "more than 2000 characters"),
        ("a{99999999999999999999}", "more than 2000 characters"),
        ("(ab){1001\\,}", "more than 2000 characters"), ("(ab){1\\0\\01}", "more than 2000 characters"),
        ("((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+", "more than 2000 characters"),
        ("((a*)*)*", "what it repeats may be empty"), ("(a?){1,4}", "what it repeats may be empty"),
        ("\\.(a*)*", "what it repeats may be empty"), ("\\((a*)*", "what it repeats may be empty"),
        ("(a|)+", "what it repeats may be empty"), ("()*", "what it repeats may be empty"),
        ("(^|x)*", "what it repeats may be empty"), ("(x{0})*", "what it repeats may be empty"),
        ("(a|b?)*", "what it repeats may be empty"), ("(a?|b)*", "what it repeats may be empty"),
        ("(x{0,1})*", "what it repeats may be empty"), ("(x{,3})*", "what it repeats may be empty"),
        ("($)*", "what it repeats may be empty"), ("(\\<)*", "what it repeats may be empty"),
        ("(a)\\1", "it refers back with \\1"), ("(a)\\9", "it refers back with \\9"),
        ("(\\b)*", "what it repeats may be empty"), ("(a*b*|c)+", "what it repeats may be empty"),
        ("(.*)(.*)\\2\\1", "it refers back with \\2"),
    ])
    func `Expressions that cost too much are refused before they are compiled`(_ row: (text: String, reason: String)) {
        let refusal = Self.refusal(row.text)
        #expect(refusal?.isTooCostly == true)
        #expect(refusal?.reason.contains(row.reason) == true, "\(refusal?.reason ?? "it is taken")")
    }

    @Test(arguments: [
        "(kvm", "[a", "a{2,1}", "*a", "[[:none:]]", "a{1", "a{3000x}", "\\", "[[:alpha:]", "[[:alpha:", "[[:", "[[",
        "[", "[^", "[]", "[^]", "a{1\\",
    ])
    func `What is no expression is refused as regcomp says it`(_ text: String) {
        let refusal = Self.refusal(text)
        #expect(refusal?.isTooCostly == false)
        #expect(refusal?.reason.isEmpty == false)
    }
}
