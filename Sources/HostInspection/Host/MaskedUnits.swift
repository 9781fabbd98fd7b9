internal import Glibc
package import HostKernel

/// Units that systemd will not start, whoever asks; see systemctl(1), `mask`. TuneD masks both of this project with
/// profiles that want no merging.
package enum MaskedUnits {
    /// - Returns: Those of `ksm.service` and `ksmtuned.service` that are masked, by the path of the link that says so.
    package static func find(_ paths: HostPaths) -> [String] {
        ["ksm.service", "ksmtuned.service"].compactMap { unit in
            paths.unitFolders.map { "\($0)/\(unit)" }.first { isMask($0) }
        }
    }

    /// A unit is masked by a link to `/dev/null`, or by an empty file.
    private static func isMask(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFLNK ? Link.target(path) == "/dev/null" : status.st_size == 0
    }
}
