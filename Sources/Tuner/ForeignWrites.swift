internal import HostKernel
internal import KSMPolicy

/// Notices that something else writes the knobs: virsh node-memory-tune, TuneD, an operator.
struct ForeignWrites {
    /// What this daemon wrote last; `nil` where it wrote nothing yet, or does not know what the kernel took.
    var expected = KnobValues() {
        didSet {
            if expected.run != oldValue.run { seen.run = nil }
            if expected.pagesToScan != oldValue.pagesToScan { seen.pagesToScan = nil }
            if expected.sleepMilliseconds != oldValue.sleepMilliseconds { seen.sleepMilliseconds = nil }
        }
    }
    /// What else was found since, in a file that this daemon has not written to again: the same is the same write still.
    private var seen = KnobValues()
    /// What was reported, so that a writer who comes back each minute with the same value is reported once.
    private var reported = KnobValues()

    /// Compares what the knobs hold with what they should.
    ///
    /// - Returns: What to report, a notice per knob.
    mutating func check(_ present: KnobValues) -> [Notice] {
        [
            Self.check(.run, expected.run, present.run, &reported.run),
            Self.check(.pagesToScan, expected.pagesToScan, present.pagesToScan, &reported.pagesToScan),
            Self.check(
                .sleepMilliseconds, expected.sleepMilliseconds, present.sleepMilliseconds,
                &reported.sleepMilliseconds),
        ].compactMap { $0 }
    }

    /// Whether a knob holds another value than it should.
    func differs(_ present: KnobValues) -> Bool {
        Self.differ(expected.run, present.run) || Self.differ(expected.pagesToScan, present.pagesToScan)
            || Self.differ(expected.sleepMilliseconds, present.sleepMilliseconds)
    }

    /// Whether a knob was written since the last call.
    mutating func isNew(_ present: KnobValues) -> Bool {
        func isNew(_ expected: Int64?, _ present: Int64?, _ seen: inout Int64?) -> Bool {
            guard Self.differ(expected, present) else { return false }
            defer { seen = present }
            return seen != present
        }
        let run = isNew(expected.run, present.run, &seen.run)
        let pages = isNew(expected.pagesToScan, present.pagesToScan, &seen.pagesToScan)
        let sleep = isNew(expected.sleepMilliseconds, present.sleepMilliseconds, &seen.sleepMilliseconds)
        return run || pages || sleep
    }

    private static func differ(_ expected: Int64?, _ present: Int64?) -> Bool {
        expected != nil && present != nil && expected != present
    }

    static func check(_ file: KSMFile, _ expected: Int64?, _ present: Int64?, _ reported: inout Int64?) -> Notice? {
        guard let expected, let present, expected != present else {
            reported = nil
            return nil
        }
        guard reported != present else { return nil }
        reported = present
        return .foreignWrite(file, expected: expected, found: present)
    }
}
