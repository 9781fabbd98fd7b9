package import HostKernel
internal import KSMPolicy

/// The profile that TuneD goes by, and whether it has to do with KSM.
package struct TunedProfile: Equatable, Sendable {
    package var name: String
    /// The first file of the profile, or of one that it includes, that names KSM: it switches KSM off
    /// (cpu-partitioning, realtime-virtual-host), or writes the knobs.
    package var mention: String?

    package init(name: String, mention: String? = nil) {
        self.name = name
        self.mention = mention
    }

    /// - Returns: `nil` where TuneD has none.
    /// - Throws: ``KernelFileError`` also for a profile's file that is there and cannot be read.
    package static func read(_ paths: HostPaths) throws(KernelFileError) -> TunedProfile? {
        guard let text = try SmallFile.text(paths.tunedProfile), !text.isEmpty else { return nil }
        var seen: [String] = []
        var profile = TunedProfile(name: text)
        for name in text.split(separator: " ") where profile.mention == nil {
            profile.mention = try mention(String(name), paths, &seen)
        }
        return profile
    }

    /// - Parameter seen: Profiles that were looked at: one may include another that includes it.
    private static func mention(
        _ name: String, _ paths: HostPaths, _ seen: inout [String]
    ) throws(KernelFileError) -> String? {
        guard !seen.contains(name), !name.utf8.contains(UInt8(ascii: "/")), name != ".." else { return nil }
        seen.append(name)
        for folder in paths.tunedProfiles {
            guard let settings = try SmallFile.text("\(folder)/\(name)/tuned.conf", limit: 1 << 20) else { continue }
            var included: [String] = []
            for line in settings.split(separator: "\n") where !isComment(line) {
                if namesKSM(line) { return "\(folder)/\(name)/tuned.conf" }
                let parts = line.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0].split(separator: " ") == ["include"] else { continue }
                included = parts[1].split { $0 == " " || $0 == "," }.map { String($0) }
            }
            let script = try SmallFile.text("\(folder)/\(name)/script.sh", limit: 1 << 20) ?? ""
            if script.split(separator: "\n").contains(where: { !isComment($0) && namesKSM($0) }) {
                return "\(folder)/\(name)/script.sh"
            }
            for other in included {
                if let mention = try mention(other, paths, &seen) { return mention }
            }
            return nil
        }
        return nil
    }

    private static func isComment(_ line: Substring) -> Bool {
        let first = line.utf8.first { !$0.isBlank }
        return first == UInt8(ascii: "#") || first == UInt8(ascii: ";")
    }

    /// `/sys/kernel/mm/ksm/run`, `disable_ksm`, `ksmtuned`.
    private static func namesKSM(_ line: Substring) -> Bool {
        let bytes = Array(line.utf8)
        return bytes.indices.contains { bytes[$0...].starts(with: "ksm".utf8) }
    }
}
