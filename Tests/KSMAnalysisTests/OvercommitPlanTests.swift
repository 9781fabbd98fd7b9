import KSMAnalysis
import KSMPolicy
import Testing

@Suite struct OvercommitPlanTests {
    private static let gibibyte: Int64 = 1 << 20

    private static func gib(_ count: Int64) -> KiB { KiB(count * gibibyte) }

    private static func plan(
        _ rule: OvercommitPlan.Rule = .rhel7, ram: Int64, swap: Int64? = nil, cpus: Int64? = nil, _ groups: String...
    ) throws -> OvercommitPlan {
        OvercommitPlan(
            rule, host: OvercommitPlan.Host(ram: gib(ram), swap: swap.map { gib($0) }, cpus: cpus),
            groups: try groups.map { try GuestGroup(parsing: $0) })
    }

    // MARK: The rules

    @Test func `The RHEL 7 guide: 50 guests of 1 GiB on 32 GiB need 26 GiB`() throws {
        let plan = try Self.plan(ram: 32, "50x1G")
        #expect(plan.system == Self.gib(4))
        #expect(plan.systemSwap == Self.gib(4))
        #expect(plan.neededSwap == Self.gib(26))
        #expect(plan.neededText == "26.0 GiB")
    }

    @Test func `The RHEL 6 guide: 56 guests of 1 GiB on 32 GiB need 36 GiB`() throws {
        let plan = try Self.plan(.rhel6, ram: 32, "56x1G")
        #expect(plan.systemSwap == Self.gib(8))
        #expect(plan.neededSwap == Self.gib(36))
    }

    @Test func `Guests of several sizes add up`() throws {
        let plan = try Self.plan(ram: 64, "10x4G/2", "3x16G/8", "1x512M")
        #expect(plan.guests == 14)
        #expect(plan.vcpus == 45)
        #expect(plan.guestMemory == KiB(88 * Self.gibibyte + 512 * 1024))
        #expect(plan.neededSwap == KiB(32 * Self.gibibyte + 512 * 1024))
    }

    @Test func `RHEL 7 needs no swap where RAM holds all, RHEL 6 always the host's`() throws {
        #expect(try Self.plan(ram: 32, "24x1G").neededSwap == .zero)
        #expect(try Self.plan(ram: 32, "25x1G").neededSwap == Self.gib(1))
        #expect(try Self.plan(.rhel6, ram: 32, "28x1G").neededSwap == Self.gib(8))
        #expect(try Self.plan(.rhel6, ram: 32, "29x1G").neededSwap == Self.gib(9))
    }

    @Test(arguments: [(1, 256), (8, 2048), (15, 3840), (16, 4096), (17, 4096), (1024, 4096)] as [(Int64, Int64)])
    func `A host keeps 4 GiB, a small one a quarter`(ram: Int64, system: Int64) {
        #expect(OvercommitPlan.defaultSystem(ram: Self.gib(ram)) == KiB(system * 1024))
    }

    @Test(
        arguments: [
            (1, 2), (4, 2), (5, 4), (16, 4), (17, 8), (64, 8), (65, 16), (256, 16), (257, 32), (4096, 32),
        ] as [(Int64, Int64)])
    func `Recommended swap by RAM`(ram: Int64, swap: Int64) {
        #expect(OvercommitPlan.recommendedSwap(ram: Self.gib(ram)) == Self.gib(swap))
        #expect(OvercommitPlan.recommendedSwap(ram: Self.gib(ram) - KiB(1)) <= Self.gib(swap))
    }

    @Test func `The host's own memory and swap can be given`() throws {
        let host = OvercommitPlan.Host(ram: Self.gib(32), system: Self.gib(2), systemSwap: .zero)
        let groups = [try GuestGroup(parsing: "50x1G")]
        #expect(OvercommitPlan(.rhel7, host: host, groups: groups).neededSwap == Self.gib(20))
        #expect(OvercommitPlan(.rhel6, host: host, groups: groups).neededSwap == Self.gib(20))
    }

    @Test func `More for the host than there is RAM leaves the guests none`() throws {
        let host = OvercommitPlan.Host(ram: Self.gib(2), system: Self.gib(4))
        let groups = [try GuestGroup(parsing: "3x1G")]
        #expect(OvercommitPlan(.rhel6, host: host, groups: groups).neededSwap == Self.gib(5))
        #expect(OvercommitPlan(.rhel7, host: host, groups: groups).neededSwap == Self.gib(9))
    }

    // MARK: The verdict

    @Test(
        arguments: [
            (nil, OvercommitPlan.Verdict.notCompared, nil),
            (17, .forcedShutdowns, 9), (18, .tooSmall, 8), (25, .tooSmall, 1), (26, .enough, 0), (99, .enough, 0),
        ] as [(Int64?, OvercommitPlan.Verdict, Int64?)])
    func `Verdict by the swap that there is`(
        swap: Int64?, verdict: OvercommitPlan.Verdict, missing: Int64?
    ) throws {
        let plan = try Self.plan(ram: 32, swap: swap, "50x1G")
        #expect(plan.verdict == verdict)
        #expect(plan.missingSwap == missing.map { Self.gib($0) })
    }

    @Test func `An advice is rounded up, so that whoever follows it has enough`() {
        func text(_ count: Int64) -> String {
            OvercommitPlan(
                .rhel7, host: OvercommitPlan.Host(ram: KiB(1), system: .zero, systemSwap: KiB(count + 1)), groups: []
            ).neededText
        }
        #expect(text(0) == "0 KiB")
        #expect(text(1023) == "1023 KiB")
        #expect(text(1024) == "1.0 MiB")
        #expect(text(1025) == "1.1 MiB")
        #expect(text((1 << 20) - 1) == "1.0 GiB")
        #expect(text(1 << 20) == "1.0 GiB")
        #expect(text(1 << 20 | 1) == "1.1 GiB")
        #expect(text(26 << 20) == "26.0 GiB")
        #expect(text(.max - 1) == "8796093022207.9 GiB")
    }

    @Test func `Ratios`() throws {
        let plan = try Self.plan(ram: 32, cpus: 8, "50x1G", "1x14G/6")
        #expect(plan.memoryRatio == 2)
        #expect(plan.vcpuRatio == 7)
        #expect(try Self.plan(ram: 32, "50x1G").vcpuRatio == nil)
    }

    // MARK: Findings

    private static func kinds(_ plan: OvercommitPlan) -> [String] { plan.findings.map { $0.kind.word } }

    @Test(arguments: [
        (["40x100M"], []), (["41x100M"], ["too-many-vcpus"]), (["4x1G/2"], []), (["1x1G/8"], []),
        (["4x1G/2", "1x1G"], ["overcommitted-smp"]), (["9x1G"], []),
        (["1x1G/9"], ["more-vcpus-than-cpus", "overcommitted-smp"]),
        (["6x1G/9"], ["more-vcpus-than-cpus", "too-many-vcpus"]),
    ])
    func `Findings of virtual CPUs on 8 CPUs`(groups: [String], kinds: [String]) throws {
        var plan = try Self.plan(ram: 64, swap: 64, cpus: 8)
        plan = OvercommitPlan(.rhel7, host: plan.host, groups: try groups.map { try GuestGroup(parsing: $0) })
        #expect(Self.kinds(plan) == kinds)
    }

    @Test func `Findings of memory, as sentences`() throws {
        let shutdowns = try Self.plan(ram: 32, swap: 4, "50x1G").findings
        #expect(shutdowns.count == 1)
        #expect(shutdowns.first?.kind.isWarning == true)
        #expect(
            shutdowns.first?.text
                == "RAM and swap together are 36.0 GiB, less than the 50.0 GiB of the guests: when the guests use what they "
                + "are configured with, the kernel shuts some of them down by force; add 22.0 GiB of swap, or run fewer "
                + "guests")
        #expect(
            try Self.plan(ram: 32, swap: 20, "50x1G").findings.map { $0.text } == [
                "the guests' memory fits into RAM and swap, but leaves too little for the host itself; add 6.0 GiB of "
                    + "swap, or run fewer guests"
            ])
    }

    @Test func `Findings of guests that run`() {
        var unknown = GuestGroup(memory: Self.gib(1), name: "a\nb")
        unknown.isResident = true
        var fixed = GuestGroup(memory: Self.gib(2), vcpus: 1, name: "db")
        fixed.unswappable = Self.gib(2)
        let plan = OvercommitPlan(
            .rhel7, host: OvercommitPlan.Host(ram: Self.gib(64), swap: .zero, cpus: 8), groups: [unknown, fixed])
        #expect(
            plan.findings.map { $0.text } == [
                "the configured memory of guest a?b is not known, so it counts with the 1.0 GiB that it holds now; it "
                    + "may come to need more",
                "2.0 GiB of guest db cannot go to swap, since a device holds it in place, it is locked, or its cgroup "
                    + "allows no swap: it must fit into the RAM, and the other guests need the swap all the sooner",
                "how many vCPUs guest a?b has is not known, so it counts as one",
            ])
        #expect(plan.findings.allSatisfy { !$0.kind.isWarning })
    }

    @Test func `A finding of sixty guests names a few`() throws {
        let groups = (1...60).map { GuestGroup(memory: Self.gib(1), vcpus: $0 > 3 ? 9 : 8, name: "vm\($0)") }
        func texts(_ count: Int) -> [String] {
            OvercommitPlan(
                .rhel7, host: OvercommitPlan.Host(ram: Self.gib(64), swap: .zero, cpus: 8),
                groups: Array(groups[..<count])
            ).findings.filter { $0.kind == .moreVCPUsThanCPUs }.map { $0.text }
        }
        let end = "up to 9 vCPUs each, and the host has 8 CPUs: a guest must never have more"
        #expect(texts(3) == [])
        #expect(texts(4) == ["guest vm4 has 9 vCPUs, and the host has 8 CPUs: a guest must never have more"])
        #expect(texts(5) == ["guests vm4 and vm5 have \(end)"])
        #expect(texts(60) == ["guests vm4, vm5, vm6, vm7 and 53 more have \(end)"])
    }

    // MARK: Memory that cannot go where the rule wants it

    @Test(
        arguments: [
            // RAM, guests' memory, how much of it cannot be swapped, swap
            (64, 40, 0, 0, OvercommitPlan.Verdict.enough), (64, 40, 40, 0, .enough), (64, 56, 56, 0, .enough),
            (64, 56, 60, 32, .enough), (64, 64, 61, 32, .tooSmall), (64, 80, 64, 32, .tooSmall),
            (64, 80, 65, 32, .forcedShutdowns), (64, 80, 80, 900, .forcedShutdowns), (64, 80, 0, 32, .enough),
        ] as [(Int64, Int64, Int64, Int64, OvercommitPlan.Verdict)])
    func `What cannot go to swap must fit into the RAM, beside the host`(
        ram: Int64, memory: Int64, unswappable: Int64, swap: Int64, verdict: OvercommitPlan.Verdict
    ) {
        var group = GuestGroup(memory: Self.gib(memory), vcpus: 1)
        group.unswappable = Self.gib(unswappable)
        let host = OvercommitPlan.Host(ram: Self.gib(ram), swap: Self.gib(swap))
        #expect(OvercommitPlan(.rhel7, host: host, groups: [group]).verdict == verdict)
        let noSwap = OvercommitPlan(.rhel7, host: OvercommitPlan.Host(ram: Self.gib(ram)), groups: [group])
        #expect(noSwap.verdict == (unswappable > ram ? .forcedShutdowns : .notCompared))
    }

    @Test func `Where not all guests could be read, no swap is said to be enough, known or not`() throws {
        for swap in [nil, Self.gib(99)] as [KiB?] {
            let host = OvercommitPlan.Host(ram: Self.gib(32), swap: swap)
            var unread = OvercommitPlan.Unread()
            unread.guests = "a guest could not be read"
            let plan = OvercommitPlan(.rhel7, host: host, groups: [try GuestGroup(parsing: "3x1G")], unread: unread)
            #expect(plan.verdict == .incomplete)
        }
    }

    @Test func `Pools of huge pages are no RAM for others, and their guests need none`() throws {
        var big = GuestGroup(memory: .zero, vcpus: 1, name: "big")
        big.inHugePages = Self.gib(32)
        let plain = GuestGroup(count: 2, memory: Self.gib(16), vcpus: 1)
        var host = OvercommitPlan.Host(ram: Self.gib(64), swap: .zero)
        host.hugePages = Self.gib(48)
        host.idleHugePages = Self.gib(16)
        let plan = OvercommitPlan(.rhel7, host: host, groups: [big, plain])
        #expect(plan.neededSwap == Self.gib(24))
        #expect(plan.verdict == .forcedShutdowns)
        #expect(plan.memoryRatio == 2)
        #expect(Self.kinds(plan) == ["huge-pages", "idle-huge-pages", "forced-shutdowns"])
        #expect(OvercommitPlan(.rhel6, host: host, groups: [big, plain]).neededSwap == Self.gib(20 + 8))
        // Where the pools are not known, they hold what the guests have there.
        host.hugePages = nil
        #expect(OvercommitPlan(.rhel7, host: host, groups: [big, plain]).neededSwap == Self.gib(8))
        host.hugePages = Self.gib(16)
        #expect(Self.kinds(OvercommitPlan(.rhel7, host: host, groups: [big])).contains("too-few-huge-pages"))
    }

    @Test func `ZFS's cache is the host's own memory up to its maximum`() throws {
        var host = OvercommitPlan.Host(ram: Self.gib(62), swap: Self.gib(8))
        host.cache = OvercommitPlan.Cache(least: Self.gib(2), most: Self.gib(40))
        let groups = [try GuestGroup(parsing: "6x4G")]
        let plan = OvercommitPlan(.rhel7, host: host, groups: groups)
        #expect(plan.neededSwap == Self.gib(10))
        #expect(plan.verdict == .tooSmall)
        #expect(Self.kinds(plan) == ["file-cache", "too-little-swap"])
        #expect(OvercommitPlan(.rhel6, host: host, groups: groups).neededSwap == Self.gib(6 + 8))
        // Whoever says what the host needs has said it.
        host.system = Self.gib(4)
        #expect(OvercommitPlan(.rhel7, host: host, groups: groups).neededSwap == .zero)
        // Below its minimum it gives nothing back.
        host.system = nil
        #expect(OvercommitPlan(.rhel7, host: host, groups: [try GuestGroup(parsing: "1x68G")]).verdict == .tooSmall)
        #expect(
            OvercommitPlan(.rhel7, host: host, groups: [try GuestGroup(parsing: "1x69G")]).verdict == .forcedShutdowns)
    }

    @Test func `What the host needs has ZFS's cache in it where it is given`() throws {
        var host = OvercommitPlan.Host(ram: Self.gib(64), swap: Self.gib(100), system: Self.gib(10))
        host.cache = OvercommitPlan.Cache(least: Self.gib(2), most: Self.gib(32))
        func missing(_ memory: Int64) -> KiB {
            var fixed = GuestGroup(memory: Self.gib(memory))
            fixed.unswappable = fixed.memory
            return OvercommitPlan(.rhel7, host: host, groups: [fixed]).missingRAM
        }
        #expect(missing(54) == .zero)
        #expect(missing(55) == Self.gib(1))
        // No less than the cache keeps.
        host.system = Self.gib(1)
        #expect(missing(62) == .zero)
        #expect(missing(63) == Self.gib(1))
        host.system = nil
        #expect(missing(58) == .zero)
        #expect(missing(59) == Self.gib(1))
    }

    @Test func `What several guests together cannot have in swap counts where it is more`() throws {
        let host = OvercommitPlan.Host(ram: Self.gib(16), swap: Self.gib(64))
        let groups = [try GuestGroup(parsing: "4x8G")]
        func plan(_ unswappable: Int64) -> OvercommitPlan {
            OvercommitPlan(.rhel7, host: host, groups: groups, unswappable: Self.gib(unswappable))
        }
        #expect(plan(17).verdict == .forcedShutdowns)
        #expect(plan(13).missingRAM == Self.gib(1))
        #expect(plan(0).verdict == .enough)
    }

    @Test func `Swap that may take no page is not counted on, nor a kernel that does not want to swap`() throws {
        let room = SwapRoom([
            SwapRoom.Area(name: "/dev/zd0", size: Self.gib(8), backing: .doubtful("on ZFS")),
            SwapRoom.Area(name: "/dev/zram0", size: Self.gib(4), backing: .memory),
            SwapRoom.Area(name: "/dev/sda2", size: Self.gib(2), backing: .disk),
        ])
        #expect(room.usable == Self.gib(2))
        var host = OvercommitPlan.Host(ram: Self.gib(16), swap: room.usable)
        host.room = room
        host.swappiness = 0
        let plan = OvercommitPlan(.rhel7, host: host, groups: [try GuestGroup(parsing: "10x1G")])
        #expect(Self.kinds(plan) == ["doubtful-swap", "swappiness"])
        #expect(plan.findings.allSatisfy { $0.kind.isWarning })
        host.swappiness = 1
        #expect(
            Self.kinds(OvercommitPlan(.rhel7, host: host, groups: [try GuestGroup(parsing: "4x1G")])) == [
                "doubtful-swap"
            ])
    }

    @Test func `Every finding has a word of its own`() {
        let words = OvercommitFinding.Kind.allCases.map { $0.word }
        #expect(Set(words).count == words.count)
    }

    @Test func `No guests is said`() {
        let plan = OvercommitPlan(.rhel7, host: OvercommitPlan.Host(ram: Self.gib(8), swap: .zero), groups: [])
        #expect(Self.kinds(plan) == ["no-guests"])
        #expect(plan.verdict == .enough)
        #expect(plan.memoryRatio == 0)
    }

    // MARK: Absurd numbers

    @Test(arguments: OvercommitPlan.Rule.allCases)
    func `Sums stop at 64 bits`(_ rule: OvercommitPlan.Rule) throws {
        let large = try GuestGroup(parsing: "8388607x1T/1000000000000")
        let group = GuestGroup(count: .max, memory: KiB(.max), vcpus: .max)
        for groups in [[group, group, large], Array(repeating: large, count: 3000)] {
            for host in [
                OvercommitPlan.Host(ram: KiB(1), swap: KiB(.max), cpus: .max),
                OvercommitPlan.Host(ram: KiB(.max), swap: .zero, system: KiB(.max), systemSwap: KiB(.max), cpus: 1),
            ] {
                let plan = OvercommitPlan(rule, host: host, groups: groups)
                #expect(plan.guestMemory == KiB(.max))
                #expect(plan.vcpus == .max)
                #expect(plan.neededSwap >= .zero)
                #expect(!plan.neededText.isEmpty && !plan.missingText.isEmpty)
                #expect(plan.memoryRatio.isFinite)
                _ = plan.findings
            }
        }
    }

    // MARK: What people write

    @Test(
        arguments: [
            ("512M", 512 << 10), ("1G", 1 << 20), ("1.5G", 3 << 19), ("2T", 2 << 30), ("512MiB", 512 << 10),
            ("64k", 64),
            ("1gib", 1 << 20), ("0.5G", 1 << 19), ("0", 0), ("0.0", 0), ("0G", 0), ("1.999999999K", 1),
            ("007G", 7 << 20),
            ("8388607T", 8_388_607 << 30),
        ] as [(String, Int64)])
    func `A size`(text: String, kibibytes: Int64) throws {
        #expect(try MemorySize.parse(text) == KiB(kibibytes))
    }

    @Test(arguments: [
        ("", MemorySize.ParseError.notASize), ("G", .notASize), ("-1G", .notASize), ("+1G", .notASize),
        (" 1G", .notASize),
        ("1 G", .notASize), ("1.G", .notASize), (".5G", .notASize), ("1.5.5G", .notASize), ("1,5G", .notASize),
        ("1.1234567890G", .notASize), ("1Gi", .notASize), ("1GiBs", .notASize), ("1E", .notASize), ("0x10M", .notASize),
        ("1G\n", .notASize), ("1024", .noUnit), ("1.5", .noUnit), ("1GB", .ambiguousUnit), ("1mb", .ambiguousUnit),
        ("8388608T", .tooLarge), ("99999999999999999999G", .tooLarge), ("9223372036854775807T", .tooLarge),
        ("٣G", .notASize),
    ])
    func `What is no size`(text: String, error: MemorySize.ParseError) {
        #expect(throws: error) { _ = try MemorySize.parse(text) }
    }

    @Test func `A group of guests`() throws {
        #expect(try GuestGroup(parsing: "50x1G") == GuestGroup(count: 50, memory: Self.gib(1), vcpus: 1))
        #expect(try GuestGroup(parsing: "4X1.5GiB/8") == GuestGroup(count: 4, memory: KiB(3 << 19), vcpus: 8))
    }

    @Test(arguments: [
        ("", GuestGroup.ParseError.notAGroup), ("1G", .notAGroup), ("x1G", .notAGroup), ("-1x1G", .notAGroup),
        ("0x1G", .noGuests), ("1x", .size(.notASize)), ("1x0G", .size(.notASize)), ("1x5", .size(.noUnit)),
        ("1x1G/", .notAGroup), ("1x1G/0", .noVCPUs), ("1x1G/-1", .notAGroup), ("1x1G/2/3", .notAGroup),
        ("99999999999x9999T", .tooLarge), ("99999999999999999999x1G", .tooLarge),
        ("1x1G/99999999999999999999", .tooLarge),
        ("9000000000x1M/9000000000000000000", .tooLarge), ("1x99999999999999999999G", .size(.tooLarge)),
        ("99999999999999999999", .tooLarge),
    ])
    func `What is no group of guests`(text: String, error: GuestGroup.ParseError) {
        #expect(throws: error) { _ = try GuestGroup(parsing: text) }
    }
}
