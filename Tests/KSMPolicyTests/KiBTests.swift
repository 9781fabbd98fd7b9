import KSMPolicy
import Testing

@Suite struct KiBTests {
    @Test(arguments: [
        (0, "0 KiB"), (1, "1 KiB"), (511, "511 KiB"), (1023, "1023 KiB"), (1024, "1.0 MiB"), (1535, "1.4 MiB"),
        (1536, "1.5 MiB"), (1_048_575, "1023.9 MiB"), (1_048_576, "1.0 GiB"), (24_641_536, "23.5 GiB"),
        (1 << 30, "1024.0 GiB"), (2 << 30, "2048.0 GiB"), (-1, "-1 KiB"), (-1023, "-1023 KiB"), (-1536, "-1.5 MiB"),
        (Int64.max, "8796093022207.9 GiB"), (Int64.min, "-8796093022208.0 GiB"),
    ])
    func `The largest unit of which there is at least one, rounded down`(_ count: Int64, _ description: String) {
        #expect(KiB(count).description == description)
    }

    @Test func `Sums stop at the largest amounts`() {
        #expect(KiB(1) + KiB(2) == KiB(3))
        #expect(KiB(.max) + KiB(1) == KiB(.max))
        #expect(KiB(1) + KiB(.max) == KiB(.max))
        #expect(KiB(.min) + KiB(-1) == KiB(.min))
        #expect(KiB(-1) + KiB(.min) == KiB(.min))
        #expect(KiB(.min) + KiB(.max) == KiB(-1))
    }

    @Test func `Bytes are rounded down`() {
        #expect(KiB(bytes: 1023) == .zero)
        #expect(KiB(bytes: 1024) == KiB(1))
        #expect(KiB(bytes: .max) == KiB(.max / 1024))
    }
}
