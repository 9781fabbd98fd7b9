package import HostKernel
package import KSMPolicy

/// What the guests hold together, counted once as the daemon counts it.
package enum GuestCensus {
    package static func measure(
        _ paths: HostPaths, _ configuration: Configuration
    ) throws(KernelFileError) -> GuestTable.Measurement {
        var guests = try GuestTable(paths, matcher: try NameMatcher(configuration))
        try guests.refresh()
        return guests.measure(by: configuration.guestMetric)
    }
}
