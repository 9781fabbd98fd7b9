import ArgumentParser
import HostKernel
import KSMPolicy

extension LoadedConfiguration {
    /// Reads a configuration, with its drop-in files and what the environment sets.
    ///
    /// - Parameters:
    ///   - file: The user's own; `nil` for the host's.
    ///   - total: The host's memory, which the settings' arithmetic must fit; `nil` for that of `paths`.
    static func read(_ file: String? = nil, _ paths: HostPaths, total: KiB? = nil) -> LoadedConfiguration {
        let files = file.map { ConfigurationFiles(named: $0) } ?? ConfigurationFiles(paths)
        return files.load(total: total ?? (try? MemoryReader(paths).total()) ?? nil)
    }

    /// Says all that is wrong with it on standard error.
    ///
    /// - Throws: `ExitCode` 78 where it cannot be used, ``Refusal`` instead where there is a reason to add.
    func check(orElse reason: String? = nil) throws {
        Output.report(diagnostics)
        guard !isUsable else { return }
        if let reason { throw Refusal(reason, .configuration) }
        throw ExitCode(Refusal.Status.configuration.rawValue)
    }
}
