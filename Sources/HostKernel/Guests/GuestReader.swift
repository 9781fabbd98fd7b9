package import KSMPolicy

/// Reads all that can be told of the host's guests.
package enum GuestReader {
    /// - Parameter configuration: Says which processes are guests.
    package static func read(
        _ paths: HostPaths, _ configuration: Configuration
    ) throws(KernelFileError) -> [GuestDetails] {
        []
    }
}
