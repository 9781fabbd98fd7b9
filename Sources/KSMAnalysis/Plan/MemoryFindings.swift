internal import KSMPolicy

// What is to be said of the guests' and the host's memory.

extension OvercommitPlan {
    var guestFindings: [OvercommitFinding] {
        var findings: [OvercommitFinding] = []
        if let guests = unread.guests {
            findings.append(OvercommitFinding(kind: .unseenGuests, text: "\(guests), and what they need is in no sum"))
        } else if groups.isEmpty {
            findings.append(OvercommitFinding(kind: .noGuests, text: "no guest runs here; --guests plans some"))
        }
        if let needs = unread.needs {
            findings.append(
                OvercommitFinding(kind: .unknownNeeds, text: "\(needs); a guest may need more than it counts with"))
        }
        if let others = unread.others {
            findings.append(OvercommitFinding(kind: .unreadFiles, text: "\(others); no sum depends on it"))
        }
        return findings + residentFindings + grownFindings + hugePageFindings + unswappableFindings
    }

    private var residentFindings: [OvercommitFinding] {
        let resident = groups.filter { $0.isResident }
        guard !resident.isEmpty else { return [] }
        let held = resident.sum { $0.total }
        let text =
            resident.count == 1
            ? "the configured memory of \(resident.titles) is not known, so it counts with the \(held) that it holds "
                + "now; it may come to need more"
            : "the configured memory of \(resident.count) guests is not known, so they count with the \(held) that "
                + "they hold now; they may come to need more"
        return [OvercommitFinding(kind: .residentCounted, text: text)]
    }

    private var grownFindings: [OvercommitFinding] {
        let grown = groups.filter { $0.outgrown != nil }
        guard let first = grown.first else { return [] }
        let start = grown.sum { $0.outgrown ?? .zero }
        let now = grown.sum { $0.memory + $0.inHugePages }
        let each =
            grown.count == 1
            ? "was started with \(start) and holds \(first.memory + first.inHugePages) by now, so memory was added; it "
                + "counts with that"
            : "were started with \(start) and hold \(now) by now, so memory was added; they count with that"
        return [
            OvercommitFinding(
                kind: .grown, text: "\(grown.titles) \(each), and may have been given more than it shows")
        ]
    }

    private var hugePageFindings: [OvercommitFinding] {
        var findings: [OvercommitFinding] = []
        let inside = groups.filter { $0.inHugePages > .zero }
        if !inside.isEmpty {
            findings.append(
                OvercommitFinding(
                    kind: .hugePages,
                    text: "the \(guestHugePages) of \(inside.titles) in huge pages lie in "
                        + "\(host.hugePages.map { "pools of \($0)" } ?? "a pool of their own") and are never swapped: "
                        + "they need no swap, and the other guests have the RAM without the pools"))
        }
        guard let pool = host.hugePages else { return findings }
        if guestHugePages > pool {
            findings.append(
                OvercommitFinding(
                    kind: .tooFewHugePages,
                    text: "the guests in huge pages may have \(guestHugePages), more than the \(pool) of the pools: a "
                        + "guest that uses a page that is not there is ended"))
        }
        if host.idleHugePages > .zero {
            findings.append(
                OvercommitFinding(
                    kind: .idleHugePages,
                    text: "\(host.idleHugePages) of huge pages are idle, and nothing else can use them: make the pool "
                        + "smaller (vm.nr_hugepages) unless guests are to come"))
        }
        return findings
    }

    private var unswappableFindings: [OvercommitFinding] {
        let fixed = groups.filter { $0.unswappable > .zero }
        let own = fixed.sum { $0.unswappable * $0.count }
        var texts: [String] = []
        if own > .zero {
            texts.append(
                "\(own) of \(fixed.titles) cannot go to swap, since a device holds it in place, it is locked, or its "
                    + "cgroup allows no swap")
        }
        if unswappable > own {
            texts.append(
                "\(unswappable - own)\(own > .zero ? " more" : "") of the guests cannot go to swap, since cgroups that "
                    + "they share allow no more swap (memory.swap.max)")
        }
        return texts.map { text in
            OvercommitFinding(
                kind: .unswappable,
                text: "\(text): it must fit into the RAM, and the other guests need the swap all the sooner")
        }
    }

    var memoryFindings: [OvercommitFinding] {
        var findings: [OvercommitFinding] = []
        if cache > .zero, let bounds = host.cache {
            findings.append(
                OvercommitFinding(
                    kind: .fileCache,
                    text: "ZFS may take \(bounds.most) for its cache, and gives back what is above \(bounds.least), "
                        + "but slower than guests ask for it: bound it with zfs_arc_max"))
        }
        if unswappable > usableRAM {
            findings.append(
                OvercommitFinding(
                    kind: .forcedShutdowns,
                    text: "\(unswappable) of the guests cannot go to swap, and there are \(usableRAM) of RAM for them: "
                        + "no swap helps, and the kernel ends guests by force; run fewer of them, or let them go to swap"
                ))
        } else if missingRAM > .zero {
            findings.append(
                OvercommitFinding(
                    kind: .tooLittleRAM,
                    text:
                        "what cannot go to swap leaves the host \((ram - unswappable).nonNegative) of RAM, less than the "
                        + "\(ownRAM) of its own\(host.cache == nil ? "" : " with ZFS's cache"); run fewer of these guests"
                ))
        }
        guard let swap = host.swap else { return findings }
        if usableRAM + swap < guestMemory {
            findings.append(
                OvercommitFinding(
                    kind: .forcedShutdowns,
                    text: "RAM and swap together are \(usableRAM + swap), less than the \(guestMemory) of the guests: "
                        + "when the guests use what they are configured with, the kernel shuts some of them down by "
                        + "force; add \(missingText) of swap, or run fewer guests"))
        } else if swap < neededSwap {
            findings.append(
                OvercommitFinding(
                    kind: .tooLittleSwap,
                    text: "the guests' memory fits into RAM and swap, but leaves too little for the host itself; add "
                        + "\(missingText) of swap, or run fewer guests"))
        }
        return findings
    }

    var swapFindings: [OvercommitFinding] {
        var findings = (host.room?.doubtful ?? []).map { area, why in
            OvercommitFinding(
                kind: .doubtfulSwap,
                text: "the \(area.size) of swap at \(area.name.printable) are not counted on: it lies \(why)")
        }
        if host.swappiness == 0, neededSwap > .zero, host.swap ?? .zero > .zero {
            findings.append(
                OvercommitFinding(
                    kind: .swappiness,
                    text: "vm.swappiness is 0, so the kernel swaps only when it is about to end a program: guests may "
                        + "be ended before the swap is full; set it to 1 or more"))
        }
        return findings
    }
}
