internal import HostKernel
internal import KSMPolicy

/// Notices that something else writes the knobs: virsh node-memory-tune, TuneD, an operator.
struct ForeignWrites {
    var run = WatchedKnob(.run)
    var pagesToScan = WatchedKnob(.pagesToScan)
    var sleepMilliseconds = WatchedKnob(.sleepMilliseconds)
    /// The advisor's bounds and its mode, where it sets the pace: 1 where it is on. Those that it was given.
    private var advisor: [KSMFile: WatchedKnob] = [:]

    /// What one look at the knobs found.
    struct Findings {
        /// One was written since the last look.
        fileprivate(set) var isNew = false
        /// What to report, a notice per knob.
        fileprivate(set) var notices: [Notice] = []
    }

    /// Compares what the knobs hold with what they should.
    mutating func look(_ present: KnobValues) -> Findings {
        var findings = Findings()
        run.look(present.run, &findings)
        pagesToScan.look(present.pagesToScan, &findings)
        sleepMilliseconds.look(present.sleepMilliseconds, &findings)
        return findings
    }

    /// Compares what a file of the advisor holds with what it was given.
    mutating func look(_ file: KSMFile, _ present: Int64, _ findings: inout Findings) {
        advisor[file]?.look(present, &findings)
        advisor[file]?.expectNothing(but: present)
    }

    /// The advisor has taken this.
    mutating func expect(_ file: KSMFile, _ value: Int64) {
        advisor[file, default: WatchedKnob(file)].expected = value
    }

    mutating func forgetAdvisor() { advisor = [:] }

    /// Expects nothing of the knobs that hold something else until they are written again.
    mutating func expectNothing(but present: KnobValues) {
        run.expectNothing(but: present.run)
        pagesToScan.expectNothing(but: present.pagesToScan)
        sleepMilliseconds.expectNothing(but: present.sleepMilliseconds)
    }

    /// A knob, what it should hold, and what else it was found to hold.
    struct WatchedKnob {
        private let file: KSMFile
        /// What this daemon wrote last; `nil` where it wrote nothing yet, or does not know what the kernel took.
        var expected: Int64? {
            didSet {
                if expected != oldValue { counted = nil }
            }
        }
        /// What was found since, in a file that this daemon has not written to again: the same is the same write still.
        private var counted: Int64?
        private var reported = ReportedValue()

        fileprivate init(_ file: KSMFile) { self.file = file }

        fileprivate mutating func expectNothing(but present: Int64?) {
            if let present, expected != present { expected = nil }
        }

        fileprivate mutating func look(_ present: Int64?, _ findings: inout Findings) {
            if let notice = reported.notice(file, expected: expected, found: present) {
                findings.notices.append(notice)
            }
            guard let expected, let present, expected != present else { return }
            if counted != present { findings.isNew = true }
            counted = present
        }
    }

    /// What was reported of a knob, so that a writer who comes back each minute with the same value is reported once.
    struct ReportedValue {
        private var value: Int64?

        mutating func notice(_ file: KSMFile, expected: Int64?, found present: Int64?) -> Notice? {
            guard let expected, let present, expected != present else {
                value = nil
                return nil
            }
            guard value != present else { return nil }
            value = present
            return .foreignWrite(file, expected: expected, found: present)
        }
    }
}
