import Foundation
internal import HostKernel

/// What `ksmctl doctor` looks at beside KSM and the guests.
extension FakeHost {
    /// - Parameters:
    ///   - mode: `always`, `madvise` or `never`.
    ///   - empty: `max_ptes_none`.
    ///   - shared: `max_ptes_shared`; `nil` for a kernel without it.
    package func setHugePages(_ mode: String, empty: Int = 511, shared: Int? = 256) {
        let folder = "sys/kernel/mm/transparent_hugepage"
        let modes = ["always", "madvise", "never"].map { $0 == mode ? "[\($0)]" : $0 }.joined(separator: " ")
        write(modes + "\n", to: "\(folder)/enabled")
        write("\(empty)\n", to: "\(folder)/khugepaged/max_ptes_none")
        if let shared { write("\(shared)\n", to: "\(folder)/khugepaged/max_ptes_shared") }
    }

    /// - Parameters: Lists such as `0-3,8`.
    package func setTopology(cpus: String, nodes: String) {
        write(cpus + "\n", to: "sys/devices/system/cpu/online")
        write(nodes + "\n", to: "sys/devices/system/node/has_memory")
    }

    /// - Parameters: In percent, with two decimals as the kernel writes them.
    package func setPressure(some: String, full: String) {
        write(
            "some avg10=\(some) avg60=0.00 avg300=0.00 total=1\nfull avg10=\(full) avg60=0.00 avg300=0.00 total=1\n",
            to: "proc/pressure/memory")
    }

    /// - Parameter lines: As `/dev/sda2 partition 4194300 0 -2`.
    package func setSwaps(_ lines: [String]) {
        write(
            (["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"] + lines).map { $0 + "\n" }.joined(), to: "proc/swaps")
    }

    /// Adds a disk with one partition, as the kernel lays them out.
    ///
    /// - Parameter isRotational: What its queue says.
    package func addDisk(_ name: String, partition: String? = nil, isRotational: Bool) {
        let folder = "sys/devices/virtual/block/\(name)"
        write(isRotational ? "1\n" : "0\n", to: "\(folder)/queue/rotational")
        createFolder("sys/class/block")
        link("sys/class/block/\(name)", to: path(folder))
        guard let partition else { return }
        createFolder("\(folder)/\(partition)")
        link("sys/class/block/\(partition)", to: path("\(folder)/\(partition)"))
    }

    /// Says that a file lies on a disk that was added.
    ///
    /// - Parameter file: A file of the tree.
    package func place(_ file: String, onDisk disk: String) {
        guard let number = DeviceNumber.text(ofFile: path(file)) else { preconditionFailure("no file \(file)") }
        createFolder("sys/dev/block")
        link("sys/dev/block/\(number)", to: path("sys/devices/virtual/block/\(disk)"))
    }

    /// - Parameters: In bytes.
    package func addZram(_ name: String, held: Int64, taken: Int64) {
        addDisk(name, isRotational: false)
        write("\(held) 1 \(taken) 0 2 3 4 5 6\n", to: "sys/devices/virtual/block/\(name)/mm_stat")
    }

    package func setZswap(isOn: Bool) {
        write(isOn ? "Y\n" : "N\n", to: "sys/module/zswap/parameters/enabled")
        write("20\n", to: "sys/module/zswap/parameters/max_pool_percent")
    }

    /// Gives a process a descriptor of a virtual machine.
    package func addMachine(to pid: Int) {
        createFolder("proc/\(pid)/fd")
        link("proc/\(pid)/fd/11", to: "anon_inode:kvm-vm")
    }

    /// - Parameter settings: The text of `tuned.conf`.
    package func addTunedProfile(_ name: String, _ settings: String, script: String? = nil) {
        write(settings, to: "usr/lib/tuned/profiles/\(name)/tuned.conf")
        if let script { write(script, to: "usr/lib/tuned/profiles/\(name)/script.sh") }
    }

    package func useTunedProfile(_ name: String) { write(name + "\n", to: "etc/tuned/active_profile") }

    /// A host on which nothing is amiss: two CPUs, one node, swap on a solid-state disk.
    package func makeHealthy() {
        for (name, value) in [
            "merge_across_nodes": "1", "max_page_sharing": "256", "general_profit": "1048576", "full_scans": "7",
            "stable_node_dups": "0", "stable_node_chains": "0", "advisor_mode": "[none] scan-time",
        ] {
            write(value + "\n", to: "sys/kernel/mm/ksm/\(name)")
        }
        setHugePages("madvise")
        setTopology(cpus: "0-1", nodes: "0")
        setPressure(some: "0.00", full: "0.00")
        addDisk("nvme0n1", partition: "nvme0n1p3", isRotational: false)
        setSwaps(["/dev/nvme0n1p3                          partition\t8388604\t\t0\t\t-2"])
        setZswap(isOn: false)
    }
}
