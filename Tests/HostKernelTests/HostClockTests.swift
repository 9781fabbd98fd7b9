import Glibc
import HostKernel
import KSMPolicy
import Testing

@Suite struct HostClockTests {
    private func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test func `the time since boot, in microseconds`() {
        // Each reading lies between two of the clock itself, wherever in its second it is.
        for _ in 0..<100 {
            let (before, uptime, after) = (read(CLOCK_BOOTTIME), HostClock.uptime, read(CLOCK_BOOTTIME))
            #expect(before - .microseconds(1) < uptime && uptime <= after)
        }
    }
}
