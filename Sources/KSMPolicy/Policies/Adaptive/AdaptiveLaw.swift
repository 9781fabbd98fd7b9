extension AdaptivePolicy {
    /// The numbers of the law that are no settings.
    package enum Law {
        /// Growth below this is not worth a scan.
        package static let leastGrowth = KiB(16 * 1024)
        /// Changed memory below this is not worth a pass.
        static let leastChange = KiB(4 * 1024)
        /// A guest that fills its memory is waited for so long at most.
        static let longestWait = Duration.seconds(15)
        /// Between two looks at guests that fill their memory.
        static let growthStep = Duration.milliseconds(200)
        /// Guests fill their memory while they grow by this share, or amount, per second.
        static let fillingShare = 0.01
        static let fillingAmount = KiB(8 * 1024)
        /// They have filled it when they grow by less than this share of the fastest: what is left comes while ksmd scans.
        static let fillingEnd = 0.2
        /// Below this share of available memory there is no waiting.
        static let shortAvailable = 0.05
        /// Between two steps of a scan at the share of a probe, at most.
        static let gentleStep = Duration.milliseconds(500)
        /// The host's memory is looked at this often; that it is short the kernel announces by itself.
        static let memoryStep = Duration.seconds(2)
        /// What has stayed unmerged is likely to stay: after this time a pass may cost twice as much for it.
        static let patience = Duration.seconds(15)
        static let longestPatience = Duration.seconds(3600)
        static let mostPasses = 12
        /// Where at least this share of all known pages is saved, newcomers are expected to find their like among
        /// the shared pages.
        static let leastUsualShare = 0.25
        /// Guests that had this share of a CPU, or wrote to this share or number of merged pages, may have changed what
        /// they hold.
        static let busyShare = 0.1
        static let busyWrites = 0.002
        static let leastBusyWrites = Pages(256)
        /// Guests that do anything at all. After a start they go on changing what they hold for a while.
        static let aliveShare = 0.01
        static let aliveWrites = Pages(64)
        static let firstProbe = Duration.seconds(60)
        static let longestProbe = Duration.seconds(3600)
        static let firstChangedYield = 0.25
        static let leastChangedYield = 1.0 / 256
        /// While memory is short a pass may cost this many times as much.
        static let shortageWorth = 4.0
        /// How long memory counts as short after the kernel said so.
        static let shortageLasts = Duration.seconds(10)
        /// What did nothing for so long has nothing to do: its longest sleep is a twentieth of a second.
        static let stalledAfter = Duration.seconds(2)
        /// Guests are looked at this often while ksmd scans.
        static let guestStep = Duration.seconds(1)
    }

    /// The settings in the units of the arithmetic.
    struct Settings {
        /// Of one CPU.
        var share: Double
        var probeShare: Double
        var idleStep: Duration
        var burstStep: Duration
        /// In bytes per CPU second.
        var yieldMinimum: Double
        var start: AdaptiveStart
        /// Whether smart_scan is the policy's to change.
        var changesSmartScan: Bool
        var pageSize: Bytes

        init(_ configuration: Configuration, cpus: Int, pageSize: Bytes) {
            share =
                min(
                    Double(configuration.cpuMaximumPercent), Double(configuration.hostCPUMaximumPercent) * Double(max(cpus, 1))) / 100
            probeShare = min(Double(configuration.probeCPUPercent) / 100, share)
            idleStep = configuration.idleStep
            burstStep = configuration.burstStep
            yieldMinimum = Double(configuration.yieldMinimum.count)
            start = configuration.adaptiveStart
            changesSmartScan = configuration.smartScan == nil
            self.pageSize = pageSize
        }
    }
}
