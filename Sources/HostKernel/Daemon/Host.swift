internal import Glibc
package import KSMPolicy

/// What does not change while the host runs.
package enum Host {
    /// Asked of the system: it need not be 4 KiB.
    package static let pageSize = Bytes(Int64(max(sysconf(Int32(_SC_PAGESIZE)), 1024)))

    /// The CPUs that are switched on.
    package static var cpus: Int { max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) }

    /// Clock ticks in a second, the unit of CPU times in `/proc`.
    package static var ticksPerSecond: Int { max(sysconf(Int32(_SC_CLK_TCK)), 1) }
}
