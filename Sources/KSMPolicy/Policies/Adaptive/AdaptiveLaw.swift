extension AdaptivePolicy {
    /// The numbers of the law that are no settings. Times are in seconds.
    package enum Law {
        /// Growth below this is not worth a scan.
        package static let leastGrowth = KiB(16 * 1024)
        /// Changed memory below this is not worth a pass.
        static let leastChange = KiB(4 * 1024)
        /// A guest that fills its memory is waited for so long at most.
        static let longestWait = 15.0
        /// Between two looks at guests that fill their memory.
        static let growthStep = 0.2
        /// Guests fill their memory while they grow by this share, or amount, per second.
        static let fillingShare = 0.01
        static let fillingAmount = KiB(8 * 1024)
        /// They have filled it when they grow by less than this share of the fastest: what is left comes while ksmd scans.
        static let fillingEnd = 0.2
        /// Below this share of available memory there is no waiting.
        static let shortAvailable = 0.05
        /// Between two steps of a scan at the share of a probe, at most, in nanoseconds.
        static let gentleStep: Int64 = 500_000_000
        /// The host's memory is looked at this often; that it is short the kernel announces by itself.
        static let memoryStep: Int64 = 2_000_000_000
        /// What has stayed unmerged is likely to stay: after this time a pass may cost twice as much for it.
        static let patience = 15.0
        static let longestPatience = 3600.0
        static let mostPasses = 12
        /// Where at least this share of all known pages is saved, newcomers are expected to find their like among
        /// the shared pages.
        static let leastUsualShare = 0.25
        /// Guests that had this share of a CPU, or wrote to this share or number of merged pages, may have changed what
        /// they hold.
        static let busyShare = 0.1
        static let busyWrites = 0.002
        static let leastBusyWrites: Int64 = 256
        /// Guests that do anything at all. After a start they go on changing what they hold for a while.
        static let aliveShare = 0.01
        static let aliveWrites: Int64 = 64
        static let firstProbe = 60.0
        static let longestProbe = 3600.0
        static let firstChangedYield = 0.25
        static let leastChangedYield = 1.0 / 256
        /// While memory is short a pass may cost this many times as much.
        static let shortageWorth = 4.0
        /// How long memory counts as short after the kernel said so.
        static let shortageLasts = 10.0
        /// What did nothing for so long has nothing to do: its longest sleep is a twentieth of a second.
        static let stalledAfter = 2.0
        /// Guests are looked at this often while ksmd scans.
        static let guestStep = 1.0
    }

    /// The settings in the units of the arithmetic.
    struct Settings {
        /// Of one CPU.
        var share: Double
        var probeShare: Double
        /// In nanoseconds.
        var idleStep: Int64
        var burstStep: Int64
        /// In bytes per CPU second.
        var yieldMinimum: Double
        var start: AdaptiveStart
        /// Whether smart_scan is the policy's to change.
        var changesSmartScan: Bool
        var pageSize: Double

        init(_ configuration: Configuration, cpus: Int, pageSize: Int) {
            share =
                min(
                    Double(configuration.cpuMaximum), Double(configuration.hostCPUMaximum) * Double(max(cpus, 1))) / 100
            probeShare = min(Double(configuration.probeCPU) / 100, share)
            idleStep = configuration.idleStep.nanoseconds
            burstStep = configuration.burstStep.nanoseconds
            yieldMinimum = Double(configuration.yieldMinimum) * 1_048_576
            start = configuration.adaptiveStart
            changesSmartScan = configuration.smartScan == nil
            self.pageSize = Double(pageSize)
        }
    }
}
