internal import Glibc
package import HostKernel
package import KSMPolicy

extension StateRecord {
    /// What the daemon that runs on this host reports now.
    ///
    /// - Parameter pid: Its own. One that was killed leaves its last report, which is not that of the next daemon.
    /// - Throws: ``KernelFileError`` where the file is missing, cannot be read or understood, or is another daemon's.
    package static func read(_ paths: HostPaths, of pid: Int32) throws(KernelFileError) -> StateRecord {
        guard let record = try last(paths) else { throw KernelFileError(.read, paths.state, errno: ENOENT) }
        guard !record.isReportDamaged else {
            throw KernelFileError(.understand, paths.state, errno: 0, detail: "its decision is damaged")
        }
        guard record.pid == pid else {
            throw KernelFileError(
                .understand, paths.state, errno: 0,
                detail: "it is of process \(record.pid), and the daemon that runs is process \(pid)")
        }
        return record
    }

    /// What a daemon that is gone has not put back, as `NAME (VALUE)`; none where there is nothing, or no state that can be
    /// read.
    package static func leftBehind(_ paths: HostPaths) -> [String] {
        guard let record = (try? last(paths)) ?? nil, !record.isOfAnotherBoot(paths) else { return [] }
        return KSMFile.allCases.compactMap { file in
            if file == .advisorMode { return record.found.advisorMode.map { "\(file.name) (\($0.word))" } }
            let knob = Knob.allCases.first { $0.file == file }
            return (knob.map { record.foundKnobs[$0] } ?? record.found[file]).map { "\(file.name) (\($0))" }
        }
    }
}
