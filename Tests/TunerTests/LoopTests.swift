import HostFixtures
import HostKernel
import KSMPolicy
import Testing
import Tuner

private typealias Script = [(wakeup: Wakeup, after: Int64?)]

/// Wakes the loop as the script says, and never sleeps.
private struct ScriptedWaiter: Waiting {
    /// What happens, and how long after the wait began; `nil` waits for the deadline.
    var script: Script
    var now: Instant = 0
    var notices: [SourceNotice] = []
    /// Each machine is created by the next number.
    var creators: Int32 = 0
    /// How long each wait was to be, at most.
    let waits = Waits()

    final class Waits {
        var all: [Duration] = []
        /// How often the events of machines were taken.
        var taken = 0
    }

    mutating func wait(until deadline: Instant, or write: ChildWrite?) -> Wakeup {
        waits.all.append(deadline - now)
        guard !script.isEmpty else { return .terminate }
        let (wakeup, after) = script.removeFirst()
        now = max(now, after.map { now + .nanoseconds($0) } ?? deadline)
        return wakeup
    }

    mutating func takeMachineEvents() -> MachineEvents {
        creators += 1
        waits.taken += 1
        return MachineEvents([MachineEvent(.create, by: creators)])
    }

    mutating func watchPressure(_ threshold: PressureThreshold?) {
        guard let threshold else { return }
        notices.append(.otherPressure(asked: threshold, inForce: threshold))
    }

    mutating func takeNotices() -> [SourceNotice] {
        defer { notices = [] }
        return notices
    }
}

private struct RecordingHost: LoopHost {
    var pause = Duration.nanoseconds(60)
    var retunesOnGuests = true
    var pressure: PressureThreshold?
    var watchdogPeriod = Duration.endless
    /// What the period is after each sign of life, as far as told.
    var watchdogPeriods: [Int64] = []
    var pendingWrite: ChildWrite?
    /// Whether a decision falls into the time of each write.
    var isDueAfterWrite = false
    /// What the pause is after each decision, as far as told.
    var pauses: [Int64] = []
    /// What each reload changes, as far as told.
    var reloads: [@Sendable (inout RecordingHost) -> Void] = []
    /// The errno of each attempt to begin a child that fails, as far as told.
    var childFailures: [Int32] = []
    /// What the child writes to, where one begins.
    var childTarget: String?
    /// The last one that did.
    var child: ChildWrite?
    /// Of a write without a child.
    var refusal: Int32?
    /// Whether it records why a decision comes, too.
    var tellsReasons = false
    var events: [String] = []

    mutating func request() { if tellsReasons { events.append("asked") } }
    mutating func memoryIsShort() { if tellsReasons { events.append("short") } }
    mutating func decide() {
        events.append("decide")
        if !pauses.isEmpty { pause = .nanoseconds(pauses.removeFirst()) }
    }
    mutating func reload() {
        events.append("reload")
        if !reloads.isEmpty { reloads.removeFirst()(&self) }
    }
    mutating func finishWrite() -> Bool {
        events.append("finish")
        return isDueAfterWrite
    }
    mutating func machinesChanged(_ events: MachineEvents) {
        self.events += events.events.map { "guest \($0.creator)" }
    }
    mutating func report(_ notice: SourceNotice) {
        if case .otherPressure(let asked, _) = notice { events.append("watch \(asked.word)") }
    }
    mutating func signOfLife() {
        events.append("alive")
        if !watchdogPeriods.isEmpty { watchdogPeriod = .nanoseconds(watchdogPeriods.removeFirst()) }
    }
    mutating func beginLastWrite(run: Int64) throws(KernelFileError) -> ChildWrite? {
        events.append("child \(run)")
        if let childTarget {
            child = try ChildWrite("x", to: childTarget)
            return child
        }
        guard !childFailures.isEmpty else { return nil }
        throw KernelFileError(.write, "run", errno: childFailures.removeFirst())
    }
    mutating func writeLast(run: Int64, after failure: KernelFileError) throws(KernelFileError) {
        events.append("write \(run) after \(failure.errno)")
        if let refusal { throw KernelFileError(.write, "run", errno: refusal) }
    }
}

@Suite struct LoopTests {
    // MARK: The last write

    private func lastWrite(
        _ childFailures: [Int32], _ script: Script = [([], nil), ([], nil)], refusal: Int32? = nil
    ) -> [String] {
        var host = RecordingHost()
        host.childFailures = childFailures
        host.refusal = refusal
        var loop = Loop(ScriptedWaiter(script: script))
        do throws(KernelFileError) {
            #expect(try loop.writeLast(run: 0, &host))
        } catch {
            host.events.append("failed \(error.errno)")
        }
        return host.events
    }

    @Test func `The last write is tried again in a child, and then made without one`() {
        #expect(lastWrite([]) == ["child 0"])
        #expect(lastWrite([11]) == ["child 0", "alive", "child 0"])
        #expect(lastWrite([11, 24]) == ["child 0", "alive", "child 0", "alive", "child 0"])
        #expect(
            lastWrite([11, 11, 24, 24])
                == ["child 0", "alive", "child 0", "alive", "child 0", "write 0 after 24"])
    }

    @Test func `Between two attempts at the last write lies a second`() throws {
        var host = RecordingHost()
        host.childFailures = [11, 11]
        let waiter = ScriptedWaiter(script: [([], nil), ([], nil)])
        var loop = Loop(waiter)
        let isTaken = try loop.writeLast(run: 0, &host)
        #expect(isTaken)
        #expect(waiter.waits.all == [.seconds(1), .seconds(1)])
    }

    // The kernel ends one that unmerges where memory is short, which it would want again.
    @Test(arguments: [(Int64(0), 3), (1, 3), (2, 1)])
    func `A child's last write that the kernel refuses is tried again, unless it unmerges`(run: Int64, attempts: Int) {
        var host = RecordingHost()
        host.childTarget = "/dev/full"
        let pause: (Wakeup, Int64?) = ([], nil)
        var loop = Loop(ScriptedWaiter(script: [(.written, 1), pause, (.written, 1), pause, (.written, 1)]))
        do throws(KernelFileError) {
            let isTaken = try loop.writeLast(run: run, &host)
            Issue.record("taken: \(isTaken)")
        } catch {
            #expect(error.errno == 28)
        }
        #expect(host.events.count { $0 == "child \(run)" } == attempts)
    }

    @Test(arguments: [(.written, true), (.terminate, false)] as [(Wakeup, Bool)])
    func `A child's last write is taken when it ends, not when the daemon is told to end again`(
        _ wakeup: Wakeup, isTaken: Bool
    ) throws {
        var host = RecordingHost()
        host.childTarget = "/dev/null"
        var loop = Loop(ScriptedWaiter(script: [(wakeup, 1)]))
        #expect(try loop.writeLast(run: 0, &host) == isTaken)
        #expect(host.events == ["child 0"])
        // Nobody else waits for it then.
        if !isTaken { try host.child?.finish() }
    }

    @Test func `Guests that come at the end are heard of, lest each wait end at once, and do nothing`() throws {
        var host = RecordingHost()
        host.childTarget = "/dev/null"
        let waiter = ScriptedWaiter(
            script: [([], nil), ([], nil), (.guests, 1), ([.guests, .pressure], 1), (.written, 1)])
        var loop = Loop(waiter)
        #expect(try loop.writeLast(run: 0, &host))
        #expect(waiter.waits.taken == 2)
        #expect(host.events == ["child 0", "alive", "alive", "alive", "alive"])
    }

    @Test func `Nothing but a second signal to end shortens the pause between two attempts`() {
        let pause: Int64 = 1_000_000_000
        let script: Script = [([.reload, .retune], 1), (.guests, 1), (.pressure, 1), ([], pause), ([], pause)]
        #expect(lastWrite([11, 11], script) == ["child 0", "alive", "child 0", "alive", "child 0"])
    }

    @Test func `A second signal to end keeps the last write from waiting for a child`() {
        #expect(lastWrite([11, 11], [(.terminate, 0)]) == ["child 0", "write 0 after 11"])
    }

    @Test func `What refuses the write without a child is told`() {
        #expect(lastWrite([11], [(.terminate, 0)], refusal: 5).last == "failed 5")
    }

    // MARK: The time of decisions

    private func events(
        _ script: Script, watchdog: Int64 = .max,
        _ change: (inout RecordingHost) -> Void = { _ in }
    ) -> [String] {
        var host = RecordingHost()
        host.watchdogPeriod = .nanoseconds(watchdog)
        change(&host)
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

    @Test func `a decision that fell into the time of a write is made after it, once, and begins a new pause`() {
        let due: (inout RecordingHost) -> Void = { $0.isDueAfterWrite = true }
        #expect(events([(.written, 59), ([], 59)], due) == ["finish", "decide"])
        #expect(events([(.written, 59), ([], 60)], due) == ["finish", "decide", "decide"])
        #expect(events([([.written, .reload], 60)], due) == ["finish", "reload", "decide"])
        #expect(events([(.written, 59)]) == ["finish"])
    }

    @Test func `the pause is the one after the decision`() {
        #expect(events([([], nil), ([], 4), ([], 1)]) { $0.pauses = [5] } == ["decide", "decide"])
    }

    // MARK: Guests

    private static let second: Int64 = 1_000_000_000
    private static let minute = 60 * second

    private func guestEvents(
        _ script: Script, _ change: (inout RecordingHost) -> Void = { _ in }
    ) -> [String] {
        events(script) {
            $0.pause = .nanoseconds(Self.minute)
            change(&$0)
        }
    }

    @Test func `a guest brings a decision one second later`() {
        #expect(guestEvents([(.guests, 1), ([], Self.second - 1)]) == ["guest 1"])
        #expect(guestEvents([(.guests, 1), ([], Self.second)]) == ["guest 1", "decide"])
        #expect(guestEvents([(.guests, 1), ([], nil)]) == ["guest 1", "decide"])
    }

    @Test func `a hundred guests within a second are one decision, and are all told`() {
        let storm: Script = .init(repeating: (.guests, Self.second / 101), count: 100)
        let told = (1...100).map { "guest \($0)" }
        #expect(guestEvents(storm) == told)
        let second: Script = [([], nil)]
        #expect(guestEvents(storm + second) == told + ["decide"])
        let short: Script = [([], nil), ([], Self.minute - 1)]
        #expect(guestEvents(storm + short) == told + ["decide"])
        let whole: Script = [([], nil), ([], Self.minute)]
        #expect(guestEvents(storm + whole) == told + ["decide", "decide"])
    }

    @Test func `guests that go on coming bring a decision each second, not none`() {
        let storm: Script = .init(repeating: (.guests, Self.second / 2), count: 9)
        #expect(guestEvents(storm).count { $0 == "decide" } == 3)
    }

    @Test func `a guest does not put off the decision that comes anyway`() {
        #expect(guestEvents([(.guests, Self.minute - 5), ([], 5)]) == ["guest 1", "decide"])
    }

    @Test func `USR1 does not wait for the second, and takes the guests in`() {
        #expect(guestEvents([(.guests, 1), (.retune, 1), ([], Self.second)]) == ["guest 1", "decide"])
        #expect(guestEvents([([.guests, .retune], 1), ([], Self.second)]) == ["guest 1", "decide"])
    }

    @Test func `guests that are no reason to decide are told all the same`() {
        #expect(guestEvents([(.guests, 1), ([], 10 * Self.second)]) { $0.retunesOnGuests = false } == ["guest 1"])
    }

    @Test func `a reload brings the switch into force`() {
        let script: Script = [(.guests, 1), (.reload, 1), (.guests, 1), ([], nil)]
        #expect(
            guestEvents(script) {
                $0.retunesOnGuests = false
                $0.reloads = [{ $0.retunesOnGuests = true }]
            } == ["guest 1", "reload", "decide", "guest 2", "decide"])
    }

    @Test func `a guest that comes during a slow write is told before its end`() {
        #expect(
            guestEvents([(.guests, 1), (.written, 1), ([], nil)]) { $0.isDueAfterWrite = true }
                == ["guest 1", "finish", "decide", "decide"])
        #expect(
            guestEvents([([.guests, .written], 1), ([], nil)]) == ["finish", "guest 1", "decide"])
    }

    @Test func `an endless pause decides when a guest comes`() {
        #expect(guestEvents([(.guests, 1 << 40), ([], nil)]) { $0.pause = .endless } == ["guest 1", "decide"])
    }

    // MARK: Pressure

    @Test func `pressure decides at once, and begins a whole new pause`() {
        let late = 30 * Self.second
        #expect(guestEvents([(.pressure, late)]) == ["decide"])
        #expect(guestEvents([(.pressure, late), ([], Self.minute - 1)]) == ["decide"])
        #expect(guestEvents([(.pressure, late), ([], Self.minute)]) == ["decide", "decide"])
    }

    @Test func `pressure waits until a second has passed since the last decision, and is not forgotten`() {
        #expect(guestEvents([(.pressure, 1), ([], Self.second - 2)]) == [])
        #expect(guestEvents([(.pressure, 1), ([], nil)]) == ["decide"])
        #expect(guestEvents([(.retune, 5), (.pressure, Self.second - 1)]) == ["decide"])
        #expect(guestEvents([(.retune, 5), (.pressure, Self.second)]) == ["decide", "decide"])
    }

    @Test func `pressure that lasts decides once a second, however often it is reported`() {
        let pressed: Script = .init(repeating: (.pressure, Self.second / 10), count: 100)
        #expect(guestEvents(pressed) == .init(repeating: "decide", count: 10))
    }

    @Test func `pressure takes in the guests that came before it`() {
        let late = 30 * Self.second
        #expect(guestEvents([(.guests, late), (.pressure, 1), ([], Self.second)]) == ["guest 1", "decide"])
    }

    @Test func `who asks and what presses is told before the decision, also before one that must wait`() {
        let tell: (inout RecordingHost) -> Void = { $0.tellsReasons = true }
        #expect(guestEvents([(.retune, 1)], tell) == ["asked", "decide"])
        #expect(guestEvents([(.reload, 1)], tell) == ["reload", "decide"])
        #expect(guestEvents([([], nil)], tell) == ["decide"])
        #expect(guestEvents([(.pressure, 1), (.pressure, 1), ([], nil)], tell) == ["short", "short", "decide"])
        #expect(guestEvents([(.pressure, Self.second)], tell) == ["short", "decide"])
    }

    @Test func `pressure is watched from the start, and by another threshold after a reload`() {
        let other = PressureThreshold(.full, stall: .microseconds(1), window: .microseconds(1_000_000))
        let script: Script = [(.reload, 1), (.reload, 1)]
        #expect(
            guestEvents(script) {
                $0.pressure = PressureThreshold(.some, stall: .microseconds(150_000), window: .microseconds(1_000_000))
                $0.reloads = [{ $0.pressure = other }, { $0.pressure = nil }]
            } == ["watch some 150ms/1s", "reload", "decide", "watch full 1us/1s", "reload", "decide"])
    }

    @Test func `signs of life come in their own time, and decide nothing`() {
        #expect(events([([], nil), ([], nil), ([], nil)], watchdog: 25) == ["alive", "alive", "decide"])
        #expect(events([(.retune, 10), ([], nil)], watchdog: 25) == ["decide", "alive"])
    }

    @Test func `signs of life come sooner where one was not taken, or a reload's was not`() {
        let waits: Script = [([], nil), ([], nil), ([], nil)]
        #expect(events(waits, watchdog: 25) { $0.watchdogPeriods = [5, 5, 25] } == ["alive", "alive", "alive"])
        #expect(
            events([(.reload, 1), ([], 5), ([], nil)], watchdog: 50) {
                $0.reloads = [{ $0.watchdogPeriod = .nanoseconds(5) }]
                $0.watchdogPeriods = [100]
            } == ["reload", "decide", "alive", "decide"])
    }

    @Test func `an endless interval decides only on a signal`() {
        var host = RecordingHost()
        host.pause = .endless
        var loop = Loop(ScriptedWaiter(script: [([], 1 << 40), (.retune, 1)]))
        loop.run(&host)
        #expect(host.events == ["decide"])
    }

    @Test func `a last write is waited for with signs of life, until told to end again`() throws {
        let write = try ChildWrite("x", to: "/dev/null")
        defer { try? write.finish() }
        var host = RecordingHost()
        let waiter = ScriptedWaiter(script: [([], nil), ([], nil), (.written, 1)])
        var loop = Loop(waiter)
        #expect(loop.runToEnd(of: write, &host))
        #expect(host.events == ["alive", "alive"])
        #expect(waiter.waits.all == [.seconds(1), .seconds(1), .seconds(1)])
        loop = Loop(ScriptedWaiter(script: [([], nil), (.terminate, 1)]))
        #expect(!loop.runToEnd(of: write, &host))
        let isGivenUp = loop.isGivenUp
        #expect(isGivenUp)
    }

    // timeout(1) sends each signal twice.
    @Test func `a last write that ends soon is taken although two signals to end came at once`() throws {
        let write = try ChildWrite("x", to: "/dev/null")
        defer { try? write.finish() }
        var host = RecordingHost()
        let soon = ScriptedWaiter(script: [(.terminate, 0), (.guests, 1), (.written, 1)])
        var loop = Loop(soon)
        #expect(loop.runToEnd(of: write, &host))
        var isGivenUp = loop.isGivenUp
        #expect(!isGivenUp)
        #expect(soon.waits.all == [.seconds(1), .milliseconds(100), .milliseconds(100) - .nanoseconds(1)])
        // What comes behind it is waited for as long.
        let late = ScriptedWaiter(script: [(.terminate, 0), ([], nil), (.written, 1)])
        loop = Loop(late)
        #expect(!loop.runToEnd(of: write, &host))
        isGivenUp = loop.isGivenUp
        #expect(isGivenUp)
        #expect(loop.runToEnd(of: write, &host))
        #expect(late.waits.all == [.seconds(1), .milliseconds(100), .milliseconds(100)])
        // A third one.
        loop = Loop(ScriptedWaiter(script: [(.terminate, 0), (.terminate, 1), (.written, 1)]))
        #expect(!loop.runToEnd(of: write, &host))
        #expect(host.events == [])
    }
}
