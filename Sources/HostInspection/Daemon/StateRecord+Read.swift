package import HostKernel
package import KSMPolicy

extension StateRecord {
    /// What the daemon of this host reports now.
    ///
    /// - Returns: `nil` where there is no such file.
    /// - Throws: ``KernelFileError`` where it cannot be read or understood.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> StateRecord? {
        guard let text = try HostFile.readText(paths.state) else { return nil }
        guard let record = StateRecord(parsing: text) else {
            throw KernelFileError(.understand, paths.state, errno: 0, detail: "it is no state of a ksmtuned")
        }
        return record
    }
}
