import HostInspection
import HostKernel
import KSMPolicy
import Testing

@testable import ksmctl

/// For each of the doctor's checks what makes it speak up, and what is just not enough for that.
struct DoctorFixture: CustomTestStringConvertible, Sendable {
    var id: String
    var verdict: CheckResult.Verdict
    var testDescription: String

    /// Changes the facts of a healthy host.
    let on: @Sendable (inout DoctorFacts) -> Void
    let off: @Sendable (inout DoctorFacts) -> Void

    init(
        _ id: String, _ verdict: CheckResult.Verdict, _ description: String,
        on: @escaping @Sendable (inout DoctorFacts) -> Void,
        off: @escaping @Sendable (inout DoctorFacts) -> Void = { _ in }
    ) {
        self.id = id
        self.verdict = verdict
        testDescription = "\(id): \(description)"
        self.on = on
        self.off = off
    }
}

extension DoctorFacts {
    static let gibibyte: Int64 = 1 << 20

    /// A host of 16 GiB that runs two guests of 4 GiB, with a daemon that scans by the classic policy.
    static var healthy: DoctorFacts {
        var ksm = KSMSnapshot(HostPaths(root: "/nonexistent"))
        ksm.run = 1
        ksm.pagesToScan = 300
        ksm.sleepMilliseconds = 10
        ksm.advisorMode = AdvisorMode.none
        ksm.mergeAcrossNodes = 1
        ksm.maxPageSharing = 256
        ksm.fullScans = 7
        ksm.pagesShared = 1000
        ksm.pagesSharing = 262_144
        ksm.pagesUnshared = 5000
        ksm.pagesVolatile = 100
        ksm.zeroPages = 0
        ksm.generalProfit = 1_000_000_000
        ksm.stableNodeChains = 0
        ksm.stableNodeDuplicates = 0
        ksm.cpu = .nanoseconds(20_000_000_000)
        var facts = DoctorFacts(
            paths: HostPaths(), now: WallTime(seconds: 1023), isRoot: true, pageSize: Bytes(4096), ksm: ksm)
        facts.memory.total = KiB(16 * gibibyte)
        facts.configuration.cpuMaximumPercent = 90
        facts.configuration.hostCPUMaximumPercent = 50
        facts.configuration.advisorCPUMaximumPercent = 70
        facts.configuration.yieldMinimum = Bytes(mebibytes: 50)
        facts.daemon = .running(4242)
        facts.publish()
        facts.guests = [guest(101, "web"), guest(102, "db")]
        facts.processes.machines = [
            ProcessSurvey.Process(pid: 101, comm: "qemu-kvm", isNamed: true, hasMachine: true),
            ProcessSurvey.Process(pid: 102, comm: "qemu-kvm", isNamed: true, hasMachine: true),
        ]
        facts.hugePages = HugePages(mode: .madvise, emptyPages: 511, sharedPages: 256)
        facts.topology = HostTopology(cpus: 4, memoryNodes: 1)
        facts.swaps = [disk()]
        facts.swappiness = 60
        facts.zswap = Zswap(isEnabled: false, mostPercent: 20)
        facts.pressure = MemoryPressure(some: 0, full: 0)
        facts.remember(cpu: 15_000_000_000)
        return facts
    }

    /// One that has nothing to do with the other checks.
    static func guest(_ pid: Int32, _ name: String) -> GuestDetails {
        var guest = GuestDetails(pid: pid, comm: "qemu-kvm")
        guest.name = name
        guest.user = 107
        guest.resident = KiB(2 * gibibyte)
        guest.merged = KiB(gibibyte)
        guest.configured = KiB(4 * gibibyte)
        guest.vcpus = 2
        guest.balloon = .autodeflate
        guest.isMergeable = true
        guest.swapped = .zero
        guest.limits = GuestLimits(path: "/machine.slice/\(name).scope")
        return guest
    }

    /// A process that is no guest and offers memory.
    static func user(_ pid: Int32, _ comm: String) -> KSMProcess {
        KSMProcess(pid: pid, comm: comm, merged: KiB(100_000), items: Pages(70_000), profit: Bytes(98_000_000))
    }

    static func disk(_ path: String = "/dev/nvme0n1p3", isRotational: Bool? = false) -> SwapDevice {
        var swap = SwapDevice(path: path, isFile: false, size: KiB(8 * gibibyte))
        swap.isRotational = isRotational
        return swap
    }

    static var zram: SwapDevice {
        var swap = SwapDevice(path: "/dev/zram0", isFile: false, size: KiB(8 * gibibyte), used: KiB(gibibyte))
        swap.isRotational = false
        swap.backing = .zram
        swap.zram = CompressedMemory(original: Bytes(KiB(gibibyte)), taken: Bytes(KiB(gibibyte / 4)))
        return swap
    }

    /// Has the daemon publish a decision.
    ///
    /// - Parameter at: In seconds since 1970.
    mutating func publish(
        _ policy: PolicyKind = .classic, _ action: Decision.Action = .scan, guests: Int = 2, at time: Int64 = 1000
    ) {
        var decision = Decision(
            action: action, reason: action == .scan ? .shortage : .plenty, pagesToScan: 300, sleepMilliseconds: 10,
            memory: MemorySample(free: KiB(Self.gibibyte), committed: KiB(8 * Self.gibibyte)),
            total: KiB(16 * Self.gibibyte), threshold: KiB(3 * Self.gibibyte), previousPagesToScan: 0)
        decision.policy = policy
        var state = StateRecord(pid: 4242)
        state.report = StateRecord.Report(
            decision, time: WallTime(seconds: time), pause: .seconds(60), guests: Int64(guests), saved: nil,
            sentence: decision.sentence)
        self.state = state
    }

    /// Has the history hold a record of 50 seconds ago.
    ///
    /// - Parameters: ksmd's CPU time then, and what was saved then.
    mutating func remember(cpu: Int64, saved: KiB = KiB(gibibyte)) {
        var record = HistoryRecord(
            time: now + .seconds(-50), memory: MemorySample(free: .zero, committed: .zero), total: .zero)
        record.saved = saved
        record.counters = ScanCounters()
        record.counters?.cpu = .nanoseconds(cpu)
        earlier = record
    }
}

extension DoctorFixture {
    static let all: [DoctorFixture] = kernel + daemon + guests + memory + swap + security

    private static let memory: [DoctorFixture] = [
        DoctorFixture(
            "swapped-guests", .warn, "a fifth of what they hold",
            on: { $0.guests[0].swapped = KiB(DoctorFacts.gibibyte) },
            off: { $0.guests[0].swapped = KiB(DoctorFacts.gibibyte / 10) }),
        DoctorFixture(
            "swapped-guests", .warn, "while the classic rule rests",
            on: {
                $0.guests[0].swapped = KiB(DoctorFacts.gibibyte)
                $0.publish(.classic, .stop)
            }),
        DoctorFixture("swapped-guests", .skip, "not known", on: { $0.guests = [GuestDetails(pid: 1, comm: "kvm")] }),

        DoctorFixture(
            "limits", .warn, "below the guest and its monitor",
            on: {
                $0.guests[0].limits?.memoryLimits = [
                    GuestLimits.MemoryLimit(file: "/sys/fs/cgroup/a/memory.max", amount: Bytes(KiB(4 << 20)))
                ]
            },
            off: {
                $0.guests[0].limits?.memoryLimits = [
                    GuestLimits.MemoryLimit(file: "/sys/fs/cgroup/a/memory.max", amount: Bytes(KiB(5 << 20)))
                ]
            }),
        DoctorFixture("limits", .warn, "processes that were ended", on: { $0.guests[0].limits?.oomKills = 1 }),
        DoctorFixture(
            "limits", .skip, "no cgroup",
            on: { facts in for i in facts.guests.indices { facts.guests[i].limits = nil } }),

        DoctorFixture(
            "huge-page-pool", .warn, "idle",
            on: { $0.hugePagePool = HugePagePool(size: KiB(4 << 20), idle: KiB(1 << 20)) },
            off: { $0.hugePagePool = HugePagePool(size: KiB(4 << 20), idle: .zero) }),
        DoctorFixture(
            "huge-page-pool", .warn, "so large that the threshold is most of the rest",
            on: { $0.hugePagePool = HugePagePool(size: KiB(12 << 20), idle: .zero) }),

        DoctorFixture(
            "file-cache", .warn, "that makes free memory short",
            on: { $0.cache = ZFSCache(size: KiB(6 << 20), least: KiB(1 << 20), most: KiB(6 << 20)) },
            off: { $0.cache = ZFSCache(size: KiB(1 << 20), least: KiB(1 << 20), most: KiB(6 << 20)) }),
        DoctorFixture(
            "file-cache", .warn, "that may leave guests no room",
            on: { $0.cache = ZFSCache(size: KiB(1 << 20), least: KiB(1 << 20), most: KiB(10 << 20)) }),

        DoctorFixture(
            "swap-backing", .warn, "a volume of ZFS", on: { $0.swaps?[0].backing = .zfsVolume },
            off: { $0.swaps = [DoctorFacts.disk(), DoctorFacts.zram] }),
        DoctorFixture("swap-backing", .skip, "swap that cannot be seen", on: { $0.swaps = nil }),

        DoctorFixture(
            "swappiness", .warn, "0, and guests need swap",
            on: {
                $0.swappiness = 0
                $0.guests[0].configured = KiB(12 << 20)
            }, off: { $0.swappiness = 0 }),
        DoctorFixture("swappiness", .skip, "not known", on: { $0.swappiness = nil }),
    ]

    private static let kernel: [DoctorFixture] = [
        DoctorFixture("ksm", .fail, "the kernel has none", on: { $0.ksm.run = nil }),
        DoctorFixture(
            "ksm", .fail, "read-only",
            on: { $0.refusal = KernelFileError(.write, "/sys/kernel/mm/ksm/run", errno: 30) }),
        DoctorFixture(
            "ksm", .fail, "root may not write",
            on: { $0.refusal = KernelFileError(.write, "/sys/kernel/mm/ksm/run", errno: 13) }),
        DoctorFixture(
            "ksm", .skip, "another user may not write",
            on: {
                $0.refusal = KernelFileError(.write, "/sys/kernel/mm/ksm/run", errno: 13)
                $0.isRoot = false
            }, off: { $0.isRoot = false }),
        DoctorFixture(
            "ksm", .fail, "it cannot be read",
            on: { $0.ksm.failures[.run] = KernelFileError(.read, "/sys/kernel/mm/ksm/run", errno: 5) }),

        DoctorFixture(
            "readable", .warn, "a file of the host",
            on: { $0.failures = [KernelFileError(.read, "/proc/swaps", errno: 5)] }),
        DoctorFixture(
            "readable", .warn, "a file of KSM",
            on: { $0.ksm.failures[.fullScans] = KernelFileError(.read, "/sys/kernel/mm/ksm/full_scans", errno: 12) }),
        DoctorFixture(
            "readable", .skip, "what is root's alone",
            on: {
                $0.isRoot = false
                $0.failures = [KernelFileError(.read, "/proc/swaps", errno: 13)]
            }, off: { $0.isRoot = false }),

        DoctorFixture(
            "huge-pages", .warn, "always, by the kernel's bounds", on: { $0.hugePages?.mode = .always },
            off: { $0.hugePages = HugePages(mode: .always, emptyPages: 0, sharedPages: 0) }),
        DoctorFixture(
            "huge-pages", .warn, "always, and merged pages may be copied",
            on: { $0.hugePages = HugePages(mode: .always, emptyPages: 0, sharedPages: 1) },
            off: { $0.hugePages = HugePages(mode: .always, emptyPages: 0) }),
        DoctorFixture(
            "huge-pages", .warn, "always, and zero pages may be filled",
            on: { $0.hugePages = HugePages(mode: .always, emptyPages: 1, sharedPages: 0) },
            off: { $0.hugePages = HugePages(mode: .never, emptyPages: 511, sharedPages: 256) }),
        DoctorFixture("huge-pages", .skip, "a kernel without them", on: { $0.hugePages = nil }),

        DoctorFixture(
            "numa", .warn, "two nodes", on: { $0.topology.memoryNodes = 2 },
            off: {
                $0.topology.memoryNodes = 2
                $0.ksm.mergeAcrossNodes = 0
            }),
        DoctorFixture(
            "numa", .skip, "two nodes and no knob",
            on: {
                $0.topology.memoryNodes = 2
                $0.ksm.mergeAcrossNodes = nil
            }, off: { $0.topology.memoryNodes = nil }),

        DoctorFixture(
            "max-page-sharing", .warn, "too high", on: { $0.ksm.maxPageSharing = 4097 },
            off: { $0.ksm.maxPageSharing = 4096 }),
        DoctorFixture(
            "max-page-sharing", .warn, "so low that it costs",
            on: {
                $0.ksm.maxPageSharing = 4
                $0.ksm.stableNodeChains = 100
                $0.ksm.stableNodeDuplicates = 65_636
            },
            off: {
                $0.ksm.maxPageSharing = 256
                $0.ksm.stableNodeChains = 4
                $0.ksm.stableNodeDuplicates = 1028
            }),
        DoctorFixture("max-page-sharing", .skip, "a kernel without it", on: { $0.ksm.maxPageSharing = nil }),

        DoctorFixture(
            "profit", .warn, "a loss", on: { $0.ksm.generalProfit = -1 }, off: { $0.ksm.generalProfit = 0 }),
        DoctorFixture(
            "profit", .skip, "a loss before anything can be merged",
            on: {
                $0.ksm.generalProfit = -1
                $0.ksm.fullScans = 1
            }),
        DoctorFixture("profit", .skip, "a kernel that does not say", on: { $0.ksm.generalProfit = nil }),
        DoctorFixture("profit", .warn, "an absurd loss", on: { $0.ksm.generalProfit = .min }),

        DoctorFixture(
            "ksmd-cpu", .warn, "classic, much and nothing gained",
            on: { $0.ksm.cpu = .nanoseconds(41_000_000_000) },
            off: {
                $0.ksm.cpu = .nanoseconds(41_000_000_000)
                // A GiB for 26 s.
                $0.remember(cpu: 15_000_000_000, saved: KiB(-DoctorFacts.gibibyte))
            }),
        DoctorFixture(
            "ksmd-cpu", .warn, "classic, more than half a CPU", on: { $0.ksm.cpu = .nanoseconds(40_100_000_000) },
            off: { $0.ksm.cpu = .nanoseconds(40_000_000_000) }),
        DoctorFixture(
            "ksmd-cpu", .warn, "adaptive, above KSM_CPU_MAX",
            on: {
                $0.configuration.cpuMaximumPercent = 10
                $0.publish(.adaptive)
                $0.ksm.cpu = .nanoseconds(21_100_000_000)
            },
            off: {
                $0.configuration.cpuMaximumPercent = 10
                $0.publish(.adaptive)
                $0.ksm.cpu = .nanoseconds(20_900_000_000)
            }),
        DoctorFixture(
            "ksmd-cpu", .warn, "adaptive, above KSM_CPU_MAX_HOST",
            on: {
                $0.configuration.hostCPUMaximumPercent = 2
                $0.publish(.adaptive)
            },
            off: {
                $0.configuration.hostCPUMaximumPercent = 3
                $0.publish(.adaptive)
            }),
        DoctorFixture(
            "ksmd-cpu", .warn, "advisor, above KSM_ADVISOR_CPU_MAX",
            on: {
                $0.configuration.advisorCPUMaximumPercent = 5
                $0.publish(.advisor)
            },
            off: {
                $0.configuration.advisorCPUMaximumPercent = 10
                $0.publish(.advisor)
            }),
        DoctorFixture("ksmd-cpu", .skip, "no history", on: { $0.earlier = nil }),
        DoctorFixture("ksmd-cpu", .skip, "no ksmd to be seen", on: { $0.ksm.cpu = nil }),
        DoctorFixture("ksmd-cpu", .skip, "a start of the host since", on: { $0.ksm.cpu = .nanoseconds(1) }),
    ]

    private static let daemon: [DoctorFixture] = [
        DoctorFixture(
            "configuration", .warn, "a warning",
            on: { $0.diagnostics = [Diagnostic(.warning, at: .environment, "odd")] }),
        DoctorFixture(
            "configuration", .fail, "an error",
            on: {
                $0.diagnostics = [
                    Diagnostic(.warning, at: .environment, "odd"), Diagnostic(.error, at: .environment, "wrong"),
                ]
            }),

        DoctorFixture("daemon", .fail, "none, while KSM scans", on: { $0.daemon = .none }),
        DoctorFixture(
            "daemon", .warn, "none, while KSM rests",
            on: {
                $0.daemon = .none
                $0.ksm.run = 0
            }),
        DoctorFixture(
            "daemon", .warn, "none, while the kernel's advisor watches",
            on: {
                $0.daemon = .none
                $0.ksm.advisorMode = .scanTime
            }),
        DoctorFixture(
            "daemon", .warn, "a pid file that names another process",
            on: {
                $0.daemon = .none
                $0.daemonFailure = KernelFileError(.understand, "/var/run/ksmtune.pid", errno: 0, detail: "no ksmtuned")
            }),
        DoctorFixture(
            "daemon", .skip, "a pid file that may not be read",
            on: {
                $0.isRoot = false
                $0.daemonFailure = KernelFileError(.read, "/var/run/ksmtune.pid", errno: 13)
            }),
        DoctorFixture(
            "daemon", .fail, "none, while KSM scans for guests and for others",
            on: {
                $0.daemon = .none
                $0.others.append(DoctorFacts.user(601, "java"))
            },
            off: {
                $0.daemon = .none
                $0.others = [DoctorFacts.user(601, "java")]
                $0.processes.machines = []
            }),
        DoctorFixture(
            "daemon", .warn, "none, but another ksmtuned",
            on: {
                $0.daemon = .none
                $0.processes.writers = [ProcessSurvey.Process(pid: 7, parent: 1, comm: "ksmtuned")]
            }),
        DoctorFixture("daemon", .skip, "no KSM", on: { $0.ksm.run = nil }),

        DoctorFixture(
            "ksm-users", .warn, "others, which a running daemon does not count",
            on: { $0.others.append(DoctorFacts.user(601, "java")) }),
        DoctorFixture(
            "ksm-users", .warn, "others, for which KSM does not scan",
            on: {
                $0.others = [DoctorFacts.user(601, "java")]
                $0.daemon = .none
                $0.ksm.run = 0
            },
            off: {
                $0.others = [DoctorFacts.user(601, "java")]
                $0.daemon = .none
            }),
        DoctorFixture(
            "ksm-users", .skip, "whom only root can see",
            on: { $0.hiddenOthers = 1 }),
        DoctorFixture("ksm-users", .skip, "whom /proc hides", on: { $0.isBlind = true }),
        DoctorFixture("guests-counted", .skip, "whom /proc hides", on: { $0.isBlind = true }),

        DoctorFixture("decisions", .warn, "no state file", on: { $0.state = nil }),
        DoctorFixture(
            "decisions", .warn, "an earlier daemon's state",
            on: {
                $0.state = nil
                $0.failures = [KernelFileError(.understand, $0.paths.state, errno: 0, detail: "it is of process 4241")]
            }),
        DoctorFixture(
            "decisions", .fail, "three intervals late", on: { $0.now = WallTime(seconds: 1181) },
            off: { $0.now = WallTime(seconds: 1179) }),
        DoctorFixture(
            "decisions", .skip, "none yet",
            on: { $0.state = StateRecord(pid: 4242) }),
        DoctorFixture(
            "decisions", .fail, "the first one is late",
            on: {
                $0.state = StateRecord(pid: 4242)
                $0.isFirstOverdue = true
            }),
        DoctorFixture("decisions", .skip, "no daemon", on: { $0.daemon = .none }),

        DoctorFixture(
            "knobs", .warn, "pages_to_scan", on: { $0.ksm.pagesToScan = 100 },
            off: {
                $0.ksm.pagesToScan = 100
                $0.publish(.adaptive)
            }),
        DoctorFixture(
            "knobs", .warn, "left by a daemon that is gone",
            on: {
                $0.daemon = .none
                $0.leftBehind = ["max_page_sharing (256)"]
            }),
        DoctorFixture("knobs", .warn, "sleep_millisecs", on: { $0.ksm.sleepMilliseconds = 20 }),
        DoctorFixture(
            "knobs", .warn, "run", on: { $0.ksm.run = 0 },
            off: {
                $0.ksm.run = 0
                $0.ksm.pagesToScan = 100
                $0.publish(.classic, .stop)
            }),
        DoctorFixture(
            "knobs", .warn, "not as configured", on: { $0.configuration.mergeAcrossNodes = .no },
            off: { $0.configuration.mergeAcrossNodes = .yes }),
        DoctorFixture(
            "knobs", .warn, "ksmd is not scheduled as configured",
            on: {
                $0.configuration.ksmdScheduling = .idle
                $0.ksm.scheduling = Scheduling(.other, nice: 5)
            },
            off: {
                $0.configuration.ksmdScheduling = .idle
                $0.ksm.scheduling = Scheduling(.idle, nice: 5)
            }),
        DoctorFixture("knobs", .skip, "no daemon", on: { $0.daemon = .none }),
        DoctorFixture("knobs", .skip, "no decision", on: { $0.state = nil }),

        DoctorFixture(
            "other-writers", .warn, "oVirt",
            on: { $0.processes.writers = [ProcessSurvey.Process(pid: 7, comm: "momd")] }),
        DoctorFixture(
            "other-writers", .warn, "TuneD's profile",
            on: {
                $0.processes.writers = [ProcessSurvey.Process(pid: 7, comm: "tuned")]
                $0.tuned = TunedProfile(name: "cpu-partitioning", mention: "/usr/lib/tuned/cpu-partitioning/script.sh")
            },
            off: {
                $0.processes.writers = [ProcessSurvey.Process(pid: 7, comm: "tuned")]
                $0.tuned = TunedProfile(name: "virtual-host")
            }),
        DoctorFixture(
            "other-writers", .warn, "another ksmtuned",
            on: { $0.processes.writers = [ProcessSurvey.Process(pid: 7, parent: 1, comm: "ksmtuned")] },
            off: {
                $0.processes.writers = [
                    ProcessSurvey.Process(pid: 4242, parent: 1, comm: "ksmtuned"),
                    ProcessSurvey.Process(pid: 7, parent: 4242, comm: "ksmtuned"),
                ]
            }),
        DoctorFixture(
            "other-writers", .warn, "the kernel's advisor", on: { $0.ksm.advisorMode = .scanTime },
            off: {
                $0.ksm.advisorMode = .scanTime
                $0.publish(.advisor)
            }),
        DoctorFixture(
            "other-writers", .warn, "at boot, what the daemon decides",
            on: {
                $0.bootWriters = [BootWriter(path: "/etc/sysfs.conf", line: "kernel/mm/ksm/run = 1", file: "run")]
            },
            off: {
                $0.bootWriters = [
                    BootWriter(
                        path: "/etc/tmpfiles.d/ksm.conf", line: "w /sys/kernel/mm/ksm/merge_across_nodes - - - - 0",
                        file: "merge_across_nodes")
                ]
            }),
        DoctorFixture(
            "other-writers", .warn, "at boot, a knob that is configured",
            on: {
                $0.configuration.maxPageSharing = 256
                $0.bootWriters = [
                    BootWriter(
                        path: "/etc/rc.local", line: "echo 512 > /sys/kernel/mm/ksm/max_page_sharing",
                        file: "max_page_sharing")
                ]
            },
            // What serves others than guests, where no daemon runs.
            off: {
                $0.daemon = .none
                $0.others.append(DoctorFacts.user(601, "java"))
                $0.bootWriters = [BootWriter(path: "/etc/sysfs.conf", line: "kernel/mm/ksm/run = 1", file: "run")]
            }),
        DoctorFixture(
            "other-writers", .skip, "no processes to be seen",
            on: { $0.processesFailure = KernelFileError(.list, "/proc", errno: 13) },
            off: {
                $0.ksm.advisorMode = .scanTime
                $0.publish(.classic, .stop)
            }),
    ]

    private static let guests: [DoctorFixture] = [
        DoctorFixture(
            "guests-counted", .warn, "a guest that could not be read",
            on: {
                $0.unreadableGuests = [
                    GuestList.Unreadable(
                        pid: 9, comm: "kvm", failure: KernelFileError(.read, "/proc/9/statm", errno: 24))
                ]
            }),
        DoctorFixture(
            "guests-counted", .warn, "a machine without a guest's name",
            on: { $0.processes.machines.append(ProcessSurvey.Process(pid: 9, comm: "worker", hasMachine: true)) },
            off: {
                $0.processes.machines.append(ProcessSurvey.Process(pid: 9, comm: "worker", hasMachine: true))
                $0.publish(guests: 3)
            }),
        DoctorFixture(
            "guests-counted", .warn, "a name of no profile",
            on: { $0.processes.machines.append(ProcessSurvey.Process(pid: 9, comm: "VBoxHeadless", hasMachine: false)) }
        ),
        DoctorFixture("guests-counted", .skip, "descriptors that are hidden", on: { $0.processes.hidden = 1 }),
        DoctorFixture(
            "guests-counted", .skip, "no processes to be seen",
            on: { $0.processesFailure = KernelFileError(.list, "/proc", errno: 13) }),

        DoctorFixture(
            "mergeable", .warn, "no guest may be merged",
            on: { facts in
                for index in facts.guests.indices {
                    facts.guests[index].isMergeable = false
                    facts.guests[index].obstacles = [.hugePages]
                }
            },
            off: { facts in
                facts.guests[0].isMergeable = false
                facts.guests[0].obstacles = [.hugePages]
            }),
        DoctorFixture("mergeable", .warn, "nothing merged", on: { $0.ksm.pagesSharing = 0 }),
        DoctorFixture(
            "mergeable", .skip, "too early",
            on: {
                $0.ksm.pagesSharing = 0
                $0.ksm.fullScans = 1
            }),
        DoctorFixture("mergeable", .skip, "no guest", on: { $0.guests = [] }),
        DoctorFixture(
            "mergeable", .skip, "all hidden, whatever is saved",
            on: {
                for guest in $0.guests.indices {
                    $0.guests[guest].isMergeable = nil
                    $0.guests[guest].isHidden = true
                }
            },
            off: {
                $0.guests[0].isMergeable = nil
                $0.guests[0].isHidden = true
            }),

        DoctorFixture("balloon", .warn, "none", on: { $0.guests[0].balloon = GuestDetails.Balloon.none }),
        DoctorFixture(
            "balloon", .warn, "one that does not deflate", on: { $0.guests[1].balloon = .manual },
            off: { $0.guests[1].balloon = nil }),
        DoctorFixture(
            "balloon", .skip, "not known",
            on: { facts in for index in facts.guests.indices { facts.guests[index].balloon = nil } }),

        DoctorFixture(
            "vcpus", .warn, "more than the host's", on: { $0.guests[0].vcpus = 5 }, off: { $0.guests[0].vcpus = 4 }),
        DoctorFixture("vcpus", .skip, "a host that does not say", on: { $0.topology.cpus = nil }),
    ]

    private static let swap: [DoctorFixture] = [
        DoctorFixture(
            "swap-size", .warn, "less than needed",
            // 13 GiB, 4 for the host and 4 to spare, less 16.
            on: {
                $0.guests[0].configured = KiB(9 * DoctorFacts.gibibyte)
                $0.swaps?[0].size = KiB(5 * DoctorFacts.gibibyte - 1)
            },
            off: {
                $0.guests[0].configured = KiB(9 * DoctorFacts.gibibyte)
                $0.swaps?[0].size = KiB(5 * DoctorFacts.gibibyte)
            }),
        DoctorFixture(
            "swap-size", .warn, "none, and what the host needs for itself does not fit",
            on: {
                $0.guests[0].configured = KiB(4 * DoctorFacts.gibibyte + 1)
                $0.swaps = []
            },
            off: {
                $0.guests[0].configured = KiB(4 * DoctorFacts.gibibyte)
                $0.swaps = []
            }),
        DoctorFixture(
            "swap-size", .fail, "guests beyond memory and swap",
            on: { $0.guests[0].configured = KiB(20 * DoctorFacts.gibibyte + 1) }),
        DoctorFixture(
            "swap-size", .warn, "at the edge of memory and swap",
            on: { $0.guests[0].configured = KiB(20 * DoctorFacts.gibibyte) }),
        DoctorFixture(
            "swap-size", .warn, "enough, but of zram",
            on: {
                $0.guests[0].configured = KiB(9 * DoctorFacts.gibibyte)
                $0.swaps = [DoctorFacts.zram]
            }),
        DoctorFixture("swap-size", .skip, "not to be seen", on: { $0.swaps = nil }),

        DoctorFixture(
            "swap-on-zram", .warn, "zram alone", on: { $0.swaps = [DoctorFacts.zram] },
            off: { $0.swaps = [DoctorFacts.zram, DoctorFacts.disk()] }),
        DoctorFixture("swap-on-zram", .skip, "no swap", on: { $0.swaps = [] }),

        DoctorFixture(
            "compressed-swap", .warn, "zram beside a disk", on: { $0.swaps = [DoctorFacts.zram, DoctorFacts.disk()] }),
        DoctorFixture(
            "compressed-swap", .warn, "zswap", on: { $0.zswap?.isEnabled = true }, off: { $0.zswap = nil }),
        DoctorFixture("compressed-swap", .skip, "zram alone", on: { $0.swaps = [DoctorFacts.zram] }),
        DoctorFixture(
            "compressed-swap", .skip, "zswap without swap",
            on: {
                $0.zswap?.isEnabled = true
                $0.swaps = []
            }),

        DoctorFixture(
            "rotational-swap", .warn, "a disk that turns",
            on: { $0.swaps = [DoctorFacts.disk(), DoctorFacts.disk("/dev/sda2", isRotational: true)] },
            off: { $0.swaps = [DoctorFacts.disk(), DoctorFacts.disk("/swapfile", isRotational: nil)] }),
        DoctorFixture(
            "rotational-swap", .skip, "a disk that is not known",
            on: { $0.swaps = [DoctorFacts.disk("/swapfile", isRotational: nil)] }),

        DoctorFixture(
            "pressure", .warn, "some", on: { $0.pressure = MemoryPressure(some: 5.01, full: 1) },
            off: { $0.pressure = MemoryPressure(some: 5, full: 5) }),
        DoctorFixture(
            "pressure", .fail, "all", on: { $0.pressure = MemoryPressure(some: 40, full: 10.01) }),
        DoctorFixture("pressure", .skip, "a kernel that does not say", on: { $0.pressure = nil }),
    ]

    private static let security: [DoctorFixture] = [
        DoctorFixture(
            "owners", .warn, "two users", on: { $0.guests[0].user = 108 },
            off: {
                $0.guests[0].user = 108
                $0.guests[0].merged = .zero
            }),
        DoctorFixture(
            "owners", .warn, "two users, seen without root",
            on: { facts in
                facts.guests[0].user = 108
                for index in facts.guests.indices { facts.guests[index].merged = nil }
            },
            off: { facts in
                facts.guests[0].user = 108
                facts.guests[0].isMergeable = false
                for index in facts.guests.indices { facts.guests[index].merged = nil }
            }),
        DoctorFixture(
            "owners", .warn, "two pools of one user",
            on: { facts in
                facts.guests[0].owners = [GuestOwner(.pool, "blue")]
                facts.guests[1].owners = [GuestOwner(.pool, "red")]
            },
            off: { facts in
                for index in facts.guests.indices { facts.guests[index].owners = [GuestOwner(.pool, "blue")] }
            }),
        // One that is in no pool may be anybody's.
        DoctorFixture(
            "owners", .warn, "a pool, and a guest of none", on: { $0.guests[0].owners = [GuestOwner(.pool, "blue")] }),
        DoctorFixture(
            "owners", .skip, "users that are not known",
            on: { facts in for index in facts.guests.indices { facts.guests[index].user = nil } }),
    ]
}
