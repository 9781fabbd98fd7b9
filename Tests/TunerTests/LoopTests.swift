import HostKernel
import KSMPolicy
import Testing
import Tuner

/// Wakes the loop as the script says, and never sleeps.
private struct ScriptedWaiter: Waiting {
    /// What happens, and how long after the wait began; `nil` waits for the deadline.
    var script: [(wakeup: Wakeup, after: Int64?)]
    var now: Int64 = 0

    mutating func wait(until deadline: Int64, or write: ChildWrite?) -> Wakeup {
        guard !script.isEmpty else { return .terminate }
        let (wakeup, after) = script.removeFirst()
        now = max(now, after.map { now + $0 } ?? deadline)
        return wakeup
    }
}

private struct RecordingHost: LoopHost {
    var interval = Interval(nanoseconds: 60)
    var watchdogPeriod = Int64.max
    var pendingWrite: ChildWrite?
    var events: [String] = []

    mutating func decide() { events.append("decide") }
    mutating func reload() { events.append("reload") }
    mutating func finishWrite() { events.append("finish") }
    mutating func signOfLife() { events.append("alive") }
}

@Suite struct LoopTests {
    private func events(
        _ script: [(wakeup: Wakeup, after: Int64?)], watchdog: Int64 = .max
    ) -> [String] {
        var host = RecordingHost()
        host.watchdogPeriod = watchdog
        var loop = Loop(ScriptedWaiter(script: script))
        loop.run(&host)
        return host.events
    }

    @Test func `nothing is decided before a whole interval`() {
        #expect(events([([], 59)]) == [])
        #expect(events([([], nil)]) == ["decide"])
        #expect(events([([], nil), ([], nil)]) == ["decide", "decide"])
    }

    @Test func `USR1 decides at once and begins a whole new interval`() {
        #expect(events([(.retune, 59), ([], 59)]) == ["decide"])
        #expect(events([(.retune, 59), ([], 60)]) == ["decide", "decide"])
    }

    @Test func `HUP reloads, then decides`() {
        #expect(events([(.reload, 1)]) == ["reload", "decide"])
        #expect(events([([.reload, .retune], 60)]) == ["reload", "decide"])
    }

    @Test func `the end comes before anything else that came with it`() {
        #expect(events([([.terminate, .reload, .retune], 60), (.retune, 1)]) == [])
    }

    @Test func `a slow write that ends is taken before the next decision`() {
        #expect(events([([.written, .retune], 1)]) == ["finish", "decide"])
    }

    @Test func `signs of life come in their own time, and decide nothing`() {
        #expect(events([([], nil), ([], nil), ([], nil)], watchdog: 25) == ["alive", "alive", "decide"])
        #expect(events([(.retune, 10), ([], nil)], watchdog: 25) == ["decide", "alive"])
    }

    @Test func `an endless interval decides only on a signal`() {
        var host = RecordingHost()
        host.interval = .endless
        var loop = Loop(ScriptedWaiter(script: [([], 1 << 40), (.retune, 1)]))
        loop.run(&host)
        #expect(host.events == ["decide"])
    }

    @Test func `a last write is waited for with signs of life, until told to end again`() throws {
        let write = try ChildWrite("x", to: "/dev/null")
        defer { try? write.finish() }
        var host = RecordingHost()
        var loop = Loop(ScriptedWaiter(script: [([], nil), ([], nil), (.written, 1)]))
        #expect(loop.runToEnd(of: write, &host))
        #expect(host.events == ["alive", "alive"])
        loop = Loop(ScriptedWaiter(script: [([], nil), (.terminate, 1)]))
        #expect(!loop.runToEnd(of: write, &host))
    }
}
