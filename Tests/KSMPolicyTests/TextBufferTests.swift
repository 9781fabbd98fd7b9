import HostFixtures
import KSMPolicy
import Testing

@Suite struct TextBufferTests {
    @Test(arguments: [0, 1, -1, 9, 10, -10, 99, 100, 1_000_000, Int64.max, .min, .min + 1])
    func `A number is told in decimal`(_ number: Int64) {
        var text = TextBuffer(capacity: 0)
        text.append(number)
        #expect(text.string == String(number))
    }

    @Test func `Pieces follow one another`() {
        var text = TextBuffer(capacity: 4)
        #expect(text.bytes == [])
        text.append("a=")
        text.append(Int64(-12))
        text.append(" ")
        text.append(KiB(1536))
        let name = "Grüße"
        text.append(name)
        #expect(text.string == "a=-12 1.5 MiBGrüße")
    }

    @Test(arguments: Seed.all)
    func `Random numbers are told as Swift tells them`(_ seed: Seed) {
        var generator = SeededGenerator(seed: seed.value)
        for _ in 0..<200 {
            let number = generator.amount()
            var text = TextBuffer(capacity: 20)
            text.append(number)
            #expect(text.string == String(number), "\(seed.description)")
        }
    }
}
