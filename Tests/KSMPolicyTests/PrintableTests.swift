import KSMPolicy
import Testing

@Suite struct PrintableTests {
    @Test(arguments: [
        ("plain", "plain"), ("a\nb", "a?b"), ("a\r\nb", "a??b"), ("\u{1B}[31m", "?[31m"), ("\t", "?"), ("\0", "?"),
        ("\u{7F}", "?"), ("Grüße", "Grüße"), ("", ""),
    ])
    func `Control characters become visible, so that a value cannot forge a message`(_ text: String, _ shown: String) {
        #expect(text.printable == shown)
    }
}
