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

extension NameMatcher {
    /// The one that a configuration asks for.
    package init(_ configuration: Configuration) throws(KernelFileError) {
        do throws(Pattern.Refusal) {
            try self.init(profile: configuration.profile, pattern: configuration.guestPattern)
        } catch {
            throw KernelFileError(.understand, Setting.guestPattern.name, errno: 0, detail: error.reason)
        }
    }
}
