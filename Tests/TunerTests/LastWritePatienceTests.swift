import HostFixtures
import KSMPolicy
import Testing

@testable import Tuner

@Suite struct LastWritePatienceTests {
    /// Of a sign of life each minute.
    private static func lasting(_ saved: (Int64) -> KiB?) -> [Bool] {
        var patience = LastWritePatience()
        return (0..<30).map { patience.lasts(saved: saved($0), at: Instant(nanoseconds: $0 * 60_000_000_000)) }
    }

    @Test func `It lasts for ten minutes without any change, and for as long as something is unmerged`() {
        #expect(Self.lasting { _ in KiB(4) } == (0..<30).map { $0 < 10 })
        #expect(Self.lasting { _ in nil } == (0..<30).map { $0 < 10 })
        #expect(Self.lasting { KiB(1000 - $0) }.allSatisfy { $0 })
        for (second, lasts) in [(599, true), (600, false)] as [(Double, Bool)] {
            var patience = LastWritePatience()
            let moments = [0, second].map { patience.lasts(saved: KiB(4), at: 0 + .seconds($0)) }
            #expect(moments == [true, lasts])
        }
        // The last change at 15 minutes.
        #expect(Self.lasting { KiB(max(100 - $0, 85)) } == (0..<30).map { $0 < 25 })
    }
}
