import Foundation
import HostFixtures
import HostKernel
import KSMPolicy
import Testing

/// A folder in the place of a file stands for the kernel's refusal.
@Suite struct FoundKnobsTests {
    private let host = FakeHost()

    init() {
        host.write("[none] scan-time\n", to: "sys/kernel/mm/ksm/advisor_mode")
        host.setKSM([
            "advisor_target_scan_time": 200, "advisor_max_cpu": 70, "advisor_min_pages_to_scan": 500,
            "advisor_max_pages_to_scan": 30_000,
        ])
    }

    private func refuse(_ name: String) {
        host.remove("sys/kernel/mm/ksm/\(name)")
        host.createFolder("sys/kernel/mm/ksm/\(name)")
    }

    private func allow(_ name: String, _ value: Int) {
        host.remove("sys/kernel/mm/ksm/\(name)")
        host.setKSM([name: Int64(value)])
    }

    private var control: KSMDirectory { KSMDirectory(host.paths) }

    @Test func `All is known`() {
        let found = FoundKnobs(control)
        #expect(found.unknown.isEmpty)
        #expect(found.values.run == 0)
        #expect(found.values.advisorMode == AdvisorMode.none)
        #expect(found.values.advisor.pagesMaximum == 30_000)
    }

    @Test func `One that cannot be read loses none of the others`() {
        refuse("advisor_max_cpu")
        let found = FoundKnobs(control)
        #expect(found.unknown == [.advisorMaxCPU])
        #expect(found.values.advisor.cpuMaximumPercent == nil)
        #expect(found.values.advisor.scanTimeSeconds == 200)
        #expect(found.values.advisor.pagesMinimum == 500)
        #expect(found.values.advisor.pagesMaximum == 30_000)
    }

    @Test func `It is read again until it is written to`() {
        refuse("run")
        refuse("sleep_millisecs")
        var found = FoundKnobs(control)
        #expect(found.unknown == [.run, .sleepMilliseconds])
        do {
            let isMore = found.readAgain(control, written: KSMFileSet())
            #expect(!isMore)
        }
        #expect(found.missing(written: KSMFileSet()).isEmpty)
        allow("run", 1)
        do {
            let isMore = found.readAgain(control, written: KSMFileSet())
            #expect(isMore)
        }
        #expect(found.values.run == 1)
        var written = KSMFileSet()
        written.insert(.sleepMilliseconds)
        allow("sleep_millisecs", 9)
        do {
            let isMore = found.readAgain(control, written: written)
            #expect(!isMore)
        }
        #expect(found.values.sleepMilliseconds == nil)
        #expect(found.missing(written: written) == [.sleepMilliseconds])
        // What was written once is lost, whoever asks.
        do {
            let isMore = found.readAgain(control, written: KSMFileSet())
            #expect(!isMore)
        }
    }

    @Test func `What a daemon that was killed does not say is lost, unless the kernel has no such file`() {
        for name in ["advisor_mode", "advisor_target_scan_time", "advisor_max_cpu"] {
            host.remove("sys/kernel/mm/ksm/\(name)")
        }
        var found = FoundKnobs(inheriting: KnobValues(pagesToScan: 7, sleepMilliseconds: 8), control)
        #expect(found.values.pagesToScan == 7)
        #expect(found.unknown == [.run, .advisorMinPagesToScan, .advisorMaxPagesToScan])
        do {
            let isMore = found.readAgain(control, written: KSMFileSet())
            #expect(!isMore)
        }
        #expect(found.missing(written: KSMFileSet()) == found.unknown)
        // It may have written to any of them.
        #expect(found.inherited.contains(.run) && found.inherited.contains(.pagesToScan))
    }

    @Test func `What a daemon that had put it back does not say is the operator's`() {
        allow("sleep_millisecs", 9)
        let found = FoundKnobs(inheriting: KnobValues(run: 2), hasEnded: true, control)
        #expect(found.values.run == 2)
        #expect(found.values.sleepMilliseconds == 9)
        #expect(found.unknown.isEmpty)
        #expect(found.inherited.contains(.run) && !found.inherited.contains(.sleepMilliseconds))
    }
}
