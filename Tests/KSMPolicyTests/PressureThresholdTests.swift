import KSMPolicy
import Testing

@Suite struct PressureThresholdTests {
    @Test(arguments: [
        ("some 150ms/1s", PressureThreshold(.some, stall: .microseconds(150_000), window: .microseconds(1_000_000))),
        ("full 150ms/1s", PressureThreshold(.full, stall: .microseconds(150_000), window: .microseconds(1_000_000))),
        ("  some \t 1us/500ms ", PressureThreshold(.some, stall: .microseconds(1), window: .microseconds(500_000))),
        ("some 500ms/500ms", PressureThreshold(.some, stall: .microseconds(500_000), window: .microseconds(500_000))),
        ("some 10s/10s", PressureThreshold(.some, stall: .microseconds(10_000_000), window: .microseconds(10_000_000))),
        (
            "some 500000us/10000ms",
            PressureThreshold(.some, stall: .microseconds(500_000), window: .microseconds(10_000_000))
        ),
        ("some 0150ms/01s", PressureThreshold(.some, stall: .microseconds(150_000), window: .microseconds(1_000_000))),
    ])
    func `A kind, the time waited, and the window`(_ text: String, _ threshold: PressureThreshold) {
        #expect((try? PressureThreshold(parsing: text)) == threshold)
    }

    @Test(arguments: [
        "", " ", "some", "150ms/1s", "any 150ms/1s", "Some 150ms/1s", "some 150ms", "some 150ms/", "some /1s", "some /",
        "some 150ms/1s/2s",
        "some 150ms//1s", "some /150ms/1s", "some 150ms/1s/", "some 150ms /1s", "some 150ms/ 1s", "some 150ms/1s full",
        "some 150/1000", "some ms/1s",
        "some 150 ms/1s", "some 1.5s/2s", "some -1ms/1s", "some +1ms/1s", "some 150ms/1m", "some 150MS/1s",
        "some 150ns/1s", "some 150ms/1ss", "some １50ms/1s", "some 150ms\\1s", "some 150000 1000000", "off",
        "some\n150ms/1s",
        "some 9223372036854775808us/1s", "some 1ms/9223372036854775807s", "some 99999999999999999999s/1s",
    ])
    func `Other text is no threshold`(_ text: String) {
        #expect(throws: PressureThreshold.ParseError.notAThreshold) { try PressureThreshold(parsing: text) }
    }

    @Test(arguments: ["some 1ms/499999us", "some 1ms/10000001us", "some 1ms/11s", "some 1ms/0s", "some 5s/1us"])
    func `The window is one that the kernel takes`(_ text: String) {
        #expect(throws: PressureThreshold.ParseError.windowOutOfRange) { try PressureThreshold(parsing: text) }
    }

    @Test(arguments: ["some 0us/1s", "some 0s/1s", "some 1000001us/1s", "full 11s/10s"])
    func `The time waited is something, and within its window`(_ text: String) {
        #expect(throws: PressureThreshold.ParseError.stallOutOfRange) { try PressureThreshold(parsing: text) }
    }
}
