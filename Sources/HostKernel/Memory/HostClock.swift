internal import Glibc
package import KSMPolicy

/// The host's clocks at one moment.
///
/// The daemon measures its pauses by ``Waiter/now``, CLOCK_MONOTONIC: it neither follows an administrator who sets the
/// wall clock, nor counts the time for which the host was suspended. So a daemon that was stopped (SIGSTOP) or whose host
/// was suspended goes on where it was: what came due meanwhile is done at once, once, and after a suspend the rest of the
/// pause is waited for. Ages, which people read, are measured by CLOCK_BOOTTIME, which counts suspends too.
package enum HostClock {
    /// The wall clock.
    package static var wallTime: WallTime { WallTime(microseconds: microseconds(CLOCK_REALTIME)) }

    /// The time since boot, suspends included.
    package static var uptime: Duration { .microseconds(microseconds(CLOCK_BOOTTIME)) }

    /// What tells this boot from others; 0 where the kernel does not say.
    package static func boot(_ paths: HostPaths) -> UInt64 {
        guard let text = try? HostFile.read(paths.bootID, limit: 128) else { return 0 }
        var number: UInt64 = 0
        var digits = 0
        for byte in text where digits < 16 {
            // The kernel's digits are small, and hyphens stand between some.
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: continue
            }
            digits += 1
        }
        return digits == 16 ? number : 0
    }

    /// Now, as it is kept beside a decision.
    ///
    /// - Parameter boot: This one.
    package static func now(boot: UInt64) -> BootTime { BootTime(uptime: uptime, boot: boot) }

    private static func microseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
