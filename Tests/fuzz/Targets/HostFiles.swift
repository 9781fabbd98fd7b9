import HostInspection
import HostKernel
import KSMPolicy

extension FuzzTarget {
    /// Files that are read by their paths, in a tree that stands for a host.
    static var hostFiles: [FuzzTarget] {
        var targets: [FuzzTarget] = []
        // One file of one guest, as both programs read it.
        for file in ["statm", "stat", "comm", "cmdline", "status", "cgroup", "ksm_stat", "smaps_rollup"] {
            let longest = file == "cmdline" ? CommandLineMatcher.longest - 1 : 2048
            targets.append(
                FuzzTarget("process-\(file.replacing("_", with: "-"))", longest: longest) {
                    let tree = Tree(guest)
                    return { input in
                        tree.write(input[...], to: "proc/100/\(file)")
                        try readGuests(tree)
                    }
                })
        }
        targets.append(
            FuzzTarget("process", longest: 4096) {
                let tree = Tree(guest)
                return { input in
                    tree.fill(input)
                    try readGuests(tree)
                }
            })
        targets.append(
            FuzzTarget("cgroup", longest: 2048) {
                let group = "sys/fs/cgroup/machine.slice/a.scope"
                let tree = Tree([
                    ("proc/1/comm", "systemd\n"), ("proc/100/comm", "qemu-kvm\n"),
                    ("proc/100/statm", "2000 1000 1 1 0 1 0\n"),
                    ("proc/100/cgroup", "0::/machine.slice/a.scope/emulator\n"),
                    ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"), ("\(group)/emulator/cpu.max", "max 100000\n"),
                    ("\(group)/cpu.max", "50000 100000\n"), ("\(group)/cpu.weight", "100\n"),
                    ("\(group)/memory.max", "1073741824\n"), ("\(group)/memory.high", "max\n"),
                    ("\(group)/memory.swap.max", "0\n"), ("\(group)/memory.low", "0\n"), ("\(group)/memory.min", "0\n"),
                    ("\(group)/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n"),
                ])
                return { input in
                    tree.fill(input)
                    try readGuests(tree)
                }
            })
        targets.append(
            FuzzTarget("cgroup-v1", longest: 2048) {
                let (memory, cpu) = ("sys/fs/cgroup/memory/a", "sys/fs/cgroup/cpu,cpuacct/a")
                let tree = Tree([
                    ("proc/100/comm", "qemu-kvm\n"), ("proc/100/statm", "2000 1000 1 1 0 1 0\n"),
                    ("proc/100/cgroup", "4:memory:/a\n3:cpu,cpuacct:/a\n"),
                    ("\(memory)/memory.limit_in_bytes", "1073741824\n"),
                    ("\(memory)/memory.soft_limit_in_bytes", "536870912\n"),
                    ("\(memory)/memory.memsw.limit_in_bytes", "2147483648\n"),
                    ("\(memory)/memory.oom_control", "oom_kill 1\n"),
                    ("\(cpu)/cpu.shares", "1024\n"), ("\(cpu)/cpu.cfs_quota_us", "50000\n"),
                    ("\(cpu)/cpu.cfs_period_us", "100000\n"), ("\(cpu)/vcpu0/cpu.cfs_quota_us", "1000\n"),
                    ("\(cpu)/vcpu0/cpu.cfs_period_us", "1000\n"),
                ])
                return { input in
                    tree.fill(input)
                    try readGuests(tree)
                }
            })
        targets.append(
            FuzzTarget("swaps", longest: 4096) {
                let tree = Tree([
                    ("proc/swaps", ""), ("proc/self/mountinfo", ""),
                    ("sys/class/block/zram0/mm_stat", "4096 1 1 0 1 1 1 1 1\n"),
                    ("sys/class/block/sda1/queue/rotational", "1\n"),
                    ("sys/block/zram0/mm_stat", "4096 1 1 0 1 1 1 1 1\n"),
                    ("sys/module/zswap/parameters/enabled", "Y\n"),
                    ("sys/module/zswap/parameters/max_pool_percent", "20\n"),
                ])
                return { input in
                    // Without a heading it is the table itself.
                    if input.first == UInt8(ascii: "@") {
                        tree.fill(input)
                    } else {
                        tree.reset()
                        tree.write(input[...], to: "proc/swaps")
                    }
                    for device in (try? SwapDevice.all(tree.paths)).flatMap({ $0 }) ?? [] {
                        try require(device.size >= .zero && device.used >= .zero, "there is less than no swap")
                        _ = device.isInMemory
                    }
                    _ = try? CompressedMemory.zram(tree.paths)
                    _ = try? Zswap.read(tree.paths)
                }
            })
        targets.append(
            FuzzTarget("pressure", longest: 1024) {
                let tree = Tree([("proc/pressure/cpu", ""), ("proc/pressure/memory", "")])
                return { input in
                    tree.write(input[...], to: "proc/pressure/cpu")
                    tree.write(input[...], to: "proc/pressure/memory")
                    if let waited = (try? CPUPressure(tree.paths).waited()) ?? nil {
                        try require(waited >= .zero, "tasks waited for less than no time")
                    }
                    _ = try? MemoryPressure.read(tree.paths)
                }
            })
        targets.append(
            FuzzTarget("ksm-files", longest: 2048) {
                let tree = Tree(kernel)
                return { input in
                    tree.fill(input)
                    let snapshot = KSMSnapshot(tree.paths)
                    _ = snapshot.savedPages?.kibibytes(of: Bytes(4096))
                    for failure in snapshot.failures.values { try requirePrintable("\(failure)") }
                    let control = KSMDirectory(tree.paths)
                    _ = control.savedPages()
                    if let counters = try? CounterReader(tree.paths).read(control) {
                        try require(counters.sharing >= .zero && counters.passes >= 0, "a counter is negative")
                        _ = counters.saved.kibibytes(of: Bytes(4096))
                    }
                    _ = try? MemoryCounters(tree.paths).faults()
                }
            })
        targets.append(
            FuzzTarget("host-settings", longest: 4096) {
                let tree = Tree([
                    ("etc/sysfs.conf", ""), ("etc/sysfs.d/a.conf", ""), ("etc/tmpfiles.d/a.conf", ""),
                    ("etc/rc.local", ""),
                    ("etc/crontab", ""), ("etc/default/qemu-kvm", ""), ("etc/systemd/system/a.service", ""),
                    ("etc/tuned/active_profile", "a\n"), ("etc/tuned/a/tuned.conf", ""), ("etc/tuned/a/script.sh", ""),
                    ("etc/pve/user.cfg", ""), ("run/libvirt/qemu/a.xml", ""), ("proc/sys/vm/swappiness", "60\n"),
                    ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
                    ("sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", "511\n"),
                    ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4\n"),
                    ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "4\n"),
                    ("sys/devices/system/cpu/online", "0-3\n"), ("sys/devices/system/node/has_memory", "0\n"),
                ])
                return { input in
                    tree.fill(input)
                    var failures: [KernelFileError] = []
                    _ = BootWriter.find(tree.paths, &failures)
                    _ = try? MaskedUnits.find(tree.paths)
                    _ = try? TunedProfile.read(tree.paths)
                    _ = try? HugePages.read(tree.paths)
                    if let pool = (try? HugePagePool.read(tree.paths)).flatMap({ $0 }) {
                        try require(pool.size >= .zero, "the pool is smaller than nothing")
                    }
                    _ = try? Swappiness.read(tree.paths)
                    _ = try? CPUList.online(tree.paths)
                    _ = try? CPUList.memoryNodes(tree.paths)
                }
            })
        return targets
    }

    private static var guest: [(path: String, text: String)] {
        [
            ("proc/1/comm", "systemd\n"), ("proc/100/comm", "qemu-kvm\n"), ("proc/100/statm", "2000 1000 1 1 0 1 0\n"),
            ("proc/100/stat", "100 (qemu-kvm) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22\n"),
            ("proc/100/cmdline", "/usr/bin/qemu-system-x86_64\0-m\0004096\0"),
            (
                "proc/100/status",
                "Name:\tq\nTgid:\t100\nVmLck:\t0 kB\nVmPin:\t0 kB\nHugetlbPages:\t0 kB\nVmSwap:\t7 kB\n"
            ),
            ("proc/100/cgroup", "0::/a.scope\n"), ("proc/100/ksm_merging_pages", "5\n"),
            ("proc/100/ksm_stat", "ksm_rmap_items 7\nksm_zero_pages 0\nksm_merging_pages 5\nksm_process_profit 1\n"),
            ("proc/100/smaps_rollup", "00-ff ---p 0 00:00 0 [rollup]\nRss: 8 kB\nPss: 8 kB\n"),
            ("proc/101/comm", "kvm\n"), ("proc/101/statm", "2000 1000 1 1 0 1 0\n"),
            ("proc/101/status", "Tgid:\t101\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"), ("sys/fs/cgroup/a.scope/memory.max", "max\n"),
            ("etc/pve/user.cfg", "pool:web::100:\n"), ("run/libvirt/qemu/a.xml", "<domstatus pid='100'/>\n"),
        ]
    }

    static var kernel: [(path: String, text: String)] {
        [
            ("proc/9/comm", "ksmd\n"), ("proc/9/statm", "0 0 0 0 0 0 0\n"), ("proc/9/schedstat", "1000 1000 1\n"),
            ("proc/9/stat", "9 (ksmd) S 2 0 0 0 -1 0 0 0 0 0 0 5 0 0\n"),
            ("proc/vmstat", "nr_free_pages 1\ncow_ksm 5\n"), ("proc/pressure/cpu", "some avg10=0.00 total=5\n"),
            ("sys/kernel/mm/ksm/run", "1\n"), ("sys/kernel/mm/ksm/pages_to_scan", "100\n"),
            ("sys/kernel/mm/ksm/sleep_millisecs", "20\n"), ("sys/kernel/mm/ksm/advisor_mode", "[none] scan-time\n"),
            ("sys/kernel/mm/ksm/advisor_target_scan_time", "200\n"), ("sys/kernel/mm/ksm/advisor_max_cpu", "70\n"),
            ("sys/kernel/mm/ksm/advisor_min_pages_to_scan", "500\n"),
            ("sys/kernel/mm/ksm/advisor_max_pages_to_scan", "30000\n"), ("sys/kernel/mm/ksm/merge_across_nodes", "1\n"),
            ("sys/kernel/mm/ksm/max_page_sharing", "256\n"), ("sys/kernel/mm/ksm/use_zero_pages", "0\n"),
            ("sys/kernel/mm/ksm/smart_scan", "1\n"), ("sys/kernel/mm/ksm/full_scans", "3\n"),
            ("sys/kernel/mm/ksm/pages_shared", "10\n"), ("sys/kernel/mm/ksm/pages_sharing", "100\n"),
            ("sys/kernel/mm/ksm/pages_unshared", "1000\n"), ("sys/kernel/mm/ksm/pages_volatile", "10\n"),
            ("sys/kernel/mm/ksm/pages_scanned", "10000\n"), ("sys/kernel/mm/ksm/pages_skipped", "5\n"),
            ("sys/kernel/mm/ksm/ksm_zero_pages", "7\n"), ("sys/kernel/mm/ksm/general_profit", "409600\n"),
        ]
    }

    private static func readGuests(_ tree: Tree) throws {
        var configuration = Configuration()
        for metric in [GuestMetric.rsz, .pss, .unmerged, .residentAndSwap] {
            configuration.guestMetric = metric
            guard let measured = try? GuestCensus.measure(tree.paths, configuration) else { continue }
            try require(measured.committed >= .zero, "the guests hold less than nothing")
        }
        if var table = try? GuestTable(tree.paths, matcher: try NameMatcher(configuration)) {
            try? table.refresh()
            table.activity { _, _ in }
            table.residents { _, _, _, _ in }
        }
        guard let list = try? GuestReader.read(tree.paths, configuration) else { return }
        for guest in list.guests {
            try require(guest.held.map { $0 >= .zero } ?? true, "a guest holds less than nothing")
            try require(guest.needed >= .zero, "a guest needs less than nothing")
            try require(guest.unswappable >= .zero && guest.unswappable <= guest.needed, "more cannot be swapped")
            try require(guest.ballooned.map { $0 >= .zero } ?? true, "the balloon took less than nothing")
            try requirePrintable(guest.name.printable)
        }
        _ = try? ProcessSurvey(tree.paths, configuration, writerNames: ["tuned"])
    }
}
