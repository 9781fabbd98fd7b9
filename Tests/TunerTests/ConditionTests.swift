import HostKernel
import Testing

@testable import Tuner

/// What of a lasting failure is news.
@Suite struct ConditionTests {
    private static func failure(_ pid: Int, errno: Int32, _ detail: String = "") -> KernelFileError {
        KernelFileError(errno == 0 ? .understand : .read, "/proc/\(pid)/statm", errno: errno, detail: detail)
    }

    @Test func `Of guests that fail alike one is told, of another failure as well, and the end once`() {
        var condition = Condition(.guestReadings)
        let told = [
            Self.failure(1, errno: 24), Self.failure(2, errno: 24), Self.failure(2, errno: 0, "hidden"),
            Self.failure(3, errno: 0, "hidden"), Self.failure(3, errno: 0, "senseless"), nil, nil,
        ].map { condition.settle($0) }
        #expect(
            told == [
                .failed(.guestReadings, Self.failure(1, errno: 24)), nil,
                .failed(.guestReadings, Self.failure(2, errno: 0, "hidden")), nil,
                .failed(.guestReadings, Self.failure(3, errno: 0, "senseless")), .recovered(.guestReadings), nil,
            ])
    }

    @Test func `More than four failures of one thing tell no more, until it works`() {
        var news = FailureNews()
        let isNews = (1...6).map { news.isNews(Self.failure($0, errno: 24)) }
        #expect(isNews == [true, true, true, true, false, false])
        #expect([news.end(), news.end()] == [true, false])
        let isNewsAgain = news.isNews(Self.failure(6, errno: 24))
        #expect(isNewsAgain)
    }

    @Test func `Of the host's own files each is told`() {
        var condition = Condition(.memory)
        #expect(condition.settle(Self.failure(1, errno: 24)) != nil)
        #expect(condition.settle(Self.failure(1, errno: 24)) == nil)
        #expect(condition.settle(Self.failure(2, errno: 24)) != nil)
    }
}
