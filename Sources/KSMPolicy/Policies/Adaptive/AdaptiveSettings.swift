extension AdaptivePolicy {
    /// The settings in the units of the arithmetic.
    struct Settings: Sendable {
        /// What ksmd may take in a burst, of one CPU.
        var share: Double
        /// What it may take for a probe, of one CPU.
        var probeShare: Double
        var idleStep: Duration
        var burstStep: Duration
        var start: AdaptiveStart
        /// Whether smart_scan is the policy's to change.
        var changesSmartScan: Bool
        var pageSize: Bytes
        private var yieldMinimum: Bytes

        init(_ configuration: Configuration, cpus: Int, pageSize: Bytes) {
            share = configuration.ksmdShare(cpus: cpus)
            probeShare = min(Double(configuration.probeCPUPercent) / 100, share)
            idleStep = configuration.idleStep
            burstStep = configuration.burstStep
            start = configuration.adaptiveStart
            changesSmartScan = configuration.smartScan == nil
            yieldMinimum = configuration.yieldMinimum
            self.pageSize = pageSize
        }

        /// Whether merging so much is worth so much of ksmd's CPU time, by ``Configuration/yieldMinimum``.
        func pays(bytes: Double, cpuSeconds: Double) -> Bool {
            bytes >= Double(yieldMinimum.count) * cpuSeconds
        }

        /// In bytes, for sums with shares and rates.
        func bytes(_ pages: Pages) -> Double { Double(pages.count) * Double(pageSize.count) }

        func kibibytes(_ pages: Pages) -> KiB { KiB(ofBytes: bytes(pages)) }

        /// The pages that an amount of memory takes.
        func pages(_ amount: KiB) -> Pages { Pages(rounding: amount.byteCount / Double(pageSize.count)) }
    }
}

extension KiB {
    /// In bytes, for sums with shares and rates.
    var byteCount: Double { Double(count) * 1024 }
}

extension Configuration {
    /// What ksmd may take at most by the adaptive policy, as a share of one CPU: the less of `KSM_CPU_MAX` of one and
    /// `KSM_CPU_MAX_HOST` of all.
    package func ksmdShare(cpus: Int) -> Double {
        min(Double(cpuMaximumPercent), Double(hostCPUMaximumPercent) * Double(max(cpus, 1))) / 100
    }
}
