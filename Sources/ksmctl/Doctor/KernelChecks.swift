import HostInspection
import HostKernel
import KSMPolicy

/// What the kernel is set to.
extension Check {
    static let kernelChecks = [hugePages, numa, sharingLimit, cpuTime]

    static let ksm = Check("ksm", "KSM") { check, facts in
        guard facts.ksm.isPresent else {
            return check.fail("this kernel has none", remedy: "boot a kernel that is built with CONFIG_KSM=y")
                .seen("there is no such file", in: facts.file(.run))
        }
        if let failure = facts.ksm.failure {
            return check.fail("its files cannot be read", remedy: "see whether another program confines ksmctl")
                .seen("\(failure)")
        }
        guard let refusal = facts.refusal else {
            let values = [
                ("run", facts.ksm.run), ("pages_to_scan", facts.ksm.pagesToScan),
                ("sleep_millisecs", facts.ksm.sleepMilliseconds),
            ].compactMap { name, value in value.map { "\(name)=\($0)" } }
            return check.ok("present and writable").seen(values.joined(separator: " "), in: facts.paths.ksm)
        }
        if refusal.isDenied, !facts.isRoot {
            return check.skip("present; whether it is writable only root can see", remedy: "run it as root")
                .seen("\(refusal)")
        }
        if refusal.isReadOnly {
            return check.fail(
                "read-only here, as in a container", remedy: "run ksmtuned on the host itself, or mount /sys writable"
            ).seen("\(refusal)")
        }
        return check.fail("present, but it cannot be written", remedy: "see whether another program confines ksmctl")
            .seen("\(refusal)")
    }

    // MARK: What could be read

    static let readable = Check("readable", "Host's files") { check, facts in
        let failures = facts.failures + facts.ksm.failures.values.sorted { $0.path < $1.path }
        guard !failures.isEmpty else { return check.ok("all that are there can be read") }
        let what = Words.count(failures.count, "file")
        if !facts.isRoot, failures.allSatisfy({ $0.isDenied }) {
            return check.skip(
                "what \(what) \(failures.count == 1 ? "holds" : "hold") only root can see", remedy: "run it as root"
            ).seen(failures.map { "\($0)" })
        }
        return check.warn(
            "\(what) could not be read, and what depends on \(failures.count == 1 ? "it" : "them") is not known",
            remedy: remedy(forUnread: failures, else: "look again; where it stays, see dmesg for why")
        ).seen(failures.map { "\($0)" })
    }

    // MARK: Huge pages

    /// khugepaged gives merged pages copies of their own where it builds a huge page: up to max_ptes_shared of them,
    /// and max_ptes_none of those that became the zero page. Where huge pages are for those who ask, QEMU asks too; but
    /// then the operator has chosen, and with `always` nobody has: it is the kernel's default in many distributions.
    static let hugePages = Check("huge-pages", "Huge pages") { check, facts in
        guard let pages = facts.hugePages else { return check.skip("this kernel has no transparent huge pages") }
        let bounds = [("max_ptes_none", pages.emptyPages), ("max_ptes_shared", pages.sharedPages)]
            .compactMap { name, value in value.map { "khugepaged/\(name) is \($0)" } }
        func answered(_ result: CheckResult) -> CheckResult {
            result.seen(
                (["enabled is \(pages.mode.rawValue)"] + bounds).joined(separator: ", "), in: facts.paths.hugePages)
        }
        if pages.mode == .never { return answered(check.ok("not in use")) }
        // Before Linux 5.8, without a bound, khugepaged left shared pages alone.
        if pages.emptyPages == 0, pages.sharedPages ?? 0 == 0 {
            return answered(check.ok("khugepaged leaves merged pages alone"))
        }
        if pages.mode == .madvise {
            return answered(check.ok("only for those who ask"))
                .seen("QEMU asks for its guests' memory: there khugepaged may still give merged pages copies")
        }
        let folder = facts.paths.hugePages
        return answered(
            check.warn(
                "for all memory: khugepaged gives merged pages copies again",
                remedy: "cd \(folder) && echo 0 | tee khugepaged/max_ptes_none"
                    + (pages.sharedPages == nil ? "" : " khugepaged/max_ptes_shared") + " && echo madvise > enabled")
        ).seen("QEMU asks for huge pages itself, so the bounds of khugepaged count for guests in either mode")
    }

    // MARK: NUMA

    static let numa = Check("numa", "NUMA") { check, facts in
        guard let nodes = facts.topology.memoryNodes, nodes > 1 else {
            return check.ok("one node").seen(
                facts.topology.memoryNodes == nil ? "this kernel names no nodes" : "one node has memory",
                in: facts.paths.memoryNodes)
        }
        let spread = "\(nodes) nodes have memory"
        guard let across = facts.ksm.mergeAcrossNodes else {
            return check.skip("this kernel does not say whether it merges across nodes")
                .seen(spread, in: facts.paths.memoryNodes)
        }
        guard across != 0 else {
            return check.ok("pages are merged within their node only")
                .seen(spread, in: facts.paths.memoryNodes).seen("0", in: facts.file(.mergeAcrossNodes))
        }
        return check.warn(
            "pages are merged across nodes: guests read them from remote memory",
            remedy: "set KSM_MERGE_ACROSS_NODES=no and KSM_ALLOW_UNMERGE=yes in \(facts.paths.configuration), then "
                + "ksmctl reload: changing it unmerges everything once"
        ).seen(spread, in: facts.paths.memoryNodes).seen("\(across)", in: facts.file(.mergeAcrossNodes))
    }

    // MARK: max_page_sharing

    /// 16 times the kernel's default. Whoever moves or reclaims a page visits each of its users, which is why
    /// `Documentation/admin-guide/mm/ksm.rst` has a limit at all. And there is no more to gain: 256 leaves one page for
    /// each 256 users, 0.4 %, and 4096 leaves 0.02 %.
    private static let mostSharing: Int64 = 4096
    /// Copies that the limit leaves, as a share of what merging saves. The default never takes more than 0.4 %.
    private static let mostCopiesShare = 0.05
    /// Copies of less are not worth a word, in pages of 4 KiB 16 MiB.
    private static let leastCopies: Int64 = 4096

    static let sharingLimit = Check("max-page-sharing", "Sharing limit") { check, facts in
        guard let limit = facts.ksm.maxPageSharing else { return check.skip("this kernel has no max_page_sharing") }
        let setting = "KSM_MAX_PAGE_SHARING="
        let how = "with KSM_ALLOW_UNMERGE=yes in \(facts.paths.configuration), then ksmctl reload"
        if limit > mostSharing {
            return check.warn(
                "one page may have \(limit) users, and reclaiming or moving it visits each",
                remedy: "set \(setting)256 \(how)"
            ).seen("\(limit); the kernel's default is 256", in: facts.file(.maxPageSharing))
        }
        var result = check.ok("a page has at most \(limit) users")
        // Each chain has one page that no limit could save; its others are copies.
        if let duplicates = facts.ksm.stableNodeDuplicates, let chains = facts.ksm.stableNodeChains,
            let sharing = facts.ksm.pagesSharing
        {
            let copies = max(duplicates.subtractingSaturated(chains), 0)
            if copies >= leastCopies, Double(copies) > Double(sharing) * mostCopiesShare {
                result = check.warn(
                    "too low: it costs \(facts.amount(pages: Pages(copies))) of copies",
                    remedy: "set \(setting)256 \(how)")
            }
            result = result.seen(
                "stable_node_dups is \(duplicates), stable_node_chains \(chains): \(facts.amount(pages: Pages(copies))) of "
                    + "copies beside \(facts.amount(pages: Pages(sharing))) saved", in: facts.paths.ksm)
        }
        return result.seen("\(limit); the kernel's default is 256", in: facts.file(.maxPageSharing))
    }

    // MARK: ksmd's CPU time

    /// Above what was allowed by this share: the kernel's advisor and the adaptive policy both correct after the fact.
    private static let shareTolerance = 1.2
    /// Of one CPU. The classic policy has no bound of its own; others alarm at the same.
    private static let classicShare = 0.5

    static let cpuTime = Check("ksmd-cpu", "ksmd's CPU time") { check, facts in
        guard let cpu = facts.ksm.cpu else { return check.skip("ksmd cannot be seen among the processes") }
        guard let earlier = facts.earlier, let before = earlier.counters?.cpu else {
            return check.skip(
                "no record of the last hour to count from; the running daemon writes them"
            ).seen("looked for a record with ksmd's CPU time", in: facts.paths.history)
        }
        let span = facts.now - earlier.time
        guard cpu >= before, span > .zero else {
            return check.skip("the host has started again since the last record")
        }
        let used = (cpu - before).seconds
        let share = (cpu - before) / span
        let text = "\(Amount.percent(share)) of a CPU over the last \(Amount.duration(span))"
        let configuration = facts.configuration
        let allowed: Double
        let setting: String
        switch facts.state?.report?.decision.policy ?? configuration.policy {
        case .adaptive:
            allowed = configuration.ksmdShare(cpus: facts.topology.cpus ?? 1)
            setting = "KSM_CPU_MAX"
        case .advisor:
            allowed = Double(configuration.advisorCPUMaximumPercent) / 100
            setting = "KSM_ADVISOR_CPU_MAX"
        case .classic:
            return classicTime(check, facts, used: used, share: share, text: text, earlier: earlier)
        }
        let limit = "\(setting)= allows \(Amount.percent(allowed))"
        guard share > allowed * shareTolerance else { return check.ok(text).seen(limit) }
        return check.warn(
            "more than its share: \(text)",
            remedy: "see ksmctl explain for who sets the pace; set a lower \(setting)= in \(facts.paths.configuration)"
        ).seen(limit)
    }

    /// Much CPU time is well spent where it merges much.
    private static func classicTime(
        _ check: Check, _ facts: DoctorFacts, used: Double, share: Double, text: String, earlier: HistoryRecord
    ) -> CheckResult {
        let limit = "the classic policy has no bound; \(Amount.percent(classicShare)) is much where little is gained"
        guard share > classicShare, let pages = facts.ksm.savedPages, let saved = earlier.saved else {
            return check.ok(text).seen(limit)
        }
        let gained = Double(pages.bytes(of: facts.pageSize).count) - Double(saved.bytes)
        let worth = Double(facts.configuration.yieldMinimum.count)
        let gain = "savings grew by \(KiB(ofBytes: gained)) for \(Amount.tenths(used)) s of ksmd's CPU time"
        guard gained < worth * used else { return check.ok(text).seen(limit).seen(gain, in: facts.paths.ksm) }
        return check.warn(
            "much for nothing: \(text)",
            remedy:
                "set KSM_POLICY=adaptive in \(facts.paths.configuration), which scans only where it pays; or a lower "
                + "KSM_NPAGES_MAX="
        ).seen(limit).seen(gain, in: facts.paths.ksm)
    }
}
