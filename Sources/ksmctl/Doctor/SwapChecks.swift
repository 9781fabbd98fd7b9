import HostInspection
import HostKernel
import KSMAnalysis
import KSMPolicy

/// Where memory goes when merged pages come apart, and whether it is short now.
extension Check {
    static let swapChecks = [swapSize, swapOnZram, swapBacking, swappiness, compressedSwap, rotationalSwap, pressure]

    /// The verdict of `ksmctl plan`, so that the two never contradict each other.
    static let swapSize = Check.ofAll("swap-size", "Swap") { check, facts in
        if let reason = facts.whyNoGuests { return check.skip(reason) }
        guard facts.swaps != nil else { return check.skip("the swap cannot be seen: \(facts.paths.swaps)") }
        let plan = facts.plan
        let swap = plan.host.swap ?? .zero
        let inHugePages = plan.guestHugePages > .zero ? ", and \(plan.guestHugePages) in huge pages" : ""
        func answered(_ result: CheckResult) -> CheckResult {
            var result = result.seen("guests may have \(plan.guestMemory)\(inHugePages)")
                .seen("\(plan.ram) of memory", in: facts.paths.meminfo)
                .seen("\(swap) of swap that can be counted on", in: facts.paths.swaps)
            if plan.neededSwap > .zero {
                let cache = plan.cache > .zero ? " + \(plan.cache) for ZFS's cache" : ""
                result = result.seen(
                    "needed: guests + \(plan.system) for the host's own programs\(cache) + \(plan.systemSwap) to spare - "
                        + "memory = \(plan.neededSwap)")
            }
            return result.seen(plan.findings.filter { $0.kind.isOfMemory }.map { $0.text })
        }
        let remedy =
            plan.missingRAM > .zero
            ? unswappableRemedy(facts.guests)
            : "add \(plan.missingText) of swap on disk, or run fewer guests"
        switch plan.verdict {
        case .forcedShutdowns:
            return answered(
                check.fail(
                    plan.unswappable > plan.usableRAM
                        ? "\(plan.unswappable) of guests cannot go to swap, and there are \(plan.usableRAM) of memory"
                        : "guests may have more than memory and swap on disk together",
                    remedy: "\(remedy): the kernel ends some when all use what they may have"))
        case .tooSmall:
            return answered(
                check.warn(
                    plan.missingRAM > .zero
                        ? "what cannot go to swap leaves the host too little memory"
                        : "\(swap) on disk is less than the \(plan.neededText) needed if nothing is merged",
                    remedy: remedy))
        case .incomplete:
            return answered(check.skip("enough for what could be read of the guests; there is more"))
        case .notCompared: return answered(check.skip("how much swap there is is not known"))
        case .enough:
            return answered(
                check.ok(plan.neededSwap == .zero ? "none is needed: the guests fit" : "\(swap) is enough"))
        }
    }

    /// By what keeps them from swap; encrypted memory nothing lets go there.
    private static func unswappableRemedy(_ guests: [GuestDetails]) -> String {
        let locked = guests.filter { $0.isLocked }
        // Their own groups, or ones that they share.
        let isLimited =
            guests.unswappable > guests.sum { $0.unswappable }
            || guests.contains { !$0.isKeptFromSwap && $0.barredFromSwap > .zero }
        let ways = [
            guests.contains { $0.isPinned } ? "without passed-through devices" : nil,
            locked.isEmpty ? nil : GuestRemedy.text(.unlock, locked),
            isLimited ? "with a higher memory.swap.max of the cgroup" : nil,
        ].compactMap { $0 }
        let fewer = "run fewer of the guests that cannot be swapped"
        return ways.isEmpty ? fewer : "\(fewer), or run them so that they can: \(ways.joined(separator: "; "))"
    }

    /// Swap that may take no page when it is needed most.
    static let swapBacking = Check("swap-backing", "Swap's backing") { check, facts in
        guard let swaps = facts.swaps else { return check.skip("the swap cannot be seen: \(facts.paths.swaps)") }
        let doubtful = swaps.filter { $0.backing.hindrance != nil }
        guard !doubtful.isEmpty else {
            return check.ok(swaps.isEmpty ? "there is no swap" : "as far as is known, disks")
        }
        return check.warn(
            "\(doubtful.sum { $0.size }) may take no page when memory is short",
            remedy: "put swap on a partition of a disk; on ZFS, loop devices and networks it can hang when it is needed"
        ).seen(doubtful.map { "\($0.path) lies \($0.backing.hindrance ?? "")" }, in: facts.paths.swaps)
    }

    static let swappiness = Check("swappiness", "Swappiness") { check, facts in
        guard let swappiness = facts.swappiness else { return check.skip("this kernel does not say") }
        let source = facts.paths.swappiness
        let plan = facts.plan
        guard swappiness == 0, plan.neededSwap > .zero, plan.host.swap ?? .zero > .zero else {
            return check.ok("\(swappiness)").seen("vm.swappiness is \(swappiness)", in: source)
        }
        return check.warn(
            "0: the kernel swaps only when it is about to end a program, and the guests need \(plan.neededText) of swap",
            remedy: "sysctl vm.swappiness=1, or more; and write it to /etc/sysctl.d"
        ).seen("vm.swappiness is 0", in: source)
    }

    static let swapOnZram = Check("swap-on-zram", "Swap on disk") { check, facts in
        guard let swaps = facts.swaps else { return check.skip("the swap cannot be seen: \(facts.paths.swaps)") }
        guard !swaps.isEmpty else { return check.skip("there is no swap").seen("none", in: facts.paths.swaps) }
        guard swaps.allSatisfy({ $0.isInMemory }) else {
            let disk = swaps.filter { !$0.isInMemory }.reduce(KiB.zero) { $0 + $1.size }
            return check.ok("\(disk)").seen(swaps.map(described), in: facts.paths.swaps)
        }
        return check.warn(
            "none: all swap is zram, which compresses memory and frees none beyond that",
            remedy: "add swap on disk with a lower priority: merged pages that guests write to need memory that "
                + "compresses less than they did"
        ).seen(swaps.map(described), in: facts.paths.swaps)
    }

    static let compressedSwap = Check("compressed-swap", "Compressed swap") { check, facts in
        guard let swaps = facts.swaps else { return check.skip("the swap cannot be seen: \(facts.paths.swaps)") }
        guard !swaps.isEmpty else { return check.skip("there is no swap") }
        let zram = swaps.filter { $0.isInMemory }
        let hasDisk = zram.count < swaps.count
        guard hasDisk else { return check.skip("all of it is zram, see Swap on disk") }
        if let zswap = facts.zswap, zswap.isEnabled {
            let most = zswap.mostPercent.map { "at most \($0) % of memory" } ?? "a part of memory"
            return check.warn(
                "zswap keeps swapped pages in memory, where KSM cannot merge them",
                remedy: "count its pool as used memory, or echo N > \(facts.paths.zswap)/enabled"
            ).seen("it is on and takes \(most)", in: facts.paths.zswap)
        }
        guard zram.isEmpty else {
            return check.warn(
                "zram keeps swapped pages in memory, where KSM cannot merge them",
                remedy: "count what it takes as used memory, or swapoff \(Words.list(zram.map { $0.path }))"
            ).seen(zram.map(described), in: facts.paths.swaps)
        }
        return check.ok("neither zram nor zswap").seen(
            facts.zswap == nil ? "this kernel has no zswap" : "zswap is off", in: facts.paths.zswap)
    }

    static let rotationalSwap = Check("rotational-swap", "Swap speed") { check, facts in
        guard let swaps = facts.swaps else { return check.skip("the swap cannot be seen: \(facts.paths.swaps)") }
        let disks = swaps.filter { !$0.isInMemory }
        guard !disks.isEmpty else { return check.skip("there is no swap on disk") }
        let slow = disks.filter { $0.isRotational == true }
        let unknown = disks.filter { $0.isRotational == nil }
        guard slow.isEmpty else {
            return check.warn(
                "a disk that turns: a guest that swaps waits 10 ms for a page",
                remedy: "move swap to a solid-state disk. A virtual disk may only say that it turns: then echo 0 > "
                    + "\(facts.paths.blockDevices)/DISK/queue/rotational"
            ).seen(slow.map(described), in: facts.paths.swaps)
        }
        if unknown.count == disks.count {
            return check.skip("what it lies on is not known").seen(unknown.map(described), in: facts.paths.swaps)
        }
        return check.ok("no disk that turns").seen(disks.map(described), in: facts.paths.swaps)
    }

    private static func described(_ swap: SwapDevice) -> String {
        var text = "\(swap.path): \(swap.size), \(swap.used) in use"
        if let zram = swap.zram { text += "; \(KiB(zram.original)) are kept in \(KiB(zram.taken)) of memory" }
        if swap.isRotational == nil, !swap.isInMemory { text += "; what it lies on is not known" }
        return text
    }

    // MARK: Memory pressure

    /// In percent of ten seconds in which some task waited for memory. A host with enough of it shows 0. The daemon
    /// decides at once from 15 % within two seconds on (KSM_PRESSURE=); a third of that over a time five times as long
    /// is no peak any more.
    private static let muchSome = 5.0
    /// In percent of ten seconds in which every task that had work waited for memory: a tenth of the time is lost.
    private static let muchFull = 10.0

    static let pressure = Check("pressure", "Memory pressure") { check, facts in
        guard let pressure = facts.pressure else {
            return check.skip("this kernel does not say: CONFIG_PSI is not there, or psi=0")
        }
        let shares = "some avg10=\(Amount.tenths(pressure.some)) full avg10=\(Amount.tenths(pressure.full))"
        let remedy =
            "run fewer guests or smaller ones; ksmctl guests shows what each holds, ksmctl explain what KSM does"
        if pressure.full > muchFull {
            return check.fail(
                "all tasks wait for memory \(Amount.tenths(pressure.full)) % of the time", remedy: remedy
            )
            .seen(shares, in: facts.paths.memoryPressure)
        }
        if pressure.some > muchSome {
            return check.warn(
                "some task waits for memory \(Amount.tenths(pressure.some)) % of the time", remedy: remedy
            )
            .seen(shares, in: facts.paths.memoryPressure)
        }
        return check.ok(pressure.some == 0 ? "none" : "little").seen(shares, in: facts.paths.memoryPressure)
    }
}

extension OvercommitFinding.Kind {
    /// Whether it is about memory and swap; others are about CPUs, or how to plan.
    fileprivate var isOfMemory: Bool {
        switch self {
        case .noGuests, .unknownVCPUs, .moreVCPUsThanCPUs, .tooManyVCPUs, .overcommittedSMP, .tooLittleSwap,
            .forcedShutdowns:
            false
        default: true
        }
    }
}
