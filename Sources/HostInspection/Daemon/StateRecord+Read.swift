package import HostKernel
package import KSMPolicy

extension StateRecord {
    /// What the daemon of this host reports now.
    ///
    /// - Returns: `nil` where there is no such file, or it is not to be understood.
    package static func read(_ paths: HostPaths) -> StateRecord? {
        guard let text = (try? HostFile.readText(paths.state)) ?? nil else { return nil }
        return StateRecord(parsing: text)
    }
}
