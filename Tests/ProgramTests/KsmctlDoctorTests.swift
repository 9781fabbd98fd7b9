import Charts
import Foundation
import HostFixtures
import HostInspection
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

@Suite struct KsmctlDoctorTests {
    private static func check(_ id: String, _ facts: DoctorFacts) throws -> CheckResult {
        try #require(Check.all.first { $0.id == id }).result(facts)
    }

    @Test func `Nothing is amiss on a healthy host`() {
        let report = DoctorReport(.healthy)
        #expect(report.checks.filter { $0.verdict != .ok } == [])
        #expect(report.verdict == .ok)
        #expect(report.status == 0)
    }

    @Test(arguments: DoctorFixture.all)
    func `Each check has what turns it on and what leaves it off`(_ fixture: DoctorFixture) throws {
        var facts = DoctorFacts.healthy
        fixture.on(&facts)
        let on = try Self.check(fixture.id, facts)
        #expect(on.verdict == fixture.verdict)
        // Whoever warns or fails says what was looked at and what to do.
        if fixture.verdict != .skip {
            #expect(!on.evidence.isEmpty)
            #expect(on.remedy != nil)
        }

        facts = .healthy
        fixture.off(&facts)
        let off = try Self.check(fixture.id, facts)
        #expect(off.verdict == .ok)
        #expect(off.remedy == nil)
    }

    @Test func `No check is without a fixture that warns or fails`() {
        let known = Set(DoctorFixture.all.filter { $0.verdict == .warn || $0.verdict == .fail }.map { $0.id })
        #expect(known == Set(Check.all.map { $0.id }))
        #expect(Check.all.count == known.count)
    }

    // MARK: What they say

    @Test func `Guests in swap are said to be left out only by a metric that leaves them out`() throws {
        var facts = DoctorFacts.healthy
        facts.guests[0].swapped = KiB(DoctorFacts.gibibyte)
        facts.publish(.classic, .stop)
        let leftOut = try Self.check("swapped-guests", facts)
        #expect(leftOut.finding.contains("does not count"))
        #expect(leftOut.remedy?.contains("KSM_PS_METRIC=rsz+swap") == true)
        facts.configuration.guestMetric = .residentAndSwap
        let counted = try Self.check("swapped-guests", facts)
        #expect(counted.verdict == .warn)
        #expect(!counted.finding.contains("does not count"))
    }

    @Test func `A cache that counts as free by the configured metric makes no memory short`() throws {
        var facts = DoctorFacts.healthy
        facts.cache = ZFSCache(size: KiB(6 << 20), least: KiB(1 << 20), most: KiB(6 << 20))
        #expect(try Self.check("file-cache", facts).remedy?.contains("KSM_FREE_METRIC=available+arc") == true)
        facts.configuration.freeMetric = .availableAndCache
        facts.memory.reclaimableCache = facts.cache?.reclaimable
        #expect(try Self.check("file-cache", facts).verdict == .ok)
        // Also where all that the cache can give back does not help.
        facts.cache = ZFSCache(size: KiB(3 << 20), least: KiB(1 << 20), most: KiB(3 << 20))
        facts.memory.reclaimableCache = facts.cache?.reclaimable
        facts.memory.available = .zero
        #expect(try Self.check("file-cache", facts).remedy?.contains("KSM_FREE_METRIC=") != true)
    }

    @Test func `The remedy for guests that are not counted matches them and those of before`() throws {
        var facts = DoctorFacts.healthy
        facts.processes.machines.append(ProcessSurvey.Process(pid: 9, comm: "my.vm+1", hasMachine: true))
        let remedy = try #require(try Self.check("guests-counted", facts).remedy)
        let text = try #require(remedy.split(separator: "'").dropFirst().first)
        let pattern = try Pattern(String(text))
        func matches(_ comm: String) -> Bool { pattern.matches(Array(comm.utf8).span) }
        #expect(matches("my.vm+1"))
        #expect(!matches("my-vm+1"))
        for name in ["qemu-kvm", "qemu-system-x86", "qemu:web", "kvm", ".qemu-system-x8", "firecracker", "crosvm"] {
            #expect(matches(name), "\(name)")
        }
        #expect(!matches("qemu-img"))

        facts.configuration.profile = .proxmox
        #expect(try Self.check("guests-counted", facts).remedy?.hasPrefix("remove KSM_PROFILE=proxmox") == true)
    }

    @Test func `For a process that gives no answer the remedy is not that for want of descriptors`() throws {
        let silent = ChildRead.silence("/proc/9/cmdline", of: 1000)
        let failed = KernelFileError(.read, "/proc/8/cmdline", errno: EMFILE)
        func results(_ failures: [KernelFileError]) throws -> [CheckResult] {
            var (facts, others, survey) = (DoctorFacts.healthy, DoctorFacts.healthy, DoctorFacts.healthy)
            facts.unreadableGuests = failures.map { GuestList.Unreadable(pid: 9, failure: $0) }
            others.othersFailures = failures
            others.failures = failures
            survey.processes.failures = failures
            return [
                try Self.check("guests-counted", facts), try Self.check("guests-counted", survey),
                try Self.check("ksm-users", others), try Self.check("readable", others),
            ]
        }
        for result in try results([silent]) {
            let remedy = try #require(result.remedy)
            #expect(remedy.hasPrefix("see what the process that gives no answer waits for, in /proc/PID/task/*/stack"))
            #expect(remedy.contains("kill -9 PID"))
            #expect(!remedy.contains("ulimit") && !remedy.contains("look again"))
            #expect(result.evidence.contains { $0.text.contains("of user 1000") })
        }
        #expect(
            try results([silent])[0].finding
                == "1 process that may be a guest could not be read, and stands in no sum here")
        for result in try results([silent, failed]) { #expect(result.remedy?.contains("; ") == true) }
        for result in try results([failed]) { #expect(result.remedy?.contains("gives no answer") == false) }
    }

    @Test func `A daemon that systemd may not start is first allowed to`() throws {
        var facts = DoctorFacts.healthy
        facts.daemon = .none
        facts.maskedUnits = ["/etc/systemd/system/ksmtuned.service"]
        let result = try Self.check("daemon", facts)
        #expect(result.remedy?.hasPrefix("systemctl unmask ksm ksmtuned && systemctl enable --now ksmtuned") == true)
        #expect(result.evidence.first?.source == "/etc/systemd/system/ksmtuned.service")
    }

    // MARK: KSM's users

    /// Containers that use KSM, on a host without guests.
    private static func containers() -> FakeHost {
        let host = FakeHost()
        host.makeHealthy()
        host.setKSM(["run": 1, "full_scans": 12, "pages_sharing": 500_000, "general_profit": 1_900_000_000])
        for pid in 601...620 {
            host.setProcess(pid, comm: "java", resident: 75_000, commandLine: ["/usr/bin/java", "-jar", "app.jar"])
            host.setKSMStat(pid, items: 70_000, merging: 25_000, profit: 98_000_000, offersAll: true)
            host.write("0::/system.slice/app.service\n", to: "proc/\(pid)/cgroup")
        }
        return host
    }

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `A daemon that would switch off what works for containers is not advised`() throws {
        let host = Self.containers()
        let facts = try DoctorFacts(host.paths)
        let daemon = try Self.check("daemon", facts)
        #expect(daemon.verdict == .ok)
        #expect(daemon.finding == "not running, and no guest needs it: KSM scans for 20 other processes")
        #expect(daemon.remedy == nil)
        let users = try Self.check("ksm-users", facts)
        #expect(users.finding == "20 processes that are no guests offer memory, and KSM scans for them")
        #expect(
            users.evidence.map { $0.text } == [
                "java: 20 processes (601, 602, 603, 604, 605, 606, 607, 608 and 12 more) of app.service, 1.9 GiB merged"
            ])
        #expect(!DoctorReport(facts).checks.contains { $0.remedy?.contains("enable --now") == true })
    }

    @Test func `Where guests need a daemon too, it is first to count the others`() throws {
        var facts = DoctorFacts.healthy
        facts.daemon = .none
        facts.others = [KSMProcess(pid: 601, comm: "java", merged: KiB(4000))]
        // By an expression those would no longer count that count since the kernel announced them.
        facts.processes.machines.append(ProcessSurvey.Process(pid: 602, comm: "my-vmm", hasMachine: true))
        let remedy = try #require(try Self.check("daemon", facts).remedy)
        #expect(remedy.hasPrefix("first have it count KSM's other users: set KSM_GUEST_PATTERN='"))
        #expect(remedy.contains("|^(java|my-vmm)$'"))
        #expect(
            remedy.contains(
                "KSM_POLICY=adaptive wherever it pays; then systemctl enable --now ksmtuned, or stop KSM: ksmctl stop"))
    }

    @Test func `A daemon that does not count them is given the pattern that does`() throws {
        let host = Self.containers()
        let daemon = host.startDaemon()
        var facts = try DoctorFacts(host.paths)
        let users = try Self.check("ksm-users", facts)
        #expect(users.verdict == .warn)
        #expect(users.finding == "20 processes that are no guests offer memory, and the daemon does not count them")
        let remedy = try #require(users.remedy)
        #expect(
            remedy.hasSuffix(
                "; the classic policy then scans while memory is short, KSM_POLICY=adaptive wherever it pays"))
        facts.configuration.guestPattern = String(try #require(remedy.split(separator: "'").dropFirst().first))
        #expect(try GuestReader.read(host.paths, facts.configuration).guests.count == 20)
        #expect(try GuestReader.read(host.paths, facts.configuration).others == [])
        withExtendedLifetime(daemon) {}
    }

    @Test func `A loss is named with who loses, and how each is left out`() throws {
        var facts = DoctorFacts.healthy
        facts.ksm.generalProfit = -10_000_000
        facts.guests[0].items = Pages(100_000)
        facts.guests[0].merged = KiB(4000)
        facts.guests[0].profit = Bytes(-2_304_000)
        facts.guests[0].manager = .libvirt
        facts.guests[1].profit = Bytes(1)
        facts.others = [
            KSMProcess(pid: 601, comm: "java", merged: .zero, items: Pages(200_000), profit: Bytes(-12_800_000)),
            KSMProcess(
                pid: 602, comm: "redis", merged: KiB(400_000), items: Pages(100_000), profit: Bytes(403_200_000)),
        ]
        facts.others[0].unit = "app.service"
        let result = try Self.check("profit", facts)
        #expect(result.verdict == .warn)
        #expect(result.finding == "KSM takes 9.5 MiB more than it saves: java (601), web (101)")
        #expect(
            result.evidence.dropFirst().map { $0.text } == [
                "java (601) loses 12.2 MiB: 200000 pages are tracked, and none is merged",
                "web (101) loses 2.1 MiB: 100000 pages are tracked, 100.0 for each merged one; above 64 it is better left out",
            ])
        #expect(
            result.remedy?.hasPrefix(
                "leave out those that lose: libvirt: <nosharepages/> in <memoryBacking>; MemoryKSM=no of app.service; or"
            )
                == true)
    }

    @Test func `Whether hidden guests lose is not known, and said so`() throws {
        var facts = DoctorFacts.healthy
        facts.ksm.generalProfit = -10_000_000
        facts.guests[1].isHidden = true
        #expect(
            try Self.check("profit", facts).finding
                == "KSM takes 9.5 MiB more than it saves; of 1 guest only root can see whether they lose")
    }

    @Test func `The remedy for what cannot go to swap is that for what keeps it`() throws {
        func remedy(_ change: (inout GuestDetails) -> Void) throws -> String {
            var facts = DoctorFacts.healthy
            facts.guests[0].configured = facts.total
            change(&facts.guests[0])
            return try #require(try Self.check("swap-size", facts).remedy)
        }
        #expect(try remedy { $0.isLocked = true }.contains("mem-lock=on"))
        let pinned = try remedy { $0.isPinned = true }
        #expect(pinned.contains("passed-through devices") && !pinned.contains("mem-lock"))
        let confidential = try remedy { $0.obstacles.append(.confidential) }
        #expect(!confidential.contains("passed-through") && !confidential.contains("mem-lock"))
    }

    // MARK: Other writers

    @Test func `What writes KSM's files at boot is named with its line`() throws {
        let host = FakeHost()
        host.makeHealthy()
        host.write("kernel/mm/ksm/run = 1\n", to: "etc/sysfs.conf")
        host.write("kernel/mm/ksm/pages_to_scan = 500\n", to: "etc/sysfs.d/pages.conf")
        host.write("w /sys/kernel/mm/ksm/run - - - - 1\n", to: "run/tmpfiles.d/ksm.conf")
        host.write("#!/bin/sh\necho 1 > /sys/kernel/mm/ksm/run\n", to: "etc/rc.local")
        host.write("KSM_ENABLED=AUTO\nSLEEP_MILLISECS=200\n", to: "etc/default/qemu-kvm")
        let result = try Self.check("other-writers", DoctorFacts(host.paths))
        #expect(result.verdict == .warn)
        #expect(
            result.evidence.map { $0.text }
                == [
                    "ROOT/etc/sysfs.conf: kernel/mm/ksm/run = 1",
                    "ROOT/etc/sysfs.d/pages.conf: kernel/mm/ksm/pages_to_scan = 500",
                    "ROOT/run/tmpfiles.d/ksm.conf: w /sys/kernel/mm/ksm/run - - - - 1",
                    "ROOT/etc/rc.local: echo 1 > /sys/kernel/mm/ksm/run", "ROOT/etc/default/qemu-kvm: KSM_ENABLED=AUTO",
                    "ROOT/etc/default/qemu-kvm: SLEEP_MILLISECS=200",
                ].map { host.filled($0) })
    }

    @Test func `What the remedy says of Debian's settings ends the warning`() throws {
        let host = FakeHost()
        host.makeHealthy()
        host.write("KSM_ENABLED=1\nSLEEP_MILLISECS=200\n", to: "etc/default/qemu-kvm")
        let warned = try Self.check("other-writers", DoctorFacts(host.paths))
        #expect(warned.verdict == .warn && warned.remedy?.contains("set KSM_ENABLED=0") == true)
        host.write("KSM_ENABLED=1\nKSM_ENABLED=0\nSLEEP_MILLISECS=200\n", to: "etc/default/qemu-kvm")
        #expect(try Self.check("other-writers", DoctorFacts(host.paths)).verdict == .ok)
    }

    @Test func `What a guest is called cannot forge a line`() throws {
        var facts = DoctorFacts.healthy
        facts.guests[0].name = "web\nOK    KSM"
        facts.guests[0].vcpus = 64
        let result = try Self.check("vcpus", facts)
        #expect(result.evidence.first?.text == "web\nOK    KSM (101) has 64")
        #expect(DoctorReport(facts).text(.plain, columns: nil).contains("      web?OK    KSM (101) has 64\n"))
    }

    @Test func `Each kind of guest gets its own remedy, and the same one once`() {
        var facts = DoctorFacts.healthy
        let managers: [GuestDetails.Manager?] = [.libvirt, .libvirt, .proxmox(101), .qemu]
        facts.guests = managers.enumerated().map { index, manager in
            var guest = facts.guests[0]
            guest.manager = manager
            guest.balloon = index % 2 == 0 ? GuestDetails.Balloon.none : .manual
            guest.isMergeable = false
            return guest
        }
        func remedy(_ id: String) -> String? { DoctorReport(facts).checks.first { $0.id == id }?.remedy }
        #expect(
            remedy("balloon")
                == "libvirt: <memballoon model='virtio' autodeflate='on'/>; Proxmox VE: qm set 101 --balloon MIB, less than "
                + "its memory; QEMU: deflate-on-oom=on of the balloon's -device")
        let offers = remedy("mergeable") ?? ""
        #expect(offers.contains("libvirt: remove <nosharepages/>"))
        #expect(offers.contains("Proxmox VE: qm set 101 --delete allow-ksm"))
        #expect(offers.contains("QEMU: a private memory backend"))
    }

    @Test func `Many names are cut short`() {
        #expect(Words.list(["a", "b"]) == "a, b")
        #expect(Words.list((1...10).map { "\($0)" }) == "1, 2, 3, 4, 5, 6, 7, 8 and 2 more")
    }

    // MARK: The report

    @Test func `Text shows what was looked at where something is amiss`() {
        var facts = DoctorFacts.healthy
        facts.ksm.run = 0
        facts.daemon = .none
        facts.hugePages?.mode = .always
        facts.guests[0].user = 108
        facts.guests[0].configured = KiB(21 * DoctorFacts.gibibyte)
        facts.guests[1].balloon = .manual
        facts.earlier = nil
        let report = DoctorReport(facts)
        #expect(
            report.text(.plain, columns: nil) == """
                OK    KSM               present and writable
                OK    Host's files      all that are there can be read
                OK    Configuration     no problem found
                WARN  Daemon            not running, and KSM does not scan
                      /run/ksmtuned/lock: nobody holds the daemon's lock
                      /sys/kernel/mm/ksm/run: 0
                      Remedy: systemctl enable --now ksmtuned
                SKIP  Decisions         ksmtuned does not run
                SKIP  Knobs             ksmtuned does not run
                OK    Other writers     none found
                OK    Guests counted    all of them
                OK    Mergeable memory  2 of 2 guests, and 1.0 GiB saved
                WARN  Balloon           1 guest's stays inflated when memory runs out
                      deflate-on-oom off: db (102)
                      Remedy: QEMU: deflate-on-oom=on of the balloon's -device
                OK    vCPUs             no guest has more than the host has CPUs
                OK    KSM's users       guests alone
                OK    Profit            KSM saves 953.6 MiB more than it takes
                WARN  Huge pages        for all memory: khugepaged gives merged pages copies again
                      /sys/kernel/mm/transparent_hugepage: enabled is always, khugepaged/max_ptes_none is 511, khugepaged/max_ptes_shared is 256
                      QEMU asks for huge pages itself, so the bounds of khugepaged count for guests in either mode
                      Remedy: cd /sys/kernel/mm/transparent_hugepage && echo 0 | tee khugepaged/max_ptes_none khugepaged/max_ptes_shared && echo madvise > enabled
                OK    NUMA              one node
                OK    Sharing limit     a page has at most 256 users
                SKIP  ksmd's CPU time   no record of the last hour to count from; the running daemon writes them
                OK    Swapped guests    none
                OK    Guests' limits    none is below what its guests need
                OK    Huge-page pool    none
                OK    ZFS's cache       ZFS is not loaded
                FAIL  Swap              guests may have more than memory and swap on disk together
                      guests may have 25.0 GiB
                      /proc/meminfo: 16.0 GiB of memory
                      /proc/swaps: 8.0 GiB of swap that can be counted on
                      needed: guests + 4.0 GiB for the host's own programs + 4.0 GiB to spare - memory = 17.0 GiB
                      Remedy: add 9.0 GiB of swap on disk, or run fewer guests: the kernel ends some when all use what they may have
                OK    Swap on disk      8.0 GiB
                OK    Swap's backing    as far as is known, disks
                OK    Swappiness        60
                OK    Compressed swap   neither zram nor zswap
                OK    Swap speed        no disk that turns
                OK    Memory pressure   none
                WARN  Owners            guests of 2 users share pages
                      user 107: 1 guest, 1.0 GiB merged: db (102)
                      user 108: 1 guest, 1.0 GiB merged: web (101)
                      a write to a merged page takes longer than to another, so that a guest can learn whether another one holds a page that it knows: a version of a program, a file, parts of an address or a key
                      Remedy: keep the guests of one owner out: mem-merge=off of QEMU's -machine, <nosharepages/> in libvirt's <memoryBacking>, qm set VMID --allow-ksm 0; or switch merging off: ksmctl unmerge

                29 checks: 21 ok, 4 warnings, 1 failure, 3 skipped

                """)
        #expect(report.status == 2)
    }

    @Test func `On a terminal lines are broken between words and indented`() {
        var facts = DoctorFacts.healthy
        facts.guests[0].user = 108
        let text = DoctorReport(facts).text(.plain, columns: 60)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 60 })
    }

    // MARK: The program

    @Test func `On a tree that stands for a host`() async throws {
        let host = FakeHost()
        host.makeHealthy()
        let outcome = try await Program.ksmctl.run(["doctor", host.rootOption])
        #expect(outcome.error == "")
        #expect(outcome.status == 1)
        #expect(
            outcome.output
                == host.filled(
                    """
                    OK    KSM               present and writable
                    OK    Host's files      all that are there can be read
                    OK    Configuration     no problem found
                    WARN  Daemon            not running, and KSM does not scan
                          ROOT/run/ksmtuned/lock: nobody holds the daemon's lock
                          ROOT/sys/kernel/mm/ksm/run: 0
                          Remedy: systemctl enable --now ksmtuned
                    SKIP  Decisions         ksmtuned does not run
                    SKIP  Knobs             ksmtuned does not run
                    OK    Other writers     none found
                    OK    Guests counted    no guest runs
                    SKIP  Mergeable memory  no guest runs
                    SKIP  Balloon           no guest runs
                    SKIP  vCPUs             no guest runs
                    OK    KSM's users       none: no process offers memory
                    OK    Profit            KSM saves 1.0 MiB more than it takes
                    OK    Huge pages        only for those who ask
                    OK    NUMA              one node
                    OK    Sharing limit     a page has at most 256 users
                    SKIP  ksmd's CPU time   ksmd cannot be seen among the processes
                    SKIP  Swapped guests    no guest runs
                    SKIP  Guests' limits    no guest runs
                    OK    Huge-page pool    none
                    OK    ZFS's cache       ZFS is not loaded
                    SKIP  Swap              no guest runs
                    OK    Swap on disk      7.9 GiB
                    OK    Swap's backing    as far as is known, disks
                    SKIP  Swappiness        this kernel does not say
                    OK    Compressed swap   neither zram nor zswap
                    OK    Swap speed        no disk that turns
                    OK    Memory pressure   none
                    SKIP  Owners            no guest runs

                    29 checks: 17 ok, 1 warning, 0 failures, 11 skipped

                    """))
    }

    @Test func `Asked to be verbose, it shows what was looked at for every check`() async throws {
        let host = FakeHost()
        host.makeHealthy()
        let outcome = try await Program.ksmctl.run(["doctor", "-v", host.rootOption])
        #expect(outcome.error == "")
        #expect(outcome.status == 1)
        #expect(
            outcome.output
                == host.filled(
                    """
                    OK    KSM               present and writable
                          ROOT/sys/kernel/mm/ksm: run=0 pages_to_scan=100 sleep_millisecs=20
                    OK    Host's files      all that are there can be read
                    OK    Configuration     no problem found
                          ROOT/etc/ksmtuned.conf: policy classic
                    WARN  Daemon            not running, and KSM does not scan
                          ROOT/run/ksmtuned/lock: nobody holds the daemon's lock
                          ROOT/sys/kernel/mm/ksm/run: 0
                          Remedy: systemctl enable --now ksmtuned
                    SKIP  Decisions         ksmtuned does not run
                    SKIP  Knobs             ksmtuned does not run
                    OK    Other writers     none found
                    OK    Guests counted    no guest runs
                          0 processes are taken for guests
                    SKIP  Mergeable memory  no guest runs
                    SKIP  Balloon           no guest runs
                    SKIP  vCPUs             no guest runs
                    OK    KSM's users       none: no process offers memory
                          no process that is no guest offers memory
                    OK    Profit            KSM saves 1.0 MiB more than it takes
                          ROOT/sys/kernel/mm/ksm/general_profit: 1048576 bytes: what is merged less the kernel's own records of all pages
                    OK    Huge pages        only for those who ask
                          ROOT/sys/kernel/mm/transparent_hugepage: enabled is madvise, khugepaged/max_ptes_none is 511, khugepaged/max_ptes_shared is 256
                          QEMU asks for its guests' memory: there khugepaged may still give merged pages copies
                    OK    NUMA              one node
                          ROOT/sys/devices/system/node/has_memory: one node has memory
                    OK    Sharing limit     a page has at most 256 users
                          ROOT/sys/kernel/mm/ksm: stable_node_dups is 0, stable_node_chains 0: 0 KiB of copies beside 0 KiB saved
                          ROOT/sys/kernel/mm/ksm/max_page_sharing: 256; the kernel's default is 256
                    SKIP  ksmd's CPU time   ksmd cannot be seen among the processes
                    SKIP  Swapped guests    no guest runs
                    SKIP  Guests' limits    no guest runs
                    OK    Huge-page pool    none
                    OK    ZFS's cache       ZFS is not loaded
                    SKIP  Swap              no guest runs
                    OK    Swap on disk      7.9 GiB
                          ROOT/proc/swaps: /dev/nvme0n1p3: 7.9 GiB, 0 KiB in use
                    OK    Swap's backing    as far as is known, disks
                    SKIP  Swappiness        this kernel does not say
                    OK    Compressed swap   neither zram nor zswap
                          ROOT/sys/module/zswap/parameters: zswap is off
                    OK    Swap speed        no disk that turns
                          ROOT/proc/swaps: /dev/nvme0n1p3: 7.9 GiB, 0 KiB in use
                    OK    Memory pressure   none
                          ROOT/proc/pressure/memory: some avg10=0.0 full avg10=0.0
                    SKIP  Owners            no guest runs

                    29 checks: 17 ok, 1 warning, 0 failures, 11 skipped

                    """))
    }

    @Test(.enabled(if: getpagesize() == 4096, "the figures are of a host with pages of 4 KiB"))
    func `A tree with a daemon and guests`() throws {
        let host = FakeHost()
        host.makeHealthy()
        host.setKSM(["run": 1, "pages_to_scan": 300, "sleep_millisecs": 10, "pages_sharing": 262_144])
        let guest = "/usr/bin/qemu-system-x86_64 -accel kvm -m 4096 -smp 2"
        host.setGuest(101, "\(guest) -name guest=web -device virtio-balloon-pci,deflate-on-oom=on")
        host.setGuest(102, "\(guest) -name guest=db -machine q35,mem-merge=off -smp 8")
        host.setKSMStat(101, merging: 262_144)
        host.setKSMStat(102, items: 0, offersAny: false)
        host.setProcess(40, comm: "ksmd", resident: 0)
        host.write("0 0 0 0 0 0 0\n", to: "proc/40/statm")
        host.write("20000000000 0 1\n", to: "proc/40/schedstat")
        var record = HistoryRecord(
            time: 973_000_000, memory: MemorySample(free: .zero, committed: .zero), total: .zero)
        record.counters = ScanCounters()
        record.counters?.cpu = .seconds(15)
        var history = try HistoryWriter(host.paths.history) { _ in }
        try history.append(record)
        record.time = 1_010_000_000
        try history.append(record)
        let decision = Decision(
            action: .scan, reason: .shortage, pagesToScan: 300, sleepMilliseconds: 10,
            memory: MemorySample(free: .zero, committed: .zero), total: KiB(16 << 20), threshold: KiB(3 << 20),
            previousPagesToScan: 0)
        let daemon = host.startDaemon(decision: decision, guests: 2)

        let report = DoctorReport(try DoctorFacts(host.paths, now: WallTime(seconds: 1023)))

        func finding(_ id: String) -> String? {
            report.checks.first { $0.id == id }.map { "\($0.verdict.rawValue): \($0.finding)" }
        }
        #expect(finding("daemon") == "ok: ksmtuned runs")
        #expect(finding("decisions") == "ok: the last one is 23s old")
        #expect(finding("knobs") == "ok: as the daemon wrote them")
        #expect(finding("ksmd-cpu") == "ok: 10.0 % of a CPU over the last 50s")
        #expect(finding("guests-counted") == "ok: all of them")
        #expect(finding("mergeable") == "ok: 1 of 2 guests, and 1.0 GiB saved")
        #expect(finding("balloon") == "warn: 1 guest has none")
        #expect(finding("vcpus") == "warn: 1 guest has more than the host has CPUs")
        #expect(finding("swap-size") == "ok: none is needed: the guests fit")
        #expect(finding("owners") == "ok: guests that share pages have one owner, as far as the host tells")
        #expect(report.status == 1)

        host.setKSM(["pages_to_scan": 1250])
        let again = DoctorReport(try DoctorFacts(host.paths, now: WallTime(seconds: 1023)))
        #expect(
            again.checks.first { $0.id == "knobs" }?.evidence.map { $0.text } == [
                "pages_to_scan is 1250, the daemon decided 300"
            ])
        withExtendedLifetime(daemon) {}
    }

    @Test func `A host without KSM fails`() async throws {
        let host = FakeHost()
        host.remove("sys")
        let outcome = try await Program.ksmctl.run(["doctor", host.rootOption])
        #expect(outcome.status == 2)
        #expect(outcome.error == "")
        #expect(
            outcome.output.hasPrefix(
                host.filled(
                    """
                    FAIL  KSM               this kernel has none
                          ROOT/sys/kernel/mm/ksm/run: there is no such file
                          Remedy: boot a kernel that is built with CONFIG_KSM=y
                    OK    Host's files      all that are there can be read
                    OK    Configuration     no problem found
                    SKIP  Daemon            there is no KSM to tune

                    """)))
    }

    @Test func `A host of which nothing is known is reported as such`() async throws {
        let host = FakeHost()
        host.remove("proc/meminfo")
        let outcome = try await Program.ksmctl.run(["doctor", host.rootOption])
        #expect(outcome.status == 69)
        #expect(outcome.output == "")
        #expect(outcome.error == host.filled("ksmctl: cannot read ROOT/proc/meminfo: No such file or directory\n"))
    }

    @Test func `A sick host warns of all that a tree can hold`() async throws {
        let host = FakeHost()
        host.makeHealthy()
        host.setHugePages("always")
        host.setTopology(cpus: "0-1", nodes: "0-1")
        host.setPressure(some: "42.00", full: "12.50")
        host.addDisk("sda", partition: "sda2", isRotational: true)
        host.addZram("zram0", held: 4 << 30, taken: 1 << 30)
        host.setSwaps(["/dev/sda2 partition 8388604 0 -2", "/dev/zram0 partition 8388604 4194304 100"])
        for (name, value) in ["run": "1", "max_page_sharing": "100000", "general_profit": "-1048576"] {
            host.write(value + "\n", to: "sys/kernel/mm/ksm/\(name)")
        }
        host.configure("KSM_THRES_COEFF=20\n")
        host.setProcess(7, comm: "tuned", resident: 1, commandLine: ["/usr/sbin/tuned"])
        host.addTunedProfile("realtime-virtual-host", "[sysfs]\n/sys/kernel/mm/ksm/run=2\n")
        host.useTunedProfile("realtime-virtual-host")
        host.setProcess(8, comm: "worker", resident: 1, commandLine: ["/opt/vmm/worker"])
        host.addMachine(to: 8)

        let outcome = try await Program.ksmctl.run(["doctor", "--json", host.rootOption])

        #expect(outcome.status == 2)
        #expect(try JSONSchema("doctor").problems(outcome.output) == [])
        let found = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        let checks = try #require(found["checks"] as? [[String: Any]])
        func ids(_ verdict: String) -> [String] {
            checks.filter { $0["verdict"] as? String == verdict }.compactMap { $0["id"] as? String }
        }
        #expect(
            ids("warn") == [
                "configuration", "other-writers", "guests-counted", "profit", "huge-pages", "numa", "max-page-sharing",
                "compressed-swap", "rotational-swap",
            ])
        #expect(ids("fail") == ["daemon", "pressure"])
        #expect(found["verdict"] as? String == "fail")
    }

    @Test func `JSON is as the schema says`() async throws {
        let host = FakeHost()
        host.makeHealthy()
        let outcome = try await Program.ksmctl.run(["doctor", "--json", host.rootOption])
        #expect(outcome.status == 1)
        #expect(try JSONSchema("doctor").problems(outcome.output) == [])
    }

    @Test func `The schema names each check`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let schema = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "schema/doctor.json")))
                as? [String: Any])
        let check = (schema["$defs"] as? [String: Any])?["check"] as? [String: Any]
        let id = (check?["properties"] as? [String: Any])?["id"] as? [String: Any]
        #expect(id?["enum"] as? [String] == Check.all.map { $0.id })
        let description = try #require(id?["description"] as? String)
        for check in Check.all { #expect(description.contains(" \(check.id): ")) }
    }
}
