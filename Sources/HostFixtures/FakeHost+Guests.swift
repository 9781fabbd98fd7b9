import Foundation

extension FakeHost {
    /// Adds a guest as ``setProcess(_:comm:resident:commandLine:)`` does.
    ///
    /// - Parameter commandLine: As a shell would split it at blanks; nothing is quoted.
    package func setGuest(_ pid: Int, comm: String = "qemu-system-x86", resident: Int64 = 1000, _ commandLine: String) {
        setProcess(
            pid, comm: comm, resident: resident, commandLine: commandLine.split(separator: " ").map { String($0) })
    }

    /// What KSM does for a process, as 6.18 shows it.
    package func setKSMStat(
        _ pid: Int, items: Int64 = 1000, zero: Int64 = 0, merging: Int64 = 0, profit: Int64 = 0,
        offersAll: Bool = false,
        offersAny: Bool = true
    ) {
        write(
            """
            ksm_rmap_items \(items)
            ksm_zero_pages \(zero)
            ksm_merging_pages \(merging)
            ksm_process_profit \(profit)
            ksm_merge_any: \(offersAll ? "yes" : "no")
            ksm_mergeable: \(offersAny ? "yes" : "no")

            """, to: "proc/\(pid)/ksm_stat")
    }

    // MARK: Cgroups

    /// Has version 2 at the root of cgroups, or beside version 1.
    package func mountUnifiedCgroups(beside isHybrid: Bool = false) {
        write("cpu memory\n", to: "sys/fs/cgroup/\(isHybrid ? "unified/" : "")cgroup.controllers")
    }

    /// - Parameter lines: Of `/proc/PID/cgroup`.
    package func setCgroup(of pid: Int, _ lines: String...) {
        write(lines.map { $0 + "\n" }.joined(), to: "proc/\(pid)/cgroup")
    }

    /// Adds a group with its files.
    ///
    /// - Parameter path: Below `/sys/fs/cgroup`.
    package func setCgroup(_ path: String, _ files: [String: String] = [:]) {
        createFolder("sys/fs/cgroup/\(path)")
        for (name, value) in files { write(value + "\n", to: "sys/fs/cgroup/\(path)/\(name)") }
    }

    // MARK: Machines

    /// Has a thread hold a virtual machine of KVM, as debugfs shows it.
    package func setMachine(of thread: Int, descriptor: Int = 9, link target: String = "anon_inode:kvm-vm") {
        createFolder("sys/kernel/debug/kvm/\(thread)-\(descriptor)")
        createFolder("proc/\(thread)/fd")
        link("proc/\(thread)/fd/\(descriptor)", to: target)
    }
}
