import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy

/// Memory that is not where the rules look for it: in swap, in pools, in caches, and behind limits.
extension Check {
    static let memoryChecks = [swappedGuests, limits, hugePagePool, fileCache]

    // MARK: Guests in swap

    /// Of what guests hold: less is what any host swaps.
    private static let muchSwapped = 0.1

    static let swappedGuests = Check.ofAll("swapped-guests", "Swapped guests") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        let known = facts.guests.filter { $0.swapped != nil }
        guard !known.isEmpty else { return check.skip("this kernel does not say what of them is in swap") }
        let swapped = facts.swapped
        let held = known.sum { $0.held ?? .zero }
        let worst = known.filter { $0.swapped ?? .zero > .zero }.sorted { $0.swapped ?? .zero > $1.swapped ?? .zero }
        func answered(_ result: CheckResult) -> CheckResult {
            result.seen("guests hold \(held), \(swapped) of it in swap")
                .seen(worst.map { "\($0.name) (\($0.pid)): \($0.swapped ?? .zero) in swap" })
        }
        guard Double(swapped.count) > Double(held.count) * muchSwapped else {
            return answered(check.ok(swapped == .zero ? "none" : "little: \(swapped)"))
        }
        let text = "\(swapped) of \(Words.count(worst.count, "guest")) in swap"
        // By the other metric they are counted.
        let isCounted = facts.configuration.guestMetric.countsSwap
        guard facts.restsByClassicRule, !isCounted else {
            return answered(
                check.warn(text, remedy: "run fewer guests or smaller ones; see Swap and Memory pressure"))
        }
        return answered(
            check.warn(
                "\(text), which the classic rule does not count: KSM rests",
                remedy: "set KSM_PS_METRIC=rsz+swap in \(facts.paths.configuration), which counts it; or a higher "
                    + "KSM_THRES_COEF=, so that ksmd scans before guests are swapped out: what is merged needs no swap")
        ).seen("KSM_PS_METRIC=\(facts.configuration.guestMetric.word) counts what is in RAM")
    }

    // MARK: Limits

    static let limits = Check.ofAll("limits", "Guests' limits") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        let known = facts.guests.filter { $0.limits != nil }
        guard !known.isEmpty else { return check.skip("no guest's cgroup is known") }
        let short = LimitShortage.find(facts.guests)
        let killed = known.filter { $0.limits?.oomKills ?? 0 > 0 }
        let evidence = short.map {
            "\($0.limit) for \(Words.list($0.guests)), which \($0.guests.count == 1 ? "needs" : "need") \($0.needed) with "
                + "\($0.guests.count == 1 ? "its monitor" : "their monitors")"
        }
        func answered(_ result: CheckResult) -> CheckResult {
            var result = result
            for (shortage, text) in zip(short, evidence) { result = result.seen(text, in: shortage.file) }
            for guest in killed {
                result = result.seen(
                    "the kernel has ended \(Words.count(Int(guest.limits?.oomKills ?? 0), "process", "processes")) of "
                        + "\(guest.name) (\(guest.pid)) for want of memory", in: guest.limits?.oomKillsFile)
            }
            return result
        }
        if let first = short.first {
            let more = short.count > 1 ? ", and \(short.count - 1) more" : ""
            return answered(
                check.warn(
                    "\(first.limit) is below the \(first.needed) that \(Words.list(first.guests)) may need\(more)",
                    remedy: GuestRemedy.text(.raiseLimit, short.flatMap { $0.guests })))
        }
        guard killed.isEmpty else {
            return answered(
                check.warn(
                    "the kernel has ended processes of \(Words.list(killed))",
                    remedy: GuestRemedy.text(.raiseLimit, killed)))
        }
        return check.ok("none is below what its guests need")
            .seen("\(Words.count(known.count, "guest")) of \(facts.guests.count) with a cgroup that is known")
    }

    // MARK: The pool of huge pages

    /// Of all memory: less is a page or two left over.
    private static let muchIdle = 0.02
    /// A threshold of this share of the memory that is no huge pages hardly lets KSM rest.
    private static let highThreshold = 0.5

    static let hugePagePool = Check("huge-page-pool", "Huge-page pool") { check, facts in
        guard let pool = facts.hugePagePool, pool.size > .zero else { return check.ok("none") }
        let ordinary = (facts.total - pool.size).nonNegative
        let threshold = (try? ClassicPolicy(facts.configuration, total: facts.total))?.threshold ?? .zero
        let percent = facts.configuration.thresholdPercent
        func answered(_ result: CheckResult) -> CheckResult {
            result.seen("\(pool.size) of huge pages, \(pool.idle) of them idle", in: facts.paths.meminfo)
                .seen(
                    "KSM_THRES_COEF=\(percent) is a share of all of MemTotal, pools included: the threshold of "
                        + "\(threshold) is held against \(ordinary) of ordinary memory")
        }
        if Double(pool.idle.count) > Double(facts.total.count) * muchIdle {
            return answered(
                check.warn(
                    "\(pool.idle) of huge pages are idle, and nothing else can use them",
                    remedy: "make the pool smaller (vm.nr_hugepages) unless guests are to come"))
        }
        if Double(threshold.count) > Double(ordinary.count) * highThreshold {
            return answered(
                check.warn(
                    "the threshold is \(threshold) of only \(ordinary) of ordinary memory",
                    remedy: "set a lower KSM_THRES_COEF= in \(facts.paths.configuration): it is a share of all memory, "
                        + "huge pages included"))
        }
        return answered(check.ok("\(pool.size), in use"))
    }

    // MARK: ZFS's cache

    static let fileCache = Check("file-cache", "ZFS's cache") { check, facts in
        guard let cache = facts.cache else { return check.ok("ZFS is not loaded") }
        let spare = cache.reclaimable
        func answered(_ result: CheckResult) -> CheckResult {
            result.seen(
                "\(cache.size) now, \(cache.least) at least and \(cache.most) at most", in: facts.paths.zfsCache)
        }
        let free = facts.memory.free(by: facts.configuration.freeMetric)
        let threshold = (try? ClassicPolicy(facts.configuration, total: facts.total))?.threshold ?? .zero
        let bound = "bound it: zfs_arc_max, see zfs(4)"
        if !facts.configuration.freeMetric.countsCache, free <= threshold, free + spare > threshold {
            return answered(
                check.warn(
                    "free memory is short since the cache holds \(cache.size), of which ZFS would give back \(spare)",
                    remedy:
                        "set KSM_FREE_METRIC=available+arc in \(facts.paths.configuration), which counts that as free; "
                        + "or \(bound)")
            ).seen("\(free) are free, and the threshold is \(threshold)")
        }
        let needed = facts.guests.sum { $0.needed }
        let ordinary = (facts.total - (facts.hugePagePool?.size ?? .zero)).nonNegative
        if !facts.guests.isEmpty, needed + cache.most > ordinary, needed + cache.least <= ordinary {
            return answered(
                check.warn(
                    "it may grow to \(cache.most), and \(needed) of guests do not fit beside that", remedy: bound))
        }
        return answered(check.ok("\(cache.size)"))
    }
}

extension DoctorFacts {
    var swapped: KiB { guests.sum { $0.swapped ?? .zero } }

    /// Whether the daemon decided by the classic rule that KSM need not scan; where none runs, whether KSM does not scan.
    var restsByClassicRule: Bool {
        guard isRunning, let decision = state?.report?.decision else {
            return configuration.policy != .adaptive && !ksm.isScanning
        }
        return decision.policy != .adaptive && decision.action == .stop
    }

    /// What `ksmctl plan` plans this host by.
    var plan: OvercommitPlan {
        var capacity = HostCapacity()
        capacity.swaps = swaps
        capacity.hugePages = hugePagePool
        capacity.cache = cache
        capacity.swappiness = swappiness
        capacity.cpus = topology.cpus.map { Int64($0) }
        return OvercommitPlan(
            .rhel7, host: OvercommitPlan.Host(ram: total, swapTotal: memory.swapTotal, capacity),
            groups: guests.map { GuestGroup($0) }, unswappable: guests.unswappable,
            unread: OvercommitPlan.Unread(unseen: unseen, needs: unknownNeeds))
    }
}
