import KSMPolicy
import Testing

@Suite struct SettingTests {
    @Test(arguments: [
        ("KSM_NPAGES_MAXIMUM", Setting.pagesMaximum), ("KSM_NPAGE_MIN", .pagesMinimum),
        ("KSM_SLEEP_MS", .sleepMilliseconds),
        ("KSM_THRESH_COEF", .thresholdPercent), ("KSM_THRES_CONSTANT", .thresholdConstant),
        ("KSM_INTERVAL", nil), ("KSM_ONEXIT", .onExit), ("KSM_PSMETRIC", .guestMetric),
        ("KSM_MONITOR_INTERVALL", .monitorInterval), ("KSM_X", nil), ("KSM_", nil), ("KSM_MAX_KERNEL_PAGES", nil),
        ("KSM_QWERTZUIOP", nil), ("KSM_SMARTSCAN", .smartScan), ("KSM_ZERO_PAGES", .useZeroPages),
        ("KSM_CPU_MAXIMUM", .cpuMaximum), ("KSM_ADVISOR_NPAGES", .advisorPagesMinimum), ("KSM_POLICE", .policy),
        ("KSM_PRESURE", .pressure), ("KSM_MAX_PAGES_SHARING", .maxPageSharing),
    ])
    func `The nearest name is told where one is near`(_ name: String, _ setting: Setting?) {
        #expect(Setting.nearest(to: name) == setting)
    }

    @Test func `One metric alone counts what is in swap`() {
        #expect(GuestMetric.allCases.filter { $0.countsSwap } == [.residentAndSwap])
    }

    @Test(arguments: Setting.allCases)
    func `Each name is nearest to itself`(_ setting: Setting) {
        #expect(Setting.nearest(to: setting.name) == setting)
    }
}
