import KSMPolicy
import Testing

@Suite struct DecimalIntegerTests {
    @Test(arguments: [
        ("0", 0), ("7", 7), ("-0", 0), ("+7", 7), ("-50", -50), (" 7 ", 7), ("\t7\t", 7),
        ("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("10", 10), ("100", 100),
    ])
    func `A decimal integer with an optional sign`(_ text: String, _ number: Int64) throws {
        #expect(try DecimalInteger.parse(text) == number)
    }

    @Test(arguments: [
        ("", DecimalInteger.ParseError.notANumber), (" ", .notANumber), ("-", .notANumber), ("+", .notANumber),
        ("+-1", .notANumber), ("- 1", .notANumber), ("1 2", .notANumber), ("1a", .notANumber), ("a", .notANumber),
        ("0a", .notANumber), ("1.0", .notANumber), ("٣", .notANumber), ("1\n", .notANumber), ("1\0", .notANumber),
        ("00", .leadingZero(meant: "0")), ("08", .leadingZero(meant: "8")), ("010", .leadingZero(meant: "10")),
        ("-010", .leadingZero(meant: "-10")), ("+010", .leadingZero(meant: "10")), ("0000", .leadingZero(meant: "0")),
        ("0x1F", .hexadecimal), ("0X", .hexadecimal), ("-0x1", .hexadecimal),
        ("9223372036854775808", .beyond64Bits), ("-9223372036854775809", .beyond64Bits),
        ("18446744073709551616", .beyond64Bits), ("99999999999999999999", .beyond64Bits),
    ])
    func `Everything else is refused with its reason`(_ text: String, _ reason: DecimalInteger.ParseError) {
        #expect(throws: reason) { try DecimalInteger.parse(text) }
    }
}
