import HostFixtures
import HostKernel
import KSMPolicy
import Testing

@testable import Tuner

extension Tuner {
    /// What the policy wants of `smart_scan` until it says otherwise; `nil` for what was found.
    fileprivate mutating func overrideSmartScan(_ wanted: Bool?) throws(KernelFileError) {
        try applier.override(smartScan: wanted, &knobs)
    }
}

/// Remembers what is told.
private struct Listener: StepObserver {
    var notices: [Notice] = []

    mutating func willApply(_ decision: Decision, guests: Int) {}
    mutating func didApply(_ decision: Decision, guests: Int, isRefused: Bool) {}
    mutating func report(_ notice: Notice) { notices.append(notice) }
}

@Suite struct KnobsTests {
    private static let total: Int64 = 16 * 1024 * 1024
    private static let second: Int64 = 1_000_000_000
    private let host = FakeHost(total: total)

    /// A kernel with all knobs at its defaults, and this many pages merged.
    private func kernel(merged: Int64 = 0) -> RecordingControl {
        var control = RecordingControl()
        control.values[.mergeAcrossNodes] = 1
        control.values[.maxPageSharing] = 256
        control.values[.useZeroPages] = 0
        control.values[.smartScan] = 1
        control.values[.pagesShared] = merged
        control.values[.pagesSharing] = merged
        return control
    }

    private func configuration(_ change: (inout Configuration) -> Void) -> Configuration {
        var configuration = Configuration()
        change(&configuration)
        return configuration
    }

    private func tuner(
        _ control: RecordingControl, found: KnobSettings = KnobSettings(), _ change: (inout Configuration) -> Void
    ) throws -> Tuner<RecordingControl> {
        let configuration = configuration(change)
        return try Tuner(
            host.paths, control: control, configuration: configuration,
            policy: ClassicPolicy(configuration, total: KiB(Self.total)), foundKnobs: found)
    }

    /// One that may unmerge everything for `max_page_sharing`.
    private func unmergingTuner(_ control: RecordingControl) throws -> Tuner<RecordingControl> {
        try tuner(control) {
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
    }

    private func settings(_ values: [Knob: Int64]) -> KnobSettings {
        var settings = KnobSettings()
        for (knob, value) in values { settings[knob] = value }
        return settings
    }

    /// As the daemon does at a start and after a reload.
    private func apply(_ tuner: inout Tuner<RecordingControl>, _ listener: inout Listener) {
        _ = tuner.rememberKnobs()
        tuner.applyKnobs(&listener)
    }

    private func remembers(_ tuner: inout Tuner<RecordingControl>) -> Bool { tuner.rememberKnobs() }

    private func adopt(
        _ tuner: inout Tuner<RecordingControl>, _ change: (inout Configuration) -> Void
    ) throws {
        let configuration = configuration(change)
        try tuner.adopt(configuration, ClassicPolicy(configuration, total: KiB(Self.total)))
    }

    // MARK: What a policy wants of smart_scan

    @Test func `The operator's smart_scan counts more than a policy's`() throws {
        for (asked, written) in [(Switch?.none, true), (.yes, false)] {
            var tuner = try tuner(kernel()) {
                $0.policy = .adaptive
                $0.smartScan = asked
            }
            var listener = Listener()
            apply(&tuner, &listener)
            try tuner.overrideSmartScan(false)
            #expect(tuner.control.writes == (written ? ["smart_scan=0"] : []))
            #expect(tuner.foundKnobs[.smartScan] == (written ? 1 : nil))
            try tuner.overrideSmartScan(false)
            try tuner.overrideSmartScan(nil)
            #expect(tuner.control.writes == (written ? ["smart_scan=0", "smart_scan=1"] : []))
            #expect(tuner.foundKnobs == KnobSettings())
            #expect(listener.notices.isEmpty)
        }
    }

    @Test func `What a policy wants of smart_scan is remembered once in a scan, whoever else writes to it`() throws {
        var tuner = try tuner(kernel()) { $0.policy = .adaptive }
        var decision = Decision(
            action: .scan, reason: .settled, pagesToScan: 100, sleepMilliseconds: 20,
            memory: MemorySample(free: .zero, committed: .zero), total: KiB(Self.total), threshold: .zero,
            previousPagesToScan: 100)
        decision.scan = ScanReport(unscanned: .zero, changed: .zero)
        func remembers(_ tuner: inout Tuner<RecordingControl>) -> Bool { tuner.rememberSmartScan(for: decision) }
        #expect(remembers(&tuner) == false, "it wants nothing of it")
        decision.scan?.smartScan = false
        tuner.control.values[.smartScan] = 0
        #expect(remembers(&tuner) == false, "it is so already")
        try tuner.overrideSmartScan(false)
        tuner.control.values[.smartScan] = 1
        #expect(remembers(&tuner) == false)
        try tuner.overrideSmartScan(nil)
        #expect(remembers(&tuner) == true)
        #expect(tuner.foundKnobs[.smartScan] == 1)
    }

    @Test func `A reload that sets smart_scan ends a policy's, and what was found is kept`() throws {
        var tuner = try tuner(kernel()) { $0.policy = .adaptive }
        var listener = Listener()
        try tuner.overrideSmartScan(false)
        try adopt(&tuner) {
            $0.policy = .adaptive
            $0.smartScan = .no
        }
        apply(&tuner, &listener)
        try tuner.overrideSmartScan(nil)
        #expect(tuner.control.writes == ["smart_scan=0"])
        #expect(tuner.foundKnobs[.smartScan] == 1)
        try adopt(&tuner) { $0.policy = .adaptive }
        apply(&tuner, &listener)
        #expect(tuner.control.writes == ["smart_scan=0", "smart_scan=1"])
    }

    @Test func `Another policy after a reload has smart_scan as it was found`() throws {
        var tuner = try tuner(kernel()) { $0.policy = .adaptive }
        var listener = Listener()
        try tuner.overrideSmartScan(false)
        try adopt(&tuner) { _ in }
        apply(&tuner, &listener)
        #expect(tuner.control.writes == ["smart_scan=0", "smart_scan=1"])
        #expect(tuner.foundKnobs == KnobSettings())
    }

    // MARK: Without anything merged

    @Test func `What is not set is left alone`() throws {
        var tuner = try tuner(kernel()) { _ in }
        var listener = Listener()
        #expect(remembers(&tuner) == false)
        apply(&tuner, &listener)
        for second in [0, 20, 40] { _ = tuner.step(at: Instant(nanoseconds: Int64(second) * Self.second), &listener) }
        #expect(tuner.control.writes == ["run=0", "run=0", "run=0"])
        #expect(listener.notices.isEmpty)
        #expect(tuner.foundKnobs == KnobSettings())
    }

    @Test func `What is set is written, and what was there is remembered first`() throws {
        var tuner = try tuner(kernel()) {
            $0.mergeAcrossNodes = .no
            $0.maxPageSharing = 512
            $0.useZeroPages = .yes
            $0.smartScan = .no
        }
        var listener = Listener()
        #expect(remembers(&tuner) == true)
        #expect(tuner.control.writes.isEmpty)
        let found = settings([.mergeAcrossNodes: 1, .maxPageSharing: 256, .useZeroPages: 0, .smartScan: 1])
        #expect(tuner.foundKnobs == found)
        tuner.applyKnobs(&listener)
        #expect(
            tuner.control.writes == [
                "merge_across_nodes=0", "max_page_sharing=512", "use_zero_pages=1", "smart_scan=0",
            ])
        #expect(
            listener.notices == [
                .changedKnob(.mergeAcrossNodes, from: 1, to: 0), .changedKnob(.maxPageSharing, from: 256, to: 512),
                .changedKnob(.useZeroPages, from: 0, to: 1), .changedKnob(.smartScan, from: 1, to: 0),
            ])
        #expect(tuner.foundKnobs == found)
        #expect(remembers(&tuner) == false)
    }

    @Test func `A value that is there already is not written, also while pages are merged`() throws {
        var tuner = try tuner(kernel(merged: 5)) {
            $0.mergeAcrossNodes = .yes
            $0.maxPageSharing = 256
            $0.useZeroPages = .no
            $0.smartScan = .yes
        }
        var listener = Listener()
        #expect(remembers(&tuner) == false)
        apply(&tuner, &listener)
        #expect(tuner.control.writes.isEmpty)
        #expect(listener.notices.isEmpty)
        #expect(tuner.foundKnobs == KnobSettings())
    }

    @Test func `A reload changes a knob, and one that is set no more goes back to what was found`() throws {
        var tuner = try tuner(kernel()) { $0.maxPageSharing = 512 }
        var listener = Listener()
        apply(&tuner, &listener)
        try adopt(&tuner) { $0.maxPageSharing = 1024 }
        apply(&tuner, &listener)
        #expect(tuner.foundKnobs[.maxPageSharing] == 256)
        try adopt(&tuner) { _ in }
        apply(&tuner, &listener)
        #expect(
            tuner.control.writes == ["max_page_sharing=512", "max_page_sharing=1024", "max_page_sharing=256"])
        #expect(tuner.foundKnobs == KnobSettings())
        // From here on it is the operator's.
        tuner.control.values[.maxPageSharing] = 2
        apply(&tuner, &listener)
        #expect(tuner.control.writes.count == 3)
    }

    @Test func `A knob that is set to what was found has nothing to be put back`() throws {
        var tuner = try tuner(kernel()) { $0.maxPageSharing = 512 }
        var listener = Listener()
        apply(&tuner, &listener)
        try adopt(&tuner) { $0.maxPageSharing = 256 }
        apply(&tuner, &listener)
        #expect(tuner.foundKnobs == KnobSettings())
    }

    @Test(arguments: Knob.allCases)
    func `A knob that this kernel does not have is told once, with where it came from`(_ knob: Knob) throws {
        var control = kernel()
        control.values[knob.file] = nil
        var tuner = try tuner(control) {
            $0.mergeAcrossNodes = .yes
            $0.maxPageSharing = 256
            $0.useZeroPages = .no
            $0.smartScan = .yes
        }
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(listener.notices == [.noKnob(knob)])
        let text = try #require(listener.notices.first).description
        #expect(text.hasPrefix("this kernel has no \(knob.file.name) (it came with Linux "))
        #expect(text.hasSuffix("so \(knob.setting.name)= has no effect"))
    }

    @Test func `A refused knob is told once with its file, and the others are changed`() throws {
        var control = kernel()
        control.refusals[.useZeroPages] = 22
        var tuner = try tuner(control) {
            $0.useZeroPages = .yes
            $0.smartScan = .no
        }
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(
            listener.notices == [
                .knobFailed(.useZeroPages, KernelFileError(.write, "use_zero_pages", errno: 22)),
                .changedKnob(.smartScan, from: 1, to: 0),
            ])
        #expect(tuner.foundKnobs == settings([.smartScan: 1]))
    }

    // MARK: With merged pages

    @Test func `Without leave to unmerge it waits, says once what to do, and is changed when nothing is merged`() throws
    {
        var tuner = try tuner(kernel(merged: 1000)) { $0.mergeAcrossNodes = .no }
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(listener.notices == [.knobWaits(.mergeAcrossNodes, present: 1, wanted: 0, .notAllowed)])
        #expect(
            listener.notices[0].description
                == "merge_across_nodes stays 1 and is not 0 yet, since the kernel changes it only while nothing is "
                + "merged: set KSM_ALLOW_UNMERGE=yes, or stop the guests, or set it at boot before they start")
        #expect(tuner.control.begun.isEmpty)
        #expect(tuner.control.writes.allSatisfy { $0 == "run=0" })
        #expect(tuner.foundKnobs == KnobSettings())

        tuner.control.values[.pagesShared] = 0
        // It is no failure, which would be tried again at each decision.
        _ = tuner.step(at: Instant(nanoseconds: 61 * Self.second), &listener)
        #expect(tuner.control.values[.mergeAcrossNodes] == 1)
        _ = tuner.step(at: Instant(nanoseconds: 100 * Self.second), &listener)
        #expect(tuner.control.values[.mergeAcrossNodes] == 0)
        #expect(listener.notices.last == .changedKnob(.mergeAcrossNodes, from: 1, to: 0))
        #expect(tuner.foundKnobs == settings([.mergeAcrossNodes: 1]))
    }

    @Test func `With leave everything is unmerged in a child, once for all knobs, and a decision says what comes next`()
        throws
    {
        var control = kernel(merged: 1000)
        control.childFile = host.path("run/child")
        host.write("", to: "run/child")
        var tuner = try tuner(control) {
            $0.mergeAcrossNodes = .no
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(tuner.pending != nil)
        #expect(tuner.control.begun == [2])
        #expect(tuner.control.writes.isEmpty)
        #expect(listener.notices == [.unmergingFor(.mergeAcrossNodes, KiB(4000))])
        #expect(tuner.foundKnobs == settings([.mergeAcrossNodes: 1, .maxPageSharing: 256]))
        // Meanwhile a decision is put off, without another word.
        #expect(tuner.step(at: Instant(nanoseconds: Self.second), &listener) == nil)
        #expect(listener.notices.count == 1)
        #expect(tuner.isCleared == false)

        tuner.finishPending(&listener)
        #expect(tuner.pending == nil)
        #expect(tuner.isCleared == true)
        #expect(host.read("run/child") == "2\n")
        #expect(tuner.control.writes == ["merge_across_nodes=0", "max_page_sharing=512"])
        #expect(
            listener.notices.dropFirst() == [
                .changedKnob(.mergeAcrossNodes, from: 1, to: 0), .changedKnob(.maxPageSharing, from: 256, to: 512),
            ])
        #expect(tuner.step(at: Instant(nanoseconds: 2 * Self.second), &listener) != nil)
        #expect(tuner.control.values[.run] == 0)
        #expect(tuner.isCleared == false)
        // Nobody else stopped KSM.
        #expect(listener.notices.count == 3)
    }

    @Test func `The adaptive policy scans anew after everything was unmerged`() throws {
        for merged: Int64 in [0, 1000] {
            var tuner = try tuner(kernel(merged: merged)) {
                $0.policy = .adaptive
                $0.maxPageSharing = 512
                $0.allowsUnmerge = true
            }
            var listener = Listener()
            apply(&tuner, &listener)
            #expect(tuner.control.begun == (merged > 0 ? [2] : []))
            let step = tuner.step(at: Instant(nanoseconds: Self.second), &listener)
            #expect(step?.decision.action == (merged > 0 ? .scan : .stop))
            #expect(tuner.control.values[.run] == (merged > 0 ? 1 : 0))
        }
    }

    @Test func `The adaptive policy scans nothing anew after the end of a scan was waited for`() throws {
        var control = kernel()
        control.values[.run] = 1
        control.values[.pagesToScan] = 200_000
        var tuner = try tuner(control) {
            $0.policy = .adaptive
            $0.maxPageSharing = 512
        }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(tuner.control.begun == [0])
        #expect(tuner.control.values[.maxPageSharing] == 512)
        #expect(tuner.step(at: Instant(nanoseconds: Self.second), &listener)?.decision.action == .stop)
    }

    @Test func `The adaptive policy scans nothing anew after everything could not be unmerged`() throws {
        var control = kernel(merged: 1000)
        control.childFile = host.path("no/such/folder/run")
        control.leftMerged = 1000
        var tuner = try tuner(control) {
            $0.policy = .adaptive
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
        var listener = Listener()
        apply(&tuner, &listener)
        tuner.finishPending(&listener)
        #expect(tuner.isCleared == true)
        #expect(tuner.step(at: Instant(nanoseconds: Self.second), &listener)?.decision.action == .stop)
    }

    @Test func `Where there is no room for the copies it waits, and says so`() throws {
        var tuner = try tuner(kernel(merged: Self.total / 8)) {
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(tuner.control.begun.isEmpty)
        #expect(
            listener.notices.map(\.description) == [
                "max_page_sharing stays 256 and is not 512 yet, since the kernel changes it only while nothing is "
                    + "merged; unmerging needs 8.0 GiB, and only 8.0 GiB of memory and swap are free: make room "
                    + "and reload the configuration, or stop the guests"
            ])
    }

    @Test func `Where there was no child it is tried again, and no decision comes between`() throws {
        var control = kernel(merged: 1000)
        control.refusals[.run] = 11
        var tuner = try unmergingTuner(control)
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(
            listener.notices == [
                .unmergingFor(.maxPageSharing, KiB(4000)),
                .knobNotCleared(.maxPageSharing, KernelFileError(.write, "run", errno: 11), isTriedAgain: true),
            ])
        tuner.control.refusals = [:]
        host.write("", to: "run/takes")
        tuner.control.childFile = host.path("run/takes")
        // Not at each decision.
        for time in [0, 5] as [Int64] {
            let decision = tuner.step(at: Instant(nanoseconds: time * Self.second), &listener)
            #expect(decision != nil)
        }
        #expect(tuner.control.begun == [2])
        tuner.control.forget()
        let decision = tuner.step(at: Instant(nanoseconds: 20 * Self.second), &listener)
        #expect(decision == nil)
        #expect(tuner.control.begun == [2, 2])
        #expect(tuner.control.writes.isEmpty)
        tuner.finishPending(&listener)
        let isCleared = tuner.isCleared
        #expect(isCleared)
        #expect(tuner.control.writes == ["max_page_sharing=512"])
        #expect(listener.notices.last == .changedKnob(.maxPageSharing, from: 256, to: 512))
        #expect(listener.notices.count == 3)
    }

    @Test func `A child that fails leaves the knob, and a reload tries again`() throws {
        var control = kernel(merged: 1000)
        control.childFile = host.path("no/such/folder/run")
        control.leftMerged = 1000
        var tuner = try unmergingTuner(control)
        var listener = Listener()
        apply(&tuner, &listener)
        tuner.finishPending(&listener)
        #expect(tuner.isCleared == true)
        #expect(
            listener.notices == [
                .unmergingFor(.maxPageSharing, KiB(4000)),
                .knobNotCleared(
                    .maxPageSharing, KernelFileError(.write, host.path("no/such/folder/run"), errno: 2),
                    isTriedAgain: false),
            ])
        #expect(tuner.foundKnobs == KnobSettings())
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(tuner.control.begun == [2])

        tuner.control.childFile = nil
        tuner.control.leftMerged = 0
        try adopt(&tuner) {
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
        apply(&tuner, &listener)
        #expect(tuner.control.begun == [2, 2])
        #expect(tuner.control.values[.maxPageSharing] == 512)
    }

    @Test func `What stays merged after all is told, and is not tried for ever`() throws {
        var control = kernel(merged: 1000)
        control.leftMerged = 3
        var tuner = try unmergingTuner(control)
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(tuner.control.begun == [2])
        #expect(
            listener.notices == [
                .unmergingFor(.maxPageSharing, KiB(4000)),
                .knobWaits(.maxPageSharing, present: 256, wanted: 512, .stillMerged),
            ])
    }

    @Test func `A refusal that no counter foretold counts as merged pages`() throws {
        var control = kernel()
        control.refusals[.mergeAcrossNodes] = 16
        var tuner = try tuner(control) { $0.mergeAcrossNodes = .no }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(listener.notices == [.knobWaits(.mergeAcrossNodes, present: 1, wanted: 0, .notAllowed)])
    }

    @Test func `A long scan, which the change would wait for, is ended by a child first`() throws {
        var control = kernel()
        control.values[.run] = 1
        control.values[.pagesToScan] = 100_001
        var tuner = try tuner(control) {
            $0.mergeAcrossNodes = .no
            $0.useZeroPages = .yes
        }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(tuner.control.begun == [0])
        #expect(tuner.control.writes == ["use_zero_pages=1", "merge_across_nodes=0"])
        #expect(tuner.isCleared == true)
    }

    @Test func `A reload while the kernel is busy with another write comes to pass after it`() throws {
        var control = kernel()
        control.values[.pagesToScan] = 100_001
        control.childFile = host.path("run/child")
        host.write("", to: "run/child")
        var tuner = try tuner(control) { _ in }
        var listener = Listener()
        _ = tuner.step(at: 0, &listener)
        #expect(tuner.pending != nil)
        try adopt(&tuner) { $0.smartScan = .no }
        apply(&tuner, &listener)
        #expect(tuner.control.values[.smartScan] == 1)
        tuner.finishPending(&listener)
        #expect(tuner.control.values[.smartScan] == 0)
        #expect(tuner.isCleared == false)
    }

    @Test(arguments: [true, false])
    func `A reload that had to wait is made up for once, and unmerges nothing later`(isClearing: Bool) throws {
        var control = kernel(merged: isClearing ? 1000 : 0)
        control.childFile = host.path("run/child")
        host.write("", to: "run/child")
        control.values[.pagesToScan] = 100_001
        var tuner = try unmergingTuner(control)
        var listener = Listener()
        apply(&tuner, &listener)
        if !isClearing { _ = tuner.step(at: 0, &listener) }
        #expect(tuner.control.begun == [isClearing ? 2 : 0])
        try adopt(&tuner) {
            $0.maxPageSharing = 512
            $0.smartScan = .no
            $0.allowsUnmerge = true
        }
        apply(&tuner, &listener)
        #expect(tuner.control.values[.smartScan] == 1)
        tuner.finishPending(&listener)
        #expect(tuner.control.values[.smartScan] == 0)
        // Another hand changes one, and pages merge: for that hand nothing is unmerged.
        tuner.control.values[.maxPageSharing] = 256
        tuner.control.values[.pagesShared] = 1000
        tuner.control.values[.pagesToScan] = 100_001
        let begun = tuner.control.begun.count
        for time in 1...4 {
            _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener)
            if tuner.pending != nil { tuner.finishPending(&listener) }
        }
        #expect(tuner.control.begun.count > begun)
        #expect(!tuner.control.begun[begun...].contains(2))
    }

    // MARK: Other hands

    @Test func `Another hand at a knob is told once, and the configured value counts again`() throws {
        var tuner = try tuner(kernel()) { $0.useZeroPages = .yes }
        var listener = Listener()
        apply(&tuner, &listener)
        listener.notices = []
        for time in 0..<4 {
            tuner.control.values[.useZeroPages] = 0
            _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener)
        }
        #expect(listener.notices.filter { $0 == .foreignWrite(.useZeroPages, expected: 1, found: 0) }.count == 1)
        #expect(tuner.control.values[.useZeroPages] == 1)
        #expect(tuner.foundKnobs == settings([.useZeroPages: 0]))
    }

    @Test func `The knobs are looked at every ten seconds at most, however often it decides`() throws {
        var tuner = try tuner(kernel()) { $0.useZeroPages = .yes }
        var listener = Listener()
        apply(&tuner, &listener)
        _ = tuner.step(at: 0, &listener)
        tuner.control.values[.useZeroPages] = 0
        _ = tuner.step(at: Instant(nanoseconds: 10 * Self.second - 1), &listener)
        #expect(tuner.control.values[.useZeroPages] == 0)
        _ = tuner.step(at: Instant(nanoseconds: 10 * Self.second), &listener)
        #expect(tuner.control.values[.useZeroPages] == 1)
        tuner.control.values[.useZeroPages] = 0
        _ = tuner.step(at: Instant(nanoseconds: 19 * Self.second), &listener)
        #expect(tuner.control.values[.useZeroPages] == 0)
    }

    @Test func `What another hand wrote is not what was found`() throws {
        var tuner = try tuner(kernel()) {
            $0.maxPageSharing = 256
            $0.onExit = .restore
        }
        var listener = Listener()
        apply(&tuner, &listener)
        for time in 0..<2 {
            tuner.control.values[.maxPageSharing] = 300
            _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener)
        }
        #expect(tuner.control.values[.maxPageSharing] == 256)
        #expect(tuner.foundKnobs == KnobSettings())
        tuner.control.values[.maxPageSharing] = 300
        try adopt(&tuner) {
            $0.maxPageSharing = 512
            $0.onExit = .restore
        }
        apply(&tuner, &listener)
        tuner.putBackKnobs(&listener)
        #expect(tuner.control.values[.maxPageSharing] == 256)
    }

    @Test func `For another hand nothing is unmerged`() throws {
        var tuner = try tuner(kernel()) {
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
        }
        var listener = Listener()
        apply(&tuner, &listener)
        tuner.control.values[.maxPageSharing] = 300
        tuner.control.values[.pagesShared] = 7
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(tuner.control.begun.isEmpty)
        #expect(
            listener.notices.dropFirst() == [
                .foreignWrite(.maxPageSharing, expected: 512, found: 300),
                .knobWaits(.maxPageSharing, present: 300, wanted: 512, .notNow),
            ])
        #expect(tuner.foundKnobs == settings([.maxPageSharing: 256]))
    }

    // MARK: The end, and after a crash

    @Test func `Restoring puts the knobs back`() throws {
        var tuner = try tuner(kernel()) {
            $0.maxPageSharing = 512
            $0.smartScan = .no
            $0.onExit = .restore
        }
        var listener = Listener()
        apply(&tuner, &listener)
        tuner.control.forget()
        tuner.putBackKnobs(&listener)
        #expect(tuner.control.writes == ["max_page_sharing=256", "smart_scan=1"])
        #expect(tuner.foundKnobs == KnobSettings())
        _ = tuner.leave(found: KnobValues(run: 0), &listener)
        #expect(tuner.control.writes.count == 2)
    }

    @Test(arguments: [ExitAction.keep, .stop, .unmerge])
    func `Every other way to end leaves them`(_ action: ExitAction) throws {
        var tuner = try tuner(kernel()) {
            $0.maxPageSharing = 512
            $0.smartScan = .no
            $0.onExit = action
        }
        var listener = Listener()
        apply(&tuner, &listener)
        tuner.control.forget()
        tuner.putBackKnobs(&listener)
        _ = tuner.leave(found: KnobValues(run: 0), &listener)
        #expect(tuner.control.writes.isEmpty)
    }

    @Test(arguments: ExitAction.allCases)
    func `What is to be put back is all that was found, or what the operator has set no more`(
        _ action: ExitAction
    ) throws {
        let tuner = try tuner(kernel(), found: settings([.maxPageSharing: 128, .smartScan: 1])) {
            $0.smartScan = .no
            $0.onExit = action
        }
        let kept: [Knob: Int64] = action == .restore ? [.maxPageSharing: 128, .smartScan: 1] : [.maxPageSharing: 128]
        #expect(tuner.keptKnobs == settings(kept))
    }

    // No decision says yet what KSM does next.
    @Test(arguments: [(.classic, true, 1), (.adaptive, false, 1), (.adaptive, true, 0)] as [(PolicyKind, Bool, Int64)])
    func `What was stopped for a knob goes on after the end, but not at a burst's pace`(
        _ policy: PolicyKind, hasScanned: Bool, run: Int64
    ) throws {
        var tuner = try tuner(kernel()) { _ in }
        var listener = Listener()
        if hasScanned {
            host.setMemory(total: Self.total, free: 0)
            _ = tuner.step(at: 0, &listener)
        }
        tuner.control.values[.pagesShared] = 1000
        try adopt(&tuner) {
            $0.policy = policy
            $0.maxPageSharing = 512
            $0.allowsUnmerge = true
            $0.onExit = .keep
        }
        apply(&tuner, &listener)
        #expect(tuner.isCleared == true)
        #expect(tuner.leave(found: KnobValues(run: 1), &listener).run == run)
    }

    @Test func `Restoring unmerges where that is allowed, and else says what stays`() throws {
        for allows in [true, false] {
            var tuner = try tuner(kernel()) {
                $0.maxPageSharing = 512
                $0.allowsUnmerge = allows
                $0.onExit = .restore
            }
            var listener = Listener()
            apply(&tuner, &listener)
            tuner.control.values[.pagesShared] = 9
            tuner.control.values[.pagesSharing] = 9
            listener.notices = []
            tuner.putBackKnobs(&listener)
            #expect(tuner.control.begun == (allows ? [2] : []))
            #expect(tuner.control.values[.maxPageSharing] == (allows ? 256 : 512))
            if !allows {
                #expect(listener.notices == [.knobKept(.maxPageSharing, present: 512, found: 256, .notAllowed)])
                #expect(
                    listener.notices[0].description
                        == "max_page_sharing stays 512 and is not put back to 256, since the kernel changes it only while "
                        + "nothing is merged and KSM_ALLOW_UNMERGE is no: the next ksmtuned puts it back")
                #expect(tuner.foundKnobs == settings([.maxPageSharing: 256]))
            }
            #expect(tuner.leave(found: KnobValues(run: 1), &listener).run == 1)
        }
    }

    @Test func `What a daemon that crashed had found is put back by the next one`() throws {
        let found = settings([.maxPageSharing: 256, .smartScan: 1])
        var control = kernel()
        control.values[.maxPageSharing] = 512
        control.values[.smartScan] = 0
        // One is still set, the other is not.
        var tuner = try tuner(control, found: found) {
            $0.maxPageSharing = 512
            $0.onExit = .restore
        }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(tuner.control.writes == ["smart_scan=1"])
        #expect(tuner.foundKnobs == settings([.maxPageSharing: 256]))
        tuner.putBackKnobs(&listener)
        #expect(tuner.control.writes == ["smart_scan=1", "max_page_sharing=256"])
    }

    @Test func `What was found is kept while merged pages keep it from being put back`() throws {
        var control = kernel(merged: 5)
        control.values[.maxPageSharing] = 512
        var tuner = try tuner(control, found: settings([.maxPageSharing: 256])) { _ in }
        var listener = Listener()
        apply(&tuner, &listener)
        #expect(listener.notices == [.knobWaits(.maxPageSharing, present: 512, wanted: 256, .notAllowed)])
        #expect(tuner.foundKnobs == settings([.maxPageSharing: 256]))
    }

    @Test(arguments: [true, false])
    func `A dry run goes through all of it and changes nothing`(_ allows: Bool) throws {
        var control = kernel(merged: 5)
        control.takesEffect = false
        var tuner = try tuner(control) {
            $0.maxPageSharing = 512
            $0.smartScan = .no
            $0.allowsUnmerge = allows
        }
        var listener = Listener()
        #expect(remembers(&tuner) == false)
        apply(&tuner, &listener)
        #expect(tuner.control.begun == (allows ? [2] : []))
        #expect(tuner.control.writes == ["smart_scan=0"] + (allows ? ["max_page_sharing=512", "smart_scan=0"] : []))
        #expect(
            listener.notices
                == (allows ? [] : [.knobWaits(.maxPageSharing, present: 256, wanted: 512, .notAllowed)]))
        #expect(tuner.foundKnobs == KnobSettings())
        tuner.control.forget()
        for time in 0..<4 { _ = tuner.step(at: Instant(nanoseconds: Int64(time) * 20 * Self.second), &listener) }
        #expect(tuner.control.writes.allSatisfy { $0 == "run=0" })
    }
}
