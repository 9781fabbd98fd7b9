internal import Glibc
package import HostKernel

/// Units that systemd will not start, whoever asks; see systemctl(1), `mask`. TuneD masks both of this project with
/// profiles that want no merging.
package enum MaskedUnits {
    /// - Returns: Those of `ksm.service` and `ksmtuned.service` that are masked, by the path of the link that says so.
    /// - Throws: ``KernelFileError`` for the first that cannot be looked at.
    package static func find(_ paths: HostPaths) throws(KernelFileError) -> [String] {
        var masked: [String] = []
        for unit in ["ksm.service", "ksmtuned.service"] {
            for folder in paths.unitFolders where try isMask("\(folder)/\(unit)") {
                masked.append("\(folder)/\(unit)")
                break
            }
        }
        return masked
    }

    /// A unit is masked by a link to `/dev/null`, or by an empty file.
    private static func isMask(_ path: String) throws(KernelFileError) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw KernelFileError(.read, path, errno: errno)
        }
        return try status.st_mode & S_IFMT == S_IFLNK ? Link.target(path) == "/dev/null" : status.st_size == 0
    }
}
