import KSMPolicy
import Testing

@Suite struct PrintableTests {
    @Test(arguments: [
        ("plain", "plain"), ("a\nb", "a?b"), ("a\r\nb", "a??b"), ("\u{1B}[31m", "?[31m"), ("\t", "?"), ("\0", "?"),
        ("\u{7F}", "?"), ("Grüße", "Grüße"), ("", ""), ("\u{9B}31m", "?31m"), ("a\u{202E}b", "a?b"),
        ("a\u{2028}b", "a?b"), ("\u{FEFF}x\u{E0041}", "?x?"), ("\u{E0000}x\u{E007F}", "?x?"), ("ゲスト", "ゲスト"),
    ])
    func `Control characters become visible, so that a value cannot forge a message`(_ text: String, _ shown: String) {
        #expect(text.printable == shown)
    }

    @Test func `Every control character of Unicode is one of them, and everything that has a form is not`() {
        for value in 0...UInt32(0x10ffff) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: #expect(scalar.isInvisible)
            case .format, .unassigned: break
            default: #expect(!scalar.isInvisible)
            }
            if scalar.properties.isBidiControl { #expect(scalar.isInvisible) }
        }
    }

    @Test func `What is no UTF-8 is shown as one sign for each piece`() {
        #expect(String(decoding: [0x61, 0xff, 0x9b, 0x62], as: UTF8.self).printable == "a\u{FFFD}\u{FFFD}b")
    }

    @Test(arguments: [
        ("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("abcü", 5, "abcü"), ("abüdefg", 6, "ab..."),
        ("aüdefgh", 6, "aü..."), ("a🦊efgh", 7, "a..."), ("", 3, ""), ("abcd", 3, "..."),
    ])
    func `A text that is too long is cut at the border of a character`(_ text: String, _ limit: Int, _ cut: String) {
        #expect(text.cut(toBytes: limit) == cut)
    }

    @Test func `A message quotes two hundred bytes of a text`() {
        let whole = String(repeating: "x", count: 200)
        #expect(whole.quotable == whole)
        #expect((whole + "y").quotable == whole.prefix(197) + "...")
    }
}
