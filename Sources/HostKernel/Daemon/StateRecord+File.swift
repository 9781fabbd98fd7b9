package import KSMPolicy

extension StateRecord {
    /// What the last daemon left in its state file.
    ///
    /// - Returns: `nil` where there is none.
    /// - Throws: ``KernelFileError`` where it cannot be read or understood.
    package static func last(_ paths: HostPaths) throws(KernelFileError) -> StateRecord? {
        guard let text = try HostFile.readText(paths.state) else { return nil }
        guard let record = StateRecord(parsing: text) else {
            throw KernelFileError(.understand, paths.state, errno: 0, detail: StateRecord.foreign)
        }
        return record
    }

    /// Whether it is from before the kernel began anew, with values of its own: where `/run` outlives a boot. One without a
    /// decision does not say.
    package func isOfAnotherBoot(_ paths: HostPaths) -> Bool {
        let boot = HostClock.boot(paths)
        guard let other = report?.bootTime?.boot, other != 0, boot != 0 else { return false }
        return other != boot
    }
}
