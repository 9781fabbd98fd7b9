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
}
