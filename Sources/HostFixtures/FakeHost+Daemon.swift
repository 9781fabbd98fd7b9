import Foundation
internal import HostKernel
package import KSMPolicy

/// A daemon that seems to run on a tree: its lock is held for as long as this value lives.
package final class FakeDaemon {
    private let descriptor: Int32

    init(lock descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}

/// `F_OFD_SETLK` of fcntl(2), which the C library shows only by request.
private let fOFDSetLock: Int32 = 37

extension FakeHost {
    /// - Parameters:
    ///   - pid: What the pid file says.
    ///   - decision: What it reported last, at `time` in seconds since 1970; `nil` for nothing yet.
    package func startDaemon(
        pid: Int32 = 4242, decision: Decision? = nil, guests: Int = 0, saved: KiB? = nil, time: Int64 = 1000,
        interval: Duration = .seconds(60)
    ) -> FakeDaemon {
        write("\(pid)\n", to: "var/run/ksmtune.pid")
        write("", to: "run/ksmtuned/lock")
        let descriptor = unsafe open(path("run/ksmtuned/lock"), O_RDWR | O_CLOEXEC)
        // Of the open file: this process may open and close it elsewhere, which ends its record locks.
        var lock = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
        let result = unsafe fcntl(descriptor, fOFDSetLock, &lock)
        precondition(descriptor >= 0 && result == 0)
        var state = StateRecord(pid: pid)
        state.report = decision.map {
            StateRecord.Report(
                $0, time: WallTime(seconds: time), pause: interval, guests: Int64(guests), saved: saved,
                sentence: $0.sentence)
        }
        write(String(decoding: state.text, as: UTF8.self), to: "run/ksmtuned/state")
        return FakeDaemon(lock: descriptor)
    }

    /// KSM's counters and knobs, by the names of their files.
    package func setKSM(_ values: [String: Int64]) {
        for (name, value) in values { write("\(value)\n", to: "sys/kernel/mm/ksm/\(name)") }
    }
}
