import Foundation
import HostKernel
import KSMPolicy
import Testing

@Suite struct SourceRetryTests {
    private let start = Instant(nanoseconds: 0)

    private func failure(_ errno: Int32) -> KernelFileError { KernelFileError(.open, "x", errno: errno) }

    @Test(arguments: [ENOMEM, EMFILE, ENFILE])
    func `what was missing for a moment is tried again after a while`(errno: Int32) {
        var retry = SourceRetry()
        let told = retry.failed(failure(errno), at: start)
        #expect(told)
        #expect(!retry.isDue(at: start + (SourceRetry.pause - .nanoseconds(1))))
        #expect(retry.isDue(at: start + SourceRetry.pause))
        #expect(retry.due == start + SourceRetry.pause)
    }

    @Test(arguments: [EAFNOSUPPORT, EOPNOTSUPP, EACCES, EINVAL, 0])
    func `what is not to be had at all is not`(errno: Int32) {
        var retry = SourceRetry()
        let told = retry.failed(failure(errno), at: start)
        #expect(told)
        #expect(retry.due == nil)
        #expect(!retry.isDue(at: start + .seconds(1_000_000)))
    }

    @Test func `it is told once that it is missing, and once that it is there again`() {
        var retry = SourceRetry()
        var told: [Bool] = []
        for second in 0..<3 { told.append(retry.failed(failure(ENOMEM), at: start + .seconds(60 * second))) }
        #expect(told == [true, false, false])
        #expect(retry.due == start + .seconds(180))
        told = [retry.succeeded(), retry.succeeded(), retry.failed(failure(ENOMEM), at: start)]
        #expect(told == [true, false, true])
    }

    @Test func `what is there from the beginning is no news`() {
        var retry = SourceRetry()
        let wasTold = retry.succeeded()
        #expect(!wasTold)
        #expect(!retry.isDue(at: .never))
    }
}
