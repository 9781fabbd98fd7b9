import KSMPolicy
import Testing

/// No text may take a daemon's memory or time: what is beyond a bound is an error at its place.
@Suite struct ConfigurationBoundsTests {
    private static func lines(_ count: Int, _ line: (Int) -> String) -> String {
        (1...count).map { line($0) + "\n" }.joined()
    }

    private static func messages(_ text: String) -> [String] { Reading(text).messages }

    @Test func `A value may grow to 4096 bytes by the names in it, and no further`() {
        // Each doubles the one before: sixty of them would be 2^60 bytes.
        let text = "A0=x\n" + Self.lines(60) { "A\($0)=$A\($0 - 1)$A\($0 - 1)" }
        #expect(
            Self.messages(text) == [
                "f:14:9: error: the value becomes longer than 4096 bytes; write a shorter value"
            ])
    }

    @Test(arguments: [
        (bytes: 4096, messages: [String]()),
        (bytes: 4097, messages: ["f:1:3: error: the value becomes longer than 4096 bytes; write a shorter value"]),
        (bytes: 500_000, messages: ["f:1:3: error: the value becomes longer than 4096 bytes; write a shorter value"]),
    ])
    func `A value has 4096 bytes at most`(_ row: (bytes: Int, messages: [String])) {
        let value = String(repeating: "x", count: row.bytes)
        for text in ["A=\(value)", "A='\(value)'", "A=\"\(value)\""] { #expect(Self.messages(text) == row.messages) }
    }

    @Test func `A value of the environment that is too long is not expanded`() {
        let reading = Reading("LOGFILE=/$LONG\n", environment: ["LONG": String(repeating: "x", count: 4096)])
        #expect(
            reading.messages == ["f:1:10: error: the value becomes longer than 4096 bytes; write a shorter value"])
        #expect(reading.configuration.logFile == nil)
    }

    @Test func `A name has 255 bytes at most, and a longer one is not shown whole`() throws {
        #expect(Self.messages(String(repeating: "A", count: 255) + "=1").isEmpty)
        #expect(Self.messages(String(repeating: "A", count: 256) + "=1").count == 1)
        let messages = Self.messages("KSM_" + String(repeating: "A", count: 1_000_000) + "=1\nKSM_THRES_COEF=x\n")
        #expect(messages.count == 2)
        let first = try #require(messages.first)
        #expect(first.hasPrefix("f:1:1: error: the name KSM_AAAA"))
        #expect(first.hasSuffix("AA... has 1000004 bytes, more than 255; write a shorter name"))
        #expect(first.utf8.count < 400)
    }

    @Test func `What is quoted in a message is cut`() {
        let long = String(repeating: "x", count: 4000)
        for text in [
            "\(long).\n", "KSM_THRES_COEF=\(long)\n", "KSM_PROFILE=\(long)\n", "KSM_PRESSURE=\(long) x\n",
            "KSM_THRES_COEF= \(long)\n",
        ] {
            let messages = Self.messages(text)
            #expect(messages.count == 1)
            #expect(messages.allSatisfy { $0.utf8.count < 700 })
        }
    }

    @Test func `A line has a hundred assignments at most`() {
        let hundred = String(repeating: "A=1 ", count: 100)
        #expect(Self.messages(hundred).isEmpty)
        let more = ["f:1:401: error: the line has more than 100 assignments; write one on each line"]
        #expect(Self.messages(hundred + "A=1 " + hundred) == more)
        #expect(Self.messages(hundred.replacing(" ", with: ";") + hundred) == more)
    }

    @Test func `A configuration has a thousand assignments at most, in all its files`() {
        let reading = Reading(Self.lines(999) { _ in "A=1" }, "A=1\nKSM_THRES_COEF=30\nreboot\n", "reboot\n")
        #expect(
            reading.messages == [
                "g:2:1: error: there are more than 1000 assignments, and what follows is not read; leave out those that "
                    + "are no settings"
            ])
        #expect(reading.configuration.thresholdPercent == 20)
    }

    @Test func `Of many messages a hundred are told, and how many more there are`() {
        let names = Self.lines(300) { "KSM_X\($0)=1" }
        let messages = Self.messages(names)
        #expect(messages.count == 101)
        #expect(messages[99].hasPrefix("f:100:1: warning: KSM_X100 is not a setting"))
        #expect(
            messages[100] == "f:101:1: warning: there are 200 more errors and warnings from here on; mend those above "
                + "first")
        let errors = Self.messages(names + "reboot\n")
        #expect(errors[100].hasPrefix("f:101:1: error: there are 201 more errors and warnings"))
        let mixed = Self.messages(names + "reboot\nKSM_X=1\n")
        #expect(mixed[100].hasPrefix("f:101:1: error: there are 202 more errors and warnings"))
        #expect(
            Self.messages(Self.lines(101) { "KSM_X\($0)=1" })[100].contains("there is 1 more error or warning from"))
    }
}
