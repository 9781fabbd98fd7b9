/// The rule of the original ksmtuned, tick for tick.
///
/// It starts KSM when the guests have committed so much that less than a reserve (the threshold) would be left, or
/// when free memory has fallen to that reserve; it scans harder tick by tick while free memory is below it, and with
/// less and less effort otherwise.
package struct ClassicPolicy: Equatable, Sendable {
    /// The `MemTotal` that it decides by.
    package let total: KiB
    /// The reserve: a share of the total, or a constant where that is more.
    package let threshold: KiB
    /// The sleep between two scans, scaled from a 16 GiB host to this one, never below 10 ms.
    package let sleepMilliseconds: Int64
    package let pagesBoost: Int64
    package let pagesDecay: Int64
    package let pagesMinimum: Int64
    package let pagesMaximum: Int64

    /// Below this the original did not let the sleep fall on large hosts.
    package static let shortestSleepMilliseconds: Int64 = 10

    /// The host for which `KSM_SLEEP_MSEC` is meant as it stands: 16 GiB.
    package static let referenceTotal = KiB(16 * 1024 * 1024)

    /// Why a configuration cannot be used on a host of this size.
    package enum Refusal: Error, Equatable, Sendable {
        /// The setting's product with the host's memory, or a sum with it, is beyond 64 bits.
        case overflow(Setting)
        /// The sleep that results is beyond the kernel's unsigned 32 bits.
        case sleepTooLong(milliseconds: Int64)
    }

    /// Scales the settings to this host.
    ///
    /// - Parameters:
    ///   - configuration: Settings, each valid by itself.
    ///   - total: `MemTotal` of the host, more than zero.
    /// - Throws: ``Refusal`` where the arithmetic does not fit. The original's wrapped silently.
    package init(_ configuration: Configuration, total: KiB) throws(Refusal) {
        guard let scaled = configuration.sleepMilliseconds.multipliedExactly(by: Self.referenceTotal.count) else {
            throw .overflow(.sleepMilliseconds)
        }
        let sleep = max(scaled / max(total.count, 1), Self.shortestSleepMilliseconds)
        guard sleep <= UInt32.max else { throw .sleepTooLong(milliseconds: sleep) }

        guard let product = total.count.multipliedExactly(by: configuration.thresholdPercent) else {
            throw .overflow(.thresholdPercent)
        }
        let share = KiB(product / 100)
        let isConstant = configuration.thresholdConstant > share
        let threshold = isConstant ? configuration.thresholdConstant : share
        guard threshold.count.addingExactly(total.count) != nil else {
            throw .overflow(isConstant ? .thresholdConstant : .thresholdPercent)
        }

        self.total = total
        self.threshold = threshold
        sleepMilliseconds = sleep
        pagesBoost = configuration.pagesBoost
        pagesDecay = configuration.pagesDecay
        pagesMinimum = configuration.pagesMinimum
        pagesMaximum = configuration.pagesMaximum
    }

    /// Decides what KSM should do until the next sample.
    ///
    /// Pure: the daemon, the command-line tool and the tests call this one function, and the same arguments always
    /// give the same decision. Both comparisons are strict: what is exactly at the threshold scans, and eases.
    ///
    /// - Parameters:
    ///   - memory: The host's memory now.
    ///   - previous: The pages per scan decided last time, 0 at first. A stop keeps it, so that scanning resumes at
    ///     the speed at which it left off.
    /// - Returns: The decision, with the comparison that led to it.
    package func decide(_ memory: MemorySample, previous: Int64) -> Decision {
        var decision = Decision(
            action: .stop, reason: .plenty, pagesToScan: previous, sleepMilliseconds: sleepMilliseconds,
            memory: memory, total: total, threshold: threshold, previousPagesToScan: previous)
        guard scans(memory) else { return decision }
        decision.action = .scan
        decision.reason = memory.free < threshold ? .shortage : .easing
        decision.pagesToScan = step(previous, by: decision.reason == .shortage ? pagesBoost : pagesDecay)
        return decision
    }

    /// Whether so little memory is left that KSM is to scan.
    func scans(_ memory: MemorySample) -> Bool {
        memory.committed + threshold >= total || memory.free <= threshold
    }

    /// One step of the pages per scan, kept within its bounds.
    ///
    /// The lower bound is asked first and the upper only otherwise. With a minimum above the maximum the value
    /// alternates between the two, as the original's did.
    private func step(_ pages: Int64, by change: Int64) -> Int64 {
        let stepped = pages.addingSaturated(change)
        if stepped < pagesMinimum { return pagesMinimum }
        if stepped > pagesMaximum { return pagesMaximum }
        return stepped
    }
}
