import HostInspection
import HostKernel
import KSMPolicy

/// What the kernel is set to.
extension Question {
    static let kernelQuestions = [hugePages, numa, sharingLimit, profit, cpuTime]

    static let ksm = Question("ksm", "KSM") { question, facts in
        guard facts.ksm.isPresent else {
            return question.fail("this kernel has none", remedy: "boot a kernel that is built with CONFIG_KSM=y")
                .seen("there is no such file", in: facts.file(.run))
        }
        if let failure = facts.ksm.failure {
            return question.fail("its files cannot be read", remedy: "see whether another program confines ksmctl")
                .seen("\(failure)")
        }
        guard let refusal = facts.refusal else {
            let values = [
                ("run", facts.ksm.run), ("pages_to_scan", facts.ksm.pagesToScan),
                ("sleep_millisecs", facts.ksm.sleepMilliseconds),
            ].compactMap { name, value in value.map { "\(name)=\($0)" } }
            return question.ok("present and writable").seen(values.joined(separator: " "), in: facts.paths.ksm)
        }
        if refusal.isDenied, !facts.isRoot {
            return question.skip("present; whether it is writable only root can see", remedy: "run it as root")
                .seen("\(refusal)")
        }
        if refusal.isReadOnly {
            return question.fail(
                "read-only here, as in a container", remedy: "run ksmtuned on the host itself, or mount /sys writable"
            ).seen("\(refusal)")
        }
        return question.fail("present, but it cannot be written", remedy: "see whether another program confines ksmctl")
            .seen("\(refusal)")
    }

    // MARK: Huge pages

    /// khugepaged gives merged pages copies of their own where it builds a huge page: up to max_ptes_shared of them,
    /// and max_ptes_none of those that became the zero page. Where huge pages are for those who ask, QEMU asks too; but
    /// then the operator has chosen, and with `always` nobody has: it is the kernel's default in many distributions.
    static let hugePages = Question("huge-pages", "Huge pages") { question, facts in
        guard let pages = facts.hugePages else { return question.skip("this kernel has no transparent huge pages") }
        let bounds = [("max_ptes_none", pages.emptyPages), ("max_ptes_shared", pages.sharedPages)]
            .compactMap { name, value in value.map { "khugepaged/\(name) is \($0)" } }
        func answered(_ check: Check) -> Check {
            check.seen(
                (["enabled is \(pages.mode.rawValue)"] + bounds).joined(separator: ", "), in: facts.paths.hugePages)
        }
        if pages.mode == .never { return answered(question.ok("not in use")) }
        // Before Linux 5.8, without a bound, khugepaged left shared pages alone.
        if pages.emptyPages == 0, pages.sharedPages ?? 0 == 0 {
            return answered(question.ok("khugepaged leaves merged pages alone"))
        }
        if pages.mode == .madvise {
            return answered(question.ok("only for those who ask"))
                .seen("QEMU asks for its guests' memory: there khugepaged may still give merged pages copies")
        }
        let folder = facts.paths.hugePages
        return answered(
            question.warn(
                "for all memory: khugepaged gives merged pages copies again",
                remedy: "cd \(folder) && echo 0 | tee khugepaged/max_ptes_none"
                    + (pages.sharedPages == nil ? "" : " khugepaged/max_ptes_shared") + " && echo madvise > enabled")
        ).seen("QEMU asks for huge pages itself, so the bounds of khugepaged count for guests in either mode")
    }

    // MARK: NUMA

    static let numa = Question("numa", "NUMA") { question, facts in
        guard let nodes = facts.topology.memoryNodes, nodes > 1 else {
            return question.ok("one node").seen(
                facts.topology.memoryNodes == nil ? "this kernel tells of no nodes" : "one node has memory",
                in: facts.paths.memoryNodes)
        }
        let spread = "\(nodes) nodes have memory"
        guard let across = facts.ksm.mergeAcrossNodes else {
            return question.skip("this kernel does not tell whether it merges across nodes")
                .seen(spread, in: facts.paths.memoryNodes)
        }
        guard across != 0 else {
            return question.ok("pages are merged within their node only")
                .seen(spread, in: facts.paths.memoryNodes).seen("0", in: facts.file(.mergeAcrossNodes))
        }
        return question.warn(
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

    static let sharingLimit = Question("max-page-sharing", "Sharing limit") { question, facts in
        guard let limit = facts.ksm.maxPageSharing else { return question.skip("this kernel has no max_page_sharing") }
        let setting = "KSM_MAX_PAGE_SHARING="
        let how = "with KSM_ALLOW_UNMERGE=yes in \(facts.paths.configuration), then ksmctl reload"
        if limit > mostSharing {
            return question.warn(
                "one page may have \(limit) users, and reclaiming or moving it visits each",
                remedy: "set \(setting)256 \(how)"
            ).seen("\(limit); the kernel's default is 256", in: facts.file(.maxPageSharing))
        }
        var check = question.ok("a page has at most \(limit) users")
        // Each chain has one page that no limit could save; its others are copies.
        if let duplicates = facts.ksm.stableNodeDuplicates, let chains = facts.ksm.stableNodeChains,
            let sharing = facts.ksm.pagesSharing
        {
            let copies = max(duplicates - chains, 0)
            if copies >= leastCopies, Double(copies) > Double(sharing) * mostCopiesShare {
                check = question.warn(
                    "too low: it costs \(facts.amount(pages: Pages(copies))) of copies",
                    remedy: "set \(setting)256 \(how)")
            }
            check = check.seen(
                "stable_node_dups is \(duplicates), stable_node_chains \(chains): \(facts.amount(pages: Pages(copies))) of "
                    + "copies beside \(facts.amount(pages: Pages(sharing))) saved", in: facts.paths.ksm)
        }
        return check.seen("\(limit); the kernel's default is 256", in: facts.file(.maxPageSharing))
    }

    // MARK: Profit

    static let profit = Question("profit", "Profit") { question, facts in
        guard let profit = facts.ksm.generalProfit else {
            return question.skip("this kernel has no general_profit: it came with Linux 6.4")
        }
        let amount = Amount.text(bytes: profit)
        let source = facts.file(.generalProfit)
        guard profit < 0 else {
            return question.ok(profit == 0 ? "neither profit nor loss" : "KSM saves \(amount) more than it takes")
                .seen("\(profit) bytes", in: source)
        }
        if let passes = facts.ksm.fullScans, passes < DoctorFacts.firstPasses {
            return question.skip("too early to tell: KSM merges nothing before its second pass")
                .seen("\(profit) bytes", in: source).seen(
                    "\(Words.count(Int(passes), "pass", "passes"))", in: facts.file(.fullScans))
        }
        return question.warn(
            "KSM takes \(Amount.text(bytes: profit == .min ? .max : -profit)) more than it saves",
            remedy:
                "stop it and give its memory back with ksmctl unmerge, or set KSM_POLICY=adaptive, which stops where "
                + "nothing is to be gained"
        ).seen("\(profit) bytes: what is merged less the kernel's own records of all pages", in: source)
    }

    // MARK: ksmd's CPU time

    /// Above what was allowed by this share: the kernel's advisor and the adaptive policy both correct after the fact.
    private static let shareTolerance = 1.2
    /// Of one CPU. The classic policy has no bound of its own; others alarm at the same.
    private static let classicShare = 0.5

    static let cpuTime = Question("ksmd-cpu", "ksmd's CPU time") { question, facts in
        guard let cpu = facts.ksm.cpu else { return question.skip("ksmd cannot be seen among the processes") }
        guard let earlier = facts.earlier, let before = earlier.counters?.cpu else {
            return question.skip(
                "no record of the last hour to count from; the running daemon writes them"
            ).seen("looked for a record with ksmd's CPU time", in: facts.paths.history)
        }
        let seconds = facts.now - earlier.time.secondsSince1970
        guard cpu >= before, seconds > 0 else {
            return question.skip("the host has started again since the last record")
        }
        let used = (cpu - before).seconds
        let share = used / seconds
        let text = "\(Amount.percent(share)) of a CPU over the last \(Amount.duration(seconds: seconds))"
        let configuration = facts.configuration
        let allowed: Double
        let setting: String
        switch facts.state?.told?.decision.policy ?? configuration.policy {
        case .adaptive:
            let cpus = Double(max(facts.topology.cpus ?? 1, 1))
            allowed = min(Double(configuration.cpuMaximumPercent), Double(configuration.hostCPUMaximumPercent) * cpus) / 100
            setting = "KSM_CPU_MAX"
        case .advisor:
            allowed = Double(configuration.advisorCPUMaximumPercent) / 100
            setting = "KSM_ADVISOR_CPU_MAX"
        case .classic:
            return classicTime(question, facts, used: used, share: share, text: text, earlier: earlier)
        }
        let limit = "\(setting)= allows \(Amount.percent(allowed))"
        guard share > allowed * shareTolerance else { return question.ok(text).seen(limit) }
        return question.warn(
            "more than its share: \(text)",
            remedy: "see ksmctl explain for who sets the pace; set a lower \(setting)= in \(facts.paths.configuration)"
        ).seen(limit)
    }

    /// Much CPU time is well spent where it merges much.
    private static func classicTime(
        _ question: Question, _ facts: DoctorFacts, used: Double, share: Double, text: String, earlier: HistoryRecord
    ) -> Check {
        let limit = "the classic policy has no bound; \(Amount.percent(classicShare)) is much where little is gained"
        guard share > classicShare, let pages = facts.ksm.savedPages, let saved = earlier.saved else {
            return question.ok(text).seen(limit)
        }
        let gained = Double(pages.bytes(of: facts.pageSize).count) - Double(saved.bytes)
        let worth = Double(facts.configuration.yieldMinimum.count)
        let gain = "savings grew by \(KiB(ofBytes: gained)) for \(Amount.tenths(used)) s of ksmd's CPU time"
        guard gained < worth * used else { return question.ok(text).seen(limit).seen(gain, in: facts.paths.ksm) }
        return question.warn(
            "much for nothing: \(text)",
            remedy:
                "set KSM_POLICY=adaptive in \(facts.paths.configuration), which scans only where it pays; or a lower "
                + "KSM_NPAGES_MAX="
        ).seen(limit).seen(gain, in: facts.paths.ksm)
    }
}
