internal import CLinux
internal import Glibc

/// The limit of open descriptors: one is held per guest, and systemd's soft limit is 1,024.
package enum DescriptorLimit {
    /// The least with which all files are held open that a host without guests has for each decision: some 30 of the daemon's
    /// own, of KSM and of memory, and what must stay free (``DescriptorReserve``).
    package static var least: Int { 48 }

    package static var present: Int { linux_descriptor_limit() }

    /// Raises the soft limit to the hard one.
    package static func raise() {
        linux_allow_all_descriptors()
    }
}

/// The daemon's own memory.
package enum ProcessMemory {
    /// Has the first look at a host of many processes leave no trace in the heap.
    package static func prepare() {
        linux_return_large_blocks()
    }

    /// Gives back what only the start needed: pages of code and constants, which the page cache keeps and which are
    /// mapped again when touched, and free heap.
    package static func releaseStartup() {
        linux_release_startup_memory()
    }
}
