/// Where everything is. No other file of the project holds a path of the host.
///
/// `root` is `/` on a host and a temporary folder in a test or a demonstration: every path is taken under it.
package struct HostPaths: Sendable {
    private let prefix: String
    package let meminfo: String
    package let memoryPressure: String
    package let proc: String
    package let ksm: String
    package let cpuPressure: String
    package let vmstat: String
    /// The folder of block devices.
    package let block: String
    package let configuration: String
    /// The folder of what the daemon reports to other programs.
    package let runtime: String
    package let state: String
    /// What the daemon locks for as long as it lives; only root can open it.
    package let lock: String
    /// The daemon's ring of past decisions.
    package let history: String
    /// Where cgroups are mounted: version 2, or the folders of version 1's controllers.
    package let cgroup: String
    /// Version 2 beside version 1.
    package let unifiedCgroup: String
    /// The folder in which KVM has one for each virtual machine. debugfs
    package let machines: String

    package init(root: String = "/") {
        var prefix = root[...]
        while prefix.utf8.last == UInt8(ascii: "/") { prefix.removeLast() }
        self.prefix = String(prefix)
        meminfo = prefix + "/proc/meminfo"
        memoryPressure = prefix + "/proc/pressure/memory"
        proc = prefix + "/proc"
        ksm = prefix + "/sys/kernel/mm/ksm"
        cpuPressure = prefix + "/proc/pressure/cpu"
        vmstat = prefix + "/proc/vmstat"
        block = prefix + "/sys/block"
        configuration = prefix + "/etc/ksmtuned.conf"
        runtime = prefix + "/run/ksmtuned"
        state = prefix + "/run/ksmtuned/state"
        lock = prefix + "/run/ksmtuned/lock"
        history = prefix + "/var/lib/ksmtuned/history"
        cgroup = prefix + "/sys/fs/cgroup"
        unifiedCgroup = prefix + "/sys/fs/cgroup/unified"
        machines = prefix + "/sys/kernel/debug/kvm"
    }

    package var loadAverage: String { prefix + "/proc/loadavg" }
    /// A number that another boot does not have.
    package var bootID: String { prefix + "/proc/sys/kernel/random/boot_id" }
    /// The folder of transparent huge pages; those of khugepaged lie below.
    package var hugePages: String { prefix + "/sys/kernel/mm/transparent_hugepage" }
    /// The folder of the pools of huge pages, one for each size.
    package var hugePagePools: String { prefix + "/sys/kernel/mm/hugepages" }
    /// How gladly the kernel swaps, from 0 to 200.
    package var swappiness: String { prefix + "/proc/sys/vm/swappiness" }
    /// What is mounted where, as this process sees it; the second one is older and says less.
    package var mounts: [String] { ["/proc/self/mountinfo", "/proc/mounts"].map { prefix + $0 } }
    /// What ZFS's cache holds, and between which bounds.
    package var zfsCache: String { prefix + "/proc/spl/kstat/zfs/arcstats" }
    /// A list of the CPUs that are switched on, as `0-3,8`.
    package var onlineCPUs: String { prefix + "/sys/devices/system/cpu/online" }
    /// A list of the NUMA nodes that have memory.
    package var memoryNodes: String { prefix + "/sys/devices/system/node/has_memory" }
    package var swaps: String { prefix + "/proc/swaps" }
    /// Block devices by their names, each a link to the device's folder; a partition's lies in its disk's.
    package var blockDevices: String { prefix + "/sys/class/block" }
    /// Block devices by their numbers, `254:0`.
    package var blockNumbers: String { prefix + "/sys/dev/block" }
    package var zswap: String { prefix + "/sys/module/zswap/parameters" }
    /// What sysfsutils(5) writes to sysfs at boot, and the folder of more.
    package var sysfsSettings: String { prefix + "/etc/sysfs.conf" }
    package var sysfsSettingsFolder: String { prefix + "/etc/sysfs.d" }
    /// Where tmpfiles.d(5) are, the first that has a name first.
    package var temporaryFilesFolders: [String] {
        ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"].map { prefix + $0 }
    }
    /// What Debian's qemu-kvm.service does with KSM at boot.
    package var qemuSettings: String { prefix + "/etc/default/qemu-kvm" }
    /// Scripts that run at boot.
    package var bootScripts: [String] {
        ["/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local"].map { prefix + $0 }
    }
    /// The system's own tables of cron(8), and the folder of more.
    package var cronTable: String { prefix + "/etc/crontab" }
    package var cronTablesFolder: String { prefix + "/etc/cron.d" }
    /// Where systemd looks for units, the first that has a name first.
    package var allUnitFolders: [String] {
        unitFolders
            + ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"].map { prefix + $0 }
    }
    /// Where an administrator's word on a unit of systemd stands, and a program's until the next boot.
    package var unitFolders: [String] { ["/etc/systemd/system", "/run/systemd/system"].map { prefix + $0 } }
    /// The names of TuneD's profile in use, with blanks between.
    package var tunedProfile: String { prefix + "/etc/tuned/active_profile" }
    /// Where TuneD looks for a profile's folder, the first that has it.
    package var tunedProfiles: [String] {
        ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"].map { prefix + $0 }
    }

    /// Users, groups and pools of Proxmox VE; see user.cfg in its administration guide.
    package var proxmoxUsers: String { prefix + "/etc/pve/user.cfg" }
    /// The folder of what libvirt knows of the guests that run, `NAME.xml` each.
    package var libvirtGuests: String { prefix + "/run/libvirt/qemu" }

    /// Where drop-ins for the unit wait for who needs one.
    package var dropIns: [String] { ["/usr/local/share/ksmtuned", "/usr/share/ksmtuned"].map { prefix + $0 } }
    /// What the administrator adds to the unit.
    package var unitDropIns: String { prefix + "/etc/systemd/system/ksmtuned.service.d" }

    /// Whether this is a tree that stands for a host.
    package var isStandIn: Bool { !prefix.isEmpty }

    /// The folder that all lies under.
    var root: String { prefix.isEmpty ? "/" : prefix }

    /// The place of an absolute path that a setting names.
    package func place(_ path: String) -> String { prefix + path }

    /// The drop-in files' folder of a configuration file.
    package static func dropIns(of configuration: String) -> String { configuration + ".d" }
}
